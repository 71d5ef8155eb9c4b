#!/usr/bin/env python3
"""Only CRLF.CRLF ends a message: no second message can be hidden in one.

Each row is something that one host or another has taken for the end of a
message. What follows it would be a message of its own, from somebody else.
"""
from client import Client, Closed
from harness import case, case_for, equal, run

# Bare CR, bare LF or NUL: refused as they stand, or made into CRLF where the
# listener says so (NUL never).
BROKEN = {
    "LF . LF": b"\n.\n",
    "LF . CRLF": b"\n.\r\n",
    "CRLF . LF": b"\r\n.\n",
    "CR . CR": b"\r.\r",
    "CR . CRLF": b"\r.\r\n",
    "CRLF . CR": b"\r\n.\r",
    "CR . LF": b"\r.\n",
    "LF . CR": b"\n.\r",
    "CR LF CR . CR LF": b"\r\n\r.\r\n",
    "LF CR . LF CR": b"\n\r.\n\r",
    "CRLF CR . CRLF": b"\r\n\r.\r\n",
    "CRLF . CR CRLF": b"\r\n.\r\r\n",
    "CR CRLF . CR CRLF": b"\r\r\n.\r\r\n",
}
WITH_NUL = {
    "CRLF NUL . CRLF": b"\r\n\0.\r\n",
    "CRLF . NUL CRLF": b"\r\n.\0\r\n",
    "CRLF NUL . NUL CRLF": b"\r\n\0.\0\r\n",
    "CR NUL LF . CRLF": b"\r\0\n.\r\n",
    "CRLF . CR NUL LF": b"\r\n.\r\0\n",
}
# Whole lines that are no dot: part of the message, unchanged.
TEXT = {
    "CRLF SP . CRLF": b"\r\n .\r\n",
    "CRLF . SP CRLF": b"\r\n. \r\n",
    "CRLF . TAB CRLF": b"\r\n.\t\r\n",
    "CRLF .. CRLF": b"\r\n..\r\n",
    "CRLF ... CRLF": b"\r\n...\r\n",
    "CRLF VT . VT CRLF": b"\r\n\x0b.\x0b\r\n",
    "FF . FF": b"\x0c.\x0c",
    "NEL . NEL": b"\xc2\x85.\xc2\x85",
    "raw NEL . NEL": b"\x85.\x85",
    "LS . LS": b"\xe2\x80\xa8.\xe2\x80\xa8",
    "CRLF ctrl-Z CRLF": b"\r\n\x1a\r\n",
    "CRLF BS . CRLF": b"\r\n\x08.\r\n",
}

HEAD = b"Subject: outer\r\n\r\nbefore"
INNER = (b"MAIL FROM:<smuggled@evil.example>\r\n"
         b"RCPT TO:<victim@example.net>\r\nDATA\r\n"
         b"Subject: inner\r\n\r\nhidden\r\n")


def offer(port, end):
    """The replies that come after the body and after a NOOP."""
    with Client(port) as client:
        client.ehlo()
        client.envelope("a@client.example", "b@example.net")
        client.expect(354, ask="DATA")
        client.send(HEAD + end + INNER + b".\r\n")
        first = client.reply()
        try:
            second = client.ask("NOOP")
        except Closed:
            second = None
        return first, second


def refused(port, end):
    first, second = offer(port, end)
    equal(first.code // 100, 5, f"the reply to the body: {first}")
    if second is not None and second.code not in (250, 421):
        raise AssertionError(f"read on behind the message: {second}")


def nothing_smuggled(sink):
    for message in sink.messages:
        equal(message.sender, "a@client.example")
        equal(message.recipients, ["b@example.net"])


def rows(table):
    return [(name, end) for name, end in table.items()]


@case
def broken_ends_are_refused(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), max_errors=100)
    for name, end in rows(BROKEN) + rows(WITH_NUL):
        try:
            refused(relay.port, end)
        except AssertionError as why:
            raise AssertionError(f"{name}: {why}") from None
    # A good one behind them is the only one that arrives.
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)
    equal(len(sink.messages), 1)
    nothing_smuggled(sink)


@case
def broken_ends_by_bdat_are_refused(lab):
    """BDAT counts octets, but its body obeys the same rules."""
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), max_errors=100)
    for name, end in rows(BROKEN) + rows(WITH_NUL):
        body = HEAD + end + INNER
        with Client(relay.port) as client:
            client.ehlo()
            client.envelope("a@client.example", "b@example.net")
            client.send(b"BDAT %d LAST\r\n" % len(body) + body)
            reply = client.reply()
            equal(reply.code // 100, 5, f"{name}: {reply}")
    equal(sink.messages, [])


@case
def lines_that_are_no_dot_pass_unchanged(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink))
    for name, end in rows(TEXT):
        first, second = offer(relay.port, end)
        equal(first.code, 250, f"{name}: {first}")
        equal(second.code, 250, f"{name}: {second}")
    sink.wait_messages(len(TEXT))
    nothing_smuggled(sink)
    bodies = sorted(message.body[message.body.index(b"Subject: outer"):]
                    for message in sink.messages)
    equal(bodies, sorted((HEAD + end + INNER).replace(b"\r\n..", b"\r\n.")
                         .replace(b"\r\n. \r\n", b"\r\n \r\n")
                         .replace(b"\r\n.\t\r\n", b"\r\n\t\r\n")
                         for end in TEXT.values()))


@case
def a_dot_by_bdat_is_stuffed_when_it_leaves(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink))
    body = HEAD + b"\r\n.\r\n" + INNER + b".\r\n..\r\n. x"
    with Client(relay.port) as client:
        client.ehlo()
        client.envelope("a@client.example", "b@example.net")
        client.send(b"BDAT %d LAST\r\n" % len(body) + body)
        client.expect(250)
    got = sink.wait_messages(1)[0]
    nothing_smuggled(sink)
    # It had no line end at its end; what leaves by DATA needs one.
    equal(got.body[got.body.index(b"Subject: outer"):], body + b"\r\n")


@case
def normalised_newlines_still_end_only_at_crlf_dot_crlf(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), max_errors=100, listen=
                      '"127.0.0.1:0" { tls = may bare-newline = normalise }')
    for name, end in rows(BROKEN):
        first, second = offer(relay.port, end)
        equal(first.code, 250, f"{name}: {first}")
        equal(second.code, 250, f"{name}: {second}")
    for name, end in rows(WITH_NUL):
        refused(relay.port, end)
    sink.wait_messages(len(BROKEN))
    nothing_smuggled(sink)
    for message in sink.messages:
        lines = message.body.replace(b"\r\n", b"")
        if b"\r" in lines or b"\n" in lines:
            raise AssertionError(f"a bare newline left: {message.body!r}")
    equal([session.has_bare_newline for session in sink.sessions],
          [False] * len(sink.sessions))


@case_for(("refused", "refuse"), ("made into CRLF", "normalise"))
def a_bare_lf_in_the_text_is(lab, how):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), listen=
                      f'"127.0.0.1:0" {{ tls = may bare-newline = {how} }}')
    with Client(relay.port) as client:
        client.ehlo()
        reply = client.transact("a@client.example", ["b@example.net"],
                                b"Subject: x\n\none\ntwo\rthree\r\n")
    if how == "refuse":
        equal(reply.code // 100, 5)
        equal(sink.messages, [])
        return
    equal(reply.code, 250)
    got = sink.wait_messages(1)[0].body
    equal(got[got.index(b"Subject"):],
          b"Subject: x\r\n\r\none\r\ntwo\r\nthree\r\n")


@case
def commands_end_with_crlf_only(lab):
    """A bare LF or CR ends no command, so that nobody reads two where a
    filter in front saw one."""
    relay = lab.relay(lab.gateway("*", lab.sink()))
    for text in (b"NOOP\nNOOP\r\n", b"NOOP\rNOOP\r\n", b"NO\0OP\r\n"):
        with Client(relay.port) as client:
            client.ehlo()
            client.send(text)
            reply = client.reply()
            equal(reply.code // 100, 5, f"{text!r}: {reply}")
    for text in (b"RCPT TO:<b@example.net>\0junk",
                 b"RCPT TO:<b@example.net\0>", b"RCPT TO:<b\n@example.net>"):
        with Client(relay.port) as client:
            client.ehlo()
            client.expect(250, ask="MAIL FROM:<a@client.example>")
            reply = client.ask(text)
            equal(reply.code // 100, 5, f"{text!r}: {reply}")


run()
