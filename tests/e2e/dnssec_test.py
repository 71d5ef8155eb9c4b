#!/usr/bin/env python3
# touches: tls
"""DNSSEC through a resolver: what is secure, what a forwarder that strips
signatures makes of it, and what dnssec = auto, required and off make of that.

A signed root of our own stands on nsd with a signed and an unsigned zone; all
of them are asked through the configured resolver."""
import re

import dnslab
from harness import case, case_for, equal, need, run

SIGNED = "@ MX 10 mx.other.example.\n"
UNSIGNED = "@ MX 10 mx.other.example.\n"
OTHER = "mx A 127.0.0.11\n"


class Setting:
    """The zones, a forwarder that strips, and a host called
    mx.other.example whose certificate is good."""

    def __init__(self, lab):
        need("nsd", "ldns-signzone", "ldns-keygen")
        self.lab = lab
        self.zones = dnslab.Zones(lab.fresh_folder("dns"), {
            "signed.example": SIGNED, "plain.example": UNSIGNED,
            "other.example": OTHER, ".": ""},
            signed=("signed.example", "other.example", "."))
        lab.later(self.zones.close)
        self.forwarder = dnslab.Spoiler(dnslab.stripping(self.zones))
        lab.later(self.forwarder.close)
        self.sink = lab.sink(
            certificate=lab.ca.sort("good", "mx.other.example"),
            address="127.0.0.11")

    def relay(self, mode, resolver, policy=""):
        return self.lab.relay(
            policy, dnssec=mode, resolver=f'{{ "{resolver.address}" }}',
            root_anchor=f'"{self.zones.anchor(".")}"',
            mx_port=self.sink.port, mx_ignore='{ "192.0.2.0/24" }')


def loudly(relay):
    relay.wait("warning", reason=re.compile("DNSSEC|dnssec|signature"))


@case_for(("auto", "auto"), ("required", "required"))
def signed_answers_are_secure_under(lab, mode):
    here = Setting(lab)
    relay = here.relay(mode, here.zones, lab.verified("signed.example",
                                                      names=None))
    relay.send("", "b@signed.example")
    assert here.sink.wait_messages(1)[0].tls
    equal(relay.wait("judged").name, "mx.other.example")
    equal([event for event in relay.find("warning")
           if "DNSSEC" in event.reason], [])


@case_for(("auto", "auto"), ("required", "required"))
def provably_insecure_answers_are_used_under(lab, mode):
    here = Setting(lab)
    relay = here.relay(mode, here.zones)
    relay.send("", "b@plain.example")
    here.sink.wait_messages(1)


@case
def insecure_answers_are_no_proof_for_names(lab):
    here = Setting(lab)
    relay = here.relay("auto", here.zones, lab.verified("plain.example",
                                                        names=None))
    relay.send("", "b@plain.example")
    event = relay.wait("deferred")
    assert event.status.startswith("4.7."), event
    equal(here.sink.commands(verb="MAIL"), [])


@case
def off_makes_nothing_secure(lab):
    here = Setting(lab)
    relay = here.relay("off", here.zones, lab.verified("signed.example",
                                                       names=None))
    relay.send("", "b@signed.example")
    event = relay.wait("deferred")
    assert event.status.startswith("4.7."), event
    equal(here.sink.commands(verb="MAIL"), [])


@case
def auto_goes_on_without_dnssec_and_says_so_loudly(lab):
    here = Setting(lab)
    relay = here.relay("auto", here.forwarder,
                       lab.verified("signed.example", names=None))
    loudly(relay)
    relay.send("", ["b@signed.example", "b@plain.example"])
    # What needed proof waits, what did not is delivered.
    event = relay.wait("deferred", to=re.compile("signed"))
    assert event.status.startswith("4.7."), event
    equal(here.sink.wait_messages(1)[0].recipients, ["b@plain.example"])


@case
def required_defers_behind_a_forwarder_that_strips(lab):
    here = Setting(lab)
    relay = here.relay("required", here.forwarder)
    relay.send("", "b@plain.example")
    event = relay.wait("deferred", timeout=45)
    assert event.status.startswith("4."), event
    equal(here.sink.sessions, [])


@case
def a_configured_resolver_is_never_walked_around(lab):
    """Nobody but it is asked, though the root servers would answer."""
    here = Setting(lab)
    relay = here.relay("auto", here.forwarder)
    loudly(relay)
    asked = here.forwarder.asked
    relay.send("", "b@plain.example")
    here.sink.wait_messages(1)
    assert here.forwarder.asked > asked


@case
def a_resolver_that_is_gone_defers(lab):
    here = Setting(lab)
    here.forwarder.answer = dnslab.silence
    relay = here.relay("auto", here.forwarder)
    relay.send("", "b@plain.example")
    event = relay.wait("deferred", timeout=45)
    assert event.status.startswith("4.4."), event
    equal(relay.find("bounced"), [])


run(abreast=6)
