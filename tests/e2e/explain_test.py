#!/usr/bin/env python3
# touches: tls
"""What `postern explain` says of a policy, of a route by MX, and of what is
missing; it sends nothing to anybody but the name server."""
import json
import subprocess

import relay as relays
import zones
from harness import case, case_for, equal, has, need, run

ZONE = """$ORIGIN partner.test.
$TTL 300
@       IN SOA ns admin 1 3600 600 86400 300
@       IN NS  ns
ns      IN A   127.0.0.1
@       IN MX  20 mx2
@       IN MX  10 mx1
mx1     IN A   198.51.100.1
mx1     IN AAAA 2001:db8::1
mx2     IN A   198.51.100.2
null    IN MX  0 .
spoofed IN MX  10 mx.elsewhere.test.
plain   IN A   198.51.100.3
local   IN MX  10 loop
loop    IN A   127.0.0.9
own     IN MX  10 mx1
own     IN MX  20 relay.example.
own     IN MX  30 mx2
self    IN MX  10 relay.example.
broken  IN MX  10 gone
"""


def configure(lab, body="", server=None):
    text = f'hostname = relay.example\nspool = "{lab.folder}/spool"\n' \
           "dnssec = off\n"
    if server is None:
        need("nsd")
        nsd = zones.Nsd(lab.fresh_folder("nsd"),
                        {"partner.test": lab.write("zone", ZONE)})
        lab.later(nsd.close)
        server = nsd.server
    return lab.write("postern.conf", text + body + "".join(
        f'zone "{name}" {{ servers = {{ "{server}" }} }}\n'
        for name in ("partner.test", "elsewhere.test")))


class Explained:
    def __init__(self, conf, *words):
        done = subprocess.run(
            [relays.POSTERN, "explain", "-c", conf, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            timeout=60, check=False)
        self.status = done.returncode
        self.text = done.stdout
        self.log = done.stderr
        assert not relays.SANITIZER.search(done.stdout + done.stderr), \
            done.stdout + done.stderr
        self.json = json.loads(done.stdout) if "--json" in words else None


FORM = """policy "*.tuv.com" {
    tls = verify
    gateways = { "127.0.0.1:2501", "smtps://127.0.0.2:2502" }
    names = { mx5.de.tuv.com }
    issuer = "D-TRUST SSL Class 3 CA 1 2009"
    trust = "%s"
}
policy "*.com" { tls = may }
policy "*" { tls = may }
"""


@case
def a_policy_is_shown_with_all_that_it_demands(lab):
    conf = configure(lab, FORM % lab.ca.trust, "127.0.0.1:9")
    said = Explained(conf, "bob@de.tuv.com")
    equal(said.status, 0, said.text)
    for part in (
            '"*.tuv.com" at ' + conf + ":4",
            f'lost: "*" at {conf}:12: it means everybody',
            f'lost: "*.com" at {conf}:11: the other one is longer',
            "1  127.0.0.1:2501\n",
            "2  127.0.0.2:2502, TLS from the first byte",
            "must bear mx5.de.tuv.com",
            "tls = verify",
            'the configuration, policy "*.tuv.com"',
            'issuer      "D-TRUST SSL Class 3 CA 1 2009"',
            lab.ca.trust + ", 1 certificate, in place of the system's",
            "Attempt  127.0.0.1[127.0.0.1]:2501"):
        has(said.text, part)
    data = Explained(conf, "--json", "bob@de.tuv.com").json
    equal(data["policy"]["pattern"], "*.tuv.com")
    equal([one["pattern"] for one in data["policy"]["lost"]], ["*", "*.com"])
    equal(data["demand"]["level"], "verify")
    equal(data["demand"]["anchors"], 1)
    equal([one["names"] for one in data["route"]["hosts"]],
          [["mx5.de.tuv.com"]] * 2)
    equal(data["probe"], None)
    equal(data["verdict"]["exit"], 0)


DRY = """policy "*.tuv.com" {
    tls = may
    would = verify
    gateways = { "127.0.0.1:2501" }
    names = { mx5.de.tuv.com }
    trust = "%s"
    certificate = own
    inbound = verify
    inbound-names = { out.de.tuv.com }
}
policy "strict.example" {
    tls = encrypt
    gateways = { "127.0.0.1:2501", mx.strict.example }
    on-failure = "bounce-after 36h"
    inbound = required
}
policy "pins.example" {
    tls = verify
    gateways = { "[::1]:2501" }
    pins = { "sha256:%s", "sha256:%s" }
}
"""


@case
def what_else_is_agreed_is_shown_too(lab):
    """The dry run, our certificate, mail from there, when mail fails."""
    own = lab.ca.leaf("own", "out.relay.example")
    conf = configure(
        lab, f'certificate "own" {{ chain = "{own.chain}" '
        f'key = "{own.key}" }}\n' +
        DRY % (lab.ca.trust, "ab" * 32, "cd" * 32), "127.0.0.1:9")
    said = Explained(conf, "bob@de.tuv.com")
    for part in ("would       = verify, a dry run",
                 "must bear mx5.de.tuv.com",
                 'names       "mx5.de.tuv.com"',
                 "SNI         none: the gateways are given by address",
                 'certificate ours, "own", for a host that asks',
                 "Inbound  inbound = verify:",
                 'names       "out.de.tuv.com"'):
        has(said.text, part)
    data = Explained(conf, "--json", "bob@de.tuv.com").json
    equal((data["demand"]["level"], data["demand"]["would"],
           data["demand"]["certificate"], data["demand"]["bounce_after"]),
          ("may", "verify", "own", None))
    equal(data["inbound"], {"level": "verify", "names": ["out.de.tuv.com"]})
    said = Explained(conf, "bob@strict.example")
    pins = Explained(conf, "bob@pins.example").text
    for part in ("1  [::1]:2501", f"pin 1       sha256:{'ab' * 32}",
                 f"pin 2       sha256:{'cd' * 32}", "the pin alone counts"):
        has(pins, part)
    assert "trust" not in pins, pins
    data = Explained(conf, "--json", "bob@pins.example").json["demand"]
    equal((data["asks_chain"], data["trust"]), (False, None))
    for part in ("SNI         the host's name; none to gateways that are given",
                 "on-failure  bounce-after 36 hours",
                 "Inbound  inbound = required"):
        has(said.text, part)
    data = Explained(conf, "--json", "bob@strict.example").json
    equal((data["demand"]["would"], data["demand"]["bounce_after"]),
          (None, 36 * 3600))


@case
def policies_never_inherit(lab):
    """The most specific one applies whole: without gateways it means the MX,
    without tls it means may, whatever "*" says."""
    conf = configure(lab, 'policy "*" { gateways = { gw.test:2501 } '
                     f'tls = verify trust = "{lab.ca.trust}" min-tls = 1.3 }}\n'
                     'policy "partner.test" { family = ipv4 }\n')
    said = Explained(conf, "bob@partner.test")
    has(said.text, "MX of partner.test: data")
    has(said.text, "tls = may:")
    has(said.text, "TLS 1.2 or later")
    assert "2501" not in said.text, said.text
    has(Explained(conf, "bob@other.test").text, "gw.test:2501")


@case
def a_route_by_mx_is_shown_with_its_answers(lab):
    conf = configure(lab)
    said = Explained(conf, "partner.test")
    equal(said.status, 0, said.text)
    has(said.text, "postmaster@partner.test\n")
    has(said.text, "none applies: MX, tls = may")
    has(said.text, "MX of partner.test: data (insecure)")
    assert said.text.index("10 mx1.partner.test:25") < \
        said.text.index("20 mx2.partner.test:25"), said.text
    has(said.text, "AAAA 2001:db8::1 (insecure)")
    hosts = Explained(conf, "--json", "partner.test").json["route"]["hosts"]
    equal([(one["host"], one["addresses"]) for one in hosts],
          [("mx1.partner.test", ["198.51.100.1", "2001:db8::1"]),
           ("mx2.partner.test", ["198.51.100.2"])])


VERIFY = 'policy "spoofed.partner.test" { tls = verify trust = "%s" }\n'


@case_for(
    ("a null MX", "null.partner.test", 1, "5.1.10 the domain accepts no"),
    ("no such domain", "none.partner.test", 1, "5.1.2 the domain none"),
    ("an MX that unsigned DNS invented", "spoofed.partner.test", 1,
     "by unsigned DNS only"),
    ("no MX", "plain.partner.test", 0, "the domain's own address"),
    ("a loopback address", "local.partner.test", 1,
     "ignored by mx-ignore: 127.0.0.9"),
    ("hosts no better than ourselves", "own.partner.test", 0,
     "not used: it is not better than this host itself"),
    ("ourselves", "self.partner.test", 1, "not used: it is this host itself"),
    ("an MX without an address", "broken.partner.test", 1, "5.4.4"),
)
def what_is_cut_is_shown_with_its_reason(lab, domain, status, reason):
    conf = configure(lab, VERIFY % lab.ca.trust)
    said = Explained(conf, "bob@" + domain)
    has(said.text, reason)
    equal(said.status, status, said.text)
    equal(Explained(conf, "--json", domain).json["verdict"]["exit"], status)


@case
def an_answer_that_fails_is_temporary(lab):
    server = zones.failing(2)
    lab.later(server.close)
    said = Explained(configure(lab, server=server.server), "x@partner.test")
    has(said.text, "mail would wait: 4.4.3")
    equal(said.status, 75, said.text)


@case
def wrong_words_and_files_have_their_own_status(lab):
    conf = configure(lab, server="127.0.0.1:9")
    for words in ((), ("a@b.example", "c@d.example"), ("--no", "a@b.example"),
                  ("not an address",), ("a@",)):
        equal(Explained(conf, *words).status, 64, words)
    wrong = lab.write("wrong.conf", "hostname = \n")
    equal(Explained(wrong, "a@b.example").status, 78)


run()
