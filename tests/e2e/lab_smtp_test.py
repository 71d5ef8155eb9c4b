#!/usr/bin/env python3
"""The lab's SMTP faults as they look on the wire, and what the lab writes
down and can be told."""
import glob
import json
import os
import re
import signal
import smtplib
import socket
import ssl
import stat
import subprocess
import time

from harness import case, equal, has, run

POSTERN = os.environ.get("POSTERN", "build/postern")


class Wire:
    """A client that knows no more than lines."""

    def __init__(self, port, greet=True):
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b""
        if greet:
            self.reply()

    def line(self):
        while b"\r\n" not in self.bytes:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError(self.bytes)
            self.bytes += more
        line, _, self.bytes = self.bytes.partition(b"\r\n")
        return line.decode()

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def say(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def ask(self, *lines):
        """The last reply."""
        answer = ""
        for line in lines:
            self.say(line)
            answer = self.reply()
        return answer

    def is_closed(self):
        self.socket.settimeout(20)
        try:
            return not self.socket.recv(1)
        except ConnectionResetError:
            return True

    def is_silent(self, seconds=0.3):
        self.socket.settimeout(seconds)
        try:
            return not self.bytes and not self.socket.recv(1)
        except TimeoutError:
            return True

    def close(self):
        self.socket.close()


def start(lab, *faults, tls="none", more="", **options):
    """One gateway with these faults, and the way to it."""
    listed = ", ".join(f'"{fault}"' for fault in faults)
    text = f'fault = {{ {listed} }}' if faults else ""
    relay = lab.idle_relay(
        f'lab "t" {{\n    store = "{lab.path("store")}"\n'
        f'    gateway "mx5.example" {{ listen = "127.0.0.1:0" tls = {tls} '
        f'{text} }}\n{more}}}\n', **options)
    relay.command = "lab"
    return relay.start()


def wire(lab, relay, **options):
    made = Wire(relay.port, **options)
    lab.later(made.close)
    return made


def command(lab, *words):
    done = subprocess.run(
        [POSTERN, "lab", *words, "--store", lab.path("store")],
        capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def stored(lab):
    return glob.glob(lab.path("store") + "/new/*")


def transcript(lab, number=-1):
    path = sorted(glob.glob(lab.path("store") + "/sessions/*.txt"))[number]
    with open(path) as file:
        return file.read()


HELLO = "EHLO client.example"
MAIL = "MAIL FROM:<a@client.example>"
RCPT = "RCPT TO:<b@x.example>"
BODY = "Subject: hello\r\n\r\nHello.\r\n."


def deliver(client, sender="a@client.example", recipient="b@x.example"):
    return client.ask(HELLO, f"MAIL FROM:<{sender}>",
                      f"RCPT TO:<{recipient}>", "DATA", BODY)


# --- replies -----------------------------------------------------------


@case
def each_step_can_be_refused(lab):
    steps = (
        ("550-ehlo", (HELLO,)),
        ("454-starttls", (HELLO, "STARTTLS")),
        ("500-noop", ("NOOP",)),
        ("502-vrfy", ("VRFY x",)),
        ("501-rset", ("RSET",)),
        ("451-mail", (MAIL,)),
        ("553-rcpt", (MAIL, RCPT)),
        ("554-data", (RCPT, "DATA")),
        ("452-dot", ("DATA", BODY)),
        ("450-bdat", ("RSET", MAIL, RCPT, "BDAT 3\r\nx")),
        # The next one is of another fault at the same step.
        ("555-bdat", ("RSET", MAIL, RCPT, "BDAT 3 LAST\r\nx")),
        ("503-dot", ("RSET", MAIL, RCPT, "BDAT 3 LAST\r\nx")),
        ("500-quit", ("QUIT",)),
    )
    relay = start(lab, *(fault + " first 1" for fault, _ in steps),
                  tls="may", more="", max_errors=100)
    client = wire(lab, relay)
    for fault, lines in steps:
        has(client.ask(*lines), fault[:3] + " ", fault)
    equal(stored(lab), [])
    has(deliver(client), "250 2.0.0 ")
    equal(len(stored(lab)), 1)


@case
def a_greeting_that_refuses_lets_nothing_pass(lab):
    relay = start(lab, "421-greeting first 1", "554-greeting first 1")
    first = wire(lab, relay, greet=False)
    has(first.reply(), "421 mx5.example ")
    assert first.is_closed()
    second = wire(lab, relay, greet=False)
    has(second.reply(), "554 mx5.example ")
    has(second.ask(HELLO), "503 ")
    has(second.ask("QUIT"), "221 ")
    has(deliver(wire(lab, relay)), "250 2.0.0 ")


@case
def patterns_limits_and_steps_choose_whom_it_strikes(lab):
    relay = start(lab, "450-rcpt to *@y.example", "550-mail from bad@*",
                  "451-dot to c@z.example every 2")
    client = wire(lab, relay)
    has(client.ask(HELLO, MAIL, RCPT), "250 ")
    has(client.ask("RCPT TO:<b@y.example>"), "450 4.2.0 ")
    has(client.ask("RSET", "MAIL FROM:<bad@x.example>"), "550 ")
    for code in ("250", "451", "250", "451"):
        has(client.ask("RSET", MAIL, RCPT, "RCPT TO:<c@z.example>", "DATA",
                       BODY), code + " ")
    has(deliver(client), "250 ")
    equal(len(stored(lab)), 3)


# --- silence and ends --------------------------------------------------


@case
def a_stalled_step_is_never_answered_and_the_lab_still_stops(lab):
    relay = start(lab, "stall-data")
    client = wire(lab, relay)
    client.ask(HELLO, MAIL, RCPT)
    client.say("DATA")
    assert client.is_silent()
    gone = wire(lab, relay)
    gone.ask(HELLO, MAIL, RCPT)
    gone.say("DATA")
    gone.close()
    relay.process.send_signal(signal.SIGTERM)
    equal(relay.process.wait(10), 0)


@case
def the_connection_ends_instead_of_an_answer(lab):
    relay = start(lab, "close-greeting first 1", "close-mail first 1",
                  "close-dot")
    assert wire(lab, relay, greet=False).is_closed()
    for lines in ((HELLO, MAIL), (HELLO, MAIL, RCPT, "DATA", BODY)):
        client = wire(lab, relay)
        client.ask(*lines[:-1])
        client.say(lines[-1])
        assert client.is_closed()
    equal(stored(lab), [])


@case
def a_message_is_kept_whose_dot_is_not_answered(lab):
    relay = start(lab, "accept-then-close-after-dot first 1")
    client = wire(lab, relay)
    client.ask(HELLO, MAIL, RCPT, "DATA")
    client.say(BODY)
    assert client.is_closed()
    equal(len(stored(lab)), 1)
    has(deliver(wire(lab, relay)), "250 ")


@case
def the_connection_ends_within_a_body(lab):
    relay = start(lab, "drop-after-bytes 100")
    client = wire(lab, relay)
    has(deliver(client), "250 ")
    client.ask(MAIL, RCPT, "DATA")
    client.say("x" * 70 + "\r\n" + "x" * 70)
    assert client.is_closed()
    equal(len(stored(lab)), 1)
    has(transcript(lab), "fault: drop-after-bytes")


# --- how replies leave -------------------------------------------------


def pieces(client, count):
    """Up to so many packets, until a line is whole."""
    got = []
    while len(got) < count and not b"".join(got).endswith(b"\r\n"):
        got.append(client.socket.recv(65536))
    return got


@case
def replies_dribble_and_come_in_two_packets(lab):
    relay = start(lab, "dribble 10 at noop", "reply-split at rset")
    client = wire(lab, relay)
    client.ask(HELLO)
    client.say("NOOP")
    # A loaded machine may put a few together.
    got = pieces(client, 30)
    equal(b"".join(got), b"250 2.0.0 Ok\r\n")
    assert len(got) > 4, got
    client.say("RSET")
    equal(pieces(client, 3), [b"250 2.0", b".0 Ok\r\n"])
    has(client.ask("HELP"), "214 ")
    client.say("NOOP\r\nNOOP\r\nQUIT")
    equal([client.reply()[:3] for _ in range(3)], ["250", "250", "221"])
    assert client.is_closed()


@case
def a_dribbled_reply_to_starttls_is_followed_by_tls(lab):
    relay = start(lab, "dribble 1", tls="may")
    with smtplib.SMTP("127.0.0.1", relay.port, local_hostname="c.example",
                      timeout=20) as client:
        client.starttls(context=ssl._create_unverified_context())
        equal(client.noop()[0], 250)


@case
def a_reply_without_end_lasts_until_the_client_has_enough(lab):
    relay = start(lab, "endless-reply at mail")
    client = wire(lab, relay)
    client.ask(HELLO)
    client.say("NOOP\r\n" + MAIL)
    equal(client.reply(), "250 2.0.0 Ok")
    for _ in range(500):
        equal(client.line(), "250-And so on")
    client.close()
    has(deliver(wire(lab, start_other(lab))), "250 ")


def start_other(lab):
    """A lab with another store, for the rest of a case."""
    relay = lab.idle_relay(
        f'lab "o" {{\n    store = "{lab.path("other")}"\n'
        '    gateway "mx6.example" { listen = "127.0.0.1:0" tls = none }\n}\n')
    relay.command = "lab"
    return relay.start()


@case
def a_slow_greeting_comes_late(lab):
    relay = start(lab, "slow-greeting 1 first 1")
    begun = time.monotonic()
    client = wire(lab, relay, greet=False)
    has(client.reply(), "220 ")
    assert time.monotonic() - begun >= 0.95
    has(deliver(client), "250 ")


# --- offers and bounds -------------------------------------------------


@case
def extensions_are_not_offered(lab):
    relay = start(lab, "no-pipelining", "no-8bitmime", "size-limit 200")
    client = wire(lab, relay)
    offer = client.ask(HELLO)
    equal(offer.split("\n"), ["250-mx5.example", "250-SIZE 200",
                              "250-ENHANCEDSTATUSCODES", "250-CHUNKING",
                              "250 DSN"])
    has(client.ask(MAIL + " BODY=8BITMIME"), "555 ")
    has(client.ask(MAIL + " SIZE=201"), "552 5.3.4 ")
    has(client.ask(MAIL, RCPT, "DATA", "x" * 250 + "\r\n."), "552 5.3.4 ")
    has(deliver(client), "250 ")


@case
def only_helo_is_known(lab):
    relay = start(lab, "helo-only")
    client = wire(lab, relay)
    has(client.ask(HELLO), "502 ")
    equal(client.ask("HELO client.example"), "250 mx5.example")
    has(client.ask(MAIL, RCPT, "DATA", BODY), "250 ")


@case
def recipients_from_the_nth_on_are_refused(lab):
    relay = start(lab, "552-at-nth-rcpt 3")
    client = wire(lab, relay)
    client.ask(HELLO, MAIL)
    equal([client.ask(f"RCPT TO:<b{n}@x.example>")[:3] for n in range(4)],
          ["250", "250", "552", "552"])


@case
def mail_in_the_clear_is_refused(lab):
    relay = start(lab, "tls-required-530", tls="may")
    client = wire(lab, relay)
    has(client.ask(HELLO, MAIL), "530 5.7.0 ")
    with smtplib.SMTP("127.0.0.1", relay.port, local_hostname="c.example",
                      timeout=20) as other:
        other.starttls(context=ssl._create_unverified_context())
        other.ehlo()
        equal(other.mail("a@client.example")[0], 250)


@case
def a_triplet_waits_on_the_greylist(lab):
    relay = start(lab, "greylist 1")
    client = wire(lab, relay)
    has(client.ask(HELLO, MAIL, RCPT), "450 4.2.0 ")
    has(client.ask(RCPT), "450 ")
    time.sleep(1.05)
    has(client.ask(RCPT), "250 ")
    has(client.ask("RCPT TO:<other@x.example>"), "450 ")


@case
def too_many_in_a_minute_are_turned_away(lab):
    relay = start(lab, "rate-limit 2")
    for _ in range(2):
        has(wire(lab, relay, greet=False).reply(), "220 ")
    third = wire(lab, relay, greet=False)
    has(third.reply(), "421 mx5.example Too many connections")
    assert third.is_closed()


# --- what is written down ----------------------------------------------


@case
def a_session_is_written_down_without_its_secrets(lab):
    relay = start(lab, "450-rcpt first 1", tls="may")
    client = wire(lab, relay)
    client.ask(HELLO, "AUTH PLAIN c2VjcmV0", "c2VjcmV0", MAIL, RCPT, RCPT,
               "DATA", BODY, "QUIT")
    client.close()
    text = transcript(lab)
    end = time.monotonic() + 10
    while "the end" not in text and time.monotonic() < end:
        text = transcript(lab)
    said = [line[10:] for line in text.splitlines()]
    assert "c2VjcmV0" not in text, text
    for line in ("-- mx5.example is visited by 127.0.0.1:",
                 "S: 220 mx5.example ESMTP Postern", "C: AUTH (withheld)",
                 "C: (withheld)", "C: " + MAIL, "-- fault: 450-rcpt",
                 "S: 450 4.2.0 A fault of the lab",
                 "C: (a body of 29 bytes)", "-- stored as ",
                 "S: 221 2.0.0 Bye", "-- the end: the client said QUIT"):
        assert any(one.startswith(line) for one in said), (line, text)
    assert all(re.fullmatch(r" *\d+\.\d{3} (C:|S:|--) .*", line)
               for line in text.splitlines()), text


@case
def a_label_cannot_be_forged(lab):
    relay = start(lab)
    client = wire(lab, relay)
    client.ask("HELO x", MAIL + " RET=HDRS", RCPT, "DATA",
               "X-Lab-To: <forged@x.example>\r\n\r\nx\r\n.", "QUIT")
    status, out, _ = command(lab, "list", "--json")
    equal(status, 0)
    letter, = json.loads(out)
    equal(letter["to"], ["<b@x.example>"])
    equal(letter["from"], "<a@client.example> RET=HDRS")
    equal(letter["tls"], "none")
    equal(letter["protocol"], "SMTP")
    has(letter["foreign"], "1 (")
    equal(command(lab, "list", "--to", "forged@x.example")[1], "")


# --- what it can be told -----------------------------------------------


@case
def faults_are_set_and_cleared_while_it_runs(lab):
    relay = start(lab, more='gateway "mx6.example" { listen = "127.0.0.1:0" '
                  'tls = none fault = { helo-only } }\n')
    client = wire(lab, relay)
    mode = os.stat(lab.path("store") + "/control").st_mode
    equal(stat.S_IMODE(mode), 0o600)
    equal(command(lab, "set", "mx5.example", "450-rcpt", "to", "b@*,",
                  "550-mail", "first", "1"), (0, "", ""))
    equal([client.ask(HELLO, MAIL)[:3], client.ask(MAIL, RCPT)[:3]],
          ["550", "450"])
    status, out, _ = command(lab, "status", "--json")
    first, second = json.loads(out)
    equal(first["faults"], [{"fault": "450-rcpt to b@*", "struck": 1},
                            {"fault": "550-mail first 1", "struck": 1}])
    equal([first["connections"], first["open"], first["refusals"],
           first["faults_played"]], [1, 1, 2, 2])
    equal([one["fault"] for one in second["faults"]], ["helo-only"])
    has(command(lab, "clear", "mx5.example", "450-rcpt")[1], "1 taken away")
    has(client.ask(RCPT), "250 ")
    has(command(lab, "set", "mx6.example", "clear")[1], "1 taken away")
    has(command(lab, "clear", "all")[1], "1 taken away")
    assert re.search("mx6.example +127.0.0.1:[0-9]+ +0 ",
                     command(lab, "status")[1])


@case
def orders_that_make_no_sense_are_explained(lab):
    start(lab)
    for words, status, text in (
            (("set", "mx5.example", "helo-only,", "expird"), 65,
             'the nearest is "expired"'),
            (("set", "mx9.example", "expired"), 65,
             'there is no gateway "mx9.example"; there are mx5.example'),
            (("set", "mx5.example"), 64, "which fault?"),
            (("clear",), 64, "which gateway?"),
            (("sing",), 64, 'what is "sing"?'),
            (("show", "x"), 66, "no such message"),
            (("wait",), 64, "--timeout"),
            (("wait", "--timeout", "soon"), 64, "duration")):
        done = command(lab, *words)
        equal(done[0], status, words)
        has(done[2], text)
    equal(json.loads(command(lab, "status", "--json")[1])[0]["faults"], [])


@case
def mail_is_waited_for_listed_and_shown(lab):
    # Earlier than the lab.
    equal(command(lab, "wait", "--to", "*", "--timeout", "0s")[0], 75)
    equal(command(lab, "list")[0], 66)
    relay = start(lab)
    waiting = subprocess.Popen(
        [POSTERN, "lab", "wait", "--to", "*@Y.example", "--subject", "hello",
         "--count", "2", "--timeout", "20s", "--json",
         "--store", lab.path("store")], stdout=subprocess.PIPE)
    client = wire(lab, relay)
    for recipient in ("b@x.example", "b@y.example", "c@y.example"):
        has(deliver(client, recipient=recipient), "250 ")
    found = json.loads(waiting.communicate(timeout=20)[0])
    equal(waiting.returncode, 0)
    equal([one["to"] for one in found], [["<b@y.example>"],
                                         ["<c@y.example>"]])
    # What has arrived before counts, unless it is not to.
    equal(command(lab, "wait", "--timeout", "5s")[0], 0)
    status, _, text = command(lab, "wait", "--new", "--timeout", "0")
    equal((status, "0 of 1" in text), (75, True))
    # A mail program has seen one; the lab is gone.
    path = stored(lab)[0]
    os.rename(path, path.replace("/new/", "/cur/") + ":2,S")
    relay.process.send_signal(signal.SIGTERM)
    equal(relay.process.wait(10), 0)
    equal(len(command(lab, "list")[1].splitlines()), 3)
    out = command(lab, "show", found[0]["id"])[1]
    for text in ("To                  <b@y.example>", "C: " + MAIL,
                 "Subject: hello"):
        has(out, text)
    shown = json.loads(command(lab, "show", found[0]["id"], "--json")[1])
    has(shown["message"], "Subject: hello\r\n\r\nHello.\r\n")
    has(shown["transcript"][0], "is visited by")
    has(command(lab, "show", found[0]["id"], "--raw")[1], "X-Lab-Gateway: ")
    equal(command(lab, "status")[0], 69)


@case
def two_labs_cannot_share_a_store(lab):
    start(lab)
    other = lab.idle_relay(
        f'lab "t" {{\n    store = "{lab.path("store")}"\n'
        '    gateway "mx6.example" { listen = "127.0.0.1:0" tls = none }\n}\n')
    other.command = "lab"
    other.launch()
    equal(other.process.wait(10), 78)
    other.reader.join(5)
    has(other.tail(), "another lab has it")


# --- the relay against it ----------------------------------------------


@case
def the_relay_copes(lab):
    faults = (
        ("greylist 1", "delivered"),
        ("550-rcpt", "bounced"),
        ("450-rcpt first 1", "delivered"),
        ("stall-greeting first 1", "delivered"),
        ("421-greeting first 1", "delivered"),
        ("close-dot first 1", "delivered"),
        ("accept-then-close-after-dot first 1", "delivered"),
        ("dribble 1", "delivered"),
        ("reply-split at dot", "delivered"),
        ("helo-only", "delivered"),
        ("endless-reply first 1", "delivered"),
        ("no-pipelining", "delivered"),
        ("size-limit 100", "bounced"),
        ("drop-after-bytes 50 first 1", "delivered"),
    )
    gateways = lab.idle_relay(
        f'lab "t" {{\n    store = "{lab.path("store")}"\n' + "".join(
            f'    gateway "mx{n}.example" {{ listen = "127.0.0.1:0" '
            f'tls = none fault = {{ "{fault}" }} }}\n'
            for n, (fault, _) in enumerate(faults)) + "}\n")
    gateways.command = "lab"
    gateways.start()
    relay = lab.relay("".join(
        lab.gateway(f"x{n}.example",
                    f"127.0.0.1:{gateways.listener_port(n)}")
        for n in range(len(faults))), retry_first="1s", timeout_greeting="1s")
    for n in range(len(faults)):
        relay.send("a@client.example", f"b@x{n}.example")
    for n, (_, outcome) in enumerate(faults):
        relay.wait(outcome, timeout=60, to=f"b@x{n}.example")
    equal({re.search(r"\.(mx\d+)\.example$", path)[1]
           for path in stored(lab)},
          {f"mx{n}" for n, (_, outcome) in enumerate(faults)
           if outcome == "delivered"})


run(abreast=8)
