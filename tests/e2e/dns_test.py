#!/usr/bin/env python3
"""What the relay makes of the DNS, asked by `postern resolve`, which goes the
whole way: the resolver process, its socket, the worker's side. The names are
those of a signed internet of our own, and of servers with faults."""
import os
import re
import subprocess
import sys

import relay as relays
import zones
from harness import Lab, case, case_for, equal, has, need, need_root, run

MADE = {}


def made_zones(lab):
    with lab.shared.lock:
        if not MADE:
            folder = lab.shared.folder + "/internet"
            os.mkdir(folder)
            MADE["zones"] = zones.Zones(folder)
    return MADE["zones"]


class Internet:
    """The zones on a server of the case's own."""

    def __init__(self, lab: Lab):
        need("nsd", "ldns-signzone")
        made = made_zones(lab)
        self.anchor = made.anchor
        self.ds_of = made.ds_of
        self.nsd = zones.Nsd(lab.fresh_folder("nsd"), made.files)
        self.server = self.nsd.server
        lab.later(self.nsd.close)


def configure(lab, server, anchor=None, dnssec="auto", more=""):
    text = (f'hostname = relay.example\nspool = "{lab.folder}/spool"\n'
            f"dnssec = {dnssec}\n")
    if server:
        text += f'resolver = {{ "{server}" }}\n'
    if anchor:
        text += f'root-anchor = "{anchor}"\n'
    return lab.write("postern.conf", text + more)


class Answer:
    def __init__(self, conf, kind, name, command=None):
        done = subprocess.run(
            command or [relays.POSTERN, "resolve", "-c", conf, kind, name],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False)
        self.status = done.returncode
        self.text = done.stdout + done.stderr
        assert not relays.SANITIZER.search(self.text), self.text
        self.facts = dict(re.findall(r"^([a-z]+): (.*)$", done.stdout, re.M))
        self.records = sorted(line for line in done.stdout.splitlines()
                              if not re.match(r"[a-z]+: ", line))
        self.log = done.stderr


def wants(answer, status=0, records=None, reason=None, **facts):
    for key, value in facts.items():
        equal(answer.facts.get(key), value, f"{key} in\n{answer.text}")
    if records is not None:
        equal(answer.records, sorted(records), answer.text)
    if reason:
        has(answer.facts.get("reason", ""), reason, answer.text)
    equal(answer.status, status, answer.text)


PAIR = ["10 mx1.signed", "20 mx2.signed"]


@case_for(
    ("an address", "A", "a.signed", "data", "yes", ["192.0.2.1"]),
    ("an IPv6 address", "AAAA", "a.signed", "data", "yes", ["2001:db8::1"]),
    ("MX names are canonical", "MX", "MX.Signed.", "data", "yes", PAIR),
    ("null MX", "MX", "null.signed", "data", "yes", ["0 ."]),
    ("texts are joined", "TXT", "txt.signed", "data", "yes",
     ['"v=one and two"']),
    ("TLSA", "TLSA", "_25._tcp.mx1.signed", "data", "yes",
     ["030101" + "ab" * 32]),
    ("no such type", "TXT", "a.signed", "nodata", "yes", []),
    ("no such name", "A", "nope.signed", "nxdomain", "yes", []),
    ("no such top domain", "MX", "nope", "nxdomain", "yes", []),
    ("a zone that is not signed", "MX", "mx.unsigned", "data", "no",
     ["10 mx1.unsigned"]),
    ("no such name where nothing is signed", "A", "nope.unsigned",
     "nxdomain", "no", []),
)
def an_answer_has_its_kind_and_says_whether_it_is_proven(
        lab, kind, name, wanted, secure, records):
    net = Internet(lab)
    conf = configure(lab, net.server, net.anchor)
    wants(Answer(conf, kind, name), kind=wanted, secure=secure,
          records=records)


@case_for(
    ("inside signed zones", "alias.signed", "mx.signed", "yes"),
    ("out of a signed zone", "outside.signed", "mx.unsigned", "no"),
    ("into a signed zone", "inside.unsigned", "mx.signed", "no"),
)
def an_alias_is_proven_only_if_every_step_is(lab, name, canonical, secure):
    net = Internet(lab)
    conf = configure(lab, net.server, net.anchor)
    wants(Answer(conf, "MX", name), kind="data", secure=secure,
          name=canonical)


@case_for(
    ("expired signatures", "mx.expired", "signature expired"),
    ("a key that nobody vouches for", "mx.stray", "no keys have a DS"),
)
def a_bad_signature_is_an_error_with_a_reason(lab, name, reason):
    net = Internet(lab)
    conf = configure(lab, net.server, net.anchor)
    wants(Answer(conf, "MX", name), status=75, kind="error", bogus="yes",
          secure="no", reason=reason)
    conf = configure(lab, net.server, net.anchor, "off")
    wants(Answer(conf, "MX", name), kind="data", secure="no")


@case
def records_past_the_limit_and_unusable_ones_are_counted(lab):
    net = Internet(lab)
    conf = configure(lab, net.server, net.anchor)
    many = Answer(conf, "MX", "many.signed")
    equal(len(many.records), 64)
    wants(many, kind="data", unusable="16")
    wants(Answer(conf, "MX", "odd.signed"), kind="data", unusable="1",
          records=["20 mx1.signed"])


@case_for(("SERVFAIL", 2), ("REFUSED", 5))
def a_failing_server_is_an_error_never_an_absence(lab, code):
    server = zones.failing(code)
    lab.later(server.close)
    for dnssec in ("auto", "required", "off"):
        conf = configure(lab, server.server, dnssec=dnssec)
        wants(Answer(conf, "MX", "mx.signed"), status=75, kind="error")


@case
def a_silent_server_is_an_error_within_the_limit(lab):
    server = zones.silent()
    lab.later(server.close)
    conf = configure(lab, server.server, dnssec="off")
    wants(Answer(conf, "MX", "mx.signed"), status=75, kind="error")
    assert server.asked, "nobody asked"


@case
def a_resolver_that_strips_signatures_counts_as_insecure_under_auto(lab):
    net = Internet(lab)
    server = zones.stripping(net.nsd)
    lab.later(server.close)
    answer = Answer(configure(lab, server.server, net.anchor), "MX",
                    "mx.signed")
    wants(answer, kind="data", secure="no", records=PAIR)
    has(answer.log, "strips DNSSEC signatures")
    answer = Answer(configure(lab, server.server, net.anchor, "required"),
                    "MX", "mx.signed")
    wants(answer, status=75, kind="error", bogus="yes",
          reason="no signatures")


# Inside a network of its own, where our root answers at the root servers'
# addresses and resolv.conf names a resolver that strips signatures.
INSIDE = """
import subprocess, sys
sys.path.insert(0, {here!r})
import zones
run = lambda *words: subprocess.run(words, check=True)
run("ip", "link", "set", "lo", "up")
servers = zones.ROOT_SERVERS + (zones.NAME_SERVER,)
for address in servers:
    run("ip", "address", "add", address + "/32", "dev", "lo")
run("mount", "--bind", {resolv!r}, "/etc/resolv.conf")
nsd = zones.Nsd({folder!r}, {files!r}, *servers)
resolver = zones.stripping(nsd, "127.0.0.1", 53)
done = subprocess.run({command!r})
assert resolver.asked, "the system's resolver was not even asked"
resolver.close()
nsd.close()
sys.exit(done.returncode)
"""


@case_for(("auto", "auto", 0, "data", "yes"),
          ("required", "required", 75, "error", "no"))
def a_default_resolver_that_strips_is_walked_around_under_auto(
        lab, dnssec, status, kind, secure):
    need("nsd", "ldns-signzone", "unshare", "ip")
    need_root()
    made = made_zones(lab)
    conf = configure(lab, None, made.anchor, dnssec)
    program = INSIDE.format(
        here=os.path.dirname(os.path.abspath(__file__)),
        resolv=lab.write("resolv.conf", "nameserver 127.0.0.1\n"),
        folder=lab.fresh_folder("nsd"), files=made.files,
        command=[relays.POSTERN, "resolve", "-c", conf, "MX", "mx.signed"])
    answer = Answer(None, None, None, [
        "unshare", "--net", "--mount", sys.executable, "-c", program])
    wants(answer, status=status, kind=kind, secure=secure)
    has(answer.log, "asking from the root servers on"
        if dnssec == "auto" else "cannot be validated")


@case
def a_zone_has_its_own_servers_and_anchor(lab):
    net = Internet(lab)
    server = zones.failing(5)
    lab.later(server.close)
    anchored = (f'zone "signed" {{ servers = {{ "{net.server}" }} '
                f'anchor = "{net.ds_of("signed.")}" }}\n')
    conf = configure(lab, server.server, more=anchored)
    wants(Answer(conf, "MX", "mx.signed"), kind="data", secure="yes")
    wants(Answer(conf, "MX", "mx.unsigned"), status=75, kind="error")
    plain = f'zone "signed" {{ servers = {{ "{net.server}" }} }}\n'
    conf = configure(lab, server.server, more=plain)
    wants(Answer(conf, "MX", "mx.signed"), kind="data", secure="no")
    wants(Answer(configure(lab, net.server, net.anchor, more=plain), "MX",
                 "mx.signed"), kind="data", secure="no")


@case
def names_reserved_for_tests_go_to_who_serves_them(lab):
    net = Internet(lab)
    for dnssec in ("auto", "off"):
        conf = configure(lab, net.server, net.anchor, dnssec)
        wants(Answer(conf, "A", "lab.test"), kind="data", secure="no",
              records=["192.0.2.5"])


@case
def an_anchor_that_is_none_is_found_before_the_start(lab):
    net = Internet(lab)
    anchor = lab.write("anchor", "this is no key\n")
    conf = configure(lab, net.server, anchor)
    done = subprocess.run([relays.POSTERN, "config", "check", "-c", conf],
                          stderr=subprocess.PIPE, text=True, check=False)
    equal(done.returncode, 78, done.stderr)
    has(done.stderr, anchor)


run()
