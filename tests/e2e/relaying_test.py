#!/usr/bin/env python3
"""Nobody but those who may can have mail sent anywhere."""
from client import Client
from harness import case, equal, has, run

# Everything that has been tried to walk a message through somebody else's
# relay; all of it means a domain that is not ours.
FOREIGN = (
    "user@other.example",
    "user@OTHER.example",
    "user@other.example.",
    "user@example.org.other.example",
    "user@sub.example.org",
    "user@notexample.org",
    "@example.org:user@other.example",
    "@example.org,@example.org:user@other.example",
    '"user@example.org"@other.example',
    '"user%example.org"@other.example',
    "user%example.org@other.example",
    "example.org!user@other.example",
    "user@[127.0.0.1]",
    "user@[192.0.2.1]",
    "user@[IPv6:::1]",
    "user@example.org@other.example",
    "user@localhost",
    "user@127.0.0.1",
    "user",
    "",
)

# Odd, but for a domain that is ours: carried there as they are.
OURS = (
    "user@example.org",
    "user@EXAMPLE.ORG",
    "user%other.example@example.org",
    '"user@other.example"@example.org',
    "other.example!user@example.org",
    "postmaster",
    "PostMaster",
    "postmaster@example.org",
)

OPEN = {"relay_from": '{ "127.0.0.1/32" }',
        "relay_domains": '{ "example.org" }',
        "postmaster": '"admin@example.org"'}


def ask(port, recipient, source, sender="a@client.example"):
    with Client(port, source=source) as client:
        client.ehlo()
        client.expect(250, ask=f"MAIL FROM:<{sender}>")
        return client.ask(f"RCPT TO:<{recipient}>")


@case
def strangers_reach_our_domains_only(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), **OPEN)
    for sender in ("a@client.example", "a@example.org", ""):
        for recipient in FOREIGN:
            reply = ask(relay.port, recipient, "127.0.0.2", sender)
            if reply.code // 100 != 5:
                raise AssertionError(f"{recipient!r}: {reply}")
        for recipient in OURS:
            reply = ask(relay.port, recipient, "127.0.0.2", sender)
            if reply.code != 250:
                raise AssertionError(f"{recipient!r}: {reply}")
    equal(ask(relay.port, "user@other.example", "127.0.0.2").status, "5.7.1")
    relay.wait("refused", client=lambda text: "127.0.0.2" in text)
    equal(sink.messages, [])


@case
def a_refused_recipient_does_not_ride_along(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), **OPEN)
    with Client(relay.port, source="127.0.0.2") as client:
        client.ehlo()
        client.expect(250, ask="MAIL FROM:<a@client.example>")
        client.expect(550, 554, ask="RCPT TO:<user@other.example>")
        client.expect(250, ask="RCPT TO:<user@example.org>")
        client.expect(550, 554, ask="RCPT TO:<two@other.example>")
        client.expect(354, ask="DATA")
        client.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        client.expect(250)
    got = sink.wait_messages(1)[0]
    equal(got.recipients, ["user@example.org"])


@case
def ours_are_carried_as_they_were_written(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), **OPEN)
    # Those that differ in case of the domain only are one recipient.
    ours = [one for one in OURS if "@" in one and "EXAMPLE" not in one]
    with Client(relay.port, source="127.0.0.2") as client:
        client.ehlo()
        reply = client.transact("a@client.example", ours,
                                b"Subject: x\r\n\r\nx\r\n")
        equal(reply.code, 250)
    got = sink.wait_messages(1)[0]
    equal(sorted(one.lower() for one in got.recipients),
          sorted(one.lower() for one in ours))


@case
def postmaster_without_domain_goes_to_the_postmaster(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), **OPEN)
    with Client(relay.port, source="127.0.0.2") as client:
        client.ehlo()
        equal(client.transact("a@client.example", ["postmaster"],
                              b"Subject: x\r\n\r\nx\r\n").code, 250)
    equal(sink.wait_messages(1)[0].recipients, ["admin@example.org"])


@case
def our_own_networks_reach_everybody(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), **OPEN)
    equal(ask(relay.port, "user@other.example", "127.0.0.1").code, 250)


@case
def by_default_only_loopback_may_relay(lab):
    """The default is no open relay; here it can only be shown that what the
    default says holds once the list is replaced by one without us."""
    relay = lab.relay(lab.gateway("*", lab.sink()),
                      relay_from='{ "192.0.2.0/24" }')
    reply = ask(relay.port, "user@other.example", "127.0.0.1")
    equal((reply.code // 100, reply.status), (5, "5.7.1"))
    relay = lab.relay(lab.gateway("*", lab.sink()))
    equal(ask(relay.port, "user@other.example", "127.0.0.9").code, 250)


@case
def address_literals_are_refused_unless_allowed(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink))
    reply = ask(relay.port, "user@[127.0.0.1]", "127.0.0.1")
    equal((reply.code, reply.status), (550, "5.1.2"))
    allowing = lab.relay(lab.gateway("*", sink), address_literals="yes")
    equal(ask(allowing.port, "user@[127.0.0.1]", "127.0.0.1").code, 250)


@case
def ipv6_clients_are_judged_by_ipv6_networks(lab):
    relay = lab.relay(lab.gateway("*", lab.sink()),
                      listen='"[::1]:0" { tls = may }',
                      relay_from='{ "127.0.0.0/8" }',
                      relay_domains='{ "example.org" }')
    with Client(relay.port, address="::1") as client:
        has(client.ehlo().text, "relay.example")
        client.expect(250, ask="MAIL FROM:<a@client.example>")
        client.expect(550, 554, ask="RCPT TO:<user@other.example>")
        client.expect(250, ask="RCPT TO:<user@example.org>")


run()
