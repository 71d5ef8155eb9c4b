#!/usr/bin/env python3
# touches: tls
"""Agreements with partners: our own side as a form (`partner export`), which
`partner import` turns into the policy that was meant; and whether what a form
says holds already (`partner import --check`)."""
import os
import re
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
null    IN MX  0 .
plain   IN A   198.51.100.3
"""


class Said:
    def __init__(self, *words, text=None):
        done = subprocess.run(
            [relays.POSTERN, *words], input=text, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        self.status = done.returncode
        self.text = done.stdout
        self.log = done.stderr
        assert not relays.SANITIZER.search(self.text + self.log), \
            self.text + self.log

    def field(self, heading):
        hit = re.search(rf"^{re.escape(heading)}\t(.*)$", self.text, re.M)
        assert hit, f"{heading!r} is not in {self.text!r}"
        return hit[1]


def configure(lab, domains="partner.test", server=None, certificate=None,
              listen='"127.0.0.1:2525"', body=""):
    if server is None:
        need("nsd")
        nsd = zones.Nsd(lab.fresh_folder("nsd"),
                        {"partner.test": lab.write("zone", ZONE)})
        lab.later(nsd.close)
        server = nsd.server
    text = (f'hostname = mx1.partner.test\nspool = "{lab.folder}/spool"\n'
            f"dnssec = off\nrelay-domains = {{ {domains} }}\n"
            f'listen {listen} {{ tls = may }}\n'
            f'zone "partner.test" {{ servers = {{ "{server}" }} }}\n')
    if certificate is not None:
        text += (f'certificate "ours" {{ chain = "{certificate.chain}" '
                 f'key = "{certificate.key}" }}\n')
    return lab.write("postern.conf", text + body)


def export(conf, *words):
    return Said("partner", "export", "-c", conf, *words)


def ours(lab):
    return lab.ca.leaf("ours", name="mx1.partner.test",
                       sans=("mx1.partner.test", "mx2.partner.test"))


def values(policy, option):
    hit = re.search(rf"^\t{option} = {{(.*?)}}", policy, re.M | re.S)
    return re.findall(r'"([^"]*)"', hit[1]) if hit else []


@case
def our_side_is_exported_as_a_form_that_imports_as_it_was_meant(lab):
    certificate = ours(lab)
    said = export(configure(lab, certificate=certificate))
    equal(said.status, 0, said.log)
    equal(said.field("List of E-Mail-Domains"), "partner.test")
    equal(said.field("Gateways"), "mx1.partner.test:25 mx2.partner.test:25")
    equal(said.field("CN of the TLS Certificates"), "mx1.partner.test")
    equal(said.field("Name of issuing CA"), "D-TRUST SSL Class 3 CA 1 2009")
    equal(said.field("Pin (SPKI)"), certificate.spki_pin())
    has(said.text, "mx2.partner.test\t20\tpartner.test\n")
    has(said.log, "the system's roots do not know the CA")
    policy = Said("partner", "import", "-", text=said.text)
    equal(policy.status, 0, policy.log)
    has(policy.text, 'policy "partner.test" {\n\ttls = verify\n')
    equal(values(policy.text, "gateways"),
          ["mx1.partner.test:25", "mx2.partner.test:25"])
    equal(values(policy.text, "names"),
          ["mx1.partner.test", "mx2.partner.test"])
    equal(values(policy.text, "issuer"), ["D-TRUST SSL Class 3 CA 1 2009"])
    checked = lab.write("theirs.conf", "hostname = relay.example\n" +
                        f'spool = "{lab.folder}"\n' + policy.text)
    equal(Said("config", "check", "-c", checked).status, 0)


@case
def a_listener_chooses_its_certificate(lab):
    other = lab.ca.leaf("other", name="other.partner.test", issuer="root")
    conf = configure(
        lab, certificate=ours(lab),
        body=f'certificate "other" {{ chain = "{other.chain}" '
             f'key = "{other.key}" }}\n'
             'listen "127.0.0.2:2526" { tls = implicit certificate = other }\n')
    said = export(conf)
    equal(said.field("CN of the TLS Certificates"),
          "mx1.partner.test other.partner.test")
    has(said.log, "2 different certificates")
    said = export(conf, "--listen", "127.0.0.2:2526")
    equal(said.field("CN of the TLS Certificates"), "other.partner.test")
    equal(said.field("Name of issuing CA"), "Postern Lab Root")
    equal(export(conf, "--listen", ":25").status, 78)


@case_for(
    ("no MX", "plain.partner.test", "the DNS has no MX"),
    ("a null MX", "null.partner.test", "takes no mail"),
    ("no such domain", "none.partner.test", "knows no domain"),
)
def without_any_mx_the_listeners_stand_in_and_that_is_said(lab, domain, why):
    said = export(configure(lab, domain, certificate=ours(lab)))
    equal(said.status, 0, said.log)
    equal(said.field("Gateways"), "mx1.partner.test:2525")
    has(said.log, why)
    has(said.log, "without any MX the gateways are our host name")


@case
def a_name_server_that_fails_is_temporary(lab):
    server = zones.failing(2)
    lab.later(server.close)
    said = export(configure(lab, server=server.server, certificate=ours(lab)))
    equal(said.status, 75, said.log)
    has(said.log, "the DNS does not say the MX of partner.test")
    equal(said.field("List of E-Mail-Domains"), "partner.test")


@case
def a_self_signed_certificate_is_added_without_its_key(lab):
    server = zones.failing(2)
    lab.later(server.close)
    relay = lab.idle_relay(certificate=False, relay_domains="{ partner.test }",
                           resolver=f'{{ "{server.server}" }}')
    missing = export(relay.conf)
    equal(missing.status, 75, missing.log)
    has(missing.log, "which the relay makes when it first starts")
    relay.start()
    said = export(relay.conf)
    equal(said.field("Name of issuing CA"), "self-signed")
    has(said.text, "-----BEGIN CERTIFICATE-----\n")
    assert "KEY-----" not in said.text, said.text
    has(said.log, "is known only while the relay runs")
    root = lab.write("root.pem", said.text)
    stored = os.path.join(relay.spool, "self-signed.pem")
    public = [subprocess.run(["openssl", "x509", "-in", path, "-noout",
                              "-fingerprint"], stdout=subprocess.PIPE,
                             check=True).stdout for path in (root, stored)]
    equal(public[0], public[1])
    policy = Said("partner", "import", "-", text=said.text)
    equal(policy.status, 0, policy.log)
    has(policy.text, "The certificates are self-signed")


FORM = """4. TLS from TUV Rheinland to business partner
List of E-Mail-Domains\t{domains}
Gateways (MX-Records)\t{gateways}
CN of the TLS certificates\tmx5.de.tuv.com
Name of the issuing CA\tD-TRUST SSL Class 3 CA 1 2009
"""


def checked(lab, *words, sinks=(), domains="*.tuv.com", body=""):
    form = FORM.format(domains=domains,
                       gateways=" ".join(sink.address for sink in sinks))
    conf = lab.idle_relay(body, certificate=False).conf
    return Said("partner", "import", "-c", conf, "--check", *words, "-",
                text=form)


@case
def a_form_that_holds_scores_a_hundred_before_it_is_configured(lab):
    sinks = lab.sink("good"), lab.sink("cn-only")
    # What is configured for the domain has no say.
    said = checked(lab, "--trust", lab.ca.trust, "--fail-under", "100",
                   sinks=sinks, domains="*.tuv.com tuv.example",
                   body='policy "tuv.com" { tls = none '
                        'gateways = { "127.0.0.1:9" } }')
    equal(said.status, 0, said.log)
    assert "Confidence" not in said.text, said.text
    assert said.text.endswith("}\n"), said.text
    for domain in ("tuv.com", "tuv.example"):
        has(said.log,
            f'Confidence Factor for "postmaster@{domain}": 100\n')
    for sink in sinks:
        has(said.log, sink.address)
        equal(sink.messages, [])
        equal(len(sink.sessions), 2)


@case_for(
    ("a wrong name", "wrong-name", "must bear mx5.de.tuv.com"),
    ("another CA of the same roots", "by-root", "D-TRUST"),
)
def a_form_that_does_not_hold_fails_with_the_reason(lab, sort, reason):
    certificate = lab.ca.leaf("by-root", issuer="root") \
        if sort == "by-root" else lab.ca.sort(sort)
    sink = lab.sink(certificate=certificate)
    said = checked(lab, "--trust", lab.ca.trust, "--fail-under", "100",
                   sinks=[sink])
    equal(said.status, 1, said.log)
    has(said.log, "FAIL")
    has(said.log, reason)
    has(said.text, "tls = verify")


@case
def roots_are_the_systems_unless_others_are_given(lab):
    sink = lab.sink("good")
    said = checked(lab, sinks=[sink])
    equal(said.status, 0, said.log)
    has(said.log, "FAIL")
    has(said.log, "root must be trusted")


@case
def a_form_that_is_refused_is_not_probed(lab):
    sink = lab.sink("good")
    said = checked(lab, sinks=[sink], domains="")
    equal(said.status, 65, said.log)
    equal(sink.sessions, [])
    said = Said("partner", "import", "--fail-under", "9", "-", text=FORM)
    equal(said.status, 64, said.log)
    said = Said("partner", "import", "-c", lab.path("none"), "--check", "-",
                text=FORM.format(domains="tuv.com", gateways=sink.address))
    equal(said.status, 78, said.log)
    equal(sink.sessions, [])


@case
def wrong_words_and_files_have_their_own_status(lab):
    conf = configure(lab, server="127.0.0.1:9", certificate=ours(lab))
    for words in (("word",), ("--no",), ("--listen",)):
        equal(export(conf, *words).status, 64, words)
    equal(export(configure(lab, "", "127.0.0.1:9")).status, 78)
    equal(export(lab.write("wrong.conf", "hostname = \n")).status, 78)


run()
