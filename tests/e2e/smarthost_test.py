#!/usr/bin/env python3
# touches: tls
"""A smarthost with a login: credentials go only over TLS that was judged
good; and connections are kept for what may share them."""
import base64
import re
import time

import sink as sinks
from harness import case, case_for, equal, has, run
from relay import message

LOGIN = ("relay1", "geheim & läng")


def secret(lab, text=LOGIN[1]):
    return lab.write("secret", (text + "\n").encode())


def smarthost(lab, sink, prefix="", **options):
    options.setdefault("user", f'"{LOGIN[0]}"')
    options.setdefault("password_file", f'"{secret(lab)}"')
    return lab.verified("*", prefix + sink.address, **options)


def announcing(words):
    def ehlo(session, _argument):
        lines = ["250 sink.example", "250 PIPELINING"]
        if session.tls:
            return lines + ["250 AUTH " + words]
        return lines + ["250 STARTTLS"]
    return {"ehlo": ehlo}


@case_for(("PLAIN", "PLAIN"), ("LOGIN", "LOGIN"),
          ("PLAIN before LOGIN", "LOGIN CRAM-MD5 PLAIN"))
def a_login_by(lab, words):
    sink = lab.sink("good", credentials=LOGIN, script=announcing(words))
    relay = lab.relay(smarthost(lab, sink))
    relay.send("a@client.example", "b@example.net")
    got = sink.wait_messages(1)[0]
    equal(got.session.user, LOGIN[0])
    equal(sink.commands(in_tls=False, verb="AUTH"), [])
    wanted = "AUTH LOGIN" if words == "LOGIN" else "AUTH PLAIN"
    assert sink.commands(in_tls=True, verb=wanted)
    assert LOGIN[1] not in "\n".join(relay.output), "the log tells it"


@case
def a_login_over_implicit_tls(lab):
    sink = lab.sink("good", credentials=LOGIN, tls="implicit")
    relay = lab.relay(smarthost(lab, sink, "smtps://"))
    relay.send("a@client.example", "b@example.net")
    equal(sink.wait_messages(1)[0].session.user, LOGIN[0])


@case_for(("a certificate that does not hold", "wrong-name", {}),
          ("no TLS", "good", {"tls": "none"}),
          ("a host that offers AUTH in the clear only", "good",
           {"tls": "none", "script": {"ehlo": ["250 sink.example",
                                               "250 AUTH PLAIN LOGIN"]}}))
def no_login_over(lab, sort, options):
    sink = lab.sink(sort, credentials=LOGIN, **options)
    relay = lab.relay(smarthost(lab, sink))
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("deferred")
    assert event.status.startswith("4.7."), event
    equal(sink.commands(verb="AUTH"), [])
    equal(sink.commands(verb="MAIL"), [])


@case_for(("refused for good", "535 5.7.8 wrong"),
          ("refused for now", "454 4.7.0 later"))
def a_login_that_is(lab, reply):
    sink = lab.sink("good", credentials=LOGIN,
                    script={"auth": sinks.Turns(reply)})
    relay = lab.relay(smarthost(lab, sink))
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("deferred")
    has(event.reason, reply[4:9])
    equal(relay.find("bounced"), [])
    relay.wait("warning")
    # It waits rather than going without a login.
    equal(sink.wait_messages(1)[0].session.user, LOGIN[0])


@case_for(("PLAIN", "PLAIN"), ("LOGIN", "LOGIN"))
def a_host_that_repeats_a_login_by(lab, words):
    """Neither the log nor the report to the sender tells it."""
    def auth(session, given):
        said = session.commands[-1][1].decode()
        return f"535 5.7.8 no: {said} {given[1]}"

    home = lab.sink()
    sink = lab.sink("good", credentials=LOGIN,
                    script=dict(announcing(words), auth=auth))
    relay = lab.relay(lab.gateway("client.example", home) +
                      smarthost(lab, sink), lifetime="2s",
                      log_level="debug")
    relay.send("a@client.example", "b@example.net")
    told = home.wait_messages(1)[0].body.decode() + "\n".join(relay.output)
    has(told, "5.7.8")
    for one in (LOGIN[1], *(base64.b64encode(text.encode()).decode()
                            for text in (LOGIN[1], "\0".join(("", *LOGIN))))):
        assert one[:12] not in told, one


@case
def a_host_without_auth_does_not_get_the_mail(lab):
    sink = lab.sink("good")
    relay = lab.relay(smarthost(lab, sink))
    relay.send("a@client.example", "b@example.net")
    relay.wait("deferred")
    equal(sink.commands(verb="MAIL"), [])


# Connections.

def burst(relay, count, domain="example.net", start=0):
    """Over one session, so that they come close together."""
    with relay.smtp() as client:
        for number in range(start, start + count):
            client.sendmail("a@client.example", [f"b{number}@{domain}"],
                            message())


@case
def connections_are_reused(lab):
    sink = lab.sink("good")
    relay = lab.relay(lab.verified("example.net", sink),
                      max_per_destination=1)
    burst(relay, 30)
    sink.wait_messages(30)
    equal(len(sink.sessions), 1)
    equal(len(sink.commands(verb="STARTTLS")), 1)


@case
def a_connection_carries_so_many_messages(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("example.net", sink),
                      max_per_destination=1, connection_messages=10)
    burst(relay, 30)
    sink.wait_messages(30)
    relay.wait("delivered", count=30)
    most = max(session.messages for session in sink.sessions)
    equal((len(sink.sessions), most), (3, 10))


@case
def an_idle_connection_is_closed_with_quit(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("example.net", sink), connection_idle="1s")
    burst(relay, 1)
    begin = time.monotonic()
    session = sink.wait_sessions(1)[0]
    equal(session.end, "QUIT")
    assert 0.7 < time.monotonic() - begin < 5
    burst(relay, 1, start=1)
    sink.wait_messages(2)
    equal(len(sink.sessions), 2)


@case
def a_connection_that_died_while_idle_costs_no_attempt(lab):
    """The host closes after each message without a word; the next message
    goes over a new connection at once, not after a retry."""
    sink = lab.sink()
    relay = lab.relay(lab.gateway("example.net", sink), connection_idle="30s",
                      retry_first="60s", retry_max="60s")
    burst(relay, 1)
    sink.wait_messages(1)
    time.sleep(0.3)
    sink.cut(sink.sessions[0])
    time.sleep(0.2)
    burst(relay, 1, start=1)
    sink.wait_messages(2, 10)
    equal(relay.find("deferred"), [])


@case
def what_demands_differently_does_not_share_a_connection(lab):
    """Two policies, one host: one asks for a verified name, the other does
    not. Mail of the first never rides on a session of the second."""
    sink = lab.sink("wrong-name")
    relay = lab.relay(lab.gateway("loose.example", sink, tls="encrypt") +
                      lab.verified("strict.example", sink),
                      connection_idle="30s")
    burst(relay, 1, "loose.example")
    sink.wait_messages(1)
    burst(relay, 1, "strict.example")
    relay.wait("deferred", to=re.compile("strict.example"))
    time.sleep(0.5)
    equal([m.recipients for m in sink.messages], [["b0@loose.example"]])


@case
def two_policies_that_demand_the_same_may_share(lab):
    sink = lab.sink("good")
    relay = lab.relay(
        lab.verified("one.example", sink, domains="{ two.example }"),
        connection_idle="30s", max_per_destination=1)
    burst(relay, 1, "one.example")
    sink.wait_messages(1)
    burst(relay, 1, "two.example")
    sink.wait_messages(2)
    equal(len(sink.sessions), 1)


@case
def connections_to_one_destination_are_limited(lab):
    sink = lab.sink(script={"dot": lambda *_: time.sleep(0.2)})
    relay = lab.relay(lab.gateway("example.net", sink),
                      max_per_destination=4)
    burst(relay, 40)
    sink.wait_messages(40, 30)
    assert len(sink.sessions) <= 4, len(sink.sessions)
    assert len(sink.sessions) >= 2, "no concurrency at all"


@case
def outbound_tls_is_never_resumed(lab):
    """A resumed handshake skips the judging."""
    sink = lab.sink("good")
    relay = lab.relay(lab.verified("example.net", sink),
                      connection_messages=1)
    for number in range(3):
        burst(relay, 1, start=number)
        sink.wait_messages(number + 1)
    relay.wait("judged", count=3, verdict="deliver")
    equal(len(sink.sessions), 3)


run()
