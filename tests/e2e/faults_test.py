#!/usr/bin/env python3
"""Next hops that misbehave: replies without end, lost connections at every
step, refusals at every step, silence, and dialects that lack something."""
import re
import time

import sink as sinks
from harness import case, case_for, equal, has, run
from relay import message
from sink import Turns

STEPS = ("greeting", "ehlo", "mail", "rcpt", "data", "content", "dot")
HURRY = {"timeout_connect": "2s", "timeout_greeting": "2s",
         "timeout_command": "2s", "timeout_data": "2s",
         "timeout_block": "2s", "timeout_dot": "2s"}


def start(lab, script=None, relay=None, **options):
    sink = lab.sink(script=script, **options)
    return lab.relay(lab.gateway("example.net", sink), **(relay or {})), sink


# Replies without end (row 50).

@case_for(*((f"{name} at {step}", piece, step)
            for name, piece in (("lines", b"250-and more\r\n"),
                                ("a line", b"250 and more "),
                                ("noise", b"\0\xff\r"))
            for step in ("greeting", "ehlo", "mail", "dot")))
def endless(lab, piece, step):
    if step == "greeting":
        piece = piece.replace(b"250", b"220")
    relay, sink = start(lab, {step: Turns(sinks.endless(piece))})
    relay.send("", "b@example.net")
    event = relay.wait("deferred")
    assert event.status.startswith("4."), event
    # What the kernels hold of it comes on top of what was read.
    flood = sink.wait_sessions(1)[0].flood
    assert flood < 12 << 20, f"took {flood} bytes"
    assert len(event.line) < 5000
    sink.wait_messages(1)


@case
def a_reply_of_many_lines_is_read_and_its_last_one_told(lab):
    lines = [f"450 4.2.0 line {number}" for number in range(100)]
    relay, sink = start(lab, {"rcpt": Turns(lines)})
    relay.send("", "b@example.net")
    has(relay.wait("deferred").reason, "line")
    sink.wait_messages(1)


@case
def a_reply_with_control_bytes_stays_one_log_line(lab):
    relay, _ = start(lab, {"rcpt": "550 5.1.1 no\tsuch \x1b[31m user \x01"})
    relay.send("", "b@example.net")
    event = relay.wait("bounced")
    assert "\x1b" not in event.line and "\x01" not in event.line
    has(event.reason, "no")


@case_for(("letters", b"hello there\r\n"), ("a wrong code", b"999 what\r\n"),
          ("two codes", b"250-one\r\n350 two\r\n"), ("a short line", b"2\r\n"),
          ("nothing", b"\r\n"))
def a_reply_that_is_none(lab, text):
    relay, sink = start(lab, {"mail": Turns(sinks.raw(text, sinks.stall))},
                        HURRY)
    relay.send("", "b@example.net")
    relay.wait("deferred")
    sink.wait_messages(1)


@case_for(("with the 354", 0), ("within the message", 0.3))
def praise_before_the_end_is_no_delivery(lab, pause):
    def act(session, argument):
        session.send(b"354 go ahead\r\n" if pause else
                     b"354 go ahead\r\n250 2.0.0 kept\r\n")
        time.sleep(pause)
        if pause:
            session.send(b"250 2.0.0 kept\r\n")
            # More than what the buffers of the kernel take was still to come.
            sinks.stall(session, argument)
        sinks.drop(session, argument)

    relay, sink = start(lab, {"data": Turns(act)})
    identity = relay.send("", "b@example.net", message(size=8 << 20))
    has(relay.wait("deferred", id=identity).reason, "out of turn")
    sink.wait_messages(1)
    relay.wait("delivered", id=identity)


# Lost connections (row 51) and silence (row 54).

@case_for(*((f"{name} at {step}", step, action)
            for step in STEPS
            for name, action in (("dropped", sinks.drop),
                                 ("reset", sinks.reset))))
def the_connection_is(lab, step, action):
    if step == "content":
        action = sinks.content_then(action, 5000)
    relay, sink = start(lab, {step: Turns(action)})
    body = message(size=50000)
    identity = relay.send("", "b@example.net", body)
    event = relay.wait("deferred", id=identity)
    assert event.status.startswith("4."), event
    got = sink.wait_messages(1)[0]
    assert got.body.endswith(body)
    relay.wait("delivered", id=identity)
    time.sleep(0.3)
    equal(len(sink.messages), 1, "delivered more than once")


@case_for(*((step, step) for step in STEPS))
def silence_at(lab, step):
    action = sinks.stall if step != "content" else \
        lambda session, argument: time.sleep(4)
    relay, sink = start(lab, {step: Turns(action)}, HURRY)
    # Larger than what the buffers of the kernel take, for `content`.
    size = 8 << 20 if step == "content" else 1000
    begin = time.monotonic()
    identity = relay.send("", "b@example.net", message(size=size))
    event = relay.wait("deferred", id=identity, timeout=15)
    assert time.monotonic() - begin < 12
    assert event.status.startswith("4."), event
    sink.wait_messages(1)


@case_for(("greeting", "greeting", b"220 sink.example ESMTP\r\n"),
          ("mail", "mail", b"250 2.1.0 ok\r\n"))
def a_dribbled_reply_at(lab, step, reply):
    """A byte now and then does not extend the time for the whole reply."""
    relay, sink = start(lab, {step: Turns(sinks.dribble(reply, 0.5))}, HURRY)
    relay.send("", "b@example.net")
    relay.wait("deferred", timeout=10)
    sink.wait_messages(1)


@case
def a_stalled_destination_does_not_hold_up_others(lab):
    stalled = lab.sink(script={"greeting": sinks.stall})
    other = lab.sink()
    relay = lab.relay(lab.gateway("slow.example", stalled) +
                      lab.gateway("fast.example", other))
    for number in range(50):
        relay.send("", f"b{number}@slow.example")
    relay.send("", "b@fast.example")
    other.wait_messages(1, 10)
    assert len(stalled.sessions) <= 20, "max-per-destination is 20"


# Refusals (row 52).

@case_for(*((f"{code} at {step}", step, code)
            for step in ("greeting", "ehlo", "mail", "rcpt", "data", "dot")
            for code in ("421 4.3.2", "450 4.2.0", "451 4.3.0", "452 4.3.1")))
def a_refusal_for_now(lab, step, code):
    script = {step: Turns(code + " later")}
    if step == "ehlo":
        script["helo"] = Turns(code + " later")
    relay, sink = start(lab, script)
    identity = relay.send("", "b@example.net")
    if code.startswith("452") and step == "rcpt":
        # The rest in another transaction at once; here that is all of it.
        relay.wait("delivered", id=identity)
    else:
        event = relay.wait("deferred", id=identity)
        assert event.status.startswith("4."), event
        has(event.reason, "later")
    sink.wait_messages(1)
    equal(relay.find("bounced"), [])


@case_for(*((f"{code} at {step}", step, code)
            for step in ("greeting", "ehlo", "mail", "rcpt", "data", "dot")
            for code in ("550 5.7.1", "554 5.6.0", "500 5.5.2")))
def a_refusal_for_good(lab, step, code):
    """Before MAIL it blames the host; from there on it is final."""
    script = {step: Turns(code + " never")}
    if step == "ehlo":
        script["helo"] = Turns(code + " never")
    relay, sink = start(lab, script)
    identity = relay.send("", "b@example.net")
    if step in ("greeting", "ehlo"):
        relay.wait("deferred", id=identity)
        sink.wait_messages(1)
    else:
        event = relay.wait("bounced", id=identity)
        assert event.status.startswith("5."), event
        has(event.reason, "never")
        equal(sink.messages, [])


@case
def after_a_refused_message_the_next_one_is_tried(lab):
    """A refusal of one message does not back off its destination."""
    relay, sink = start(lab, {"dot": Turns("451 4.3.0 not this one")},
                        {"retry_first": "30s", "retry_max": "30s"})
    relay.send("", "first@example.net")
    relay.wait("deferred")
    relay.send("", "second@example.net")
    equal(sink.wait_messages(1, 5)[0].recipients, ["second@example.net"])


@case
def a_lost_host_holds_back_its_other_mail(lab):
    relay, sink = start(lab, {"greeting": "421 4.3.2 closing"},
                        {"retry_first": "30s", "retry_max": "30s"})
    relay.send("", "first@example.net")
    relay.wait("deferred")
    relay.send("", "second@example.net")
    time.sleep(1)
    equal(len(sink.sessions), 1, "tried at once although the host is down")


# Said, but lost on the way (row 53).

@case
def a_delivered_message_is_not_sent_again_after_a_reset(lab):
    relay, sink = start(lab, {"dot": Turns(
        sinks.say_and_reset("250 2.0.0 kept"))})
    relay.send("", "b@example.net")
    relay.wait("delivered")
    time.sleep(2)
    equal(len(sink.messages), 1)
    equal(relay.find("deferred"), [])


@case_for(("unanswered", sinks.stall), ("cut off", sinks.reset),
          ("refused", "500 5.5.1 what?"))
def a_quit_that_is(lab, action):
    relay, sink = start(lab, {"quit": action}, {"connection_idle": "1s"})
    relay.send("", "b@example.net")
    relay.wait("delivered")
    sink.wait_messages(1)
    time.sleep(2)
    equal(len(sink.messages), 1)
    equal(relay.find("deferred"), [])


# Recipients.

@case
def each_recipient_has_its_own_outcome(lab):
    def rcpt(_session, address):
        return {"later@example.net": "450 4.2.1 later",
                "never@example.net": "550 5.1.1 never"}.get(address)

    relay, sink = start(lab, {"rcpt": rcpt})
    identity = relay.send("", ["one@example.net", "later@example.net",
                               "never@example.net", "two@example.net"])
    relay.wait("bounced", id=identity, to=re.compile("never"))
    relay.wait("deferred", id=identity, to=re.compile("later"))
    got = sink.wait_messages(1)[0]
    equal(got.recipients, ["one@example.net", "two@example.net"])
    sink.script = {}
    got = sink.wait_messages(2)[1]
    equal(got.recipients, ["later@example.net"], "only it is tried again")


@case_for(("452 at the 3rd", "452 4.5.3 too many"),
          ("552 at the 3rd", "552 5.5.3 too many"))
def too_many_recipients(lab, reply):
    """The rest goes in another transaction at once, on the same session."""
    def rcpt(session, _address):
        return reply if len(session.recipients) >= 2 else None

    relay, sink = start(lab, {"rcpt": rcpt},
                        {"retry_first": "60s", "retry_max": "60s"})
    wanted = [f"r{number}@example.net" for number in range(5)]
    relay.send("", wanted)
    sink.wait_messages(3, 10)
    got = [one for message in sink.messages for one in message.recipients]
    equal(sorted(got), wanted)
    equal(relay.find("deferred"), [])


@case
def all_recipients_refused_sends_no_data(lab):
    relay, sink = start(lab, {"rcpt": "550 5.1.1 never"})
    relay.send("", ["b@example.net", "c@example.net"])
    relay.wait("bounced", to=re.compile("b@"))
    relay.wait("bounced", to=re.compile("c@"))
    for session in sink.sessions:
        if not session.is_batched:
            equal([line for _, line in session.commands
                   if line.upper().startswith(b"DATA")], [])


@case
def a_hundred_recipients_make_a_transaction(lab):
    relay, sink = start(lab)
    wanted = [f"r{number}@example.net" for number in range(250)]
    relay.send("", wanted, message())
    sink.wait_messages(3)
    time.sleep(0.2)
    sizes = sorted(len(message.recipients) for message in sink.messages)
    equal(sizes, [50, 100, 100])


# Dialects.

@case
def without_pipelining_each_command_waits_for_its_reply(lab):
    relay, sink = start(lab, extensions=("SIZE 1000000", "8BITMIME"))
    relay.send("", [f"r{number}@example.net" for number in range(10)])
    sink.wait_messages(1)
    equal([session.is_batched for session in sink.sessions], [False])


@case
def with_pipelining_commands_are_sent_together(lab):
    relay, sink = start(lab)
    relay.send("", [f"r{number}@example.net" for number in range(10)])
    sink.wait_messages(1)
    assert any(session.is_batched for session in sink.sessions)


@case
def a_host_that_only_knows_helo(lab):
    relay, sink = start(lab, {"ehlo": "500 5.5.1 what?"})
    body = message(size=3000)
    relay.send("a@client.example", "b@example.net", body,
               mail=["RET=HDRS"], rcpt=["NOTIFY=FAILURE"])
    got = sink.wait_messages(1)[0]
    assert got.body.endswith(body)
    equal(got.sender_arguments, "")
    equal(got.recipient_arguments, [""])
    equal(sink.commands(verb="HELO"), ["HELO relay.example"])


@case
def too_large_for_the_host_is_known_before_it_is_sent(lab):
    relay, sink = start(lab, extensions=("SIZE 1000", "PIPELINING"))
    relay.send("", "b@example.net", message(size=5000))
    event = relay.wait("bounced")
    equal(event.status, "5.3.4")
    equal(sink.commands(verb="DATA"), [])


@case
def size_is_told_where_it_is_offered(lab):
    relay, sink = start(lab)
    relay.send("", "b@example.net", message(size=5000))
    got = sink.wait_messages(1)[0]
    told = int(re.search(r"SIZE=(\d+)", got.sender_arguments)[1])
    assert got.size <= told <= got.size + 200, (told, got.size)


EIGHT = message(text="Grüße\r\n")


@case
def eight_bits_need_8bitmime(lab):
    relay, sink = start(lab, extensions=("PIPELINING", "SIZE 1000000"))
    relay.send("", "b@example.net", EIGHT, mail=["BODY=8BITMIME"])
    equal(relay.wait("bounced").status, "5.6.3")
    relay.send("", "b@example.net", message(), mail=["BODY=8BITMIME"])
    equal(sink.wait_messages(1)[0].sender_arguments.count("BODY"), 0)


@case
def eight_bits_go_to_the_gateway_that_takes_them(lab):
    lacking = lab.sink(extensions=("PIPELINING",))
    able = lab.sink()
    relay = lab.relay(lab.gateway("example.net", lacking, able))
    relay.send("", "b@example.net", EIGHT, mail=["BODY=8BITMIME"])
    got = able.wait_messages(1)[0]
    has(got.sender_arguments, "BODY=8BITMIME")
    assert got.body.endswith(EIGHT)
    equal(lacking.messages, [])


LACKING = ("PIPELINING", "SIZE 1000000", "8BITMIME")


@case_for(("the sender's local part", "ä@client.example", "b@example.net",
           message()),
          ("a recipient's local part", "a@client.example", "ö@example.net",
           message()),
          ("a header", "a@client.example", "b@example.net",
           "Subject: Grüße\r\n\r\nx\r\n".encode()))
def utf8_needs_smtputf8_for(lab, sender, recipient, body):
    sink = lab.sink(extensions=LACKING)
    relay = lab.relay(lab.gateway("*", sink))
    relay.send(sender, recipient, body, mail=["SMTPUTF8", "BODY=8BITMIME"])
    equal(relay.wait("bounced").status, "5.6.7")
    equal([m for m in sink.messages if m.sender], [])


@case
def domains_alone_become_a_labels(lab):
    sink = lab.sink(extensions=LACKING)
    relay = lab.relay(lab.gateway("bücher.example", sink))
    relay.send("a@käse.example", "b@bücher.example", message(),
               mail=["SMTPUTF8", "BODY=8BITMIME"])
    got = sink.wait_messages(1)[0]
    equal(got.sender, "a@xn--kse-qla.example")
    equal(got.recipients, ["b@xn--bcher-kva.example"])
    equal("SMTPUTF8" in got.sender_arguments, False)


@case_for(("BDAT, where it fits in one chunk", 20000, "BDAT"),
          ("DATA, where it does not", 700000, "DATA"))
def to_a_host_that_offers_chunking_it_goes_by(lab, size, verb):
    relay, sink = start(lab, extensions=("PIPELINING", "CHUNKING",
                                         "SIZE 90000000", "8BITMIME"))
    body = message(size=size, text=".\r\n..\r\n.x\r\n")
    relay.send("", "b@example.net", body)
    assert sink.wait_messages(1)[0].body.endswith(body)
    equal(len(sink.commands(verb=verb)), 1)


@case
def a_refused_chunk_is_a_result(lab):
    relay, sink = start(
        lab, {"dot": Turns("452 4.3.1 full", "554 5.6.0 never")},
        extensions=("PIPELINING", "CHUNKING"))
    relay.send("", "b@example.net", message(size=20000))
    relay.wait("deferred")
    relay.wait("bounced")
    equal(sink.messages, [])


run(abreast=6)
