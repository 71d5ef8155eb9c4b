#!/usr/bin/env python3
# touches: tls
"""Real clients hand in mail, with and without TLS, and it arrives unchanged."""
import smtplib
import ssl
import subprocess

from harness import case, case_for, equal, has, need, run

BODY = (b"From: <a@client.example>\r\nTo: <b@example.net>\r\n"
        b"Subject: dots\r\n\r\n.one\r\n..two\r\n.\x20\r\n\r\nlast\r\n")
LISTEN = ('"127.0.0.1:0" { tls = may }', '"127.0.0.2:0" { tls = implicit }')


def start(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), listen=LISTEN)
    return relay, sink


def arrived(relay, sink, body=BODY, secure=None):
    """What was sent came out whole, below a Received line that is true."""
    got = sink.wait_messages(1)[0]
    if body is not None and not got.body.endswith(body):
        raise AssertionError(f"changed on its way:\n{got.body!r}\n{body!r}")
    head = got.body[:-len(body)] if body else got.body
    accepted = relay.wait("accepted")
    has(head, b"Received: from ")
    has(head.replace(b"\r\n", b" "), accepted.id.encode())
    equal(accepted.tls, secure or "")
    if accepted.proto.endswith("S") != bool(secure):
        raise AssertionError(f"protocol {accepted.proto} with {secure}")
    has(head, b"with " + accepted.proto.encode())
    if secure:
        has(head, secure.encode(), "the TLS version in Received")
        has(head, accepted.cipher.encode(), "the cipher in Received")
    relay.wait("delivered", id=accepted.id)
    return got


def tool(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, timeout=60,
                          stderr=subprocess.STDOUT, check=False, **options)
    text = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0:
        raise AssertionError(f"{words}: {done.returncode}\n{text}")
    return text


@case_for(("plain", "smtp", 0, [], None),
          ("STARTTLS", "smtp", 0, ["--ssl-reqd"], "TLSv1.3"),
          ("STARTTLS with TLS 1.2", "smtp", 0,
           ["--ssl-reqd", "--tls-max", "1.2"], "TLSv1.2"),
          ("implicit TLS", "smtps", 1, [], "TLSv1.3"))
def curl(lab, scheme, number, words, secure):
    need("curl")
    relay, sink = start(lab)
    host, port = relay.listener(number)
    tool("curl", "-sS", "--url", f"{scheme}://relay.example:{port}/client",
         "--resolve", f"relay.example:{port}:{host}",
         "--cacert", lab.ca.trust, "--mail-from", "a@client.example",
         "--mail-rcpt", "b@example.net", "--upload-file",
         lab.write("mail", BODY), *words)
    got = arrived(relay, sink, secure=secure)
    equal(got.sender, "a@client.example")
    equal(got.recipients, ["b@example.net"])


@case_for(("plain", 0, [], None),
          ("STARTTLS", 0, ["--tls"], "TLSv1.3"),
          ("STARTTLS with TLS 1.2", 0,
           ["--tls", "--tls-protocol", "tlsv1_2"], "TLSv1.2"),
          ("implicit TLS", 1, ["--tls-on-connect"], "TLSv1.3"),
          ("pipelined", 0, ["--pipeline"], None))
def swaks(lab, number, words, secure):
    need("swaks")
    relay, sink = start(lab)
    host, port = relay.listener(number)
    tool("swaks", "--server", host, "--port", str(port), "--helo", "client.example",
         "--from", "a@client.example", "--to", "b@example.net,c@example.net",
         "--data", lab.write("mail", BODY.replace(b"\r\n", b"\n")), *words)
    got = arrived(relay, sink, body=None, secure=secure)
    has(got.body, b"\r\n.one\r\n..two\r\n")
    equal(got.recipients, ["b@example.net", "c@example.net"])


def by_smtplib(lab, number, context, use):
    relay, sink = start(lab)
    kind = smtplib.SMTP_SSL if number else smtplib.SMTP
    options = {"context": context} if number else {}
    with kind(*relay.listener(number), "client.example",
              timeout=30, **options) as client:
        if context and not number:
            client.starttls(context=context)
        client.ehlo()
        use(client)
    return relay, sink


def careless():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@case_for(("plain", 0, None, None), ("STARTTLS", 0, careless, "TLSv1.3"),
          ("implicit TLS", 1, careless, "TLSv1.3"))
def smtplib_sends(lab, number, context, secure):
    relay, sink = by_smtplib(
        lab, number, context and context(),
        lambda client: client.sendmail("a@client.example", "b@example.net",
                                       BODY))
    arrived(relay, sink, secure=secure)


@case
def smtplib_sends_utf8_addresses_and_headers(lab):
    body = ("From: <ä@client.example>\r\nTo: <ö@bücher.example>\r\n"
            "Subject: Grüße\r\n\r\nüber\r\n").encode()
    relay, sink = by_smtplib(
        lab, 0, None,
        lambda client: client.sendmail("ä@client.example", "ö@bücher.example",
                                       body, ["SMTPUTF8", "BODY=8BITMIME"]))
    got = arrived(relay, sink, body=body)
    equal(got.sender, "ä@client.example")
    equal(got.recipients, ["ö@bücher.example"])
    has(got.sender_arguments.upper(), "SMTPUTF8")
    equal(relay.wait("accepted").proto, "UTF8SMTP")


@case
def smtplib_sends_eight_bits(lab):
    body = BODY + "äöü €\r\n".encode()
    relay, sink = by_smtplib(
        lab, 0, None,
        lambda client: client.sendmail("a@client.example", "b@example.net",
                                       body, ["BODY=8BITMIME"]))
    got = arrived(relay, sink, body=body)
    has(got.sender_arguments.upper(), "BODY=8BITMIME")


@case
def smtplib_asks_for_reports(lab):
    relay, sink = by_smtplib(
        lab, 0, None,
        lambda client: client.sendmail(
            "a@client.example", "b@example.net", BODY,
            ["RET=HDRS", "ENVID=QQ+2B1"],
            ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;b+2Bx@example.net"]))
    got = arrived(relay, sink)
    has(got.sender_arguments.upper(), "RET=HDRS")
    has(got.sender_arguments, "ENVID=QQ+2B1")
    has(got.recipient_arguments[0], "ORCPT=rfc822;b+2Bx@example.net")
    notify = got.recipient_arguments[0].upper()
    has(notify, "SUCCESS")
    has(notify, "FAILURE")


class Dialogue:
    """An SMTP dialogue through a program's standard input and output."""

    def __init__(self, lab, *words):
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.text = b""
        lab.later(self.end)

    def wait(self, part):
        """Reads lines until one begins with it."""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise AssertionError("ended:\n" + self.text.decode())
            self.text += line
            if line.startswith(part):
                return line

    def say(self, text, wanted):
        self.process.stdin.write(text + b"\r\n")
        self.process.stdin.flush()
        return self.wait(wanted)

    def send(self, body):
        self.say(b"EHLO client.example", b"250 ")
        self.say(b"MAIL FROM:<a@client.example>", b"250 ")
        # s_client takes a line that begins with R or Q for itself.
        self.say(b"rcpt to:<b@example.net>", b"250 ")
        self.say(b"DATA", b"354 ")
        self.say(body + b".", b"250 ")

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


STUFFED = BODY.replace(b"\r\n.", b"\r\n..")


@case_for(("TLS 1.2", "-tls1_2", "TLSv1.2"), ("TLS 1.3", "-tls1_3", "TLSv1.3"))
def openssl_verifies_and_sends(lab, flag, secure):
    need("openssl")
    relay, sink = start(lab)
    program = Dialogue(
        lab, "openssl", "s_client", "-starttls", "smtp", "-name",
        "client.example", "-connect", f"127.0.0.1:{relay.port}", "-quiet",
        flag, "-CAfile", lab.ca.trust, "-verify_return_error",
        "-verify_hostname", "relay.example", "-servername", "relay.example")
    program.send(STUFFED)
    arrived(relay, sink, secure=secure)


@case_for(("TLS 1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLSv1.2"),
          ("TLS 1.3", "NORMAL:-VERS-ALL:+VERS-TLS1.3", "TLSv1.3"))
def gnutls_verifies_and_sends(lab, priority, secure):
    need("gnutls-cli")
    relay, sink = start(lab)
    program = Dialogue(
        lab, "gnutls-cli", "--starttls-proto=smtp", "--priority", priority,
        "--x509cafile", lab.ca.trust, "--verify-hostname=relay.example",
        "--sni-hostname=relay.example", "--port", str(relay.port),
        "127.0.0.1")
    program.wait(b"- Simple Client Mode")
    program.send(STUFFED)
    arrived(relay, sink, secure=secure)


@case
def tls_1_1_is_refused_and_x25519_is_first(lab):
    need("openssl")
    relay, _ = start(lab)
    base = ["openssl", "s_client", "-connect",
            ":".join(map(str, relay.listener(1))), "-CAfile", lab.ca.trust]
    done = subprocess.run(
        [*base, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], timeout=30,
        input=b"QUIT\r\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False)
    has(done.stdout, b"alert protocol version")
    done = subprocess.run(
        [*base, "-crlf"], input=b"QUIT\n", stdout=subprocess.PIPE, timeout=30,
        stderr=subprocess.STDOUT, check=False)
    has(done.stdout, b"Server Temp Key: X25519")
    has(done.stdout, b"Verify return code: 0 (ok)")


@case
def postfix_tools_send_many(lab):
    """smtp-source: several sessions at once, each with several messages."""
    need("smtp-source")
    relay, sink = start(lab)
    tool("smtp-source", "-d", "-s", "5", "-m", "50", "-l", "3000", "-f",
         "a@client.example", "-t", "b@example.net",
         f"127.0.0.1:{relay.port}")
    sink.wait_messages(50)
    relay.wait("delivered", count=50)


run()
