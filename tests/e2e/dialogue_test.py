#!/usr/bin/env python3
"""The inbound dialogue over a real socket: order, limits, and what becomes of
those who do not keep to them."""
import time

from client import Client, Closed
from harness import case, case_for, equal, has, run

SMALL = b"Subject: x\r\n\r\nx\r\n"


def start(lab, **options):
    sink = lab.sink()
    return lab.relay(lab.gateway("*", sink), **options), sink


@case
def ehlo_lists_what_is_offered(lab):
    relay, _ = start(lab, message_size="2M")
    with Client(relay.port) as client:
        has(client.greeting.text, "relay.example")
        has(client.greeting.text, "ESMTP")
        has(client.ehlo().lines[0], "relay.example")
        equal(set(client.extensions), {
            "PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "DSN",
            "ENHANCEDSTATUSCODES", "STARTTLS"})
        equal(client.extensions["SIZE"], str(2 << 20))


@case
def commands_out_of_turn_are_refused(lab):
    relay, _ = start(lab, max_errors=50)
    with Client(relay.port) as client:
        equal(client.ask("MAIL FROM:<a@client.example>").code, 503)
        client.ehlo()
        equal(client.ask("RCPT TO:<b@example.net>").code, 503)
        equal(client.ask("DATA").code, 503)
        client.expect(250, ask="MAIL FROM:<a@client.example>")
        equal(client.ask("MAIL FROM:<a@client.example>").code, 503)
        client.expect(503, 554, ask="DATA")
        client.expect(250, ask="RCPT TO:<b@example.net>")
        client.expect(250, ask="RSET")
        equal(client.ask("RCPT TO:<b@example.net>").code, 503)
        client.expect(250, ask="MAIL FROM:<a@client.example>")
        client.ehlo()
        equal(client.ask("RCPT TO:<b@example.net>").code, 503)
        equal(client.ask("MAIL FROM:<a@client.example").code // 100, 5)
        equal(client.ask("MAIL").code, 501)
        equal(client.ask("MAIL FROM:<a@client.example> WHAT=1").code, 555)
        for strange in ("XYZZY", "", " ", "EHLOx"):
            equal(client.ask(strange).code // 100, 5, strange)
        client.expect(252, ask="VRFY b@example.net")
        client.expect(250, ask="NOOP anything")
        client.expect(211, 214, 502, ask="HELP")
        client.expect(221, ask="QUIT")
        assert client.is_closed()


@case
def a_browser_is_sent_away(lab):
    """A page can make a browser send SMTP commands in a request's body."""
    relay, sink = start(lab)
    with Client(relay.port) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: relay.example\r\n\r\n"
                    b"EHLO x\r\nMAIL FROM:<a@client.example>\r\n"
                    b"RCPT TO:<b@example.net>\r\nDATA\r\nx\r\n.\r\n")
        assert client.is_closed()
    time.sleep(0.2)
    equal(relay.find("accepted"), [])
    equal(sink.sessions, [])


@case
def helo_works_without_extensions(lab):
    relay, sink = start(lab)
    with Client(relay.port) as client:
        reply = client.expect(250, ask="HELO client.example")
        equal(len(reply.lines), 1)
        equal(client.transact("a@client.example", ["b@example.net"],
                              SMALL).code, 250)
    got = sink.wait_messages(1)[0]
    has(got.body, b"with SMTP")
    equal(relay.wait("accepted").proto, "SMTP")


@case
def lenient_where_it_is_harmless(lab):
    relay, sink = start(lab)
    with Client(relay.port) as client:
        client.expect(250, ask="ehlo [not_a-name]")
        client.expect(250, ask="mail from: a@client.example")
        client.expect(250, ask="rCpT tO: <b@example.net>")
        client.expect(354, ask="data")
        client.send(SMALL + b".\r\n")
        client.expect(250)
    got = sink.wait_messages(1)[0]
    equal((got.sender, got.recipients), ("a@client.example",
                                         ["b@example.net"]))


@case
def a_whole_batch_is_answered_in_order(lab):
    relay, sink = start(lab)
    with Client(relay.port, greet=False) as client:
        client.expect(220)
        client.send(b"EHLO client.example\r\n")
        client.reply()
        client.send(b"MAIL FROM:<a@client.example>\r\n"
                    b"RCPT TO:<b@example.net>\r\nRCPT TO:<broken\r\n"
                    b"RCPT TO:<c@example.net>\r\nDATA\r\n")
        codes = [client.reply().code for _ in range(5)]
        equal([codes[0], codes[1], codes[2] // 100, codes[3], codes[4]],
              [250, 250, 5, 250, 354])
        # The next transaction rides behind the dot.
        client.send(SMALL + b".\r\nMAIL FROM:<z@client.example>\r\n"
                    b"RCPT TO:<y@example.net>\r\nDATA\r\n")
        equal([client.reply().code for _ in range(4)], [250, 250, 250, 354])
        client.send(SMALL + b".\r\nQUIT\r\n")
        equal([client.reply().code for _ in range(2)], [250, 221])
    sink.wait_messages(2)
    equal(sorted(message.sender for message in sink.messages),
          ["a@client.example", "z@client.example"])


@case
def a_batch_whose_start_was_refused_sends_nothing(lab):
    relay, sink = start(lab)
    with Client(relay.port) as client:
        client.ehlo()
        client.send(b"MAIL FROM:<a@client.example> SIZE=999999999999\r\n"
                    b"RCPT TO:<b@example.net>\r\nDATA\r\n")
        equal([client.reply().code for _ in range(3)], [552, 503, 503])
        client.send(b"MAIL FROM:<a@client.example>\r\n"
                    b"RCPT TO:<broken\r\nDATA\r\n")
        codes = [client.reply().code for _ in range(3)]
        equal(codes[0], 250)
        equal(codes[1] // 100, 5)
        assert codes[2] in (503, 554), codes
    equal(sink.messages, [])


@case
def size_is_refused_at_mail_or_at_the_dot(lab):
    relay, sink = start(lab, message_size="100K")
    with Client(relay.port) as client:
        client.ehlo()
        reply = client.ask("MAIL FROM:<a@client.example> SIZE=102401")
        equal((reply.code, reply.status), (552, "5.3.4"))
        # The refused SIZE does not stick to the next transaction.
        client.envelope("a@client.example", "b@example.net")
        client.expect(354, ask="DATA")
        client.send(b"Subject: x\r\n\r\n" + b"x" * 70 + b"\r\n")
        client.send((b"y" * 70 + b"\r\n") * 1500 + b".\r\n")
        reply = client.reply()
        equal((reply.code, reply.status), (552, "5.3.4"))
        equal(client.transact("a@client.example", ["b@example.net"],
                              SMALL).code, 250)
    sink.wait_messages(1)
    equal(len(sink.messages), 1)


@case
def recipients_are_limited_with_452(lab):
    relay, sink = start(lab, max_recipients=100)
    with Client(relay.port) as client:
        client.ehlo()
        client.envelope("a@client.example",
                        *(f"r{n}@example.net" for n in range(100)))
        reply = client.ask("RCPT TO:<more@example.net>")
        equal((reply.code, reply.status), (452, "4.5.3"))
        client.expect(354, ask="DATA")
        client.send(SMALL + b".\r\n")
        client.expect(250)
    equal(len(sink.wait_messages(1)[0].recipients), 100)


@case
def errors_are_budgeted(lab):
    relay, _ = start(lab, max_errors=5)
    with Client(relay.port) as client:
        client.ehlo()
        codes = []
        try:
            while len(codes) < 20:
                codes.append(client.ask("WHAT").code)
        except (Closed, BrokenPipeError, ConnectionResetError):
            pass
        equal(codes[-1], 421)
        assert len(codes) <= 7, codes
        assert client.is_closed()


@case
def loops_end(lab):
    relay, sink = start(lab, max_hops=5)
    hop = b"Received: from a by b; Tue, 24 Nov 2026 00:00:00 +0000\r\n"
    with Client(relay.port) as client:
        client.ehlo()
        reply = client.transact("a@client.example", ["b@example.net"],
                                hop * 6 + SMALL)
        equal((reply.code // 100, reply.status), (5, "5.4.6"))
        equal(client.transact("a@client.example", ["b@example.net"],
                              hop * 3 + SMALL + hop * 20).code, 250)
    sink.wait_messages(1)


@case
def lines_pass_up_to_the_limit_and_are_refused_beyond(lab):
    relay, sink = start(lab)
    with Client(relay.port) as client:
        client.ehlo()
        longest = b"x" * 998 + b"\r\n"
        equal(client.transact("a@client.example", ["b@example.net"],
                              SMALL + longest).code, 250)
        reply = client.transact("a@client.example", ["b@example.net"],
                                SMALL + b"x" * 999 + b"\r\n")
        equal(reply.code // 100, 5, "a line of 999")
        reply = client.transact("a@client.example", ["b@example.net"],
                                SMALL + b"x" * 300000 + b"\r\n")
        equal(reply.code // 100, 5, "a line of 300000")
        # Commands have a limit of their own.
        equal(client.ask("NOOP " + "x" * 3000).code // 100, 5)
        client.expect(250, ask="NOOP")
    assert sink.wait_messages(1)[0].body.endswith(longest)
    equal(len(sink.messages), 1)


@case
def longer_lines_pass_where_they_are_allowed(lab):
    relay, sink = start(lab, max_line=20000)
    body = SMALL + b"x" * 19998 + b"\r\n"
    with Client(relay.port) as client:
        client.ehlo()
        equal(client.transact("a@client.example", ["b@example.net"],
                              body).code, 250)
    assert sink.wait_messages(1)[0].body.endswith(body)


@case
def chunks_make_a_message(lab):
    relay, sink = start(lab)
    with Client(relay.port) as client:
        client.ehlo()
        client.envelope("a@client.example", "b@example.net")
        parts = [b"Subject: x\r", b"\n\r\n", b"", b".one\r\n.\r\n..two\r\n"]
        for part in parts:
            client.send(b"BDAT %d\r\n" % len(part) + part)
            client.expect(250)
        client.send(b"BDAT 0 LAST\r\n")
        client.expect(250)
        # The next one, in a single batch.
        client.send(b"MAIL FROM:<a@client.example>\r\n"
                    b"RCPT TO:<b@example.net>\r\nBDAT %d LAST\r\n%sNOOP\r\n" %
                    (len(SMALL), SMALL))
        equal([client.reply().code for _ in range(4)], [250] * 4)
    sink.wait_messages(2)
    assert sorted(sink.messages, key=lambda m: m.size)[1].body.endswith(
        b"".join(parts))


@case
def a_refused_bdat_still_swallows_its_octets(lab):
    relay, sink = start(lab, max_errors=50, message_size="100K")
    trap = b"MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<b@example.net>\r\n"
    with Client(relay.port) as client:
        client.ehlo()
        client.send(b"BDAT %d LAST\r\n" % len(trap) + trap)
        equal(client.reply().code, 503)
        client.expect(250, ask="NOOP")
        client.expect(250, ask="MAIL FROM:<a@client.example>")
        client.send(b"BDAT %d LAST\r\n" % len(trap) + trap)
        equal(client.reply().code // 100, 5, "without a recipient")
        client.expect(250, ask="NOOP")
        client.expect(250, ask="RSET")
        client.envelope("a@client.example", "b@example.net")
        big = trap * 3000
        client.send(b"BDAT %d LAST\r\n" % len(big) + big)
        equal(client.reply().code, 552, "too large")
        client.expect(250, ask="NOOP")
    # Where the octets end cannot be known, the session does.
    for bad in ("BDAT", "BDAT x", "BDAT -1", "BDAT 5 FIRST",
                "BDAT 99999999999999999999999 LAST"):
        with Client(relay.port) as client:
            client.ehlo()
            client.envelope("a@client.example", "b@example.net")
            equal(client.ask(bad).code // 100, 5, bad)
            assert client.is_closed(), bad
    with Client(relay.port) as client:
        client.ehlo()
        client.envelope("a@client.example", "b@example.net")
        client.send(b"BDAT 5\r\nabc\r\n")
        client.expect(250)
        equal(client.ask("DATA").code, 503, "DATA behind BDAT")
    equal(sink.messages, [])


@case
def binarymime_is_refused(lab):
    relay, _ = start(lab)
    with Client(relay.port) as client:
        client.ehlo()
        assert "BINARYMIME" not in client.extensions
        reply = client.ask("MAIL FROM:<a@client.example> BODY=BINARYMIME")
        equal(reply.code // 100, 5)
        client.expect(250, ask="MAIL FROM:<a@client.example> BODY=8BITMIME")


@case
def utf8_needs_to_be_asked_for(lab):
    relay, _ = start(lab)
    with Client(relay.port) as client:
        client.ehlo()
        equal(client.ask("MAIL FROM:<ä@client.example>").code // 100, 5)
        client.expect(250, ask="MAIL FROM:<ä@client.example> SMTPUTF8")
        client.expect(250, ask="RCPT TO:<ö@bücher.example>")
        equal(client.ask(b"RCPT TO:<\xff\xfe@example.net>").code // 100, 5)


@case
def one_client_may_hold_so_many_sessions(lab):
    relay, _ = start(lab, max_sessions_per_client=3)
    held = [Client(relay.port, source="127.0.0.3") for _ in range(3)]
    try:
        with Client(relay.port, source="127.0.0.3", greet=False) as more:
            equal(more.reply().code, 421)
            assert more.is_closed()
        with Client(relay.port, source="127.0.0.4") as other:
            other.ehlo()
        held.pop().close()
        time.sleep(0.2)
        with Client(relay.port, source="127.0.0.3") as again:
            again.ehlo()
    finally:
        for client in held:
            client.close()


@case
def all_sessions_together_are_limited(lab):
    relay, _ = start(lab, max_sessions=4)
    held = [Client(relay.port) for _ in range(4)]
    try:
        with Client(relay.port, greet=False) as more:
            more.socket.settimeout(3)
            try:
                equal(more.reply().code, 421)
            except (Closed, TimeoutError):
                pass
    finally:
        for client in held:
            client.close()
    time.sleep(0.2)
    with Client(relay.port) as client:
        client.ehlo()


@case_for(("between commands", None), ("within a command", b"NOO"),
          ("within a message", b"MAIL FROM:<a@client.example>\r\n"
           b"RCPT TO:<b@example.net>\r\nDATA\r\nhalf a mess"))
def silence_ends_the_session(lab, text):
    relay, sink = start(lab, timeout_idle="1s", timeout_block="1s")
    begin = time.monotonic()
    with Client(relay.port, timeout=15) as client:
        client.ehlo()
        if text:
            client.send(text)
        last = None
        try:
            while True:
                last = client.reply()
        except Closed:
            pass
    equal(last and last.code, 421)
    assert 0.8 < time.monotonic() - begin < 8
    equal(relay.find("accepted"), [])
    equal(sink.messages, [])


@case
def a_dribbled_command_does_not_extend_its_time(lab):
    relay, _ = start(lab, timeout_idle="2s")
    begin = time.monotonic()
    with Client(relay.port, timeout=15) as client:
        client.ehlo()
        try:
            while time.monotonic() - begin < 15:
                client.send(b"N")
                time.sleep(0.25)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - begin < 10, "a byte now and then keeps it"


@case
def a_client_that_vanishes_leaves_nothing(lab):
    relay, sink = start(lab)
    for text in (b"", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n",
                 b"EHLO x\r\nMAIL FROM:<a@b.example>\r\n"
                 b"RCPT TO:<b@example.net>\r\nDATA\r\nSubject: x\r\n\r\nx"):
        for _ in range(3):
            with Client(relay.port) as client:
                client.send(text)
    time.sleep(0.2)
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)
    relay.wait("accepted")
    equal(len(relay.find("accepted")), 1)


@case
def the_trace_line_escapes_what_the_client_said(lab):
    relay, sink = start(lab)
    with Client(relay.port) as client:
        client.expect(250, 501, ask='EHLO x)(by\\evil;"')
        client.expect(250, ask="EHLO x-y.example")
        equal(client.transact("a@client.example",
                              ["b@example.net", "c@example.net"],
                              SMALL).code, 250)
        equal(client.transact("a@client.example", ["b@example.net"],
                              SMALL).code, 250)
    sink.wait_messages(2)
    for message in sink.messages:
        trace = message.body.partition(b"Subject:")[0].decode()
        has(trace, "Received: from x-y.example")
        has(trace, "[127.0.0.1]")
        has(trace, "by relay.example")
        # `for` would tell one recipient about the other.
        equal("for <" in trace, len(message.recipients) == 1)
        assert trace.endswith("\r\n")
        for line in trace.split("\r\n")[1:-1]:
            assert line[:1] in "\t ", trace


run()
