#!/usr/bin/env python3
# touches: tls
"""Ways around a partner's demand, tried one by one. Everybody else's mail
goes to a host in the clear that would take it, so that a leak is seen."""
import re
import ssl
import time

import sink as sinks
from harness import case, case_for, equal, has, run
from relay import message


def start(lab, partner, pattern="partner.example", names=None, **options):
    """The partner under verify, the rest in the clear."""
    elsewhere = lab.sink()
    return lab.relay(lab.verified(pattern, partner, **(names or {})) +
                     lab.gateway("*", elsewhere, tls="none"),
                     **options), elsewhere


def nothing_left(*hops):
    for hop in hops:
        for verb in ("MAIL", "RCPT", "DATA", "BDAT", "AUTH"):
            equal(hop.commands(verb=verb), [], f"{verb} was said")
        equal(hop.messages, [])


# However the domain is written, it is the partner's.

SPELLINGS = ("b\u00fccher.example", "xn--bcher-kva.example",
             "XN--BCHER-KVA.Example", "B\u00dcCHER.EXAMPLE",
             "bu\u0308cher.example", "b\u00fccher.example.",
             "xn--bcher-kva.example.", "mx.b\u00fccher.example",
             "\uff42\u00fccher\uff0eexample", "b\u00fccher\u3002example",
             "b\u00ad\u00fccher.example")


@case_for(("given as a U-label", "*.b\u00fccher.example"),
          ("given as an A-label", "*.XN--bcher-kva.EXAMPLE."))
def a_spelling_of_the_domain_is_no_way_around_a_policy(lab, pattern):
    partner = lab.sink("wrong-name")
    relay, elsewhere = start(lab, partner, pattern)
    taken = 0
    with relay.smtp() as client:
        client.ehlo()
        client.command_encoding = "utf-8"
        client.mail("", ["SMTPUTF8"])
        for number, spelling in enumerate(SPELLINGS):
            client.putcmd(f"RCPT TO:<b{number}@{spelling}>")
            taken += client.getreply()[0] == 250
        equal(client.data(message())[0], 250)
    assert taken >= 6, taken
    relay.wait("deferred", count=taken)
    nothing_left(partner, elsewhere)


@case_for(*((text, text) for text in (
    '"b@elsewhere.example"@partner.example',
    "b%elsewhere.example@partner.example",
    "@elsewhere.example:b@partner.example",
    "elsewhere.example!b@partner.example")))
def a_route_in_the_address_is_no_way_around_a_policy(lab, address):
    partner = lab.sink("wrong-name")
    relay, elsewhere = start(lab, partner)
    with relay.smtp() as client:
        client.ehlo()
        client.mail("")
        client.putcmd(f"RCPT TO:<{address}>")
        if client.getreply()[0] == 250:
            equal(client.data(message())[0], 250)
            relay.wait("deferred")
    nothing_left(partner, elsewhere)


@case
def an_address_literal_never_goes_to_an_unproven_host(lab):
    host = lab.sink("good")
    relay = lab.relay(f'policy "*" {{ tls = verify '
                      f'trust = "{lab.ca.trust}" }}\n',
                      address_literals="yes", mx_port=host.port,
                      mx_ignore='{ 192.0.2.0/24 }', own_addresses=None)
    relay.send("", "b@[127.0.0.1]")
    event = relay.wait("deferred")
    has(event.reason, "names")
    nothing_left(host)


# A connection of which something changes.

@case
def a_certificate_that_changes_is_judged_anew(lab):
    partner = lab.sink("good")
    relay, elsewhere = start(lab, partner, connection_messages=1)
    relay.send("", "b@partner.example")
    partner.wait_messages(1)
    partner.certificate = lab.ca.sort("wrong-name")
    relay.send("", "b@partner.example")
    relay.wait("deferred")
    equal(len(partner.messages), 1)
    nothing_left(elsewhere)


@case
def a_kept_connection_that_dies_is_not_replaced_by_an_unproven_one(lab):
    partner = lab.sink("good")
    relay, elsewhere = start(lab, partner, connection_idle="30s")
    relay.send("", "b@partner.example")
    partner.wait_messages(1)
    partner.tls = "none"
    time.sleep(0.2)
    partner.cut(partner.sessions[0])
    relay.send("", "b@partner.example")
    relay.wait("deferred")
    equal(len(partner.messages), 1)
    equal(partner.commands(in_tls=False, verb="MAIL"), [])
    nothing_left(elsewhere)


@case
def mail_in_the_clear_to_a_host_leaves_no_way_for_others_mail(lab):
    """The same host at the same time: in the clear for one policy, under
    verify for the other, with connections kept."""
    host = lab.sink("good")
    relay = lab.relay(lab.gateway("loose.example", host, tls="none") +
                      lab.verified("partner.example", host),
                      connection_idle="30s")
    for number in range(5):
        relay.send("", f"b{number}@loose.example")
        relay.send("", f"b{number}@partner.example")
    for one in host.wait_messages(10):
        equal(one.tls is not None, "partner" in one.recipients[0])


@case
def reports_to_a_partner_are_held_to_the_policy(lab):
    partner = lab.sink("wrong-name")
    failing = lab.sink(script={"rcpt": "550 5.1.1 nobody"})
    relay = lab.relay(lab.verified("partner.example", partner) +
                      lab.gateway("*", failing, tls="none"))
    relay.send("a@partner.example", "b@example.net")
    relay.wait("report", to="a@partner.example")
    event = relay.wait("deferred", to="a@partner.example")
    assert event.status.startswith("4.7."), event
    nothing_left(partner)


@case_for(("the policy keeps its title", "one.example"),
          ("the policy goes", "other.example"))
def recipients_that_shared_a_policy_and_no_longer_do(lab, title):
    """One message, two domains of one policy; one of them becomes a partner
    with a policy of its own while it waits."""
    busy = lab.sink(script={"rcpt": "450 4.2.1 busy"})
    relay = lab.relay(lab.gateway("one.example", busy,
                                  domains="{ two.example }"))
    identity = relay.send("", ["b@one.example", "b@two.example"])
    relay.wait("deferred", id=identity, count=2)
    relay.stop()
    partner, elsewhere = lab.sink("wrong-name"), lab.sink()
    relay.configure(lab.verified("two.example", partner) +
                    lab.gateway(title, elsewhere, tls="none") +
                    lab.gateway("*", elsewhere, tls="none"))
    relay.start()
    relay.wait("delivered", id=identity)
    event = relay.wait("deferred", to="b@two.example", status="4.7.5")
    equal([m.recipients for m in elsewhere.messages], [["b@one.example"]])
    nothing_left(partner)


# A server inside TLS that then goes wrong.

def asks_certificate(made):
    """The server's context demands a certificate that the relay has not."""
    usual = made.context

    def context():
        one = usual()
        one.verify_mode = ssl.CERT_REQUIRED
        one.load_verify_locations(made.certificate.chain)
        return one
    made.context = context


@case_for(("TLS 1.3, whose alert comes late", None, "4."),
          ("TLS 1.2", ssl.TLSVersion.TLSv1_2, "4."))
def a_demanded_client_certificate_defers_under_verify(lab, newest, status):
    partner = lab.sink("good", newest_tls=newest)
    asks_certificate(partner)
    relay, elsewhere = start(lab, partner)
    relay.send("", "b@partner.example")
    event = relay.wait("deferred")
    assert event.status.startswith(status), event
    nothing_left(elsewhere)
    equal(partner.commands(in_tls=False, verb="MAIL"), [])


@case
def a_failure_after_the_handshake_is_no_reason_for_plaintext(lab):
    host = lab.sink("good")
    asks_certificate(host)
    relay = lab.relay(lab.gateway("example.net", host))
    relay.send("", "b@example.net")
    relay.wait("deferred")
    equal(host.commands(in_tls=False, verb="MAIL"), [])


@case_for(*((f"{name}, {level}", action, level) for level in
            ("may", "encrypt", "verify") for name, action in (
                ("closed", sinks.drop), ("reset", sinks.reset),
                ("stalled", sinks.stall),
                ("answered with 421", "421 4.3.2 not now"),
                ("answered with 554", "554 5.3.2 never"))))
def ehlo_inside_tls(lab, action, level):
    """At every level: once the handshake is done there is no way back."""
    def ehlo(session, argument):
        if session.tls is None or not callable(action):
            return action if session.tls else None
        return action(session, argument)

    script = {"ehlo": ehlo}
    if action == "554 5.3.2 never":
        script["helo"] = action
    host = lab.sink("good", script=script)
    policy = lab.verified("example.net", host) if level == "verify" else \
        lab.gateway("example.net", host, tls=level)
    relay = lab.relay(policy, timeout_greeting="2s")
    relay.send("", "b@example.net")
    relay.wait("deferred")
    nothing_left(host)


@case
def starttls_offered_inside_tls_is_not_taken_up_again(lab):
    def ehlo(session, _argument):
        return ["250 sink.example", "250 STARTTLS"]

    partner = lab.sink("good", script={"ehlo": ehlo})
    relay, elsewhere = start(lab, partner)
    relay.send("", "b@partner.example")
    partner.wait_messages(1)
    equal(len(partner.commands(verb="STARTTLS")), 1)
    nothing_left(elsewhere)


@case_for(*((words.splitlines()[0], words) for words in (
    "250 2.0.0 yes", "354 go", "334 go", "221 bye", "250-two\r\n220 go")))
def an_odd_answer_to_starttls_is_never_plaintext(lab, words):
    partner = lab.sink("good", script={"starttls": sinks.raw(
        words.encode() + b"\r\n", sinks.stall)})
    relay, elsewhere = start(lab, partner, timeout_starttls="2s")
    relay.send("", "b@partner.example")
    event = relay.wait("deferred")
    assert event.status.startswith("4."), event
    nothing_left(partner, elsewhere)


@case
def replies_before_their_commands_are_no_way_to_plaintext(lab):
    """All that a session in the clear would hear, said at once."""
    flood = (b"220 sink.example\r\n250 sink.example\r\n" +
             b"250 2.0.0 ok\r\n" * 3 + b"354 go\r\n250 2.0.0 kept\r\n")
    partner = lab.sink("good", script={
        "greeting": sinks.raw(flood, sinks.stall)})
    relay, elsewhere = start(lab, partner)
    relay.send("", "b@partner.example")
    relay.wait("deferred")
    nothing_left(partner, elsewhere)


run()
