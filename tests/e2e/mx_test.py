#!/usr/bin/env python3
# touches: tls
"""Mail to the hosts that DNS names: order, and every way in which DNS can say
no, nothing, or not now. nsd serves the zones; hosts are loopback addresses
that share one port."""
import re
import smtplib
import subprocess
import time

import dnslab
import relay as relays
from harness import case, case_for, equal, has, need, run
from ports import free_port

# A list of our own replaces the default, which ignores loopback.
IGNORE = '{ "192.0.2.0/24" }'


class Hosts:
    """Sinks on loopback addresses, all on one port, made when named."""

    def __init__(self, lab):
        self.lab = lab
        self.port = free_port()
        self.sinks = {}

    def __call__(self, last, sort=None, **options):
        if last not in self.sinks:
            self.sinks[last] = self.lab.sink(
                sort, address=f"127.0.0.{last}", port=self.port, **options)
        return self.sinks[last]


def zones(lab, texts, **options):
    need("nsd")
    if options.get("signed"):
        need("ldns-signzone", "ldns-keygen")
    made = dnslab.Zones(lab.fresh_folder("dns"), texts, **options)
    lab.later(made.close)
    return made


def stub(made, *names, anchor=False):
    text = ""
    for name in names:
        more = f' anchor = "{made.anchor(name)}"' if anchor else ""
        text += (f'zone "{name}" {{ servers = {{ "{made.address}" }}{more} '
                 "}\n")
    return text


def start(lab, records, policy="", name="example.net", **options):
    """A relay that asks our zone, and the hosts."""
    hosts = options.pop("hosts", None) or Hosts(lab)
    made = zones(lab, {name: records})
    options.setdefault("mx_ignore", IGNORE)
    relay = lab.relay(stub(made, name) + policy, mx_port=hosts.port,
                      **options)
    return relay, hosts


def to(relay, *domains):
    return relay.send("", [f"b@{domain}" for domain in domains])


class Explained:
    """What the command says of the same domain; it asks at the same time."""

    def __init__(self, lab, relay):
        self.process = subprocess.Popen(
            [relays.POSTERN, "explain", "-c", relay.conf, "b@example.net"],
            stdout=subprocess.PIPE, text=True)
        lab.later(self.process.wait)

    def says(self, status, *parts):
        text = self.process.communicate(timeout=60)[0]
        equal(self.process.returncode, status, text)
        for part in parts:
            has(text, part)


@case
def the_lowest_preference_comes_first(lab):
    hosts = Hosts(lab)
    first, second = hosts(11), hosts(12)
    relay, _ = start(lab, "@ MX 20 mx2\n@ MX 10 mx1\n"
                     "mx1 A 127.0.0.11\nmx2 A 127.0.0.12", hosts=hosts)
    for _ in range(5):
        to(relay, "example.net")
    first.wait_messages(5)
    equal(second.sessions, [])
    has(relay.wait("delivered").host, "mx1.example.net")


@case
def the_next_preference_is_used_when_the_first_is_down(lab):
    hosts = Hosts(lab)
    busy = hosts(11, script={"greeting": "421 4.3.2 busy"})
    relay, _ = start(lab, "@ MX 5 mx0\n@ MX 10 mx1\n@ MX 20 mx2\n"
                     "mx0 A 127.0.0.10\nmx1 A 127.0.0.11\n"
                     "mx2 A 127.0.0.12", hosts=hosts)
    good = hosts(12)
    to(relay, "example.net")
    good.wait_messages(1)
    equal(len(busy.sessions), 1)
    equal(relay.find("deferred"), [])


@case
def equal_preferences_share_the_load(lab):
    hosts = Hosts(lab)
    both = hosts(11), hosts(12)
    relay, _ = start(lab, "@ MX 10 mx1\n@ MX 10 mx2\n"
                     "mx1 A 127.0.0.11\nmx2 A 127.0.0.12", hosts=hosts,
                     connection_messages=1)
    for _ in range(24):
        to(relay, "example.net")
    relay.wait("delivered", count=24)
    counts = [len(sink.messages) for sink in both]
    equal(sum(counts), 24)
    assert min(counts) >= 2, counts


@case
def without_mx_the_domain_itself_is_the_host(lab):
    relay, hosts = start(lab, "@ A 127.0.0.11")
    sink = hosts(11)
    to(relay, "example.net")
    sink.wait_messages(1)
    has(relay.wait("delivered").host, "example.net")


@case
def with_mx_the_domains_own_address_is_never_used(lab):
    relay, hosts = start(lab, "@ MX 10 mx1\n@ A 127.0.0.11\n"
                         "mx1 A 127.0.0.12")
    own = hosts(11)
    to(relay, "example.net")
    relay.wait("deferred")
    equal(own.sessions, [])


@case_for(("null MX", "@ MX 0 .", "5.1.10"),
          ("a domain that does not exist", "", "5.1.2"),
          ("no MX and no address", "@ TXT x", "5.4.4"),
          ("an MX whose host has no address", "@ MX 10 gone", "5.4.4"))
def the_mail_bounces_for(lab, records, status):
    relay, _ = start(lab, records)
    domain = "sub.example.net" if status == "5.1.2" else "example.net"
    to(relay, domain)
    event = relay.wait("bounced")
    equal(event.status, status)


@case
def beside_a_null_mx_the_real_ones_count(lab):
    relay, hosts = start(lab, "@ MX 0 .\n@ MX 10 mx1\nmx1 A 127.0.0.11")
    sink = hosts(11)
    to(relay, "example.net")
    sink.wait_messages(1)


@case_for(("SERVFAIL", None), ("silence", dnslab.silence),
          ("REFUSED", dnslab.failing(5)),
          ("SERVFAIL from the server", dnslab.failing(2)))
def the_mail_waits_at(lab, answer):
    if answer is None:
        address = zones(lab, {"example.net": None}).address
    else:
        spoiler = dnslab.Spoiler(answer)
        lab.later(spoiler.close)
        address = spoiler.address
    relay = lab.relay(f'zone "example.net" {{ servers = {{ "{address}" }} }}')
    to(relay, "example.net")
    event = relay.wait("deferred", timeout=45)
    assert event.status.startswith("4.4."), event
    equal(relay.find("bounced"), [])


@case
def an_error_of_one_host_does_not_bounce_for_the_others(lab):
    """One MX cannot be looked up, the other has no address: it may be that
    the first is fine, so the mail waits."""
    made = zones(lab, {"example.net": "@ MX 10 mx.broken.example.\n"
                       "@ MX 20 gone", "broken.example": None})
    relay = lab.relay(stub(made, "example.net", "broken.example"),
                      mx_ignore=IGNORE)
    to(relay, "example.net")
    relay.wait("deferred", timeout=45)
    equal(relay.find("bounced"), [])


@case
def an_error_of_one_host_does_not_stop_the_next(lab):
    hosts = Hosts(lab)
    sink = hosts(12)
    made = zones(lab, {"example.net": "@ MX 10 mx.broken.example.\n"
                       "@ MX 20 mx2\nmx2 A 127.0.0.12",
                       "broken.example": None})
    relay = lab.relay(stub(made, "example.net", "broken.example"),
                      mx_ignore=IGNORE, mx_port=hosts.port)
    to(relay, "example.net")
    sink.wait_messages(1, 45)


@case
def loopback_hosts_are_ignored_by_default(lab):
    relay, hosts = start(lab, "@ MX 10 mx1\nmx1 A 127.0.0.11",
                         mx_ignore=None)
    sink = hosts(11)
    to(relay, "example.net")
    relay.wait("bounced", status="5.4.4")
    equal(sink.sessions, [])


@case_for(("unspecified", "A 0.0.0.0"), ("IPv6 loopback", "AAAA ::1"),
          ("link-local", "A 169.254.1.1"), ("multicast", "A 224.0.0.5"),
          ("broadcast", "A 255.255.255.255"),
          ("mapped loopback", "AAAA ::ffff:127.0.0.1"))
def a_host_is_ignored_that_is(lab, record):
    relay, _ = start(lab, f"@ MX 10 mx1\nmx1 {record}\n"
                     f"implicit {record}", mx_ignore=None)
    to(relay, "example.net")
    to(relay, "implicit.example.net")
    relay.wait("bounced", to=re.compile("@example"), status="5.4.4")
    relay.wait("bounced", to=re.compile("@implicit"), status="5.4.4")


@case
def we_ourselves_are_no_next_hop(lab):
    """Our own address, and what is worse, is cut off; if nothing is left the
    mail comes back instead of going round."""
    hosts = Hosts(lab)
    better, worse = hosts(11), hosts(13)
    records = ("@ MX 10 mx1\n@ MX 20 us\n@ MX 30 mx3\nloop MX 10 us\n"
               "loop MX 20 mx3\nmx1 A 127.0.0.11\nus A 127.0.0.12\n"
               "mx3 A 127.0.0.13")
    relay, _ = start(lab, records, hosts=hosts,
                     own_addresses='{ "127.0.0.12" }',
                     connection_messages=1)
    to(relay, "example.net")
    better.wait_messages(1)
    to(relay, "loop.example.net")
    relay.wait("bounced", status="5.4.6")
    better.script = {"greeting": "421 4.3.2 busy"}
    to(relay, "example.net")
    relay.wait("deferred")
    equal(worse.sessions, [])


@case
def our_listeners_are_known_to_be_us(lab):
    port = free_port()
    made = zones(lab, {"example.net": "@ MX 10 us\nus A 127.0.0.14"})
    relay = lab.relay(stub(made, "example.net"), mx_ignore=IGNORE,
                      listen=f'"127.0.0.14:{port}" {{ tls = may }}',
                      mx_port=port, relay_from='{ "127.0.0.0/8" }')
    with smtplib.SMTP("127.0.0.14", port, "client.example",
                      timeout=20) as client:
        client.sendmail("", ["b@example.net"], "Subject: x\r\n\r\nx\r\n")
    relay.wait("bounced", status="5.4.6")


@case
def gateways_by_name_are_looked_up(lab):
    hosts = Hosts(lab)
    sink = hosts(11, "good")
    made = zones(lab, {"tuv.com": "mx5.de A 127.0.0.11"})
    relay = lab.relay(
        stub(made, "tuv.com") +
        lab.verified("*.tuv.com", f"mx5.de.tuv.com:{hosts.port}",
                     names=None))
    to(relay, "de.tuv.com")
    got = sink.wait_messages(1)[0]
    # By name: SNI is that name, and configured gateways may be loopback.
    equal(got.tls.sni, "mx5.de.tuv.com")
    equal(relay.wait("judged").name, "mx5.de.tuv.com")


@case
def several_addresses_of_a_host_are_all_tried(lab):
    hosts = Hosts(lab)
    sink = hosts(13)
    relay, _ = start(lab, "@ MX 10 mx1\nmx1 A 127.0.0.11\n"
                     "mx1 A 127.0.0.12\nmx1 A 127.0.0.13", hosts=hosts)
    to(relay, "example.net")
    sink.wait_messages(1)
    equal(relay.find("deferred"), [])


@case_for(("as a gateway", True), ("by MX", False))
def a_host_is_reached_over_ipv6(lab, is_gateway):
    sink = lab.sink(address="::1")
    made = zones(lab, {"example.net": "@ MX 10 mx1\nmx1 AAAA ::1"})
    policy = lab.gateway("example.net", sink) if is_gateway else ""
    relay = lab.relay(stub(made, "example.net") + policy, mx_ignore=IGNORE,
                      mx_port=sink.port)
    to(relay, "example.net")
    sink.wait_messages(1)
    has(relay.wait("delivered").host, f"[::1]:{sink.port}")


@case
def the_other_address_family_is_used_when_one_fails(lab):
    sink = lab.sink(address="::1")
    made = zones(lab, {"example.net":
                       "@ MX 10 mx1\nmx1 A 127.0.0.77\nmx1 AAAA ::1"})
    relay = lab.relay(stub(made, "example.net"), mx_ignore=IGNORE,
                      mx_port=sink.port)
    to(relay, "example.net")
    sink.wait_messages(1)
    equal(relay.find("deferred"), [])


@case
def an_mx_that_is_an_alias_is_followed(lab):
    relay, hosts = start(lab, "@ MX 10 alias\nalias CNAME real\n"
                         "real A 127.0.0.11")
    sink = hosts(11)
    to(relay, "example.net")
    sink.wait_messages(1)


@case
def many_mx_records_do_no_harm(lab):
    records = "".join(f"@ MX {10 + n} m{n}\nm{n} A 127.0.1.{n + 1}\n"
                      for n in range(60))
    relay, _ = start(lab, records)
    begin = time.monotonic()
    to(relay, "example.net")
    relay.wait("deferred")
    assert time.monotonic() - begin < 15


# Names under verify.

def spoofed(lab, records, policy, sort, name="mx.evil.example", **options):
    """An unsigned MX answer that names a host with a certificate of its
    own, from a CA that we trust."""
    hosts = Hosts(lab)
    sink = hosts(11, certificate=lab.ca.sort(sort, name))
    made = zones(lab, {"example.net": records, "evil.example":
                       "mx A 127.0.0.11"}, **options)
    relay = lab.relay(
        stub(made, "example.net", anchor=bool(options.get("signed"))) +
        stub(made, "evil.example") + policy, mx_ignore=IGNORE,
        mx_port=hosts.port, dnssec="auto" if options else "off")
    return relay, sink


@case
def an_unsigned_mx_outside_the_domain_is_not_used_under_verify(lab):
    relay, sink = spoofed(lab, "@ MX 10 mx.evil.example.",
                          lab.verified("example.net", names=None), "good")
    to(relay, "example.net")
    event = relay.wait("deferred")
    assert event.status.startswith("4.7."), event
    has(event.reason, "mx.evil.example")
    equal((event.level, event.verdict, event.reason_code),
          ("verify", "next-host", "host-not-usable"))
    equal(sink.sessions, [])


@case
def a_dry_run_tells_of_a_host_that_nobody_vouches_for(lab):
    relay, sink = spoofed(
        lab, "@ MX 10 mx.evil.example.",
        lab.gateway("example.net", tls="may", would="verify",
                    trust=f'"{lab.ca.trust}"'), "good")
    to(relay, "example.net")
    event = relay.wait("delivered")
    equal((event.level, event.would), ("may", "host-not-usable"))
    has(relay.wait("would-have-failed").reason, "unsigned DNS only")
    assert sink.wait_messages(1)[0].tls


@case
def a_spoofed_address_does_not_help_a_host_with_a_name_of_its_own(lab):
    """The MX is the domain's, its address the attacker's, who has a perfectly
    valid certificate: for another name."""
    hosts = Hosts(lab)
    sink = hosts(11, certificate=lab.ca.sort("good", "mx.evil.example"))
    relay, _ = start(
        lab, "@ MX 10 mx1\nmx1 A 127.0.0.11",
        lab.verified("example.net", names=None), hosts=hosts)
    to(relay, "example.net")
    event = relay.wait("deferred")
    equal(event.reason_code, "certificate-host-mismatch")
    has(event.reason, "bears mx.evil.example, expected mx1.example.net")
    equal(sink.commands(verb="MAIL"), [])


@case
def an_mx_pattern_of_the_policy_allows_it(lab):
    relay, sink = spoofed(
        lab, "@ MX 10 mx.evil.example.",
        lab.verified("example.net", names=None, mx='{ "*.evil.example" }'), "good")
    to(relay, "example.net")
    assert sink.wait_messages(1)[0].tls
    equal(relay.wait("judged").name, "mx.evil.example")


@case
def names_mx_trusts_unsigned_dns_and_says_so(lab):
    relay, sink = spoofed(lab, "@ MX 10 mx.evil.example.",
                          lab.verified("example.net", names="{ mx }"),
                          "good")
    to(relay, "example.net")
    sink.wait_messages(1)
    assert any("unsigned" in line for line in relay.output), "not said"


@case
def an_mx_inside_the_domain_bears_its_own_name(lab):
    hosts = Hosts(lab)
    sink = hosts(11, certificate=lab.ca.leaf("inside", "mx1.example.net"))
    relay, _ = start(
        lab, "@ MX 10 mx1\nmx1 A 127.0.0.11",
        lab.verified("example.net", names=None), hosts=hosts)
    to(relay, "example.net")
    sink.wait_messages(1)
    equal(relay.wait("judged").name, "mx1.example.net")


@case
def a_signed_mx_answer_is_trusted_for_names(lab):
    relay, sink = spoofed(
        lab, "@ MX 10 mx.evil.example.",
        lab.verified("example.net", names=None), "good",
        signed=("example.net",))
    explained = Explained(lab, relay)
    to(relay, "example.net")
    assert sink.wait_messages(1)[0].tls
    explained.says(0, "MX of example.net: data (secure)",
                   "A    127.0.0.11 (insecure)", "must bear mx.evil.example")


@case
def a_bogus_answer_defers(lab):
    """The zone's signatures have expired: not insecure, but wrong."""
    relay, sink = spoofed(lab, "@ MX 10 mx.evil.example.",
                          lab.gateway("example.net"), "good",
                          signed=("example.net",), expired=("example.net",))
    explained = Explained(lab, relay)
    to(relay, "example.net")
    event = relay.wait("deferred", timeout=45)
    assert event.status.startswith("4."), event
    equal(sink.sessions, [])
    explained.says(75, "MX of example.net: error (bogus)")


run(abreast=6)
