#!/usr/bin/env python3
# build: plain
# touches: tls
"""The lab's faults of certificates and TLS: OpenSSL sees each as it is named,
and the relay's probe tells the right reason. And the lab that is played when
nobody says which."""
import glob
import itertools
import json
import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import time

import postfix
from harness import Skip, case, equal, has, need, need_root, run

TOP = os.environ["TOP"]
POSTERN = os.path.abspath(os.environ["POSTERN"])
NAME = "mx5.de.tuv.com"
NETS = itertools.count()
ISSUER = "D-TRUST SSL Class 3 CA 1 2009"

# fault: what OpenSSL says of it ("" where it must pass), what the probe says
FAULTS = {
    "expired": ("certificate has expired", "expired on"),
    "not-yet-valid": ("not yet valid", "is not valid before"),
    "wrong-name": ("Hostname mismatch", "bears mail.other.example, expected"),
    "name-only-in-cn": ("Hostname mismatch", "its CN mx5.de.tuv.com would"),
    "self-signed": ("self-signed certificate", "is self-signed and not"),
    "unknown-ca": ("unable to get local issuer",
                   'issued by "Postern Lab Root t", which leads to no'),
    "missing-intermediate": ("unable to get local issuer",
                             f'issued by "{ISSUER}", which leads to no'),
    "chain-wrong-order": ("", ""),
    "unrelated-extra-certificates": ("", ""),
    "weak-rsa-1024": ("EE certificate key too weak", "weak key (RSA 1024)"),
    "sha1-signature": ("CA signature digest algorithm too weak",
                       "signed with a weak algorithm"),
    "nul-in-name": ("Hostname mismatch", "that are no host names"),
    "wildcard-two-labels": ("Hostname mismatch", "that are no host names"),
    "ca-false-issuer": ("invalid CA certificate|certificate signing",
                        "issued a certificate and is no CA"),
    "client-auth-only": ("unsuitable certificate purpose|unsupported",
                         "not meant for servers"),
    "key-mismatch": ("BAD_SIGNATURE", "does not hold the certificate's key"),
    "huge-certificate-chain": ("EXCESSIVE_MESSAGE_SIZE",
                               "handshake message too large"),
    "huge-certificate-chain 2": ("", ""),
    "no-starttls": ("not offered", "does not offer STARTTLS"),
    "strip 1": ("not offered", "does not offer STARTTLS"),
    "strip first 1": ("", ""),
    "starttls-454": ("454", "refused STARTTLS: 454"),
    "starttls-500": ("500", "refused STARTTLS: 500"),
    "plaintext-after-220": ("250 2.0.0 Said in the clear",
                            "bytes in the clear behind the reply"),
    "garbage-handshake": ("WRONG_VERSION_NUMBER", "spoke no TLS"),
    "close-in-handshake": ("EOF occurred|UNEXPECTED_EOF",
                           "closed the connection during the TLS"),
    "stall-in-handshake": ("timed out", "the TLS handshake failed"),
    "tls-1.1-only": ("PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL",
                     "no common protocol version"),
    "tls-1.2-only": ("", ""),
    "no-common-cipher": ("HANDSHAKE_FAILURE", "handshake"),
    "truncate": ("", ""),
    "expired every 2": ("", "expired on"),
}


def play(lab, faults, more=""):
    """The lab with a gateway for each fault, on ports that are free."""
    text = "".join(
        f'  gateway "g{number}.test" {{ listen = "127.0.0.1:0" names = '
        f'{{ {NAME} }} fault = {{ "{fault}" }} }}\n'
        for number, fault in enumerate(faults))
    here = lab.idle_relay(f'lab "t" {{\n  store = "{lab.path("store")}"\n'
                          f'  ca = "{ISSUER}"\n{text}}}\n{more}',
                          certificate=False)
    here.command = "lab"
    here.start()
    here.root = lab.path("store") + "/root.pem"
    return here


def read_reply(stream):
    reply = ""
    while True:
        line = stream.readline().decode("latin-1")
        reply += line
        if line[3:4] != "-":
            return reply


def handshake(port, root, timeout=10, is_early=False):
    """What OpenSSL objects to; "" where it is content. Early: the server may
    say more before the handshake."""
    context = ssl.create_default_context(cafile=root)
    with socket.create_connection(("127.0.0.1", port), timeout) as sock:
        stream = sock.makefile("rb", buffering=0)
        read_reply(stream)
        sock.sendall(b"EHLO client.example\r\n")
        if "STARTTLS" not in read_reply(stream):
            return "not offered"
        sock.sendall(b"STARTTLS\r\n")
        answer = read_reply(stream)
        if not answer.startswith("220"):
            return answer
        sock.setblocking(False)
        if is_early:
            time.sleep(0.1)
        try:
            early = sock.recv(100)
        except BlockingIOError:
            early = b""
        sock.settimeout(timeout)
        if early:
            return early.decode("latin-1")
        try:
            with context.wrap_socket(sock, server_hostname=NAME) as secure:
                secure.sendall(b"NOOP\r\n")
                has(secure.recv(100).decode("latin-1"), "250")
        except (OSError, ssl.SSLError) as error:
            return str(error)
        return ""


@case
def each_fault_is_what_it_is_called(lab):
    here = play(lab, FAULTS)
    for number, (fault, (wanted, _)) in enumerate(FAULTS.items()):
        limit = 0.3 if fault == "stall-in-handshake" else 10
        if fault == "strip first 1":
            equal(handshake(here.listener_port(number), here.root),
                  "", fault)
            continue
        got = handshake(here.listener_port(number), here.root, limit,
                        fault == "plaintext-after-220")
        if wanted:
            assert re.search(wanted, got), f"{fault}: {got}"
        else:
            equal(got, "", fault)


@case
def the_probe_tells_the_reason_of_each(lab):
    # Twice, for what strikes at the second time.
    faults = {fault.replace("every 2", "every 1"): says
              for fault, (_, says) in FAULTS.items()}
    here = play(lab, faults)
    gateways = ", ".join(f'"127.0.0.1:{here.listener_port(number)}"'
                         for number in range(len(faults)))
    conf = lab.write("check.conf", f"""
hostname = relay.example
spool = "{lab.path("unused")}"
timeout-starttls = 2s
resolver = {{ 127.0.0.1:9 }}
policy "t.test" {{
    tls = verify  names = {{ {NAME} }}  issuer = "{ISSUER}"
    trust = "{here.root}"  gateways = {{ {gateways} }}
}}
""")
    done = subprocess.run([POSTERN, "check", "-c", conf, "t.test", "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=60, check=False)
    rows = {row["port"]: row for row in json.loads(done.stdout)["gateways"]}
    for number, (fault, says) in enumerate(faults.items()):
        row = rows[here.listener_port(number)]
        if says:
            has(row["judgement"]["reason"], says, fault)
            assert not row["judgement"]["met"], fault
        else:
            assert row["judgement"]["met"], (fault, row["reason"])
            equal(row["score"], 100, fault)
            wanted = "TLSv1.2" if fault == "tls-1.2-only" else "TLSv1.3"
            equal(row["tls"]["version"], wanted, fault)


@case
def a_truncated_reply_is_no_acceptance(lab):
    here = play(lab, ["truncate"])
    context = ssl.create_default_context(cafile=here.root)
    with here.smtp() as smtp:
        smtp.ehlo()
        smtp._host = NAME
        smtp.starttls(context=context)
        smtp.sock.suppress_ragged_eofs = False
        smtp.ehlo()
        for word in ("MAIL FROM:<a@x.test>", "RCPT TO:<b@y.test>", "DATA"):
            smtp.docmd(word)
        smtp.send("Subject: t\r\n\r\nt\r\n.\r\n")
        got = b""
        try:
            while True:
                piece = smtp.sock.recv(100)
                if not piece:
                    raise AssertionError("ended with close_notify")
                got += piece
        except ssl.SSLError as error:
            has(str(error), "EOF")
        equal(got, b"250 2.")
        smtp.close()


@case
def certificates_go_bad_and_get_well_while_it_runs(lab):
    here = play(lab, ["reply-split"])
    port = here.listener_port()
    for words, wanted in ((["set", "g0.test", "expired", "first", "1"],
                           "certificate has expired"),
                          ([], ""),
                          (["set", "g0.test", "key-mismatch"],
                           "BAD_SIGNATURE"),
                          (["clear", "g0.test"], "")):
        if words:
            subprocess.run([POSTERN, "lab", "-c", here.conf, *words],
                           check=True, timeout=20, stdout=subprocess.DEVNULL)
        got = handshake(port, here.root)
        assert got == wanted or wanted and wanted in got, (words, got)


@case
def a_root_is_trusted_once_and_one_certificate_is_shared(lab):
    here = play(lab, ["strip", "strip"])
    with open(here.root, encoding="ascii") as file:
        before = file.read()
    equal(os.stat(here.root.replace(".pem", ".key")).st_mode & 0o777, 0o600)
    leaves = set()
    for number in range(2):
        leaves.add(fetch_leaf(here.listener_port(number)))
    equal(len(leaves), 1)
    here.stop()
    here.start()
    with open(here.root, encoding="ascii") as file:
        equal(file.read(), before)
    equal(handshake(here.listener_port(0), here.root), "")


def fetch_leaf(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        stream = sock.makefile("rb", buffering=0)
        read_reply(stream)
        sock.sendall(b"STARTTLS\r\n")
        answer = read_reply(stream)
        if answer.startswith("220"):
            with context.wrap_socket(sock) as secure:
                return secure.getpeercert(binary_form=True)
        return answer


def example(lab):
    """The example on addresses that no other test uses."""
    with open(TOP + "/docs/examples/lab-tuv.conf", encoding="utf-8") as file:
        text = file.read()
    net = (f"127.{os.getpid() % 200 + 20}."
           f"{(os.getpid() // 200 + next(NETS) * 25) % 250}.")
    text = text.replace("127.0.5.", net).replace("127.0.0.1:8025",
                                                 f"{net}25:8025")
    return lab.write("example.conf", text)


class Played:
    """`postern lab` as a person calls it."""

    def __init__(self, lab, *words):
        self.start = time.monotonic()
        self.folder = lab.fresh_folder("here")
        self.errors = None
        self.child = subprocess.Popen(
            [POSTERN, "lab", *words], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=self.folder, text=True)
        lab.later(self.end)
        self.text = ""
        for line in self.child.stdout:
            self.text += line
            if "Ctrl-C" in line:
                break
        self.took = time.monotonic() - self.start

    def end(self):
        """Ctrl-C; what it said on standard error."""
        if self.errors is None:
            if self.child.poll() is None:
                self.child.send_signal(signal.SIGINT)
            self.errors = self.child.communicate(timeout=20)[1]
        return self.errors

    def lines(self, title):
        """What is printed below that title, as it would be copied."""
        found = re.search(rf"^{title}[^\n]*:\n((?:    .*\n)+)", self.text,
                          re.MULTILINE)
        return found[1]


@case
def an_example_is_played_and_its_lines_lead_to_it(lab):
    played = Played(lab, "-c", example(lab))
    has(played.text, 'The lab "tuv" is ready')
    conf = lab.write("postern.conf", "hostname = relay.example\n"
                     f'spool = "{lab.path("unused")}"\n' +
                     played.lines("Postern"))
    done = subprocess.run([POSTERN, "check", "-c", conf, "tuv.com", "--json"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=60, check=False)
    found = json.loads(done.stdout)
    equal(found["score"], 100)
    equal([(row["host"], row["preference"]) for row in found["gateways"]],
          [("mx5.de.tuv.com", 10), ("mx6.de.tuv.com", 20),
           ("mx1.amer.tuv.com", 30), ("mx1.asia.tuv.com", 40)])
    for row in found["gateways"]:
        equal({stage["state"] for stage in row["stages"].values()}, {"ok"})
        equal(row["tls"]["names"], [NAME])
        equal(row["tls"]["leaf"]["issuer"], ISSUER)
    swaks = played.lines("swaks").replace("\\\n", " ").split()
    done = subprocess.run(swaks, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    equal(done.returncode, 0, done.stdout.decode("utf-8", "replace"))
    played.end()
    equal(played.child.returncode, 0)


class SmtpClient:
    """Postfix's service that sends."""

    @staticmethod
    def text():
        return "smtp unix - - n - - smtp"


@case
def postfix_follows_the_lines_that_are_printed(lab):
    need("postfix", "postconf")
    need_root()
    played = Played(lab, "-c", example(lab))
    lines = dict(line.strip().split(" = ", 1)
                 for line in played.lines("Postfix").splitlines())
    way_in = postfix.Service(level="none")
    box = postfix.Postfix(lab.fresh_folder("postfix"), SmtpClient, way_in,
                          smtp_tls_loglevel="1", **lines)
    lab.later(box.close)
    with smtplib.SMTP(way_in.host, way_in.port) as client:
        client.sendmail("a@client.example", "you@tuv.com",
                        "Subject: t\r\n\r\nt\r\n")
    store = re.search(r"^  mail +(\S+)", played.text, re.MULTILINE)[1]
    end = time.monotonic() + 20
    while not glob.glob(store + "/new/*"):
        assert time.monotonic() < end, box.logged()
        time.sleep(0.05)
    with open(glob.glob(store + "/new/*")[0], encoding="latin-1") as file:
        head = file.read()
    has(head, "X-Lab-TLS: TLSv1.3")
    has(head, "X-Lab-To: <you@tuv.com>")
    has(box.logged(), "Verified TLS connection established")


@case
def without_a_configuration_the_example_is_played(lab):
    played = Played(lab)
    if not played.text:
        raise Skip("127.0.5.5:2525 is in use: " + played.end())
    has(played.text, "mx1.asia.tuv.com         127.0.5.21:2525")
    has(played.text, "http://127.0.0.1:8025/")
    assert played.took < 5, played.took
    assert os.path.isdir(played.folder + "/lab-mail/new")
    errors = played.end()
    equal(played.child.returncode, 0, errors)


@case
def the_list_of_faults_is_that_of_the_documentation(lab):
    done = subprocess.run([POSTERN, "lab", "--faults"], timeout=20,
                          stdout=subprocess.PIPE, text=True, check=True)
    printed = dict(re.findall(r"^  ([A-Za-z0-9][\w.-]*)(?: \[N\])? {2,}(.*)$",
                              done.stdout, re.MULTILINE))
    with open(TOP + "/docs/lab.md", encoding="utf-8") as file:
        text = file.read()
    part = text[text.index("\n## Faults"):text.index("\n## Limits")]
    written = dict(re.findall(r"^\| `([^` ]+)(?: \[N\])?` \| (.*?) \|$", part,
                              re.MULTILINE))
    assert len(printed) > 50, printed
    for name in sorted(printed.keys() | written.keys()):
        equal(written.get(name, "").replace("`", ""), printed.get(name, ""),
              name)


@case
def the_relay_carries_nothing_of_the_lab(lab):
    done = subprocess.run(["readelf", "-d", POSTERN], stdout=subprocess.PIPE,
                          text=True, timeout=20, check=True)
    has(done.stdout, "libunbound")
    for library in ("libcrypto", "libldns", "libmicrohttpd"):
        assert f"[{library}" not in done.stdout, library


run()
