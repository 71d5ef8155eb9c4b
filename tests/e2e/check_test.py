#!/usr/bin/env python3
# touches: tls
"""`postern check` against gateways with all kinds of faults: what it prints,
what it says to them, and its exit status. And `explain --probe`."""
import csv
import io
import json
import re
import ssl
import subprocess
import time

import relay as relays
import zones
from harness import case, case_for, equal, has, need, run
from sink import Turns

STAGES = ("connect", "allowed", "can_use", "tls_adv", "cert", "tls_neg",
          "sender", "recipient")
LETTERS = {"ok": "O", "fail": "F", "temp": "T", "not-reached": "-",
           "not-asked": "u"}


class Run:
    def __init__(self, conf, *words, verb="check"):
        done = subprocess.run(
            [relays.POSTERN, verb, "-c", conf, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            check=False)
        self.status = done.returncode
        self.bytes = done.stdout
        self.text = done.stdout.decode()
        self.log = done.stderr.decode()
        assert not relays.SANITIZER.search(self.text + self.log), \
            self.text + self.log
        self.json = json.loads(self.text) \
            if "--json" in words and done.stdout else None

    def letters(self):
        return ["".join(LETTERS[row["stages"][stage]["state"]]
                        for stage in STAGES)
                for row in self.json["gateways"]]


def configure(lab, *policies, **options):
    return lab.idle_relay("".join(policies), certificate=False,
                          **options).conf


def said(sink, number=0):
    """The commands of one session, in order."""
    return [line.decode().split(" ")[0]
            for _, line in sink.sessions[number].commands]


FULL = ["EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "RSET", "QUIT"]


@case
def a_good_partner_scores_a_hundred_in_the_layout_of_the_form(lab):
    one, two = lab.sink("good"), lab.sink("cn-only")
    conf = configure(lab, lab.verified("*.tuv.com", one, two))
    done = Run(conf, "de.tuv.com", "--fail-under", "100")
    equal(done.status, 0, done.text)
    table = re.sub(r"\(\d+ms\) *", "(1ms) ", done.text.split("\n\n")[0])
    lines = ['Confidence Factor for "postmaster@de.tuv.com": 100',
             "MX Server              Pref  Connect   Allowed   Can Use   "
             "TLS Adv   Cert OK   TLS Neg   Sndr OK   Rcvr OK"]
    for number, sink in enumerate((one, two), 1):
        lines += [f"{sink.address:<20}      {number}  " +
                  "        ".join(["OK"] * 8),
                  f"{'[127.0.0.1]':<20}         " + " ".join(["(1ms)"] * 8)]
    lines.append(f"{'Average':<20}         " + "      ".join(["100%"] * 8))
    equal([line.rstrip() for line in table.splitlines()],
          lines)
    for part in ("TLSv1.3", "names    mx5.de.tuv.com",
                 'issuer   "D-TRUST SSL Class 3 CA 1 2009"',
                 "key      ECDSA P-256, " + lab.ca.sort("good").spki_pin(),
                 " days left", "2 certificates sent",
                 '"Postern Lab Root"', "verified: issued by",
                 "(the CN: there is no subject alternative name)"):
        has(done.text, part)
    assert "change" not in done.text, done.text
    for sink in (one, two):
        equal(said(sink), FULL)
        equal(sink.messages, [])
        equal(sink.sessions[0].is_batched, False)
        has(repr(sink.sessions[0].commands), "MAIL FROM:<postmaster@relay.")
        has(repr(sink.sessions[0].commands), "RCPT TO:<postmaster@de.tuv.com>")


FAULTS = (
    ("a wrong name", {"sort": "wrong-name"}, "OOOOF---",
     "must bear mx5.de.tuv.com"),
    ("a right CN behind wrong SANs", {"sort": "cn-right-san-wrong"},
     "OOOOF---", "would match"),
    ("expired", {"sort": "expired"}, "OOOOF---", "must be renewed"),
    ("not yet valid", {"sort": "not-yet-valid"}, "OOOOF---",
     "not valid yet"),
    ("self-signed", {"sort": "self-signed"}, "OOOOF---",
     "send its root certificate"),
    ("an unknown CA", {"sort": "unknown-ca"}, "OOOOF---",
     "root must be trusted"),
    ("no intermediate", {"sort": "missing-intermediate"}, "OOOOF---",
     "intermediate CAs (it sent 1 certificate in all)"),
    ("a weak key", {"sort": "rsa-1024"}, "OOOOF---", "RSA 2048"),
    ("for clients only", {"sort": "client-only"}, "OOOOF---", "serverAuth"),
    ("no STARTTLS", {}, "OOOF----", "must offer STARTTLS"),
    ("STARTTLS refused", {"sort": "good", "script": {
        "starttls": "454 4.7.0 not now"}}, "OOOF----", "454 4.7.0 not now"),
    ("TLS 1.1 at most", {"sort": "good",
                         "newest_tls": ssl.TLSVersion.TLSv1_1},
     "OOOO-F--", "handshake of TLS 1.2 or 1.3"),
    ("greylisted at RCPT", {"sort": "good", "script": {
        "rcpt": "450 4.2.0 greylisted"}}, "OOOOOOOT", "ask again"),
    ("greylisted at MAIL", {"sort": "good", "script": {
        "mail": "451 4.7.1 try later"}}, "OOOOOOT-", "ask again"),
    ("busy at RCPT", {"sort": "good", "script": {
        "rcpt": "421 4.3.2 busy"}}, "OOOOOOOT", "421 4.3.2 busy"),
    ("unknown recipient", {"sort": "good", "script": {
        "rcpt": "550 5.1.1 who?"}}, "OOOOOOOF", "must take mail for"),
    ("refused sender", {"sort": "good", "script": {
        "mail": "550 5.7.1 not you"}}, "OOOOOOF-", "must take mail from"),
    ("a host that greets badly", {"script": {
        "greeting": "554 5.7.1 go away"}}, "OF------", "554 5.7.1 go away"),
    ("a host that knows no EHLO and no HELO", {"script": {
        "ehlo": "502 no", "helo": "502 no"}}, "OOF-----", "502 no"),
)


@case_for(*FAULTS)
def a_fault_is_shown_where_it_is_with_its_remedy(lab, options, letters, part):
    sink = lab.sink(**options)
    conf = configure(lab, lab.verified("tuv.com", sink))
    done = Run(conf, "bob@tuv.com", "--json")
    equal(done.letters(), [letters], done.text)
    row = done.json["gateways"][0]
    has(f"{row['reason']} {row['change']} {row['judgement']}", part)
    is_bad = "F" in letters
    equal(done.status, 0)
    equal(done.json["score"] < 100, is_bad)
    under = Run(conf, "bob@tuv.com", "--fail-under=100")
    equal(under.status, 1 if is_bad else 0, under.text)
    for session in sink.sessions:
        for _, line in session.commands:
            assert not line.startswith((b"DATA", b"BDAT")), line
    equal(sink.messages, [])


@case
def a_dead_gateway_costs_what_its_preference_weighs(lab):
    conf = configure(lab, lab.verified("tuv.com", lab.sink("good"),
                                       "127.0.0.1:1"))
    done = Run(conf, "tuv.com", "--json")
    equal(done.letters(), ["OOOOOOOO", "F-------"])
    equal(done.json["score"], 66)
    has(done.json["gateways"][1]["reason"], "refused")


@case
def tls_from_the_first_byte_has_all_columns(lab):
    sink = lab.sink("good", tls="implicit")
    conf = configure(lab, lab.verified("tuv.com", f"smtps://{sink.address}"))
    done = Run(conf, "tuv.com", "--json")
    equal(done.letters(), ["OOOOOOOO"])
    equal(said(sink), ["EHLO", "MAIL", "RCPT", "RSET", "QUIT"])


@case
def opportunistic_policies_are_judged_by_what_they_ask(lab):
    none, wrong, broken = lab.sink(), lab.sink("wrong-name"), \
        lab.sink("good", script={"starttls": "454 4.7.0 not now"})
    conf = configure(lab, lab.gateway("may.test", none, wrong, broken),
                     lab.gateway("none.test", wrong, tls="none"),
                     lab.gateway("crypt.test", wrong, none, tls="encrypt"))
    equal(Run(conf, "may.test", "--json").letters(),
          ["OOOFu-OO", "OOOOuOOO", "OOOFu-OO"])
    equal(Run(conf, "none.test", "--json").letters(), ["OOOuuuOO"])
    equal(Run(conf, "crypt.test", "--json").letters(),
          ["OOOOuOOO", "OOOF----"])
    has(Run(conf, "may.test").text, "mail goes in plain text")


@case
def a_dry_run_is_what_cert_ok_is_about(lab):
    """Mail goes on as `tls = may` has it; the matrix says whether it would
    under `verify`."""
    good, bad, none, old = lab.sink("good"), lab.sink("expired"), \
        lab.sink(), lab.sink("good", newest_tls=ssl.TLSVersion.TLSv1_1)
    conf = configure(lab, lab.gateway(
        "dry.test", good, bad, none, old, would="verify",
        names="{ mx5.de.tuv.com }", trust=f'"{lab.ca.trust}"'))
    done = Run(conf, "dry.test", "--json")
    equal(done.letters(),
          ["OOOOOOOO", "OOOOFOOO", "OOOF--OO", "OOOO-FOO"], done.text)
    equal([row["would"]["code"] for row in done.json["gateways"]],
          [None, "certificate-expired", "starttls-not-supported",
           "validation-failure"])
    equal([row["judgement"]["met"] for row in done.json["gateways"]],
          [True] * 4)
    equal(done.json["policy"]["would"], "verify")
    text = Run(conf, "dry.test").text
    for part in ("and by its dry run, would = verify, which Cert OK is about",
                 "would    hold: verified", "would    fail: certificate of",
                 "must be renewed"):
        has(text, part)
    done = Run(conf, "--probe", "x@dry.test", verb="explain")
    equal(done.status, 0)
    for part in ("under would = verify it would hold: verified",
                 "under would = verify it would fail: certificate of",
                 "mail goes in plain text:"):
        has(done.text, part)


@case
def a_gateway_that_asks_is_shown_our_certificate(lab):
    """As delivery would show it, by both commands."""
    sink = lab.sink("good", asks=lab.ca.trust)
    own = lab.ca.leaf("own", "out.relay.example",
                      purpose="serverAuth, clientAuth")
    conf = configure(
        lab, f'certificate "own" {{ chain = "{own.chain}" '
        f'key = "{own.key}" }}\n',
        lab.verified("tuv.com", sink, certificate="own"),
        lab.verified("bare.test", sink))
    has(Run(conf, "tuv.com").text, 'is shown our certificate "own"')
    Run(conf, "--probe", "tuv.com", verb="explain")
    for session in sink.sessions:
        has(session.tls.client_certificate or b"", b"out.relay.example")
    equal(len(sink.sessions), 2)
    Run(conf, "bare.test")
    assert not sink.sessions[2].tls.client_certificate


@case
def assured_are_those_who_refuse_plain_text(lab):
    refuses = lab.sink("good", script={
        "mail": "530 5.7.0 Must issue a STARTTLS command first"})
    late = lab.sink("good", script={"rcpt": "550 5.7.10 Encryption needed"})
    takes = lab.sink("good")
    first = lab.sink("good", tls="implicit")
    conf = configure(
        lab, lab.verified("good.test", refuses, late,
                          f"smtps://{first.address}"),
        lab.verified("bad.test", refuses, takes))
    done = Run(conf, "alice@good.test", "--assure", "--fail-under", "100")
    has(done.text, 'Assured TLS Factor for "postmaster@good.test": 100')
    has(done.text, "Nothing was delivered")
    equal(done.status, 0, done.text)
    done = Run(conf, "bad.test", "--assure", "--json", "--fail-under", "100")
    equal(done.status, 1)
    equal([row["stages"]["refuses"]["state"]
           for row in done.json["gateways"]], ["ok", "fail"])
    has(done.json["gateways"][1]["reason"], "takes mail without TLS")
    for sink in (refuses, late, takes):
        for session in sink.sessions:
            equal(session.tls, None)
            assert b"alice" not in repr(session.commands).encode()
            assert sink.wait(lambda session=session: session.end == "QUIT")
    equal(said(takes), ["EHLO", "MAIL", "RCPT", "RSET", "QUIT"])


@case
def programs_read_csv(lab):
    conf = configure(lab, lab.verified("tuv.com", lab.sink("good"),
                                       lab.sink("expired")))
    done = Run(conf, "tuv.com", "--csv")
    head, row = csv.reader(io.StringIO(done.text))
    equal(head, "Addr,CF,Ans,Con,HELO,TLS,Cert,Sec,From,To".split(","))
    equal(row, ["postmaster@tuv.com", "78", "100", "100", "100", "100", "50",
                "50", "50", "50"])


@case
def a_certificate_that_ends_soon_is_warned_of(lab):
    conf = configure(lab, lab.verified("tuv.com", lab.sink("good")))
    equal(Run(conf, "tuv.com", "--warn-days", "30",
              "--fail-under", "100").status, 0)
    done = Run(conf, "tuv.com", "--warn-days", "400")
    has(done.text, "  warning  its certificate ends in 36")
    equal(done.status, 0)
    equal(Run(conf, "tuv.com", "--warn-days", "400",
              "--fail-under", "100").status, 1)


@case
def foreign_bytes_are_escaped_and_bounded(lab):
    evil = "550 5.1.1 \x1b[2J\x07" + "x" * 1500
    conf = configure(lab, lab.verified("tuv.com", lab.sink(
        "good", script={"rcpt": [evil] * 20})))
    for words in ((), ("--json",), ("--csv",)):
        done = Run(conf, "tuv.com", *words)
        assert b"\x1b" not in done.bytes and b"\x07" not in done.bytes
        assert len(done.bytes) < 8000, len(done.bytes)
    has(Run(conf, "tuv.com").text, r"\x1b[2J\x07")


@case
def the_sender_can_be_chosen(lab):
    sink = lab.sink("good")
    conf = configure(lab, lab.verified("tuv.com", sink))
    Run(conf, "tuv.com", "--from", "probe@relay.example")
    Run(conf, "tuv.com", "--from", "<>")
    has(repr(sink.sessions[0].commands), "MAIL FROM:<probe@relay.example>")
    has(repr(sink.sessions[1].commands), "MAIL FROM:<>")


@case
def a_gateway_that_falls_silent_ends_with_the_limit(lab):
    def wait(session, _argument):
        session.sink.closing.wait(30)
    silent = lab.sink(script={"greeting": wait})
    conf = configure(lab, lab.verified("tuv.com", silent, lab.sink("good")))
    done = Run(conf, "tuv.com", "--json", "--time-limit", "2")
    equal(done.letters(), ["OF------", "OOOOOOOO"], done.text)
    has(done.json["gateways"][0]["reason"], "2 s")


@case
def gateways_are_asked_side_by_side(lab):
    def wait(_session, _argument):
        time.sleep(0.5)
    sinks = [lab.sink("good", script={"greeting": wait}) for _ in range(20)]
    conf = configure(lab, lab.verified("tuv.com", *sinks))
    start = time.monotonic()
    done = Run(conf, "tuv.com", "--json")
    equal(done.letters(), ["OOOOOOOO"] * 20)
    assert time.monotonic() - start < 8, "one after the other"


ZONE = """$ORIGIN partner.test.
$TTL 300
@      IN SOA ns admin 1 3600 600 86400 300
@      IN NS  ns
ns     IN A   127.0.0.1
@      IN MX  10 mx1
@      IN MX  20 mx2
mx1    IN A   127.0.0.1
mx1    IN A   127.0.0.2
mx2    IN A   127.0.0.3
null   IN MX  0 .
strange IN MX 10 mx.elsewhere.test.
"""
ELSEWHERE = """$ORIGIN elsewhere.test.
$TTL 300
@  IN SOA ns admin 1 3600 600 86400 300
@  IN NS  ns
ns IN A   127.0.0.1
mx IN A   127.0.0.1
"""


class Partner:
    """partner.test: mx1 with two addresses, mx2 with one."""

    def __init__(self, lab, policies="", sorts=("mx1", "mx1", "mx2")):
        need("nsd")
        nsd = zones.Nsd(lab.fresh_folder("nsd"), {
            "partner.test": lab.write("zone", ZONE),
            "elsewhere.test": lab.write("elsewhere", ELSEWHERE)})
        lab.later(nsd.close)
        leaves = {name: lab.ca.leaf(f"check-{name}", f"{name}.partner.test")
                  for name in ("mx1", "mx2")}
        self.sinks, port = [], 0
        for number, sort in enumerate(sorts, 1):
            self.sinks.append(lab.sink(certificate=leaves[sort], port=port,
                                       address=f"127.0.0.{number}"))
            port = self.sinks[0].port
        self.conf = configure(
            lab, f"mx-port = {port}\nmx-ignore = {{ 0.0.0.0 }}\n", policies,
            "".join(f'zone "{zone}" {{ servers = {{ "{nsd.server}" }} }}\n'
                    for zone in ("partner.test", "elsewhere.test")),
            dnssec="off")


@case
def every_address_of_every_mx_is_a_row(lab):
    net = Partner(lab)
    done = Run(net.conf, "partner.test", "--json", "--trust", lab.ca.trust)
    equal(done.json["policy"], None)
    equal([(row["host"], row["address"], row["preference"])
           for row in done.json["gateways"]],
          [("mx1.partner.test", "127.0.0.1", 10),
           ("mx1.partner.test", "127.0.0.2", 10),
           ("mx2.partner.test", "127.0.0.3", 20)])
    equal(done.letters(), ["OOOOOOOO"] * 3, done.text)
    equal(done.json["score"], 100)


@case
def without_a_policy_the_form_judges(lab):
    net = Partner(lab, sorts=("mx1", "mx2", "mx2"))
    done = Run(net.conf, "partner.test", "--json", "--trust", lab.ca.trust)
    equal(done.letters(), ["OOOOOOOO", "OOOOF---", "OOOOOOOO"])
    has(done.json["gateways"][1]["change"], "must bear mx1.partner.test")
    text = Run(net.conf, "partner.test").text
    has(text, "prerequisites of the form")
    has(text, "Cert OK")
    # The system's roots do not know our lab.
    equal(Run(net.conf, "partner.test", "--json").letters(),
          ["OOOOF---"] * 3)


@case
def a_host_that_unsigned_dns_invented_fails_and_says_why(lab):
    net = Partner(lab, 'policy "strange.partner.test" { tls = verify '
                  f'trust = "{lab.ca.trust}" }}\n')
    done = Run(net.conf, "strange.partner.test", "--json")
    equal(done.letters(), ["OOOOF---"])
    row = done.json["gateways"][0]
    has(row["not_used"], "unsigned DNS only")
    has(row["change"], "mx = { mx.elsewhere.test }")
    equal(Run(net.conf, "--form", "strange.partner.test",
              "--json").json["policy"], None)


@case_for(
    ("a null MX", "null.partner.test", 1, "5.1.10"),
    ("no such domain", "none.partner.test", 1, "5.1.2"),
)
def where_there_is_no_gateway_the_verdict_says_why(lab, domain, status, part):
    net = Partner(lab)
    done = Run(net.conf, domain)
    equal(done.status, status, done.text)
    has(done.text, f'"postmaster@{domain}": 0\nNo gateway: {part} ')
    done = Run(net.conf, domain, "--json")
    has(done.json["verdict"]["status"], part)


@case
def a_dns_that_fails_is_temporary(lab):
    server = zones.failing(2)
    lab.later(server.close)
    conf = configure(lab, f'zone "partner.test" {{ servers = {{ '
                     f'"{server.server}" }} }}\n', dnssec="off")
    equal(Run(conf, "partner.test").status, 75)


@case
def the_weights_are_told(lab):
    conf = configure(lab, lab.verified("tuv.com", lab.sink("good")))
    has(Run(conf, "--explain-score").text, " 30 Cert OK")
    has(Run(conf, "--explain-score", "tuv.com").text, "1.000 x 100 127.0.0.1")


@case
def wrong_words_and_files_have_their_own_status(lab):
    conf = configure(lab, lab.verified("tuv.com", "127.0.0.1:1"))
    for words in ((), ("a.test", "b.test"), ("--no", "a.test"), ("a b",),
                  ("tuv.com", "--json", "--csv"),
                  ("tuv.com", "--fail-under", "101"),
                  ("tuv.com", "--from", "nobody"),
                  ("tuv.com", "--trust", lab.ca.trust),
                  ("a.test", "--trust", "/nowhere")):
        equal(Run(conf, *words).status, 64, words)
    equal(Run(lab.write("wrong.conf", "hostname = \n"), "a.test").status, 78)


@case_for(
    ("good", {"sort": "good"}, 0, "holds: verified", "mail would go"),
    ("a wrong name", {"sort": "wrong-name"}, 1, "does not hold: certificate",
     "no host is good enough"),
    ("no STARTTLS", {}, 1, "does not offer STARTTLS", "mail would wait"),
    ("busy", {"script": {"greeting": "421 4.3.2 busy"}}, 75,
     "cannot be asked: 421", "mail would wait"),
)
def explain_probes_up_to_the_judgement(lab, options, status, now, verdict):
    sink = lab.sink(**options)
    conf = configure(lab, lab.verified("tuv.com", sink))
    done = Run(conf, "--probe", "bob@tuv.com", verb="explain")
    has(done.text, now)
    has(done.text, verdict)
    equal(done.status, status, done.text)
    assert "MAIL" not in said(sink), said(sink)
    data = Run(conf, "--probe", "--json", "bob@tuv.com", verb="explain").json
    equal([one["holds"] for one in data["probe"]], [status == 0])
    equal(data["verdict"]["exit"], status)


@case
def explain_finds_the_one_gateway_that_holds(lab):
    conf = configure(lab, lab.verified("tuv.com", "127.0.0.1:1",
                                       lab.sink("expired"),
                                       lab.sink("good")))
    done = Run(conf, "--probe", "bob@tuv.com", verb="explain")
    equal(done.status, 0, done.text)
    has(done.text, "cannot be asked: cannot connect")


@case
def greylisting_that_ends_is_gone_the_next_time(lab):
    sink = lab.sink("good", script={"rcpt": Turns("450 4.2.0 later")})
    conf = configure(lab, lab.verified("tuv.com", sink))
    equal(Run(conf, "tuv.com", "--json").letters(), ["OOOOOOOT"])
    equal(Run(conf, "tuv.com", "--json").letters(), ["OOOOOOOO"])


run()
