#!/usr/bin/env python3
# touches: tls
"""Outbound TLS: what each level makes of each certificate, of a host without
TLS, and of a handshake that fails. Where a demand is not met the host never
hears MAIL."""
import re
import ssl

import ca
import sink as sinks
from harness import case, case_for, equal, has, run

HOLDS = ("good", "cn-only", "wildcard", "rsa")
# What is wrong, in words that the reason must hold.
FAILS = {
    "expired": "expired",
    "not-yet-valid": "not yet valid|not valid before|before",
    "wrong-name": "mail.other.example",
    "cn-right-san-wrong": "mail.other.example",
    "unknown-ca": "Stranger CA|unknown|no path|anchor|trust",
    "same-name-ca": "unknown|no path|anchor|trust|signature",
    "self-signed": "self-signed",
    "missing-intermediate": "unknown|no path|anchor|trust|intermediate",
    "client-only": "purpose|server",
    "rsa-1024": "RSA|weak|1024",
    "sha1": "SHA-?1|weak",
}


def no_mail_was_said(sink):
    for verb in ("MAIL", "RCPT", "DATA", "AUTH", "BDAT"):
        equal(sink.commands(verb=verb), [], f"{verb} was said")


def delivered(relay, sink):
    """Delivered in TLS; the event."""
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("delivered")
    got = sink.wait_messages(1)[0]
    assert got.tls, "delivered without TLS"
    equal(sink.commands(in_tls=False, verb="MAIL"), [])
    return event


def deferred(relay, *pattern):
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("deferred")
    for one in pattern:
        if not re.search(one, event.reason, re.IGNORECASE):
            raise AssertionError(f"{event.reason!r} has no {one!r}")
    return event


@case_for(*((sort, sort) for sort in HOLDS))
def verify_takes(lab, sort):
    sink = lab.sink(sort)
    relay = lab.relay(lab.verified("example.net", sink))
    event = delivered(relay, sink)
    has(event.proof, "TLSv1.3")
    judged = relay.wait("judged")
    equal((judged.level, judged.verdict), ("verify", "deliver"))
    wanted = "*.de.tuv.com" if sort == "wildcard" else "mx5.de.tuv.com"
    equal(judged.name, wanted)
    equal(judged.issuer, ca.ISSUER)


@case_for(*((sort, sort, words) for sort, words in FAILS.items()))
def verify_refuses(lab, sort, words):
    sink = lab.sink(sort)
    relay = lab.relay(lab.verified("example.net", sink))
    event = deferred(relay, words)
    assert re.match(r"4\.7\.", event.status), event
    no_mail_was_said(sink)
    judged = relay.wait("judged")
    equal((judged.level, judged.verdict), ("verify", "next-host"))


@case
def a_wrong_name_is_told_with_both_names(lab):
    sink = lab.sink("wrong-name")
    relay = lab.relay(lab.verified("example.net", sink))
    deferred(relay, "mx5.de.tuv.com", "mail.other.example")


@case
def the_right_cn_does_not_help_wrong_sans(lab):
    sink = lab.sink("cn-right-san-wrong")
    relay = lab.relay(lab.verified("example.net", sink))
    deferred(relay, r"\bCN\b|common name")


@case_for(("encrypt", "encrypt"), ("may", "may"))
def below_verify_every_certificate_will_do(lab, level):
    text, hops = "", {}
    for sort in (*HOLDS, *FAILS):
        hops[sort] = lab.sink(sort)
        text += lab.gateway(f"{sort}.example", hops[sort], tls=level)
    relay = lab.relay(text)
    relay.send("a@client.example", [f"b@{sort}.example" for sort in hops])
    for sort, sink in hops.items():
        try:
            got = sink.wait_messages(1)[0]
        except AssertionError:
            raise AssertionError(f"{sort} did not arrive") from None
        assert got.tls, f"{sort} arrived without TLS"
        equal(sink.commands(in_tls=False, verb="MAIL"), [], sort)


NO_TLS = (
    ("not offered", {"tls": "none"}),
    ("refused with 454", {"script": {"starttls": "454 4.7.0 not now"}}),
    ("refused with 502", {"script": {"starttls": "502 5.5.1 what?"}}),
    ("answered by a garbled handshake",
     {"script": {"handshake": sinks.raw(b"\x15\x03\x03\x00\x02\x02\x28",
                                        sinks.drop)}}),
    ("dropped at STARTTLS", {"script": {"starttls": sinks.drop}}),
    ("dropped in the handshake", {"script": {"handshake": sinks.drop}}),
    ("offered with plaintext behind the 220",
     {"script": {"starttls": sinks.raw(
         b"220 go\r\n250-sink.example\r\n250 OK\r\n", sinks.stall)}}),
)


@case_for(*((f"{title}, {level}", options, level)
            for title, options in NO_TLS for level in ("verify", "encrypt")))
def tls_that_is(lab, options, level):
    sink = lab.sink("good", **options)
    policy = lab.verified("example.net", sink) if level == "verify" else \
        lab.gateway("example.net", sink, tls=level)
    relay = lab.relay(policy, timeout_starttls="2s", timeout_greeting="2s")
    event = deferred(relay)
    assert re.match(r"4\.[47]\.", event.status), event
    relay.wait("deferred", count=2)
    no_mail_was_said(sink)
    equal(relay.find("delivered"), [])


# A lost connection is no refusal: there the message waits.
@case_for(*(row for row in NO_TLS if row[0] != "dropped at STARTTLS"))
def under_may_mail_goes_in_the_clear_when_tls_is(lab, options):
    """TLS first; plaintext only after it was refused or its handshake
    failed."""
    sink = lab.sink("good", **options)
    relay = lab.relay(lab.gateway("example.net", sink), timeout_starttls="2s",
                      timeout_greeting="2s")
    relay.send("a@client.example", "b@example.net")
    got = sink.wait_messages(1)[0]
    equal(got.tls, None)
    # Said once as a fact: this went without TLS.
    equal(relay.wait("delivered").tls, "")
    if options.get("tls") != "none":
        assert sink.commands(verb="STARTTLS"), "TLS was not tried first"


@case
def under_none_tls_is_not_tried(lab):
    sink = lab.sink("good")
    relay = lab.relay(lab.gateway("example.net", sink, tls="none"))
    relay.send("a@client.example", "b@example.net")
    equal(sink.wait_messages(1)[0].tls, None)
    equal(sink.commands(verb="STARTTLS"), [])


@case
def the_next_gateway_is_used_when_the_first_does_not_meet_the_demand(lab):
    bad, good = lab.sink("wrong-name"), lab.sink("good")
    relay = lab.relay(lab.verified("example.net", bad, good))
    delivered(relay, good)
    no_mail_was_said(bad)
    relay.wait("judged", verdict="next-host")
    relay.wait("judged", verdict="deliver")
    equal(relay.find("deferred"), [])


@case_for(("that stands in the chain", ca.ISSUER, True),
          ("that does not", "Some Other CA", False))
def an_issuer_is_demanded(lab, issuer, holds):
    sink = lab.sink("good")
    relay = lab.relay(lab.verified("example.net", sink,
                                   issuer=f'"{issuer}"'))
    if holds:
        delivered(relay, sink)
    else:
        deferred(relay, issuer, ca.ISSUER)
        no_mail_was_said(sink)


@case
def a_certificate_is_pinned(lab):
    sink = lab.sink("self-signed")
    right = lab.ca.sort("self-signed").spki_pin()
    other = lab.ca.sort("good").spki_pin()
    text = lab.gateway("right.example", sink, tls="verify",
                       pins=f'{{ "{other}", "{right}" }}')
    text += lab.gateway("wrong.example", sink, tls="verify",
                        pins=f'{{ "{other}" }}')
    text += lab.gateway("named.example", sink, tls="verify",
                        pins=f'{{ "{right}" }}', names='{ other.example }')
    relay = lab.relay(text)
    for domain in ("right", "wrong", "named"):
        relay.send("a@client.example", f"b@{domain}.example")
    relay.wait("delivered", to=re.compile("right.example"))
    relay.wait("deferred", to=re.compile("wrong.example"))
    relay.wait("deferred", to=re.compile("named.example"))
    equal([m.recipients for m in sink.messages], [["b@right.example"]])


@case_for(("the intermediate", "good", lambda lab: lab.ca.intermediate),
          ("the leaf itself", "self-signed",
           lambda lab: lab.ca.sort("self-signed")))
def the_anchor_may_be(lab, sort, anchor):
    sink = lab.sink(sort)
    relay = lab.relay(lab.verified("example.net", sink,
                                   trust=f'"{anchor(lab).alone}"'))
    delivered(relay, sink)


@case
def an_expired_leaf_is_no_anchor(lab):
    sink = lab.sink("expired")
    relay = lab.relay(lab.verified(
        "example.net", sink, trust=f'"{lab.ca.sort("expired").alone}"'))
    deferred(relay, "expired")
    no_mail_was_said(sink)


@case
def trust_replaces_the_systems_roots(lab):
    """Without `trust` the system's roots count, and ours is none of them."""
    sink = lab.sink("good")
    relay = lab.relay(lab.gateway("example.net", sink, tls="verify",
                                  names="{ mx5.de.tuv.com }"))
    deferred(relay)
    no_mail_was_said(sink)


@case
def a_least_version_is_demanded(lab):
    sink = lab.sink("good", newest_tls=ssl.TLSVersion.TLSv1_2)
    text = lab.verified("new.example", sink, min_tls="1.3")
    text += lab.verified("old.example", sink)
    relay = lab.relay(text)
    relay.send("a@client.example", "b@new.example")
    relay.wait("deferred", to=re.compile("new.example"))
    relay.send("a@client.example", "b@old.example")
    relay.wait("delivered", to=re.compile("old.example"))
    equal([m.tls.version for m in sink.messages], ["TLSv1.2"])


@case
def sni_is_never_an_address(lab):
    sink = lab.sink("good")
    text = lab.verified("example.net", sink)
    text += lab.verified("example.org", sink, sni='"other.example"')
    relay = lab.relay(text)
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)
    equal(sink.messages[0].tls.sni, None)
    relay.send("a@client.example", "b@example.org")
    sink.wait_messages(2)
    equal(sink.messages[1].tls.sni, "other.example")


@case_for(("good", "good", True), ("wrong name", "wrong-name", False))
def implicit_tls_is_judged_as_well(lab, sort, holds):
    sink = lab.sink(sort, tls="implicit")
    relay = lab.relay(lab.verified("example.net",
                                   "smtps://" + sink.address))
    if holds:
        delivered(relay, sink)
    else:
        deferred(relay, "mail.other.example")
        no_mail_was_said(sink)


@case
def ehlo_inside_tls_replaces_what_was_learned_outside(lab):
    """Outside the host claims 8BITMIME and SIZE 10; inside it does not."""
    def ehlo(session, _argument):
        inside = ["250 sink.example", "250 SIZE 5000000"]
        return inside if session.tls else [
            "250 sink.example", "250 SIZE 10", "250 DSN", "250 STARTTLS"]

    sink = lab.sink("good", script={"ehlo": ehlo})
    relay = lab.relay(lab.verified("example.net", sink))
    relay.send("a@client.example", "b@example.net",
               mail=["RET=HDRS"], rcpt=["NOTIFY=NEVER"])
    got = sink.wait_messages(1)[0]
    equal("RET" in got.sender_arguments, False)
    equal(got.recipient_arguments, [""])


@case
def many_bad_hosts_then_a_good_one_keep_their_order(lab):
    """The good one is fourth; all of them are judged within one attempt."""
    hops = [lab.sink(sort) for sort in ("expired", "unknown-ca", "self-signed",
                                        "good")]
    relay = lab.relay(lab.verified("example.net", *hops))
    delivered(relay, hops[3])
    for hop in hops[:3]:
        no_mail_was_said(hop)
        equal(len(hop.sessions), 1)


run()
