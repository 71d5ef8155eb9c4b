#!/usr/bin/env python3
# touches: tls
"""What a policy agrees with a partner beyond the level: mail from it, dry
runs, certificates of ours, and the end of mail for which the TLS that was
agreed is not to be had."""
import json
import re
import ssl
import subprocess

import relay as relays
from client import Client
from harness import case, case_for, equal, has, run

# The tests' clients are nobody special: 127.0.0.1 is not in relay-from.
STRANGERS = {"relay_from": '{ "127.0.0.9" }',
             "relay_domains": '{ "home.example" }'}


def inbound(lab, how):
    return lab.gateway("*.tuv.com", tls="may", inbound=how) + \
        lab.gateway("home.example", lab.sink())


def with_certificate(certificate):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate.chain, certificate.key)
    return context


def ask(relay, sender, certificate=None, tls=True):
    """The reply to MAIL, and then to a whole message if that was taken."""
    with Client(relay.port) as client:
        client.ehlo()
        if tls:
            client.secure(with_certificate(certificate))
            client.ehlo()
        reply = client.ask(f"MAIL FROM:<{sender}>")
        if reply.code == 250:
            client.expect(250, ask="RCPT TO:<x@home.example>")
            client.expect(354, ask="DATA")
            client.expect(250, ask="Subject: x\r\n\r\n.")
        client.expect(221, ask="QUIT")
        return reply


@case
def a_partners_mail_must_come_over_tls(lab):
    relay = lab.relay(inbound(lab, "required"), **STRANGERS)
    reply = ask(relay, "a@de.tuv.com", tls=False)
    equal((reply.code, reply.status), (530, "5.7.0"))
    equal(ask(relay, "a@de.tuv.com").code, 250)
    equal(ask(relay, "a@other.example", tls=False).code, 250)
    equal(ask(relay, "", tls=False).code, 250)


def verifying(lab, **more):
    return lab.gateway("*.tuv.com", tls="may", would="verify",
                       trust=f'"{lab.ca.trust}"', inbound="verify",
                       inbound_names="{ mx5.de.tuv.com }", **more) + \
        lab.gateway("home.example", lab.sink())


@case_for(
    ("for servers", "good", True, ""),
    ("by its CN alone", "cn-only", True, ""),
    ("RSA", "rsa", True, ""),
    ("for clients", "client-only", True, ""),
    ("that is missing", None, False, "presented no certificate"),
    ("of another name", "wrong-name", False, "expected mx5.de.tuv.com"),
    ("that has expired", "expired", False, "expired"),
    ("of a stranger", "unknown-ca", False, "leads to no trusted CA"),
    ("of its own making", "self-signed", False, "self-signed"),
)
def a_partner_is_known_by_a_certificate(lab, sort, is_partner, words):
    relay = lab.relay(verifying(lab), **STRANGERS)
    certificate = lab.ca.sort(sort) if sort else None
    reply = ask(relay, "a@de.tuv.com", certificate)
    if is_partner:
        equal(reply.code, 250, reply.text)
        event = relay.wait("judged")
        equal((event.level, event.verdict), ("verify", "deliver"))
    else:
        equal((reply.code, reply.status), (550, "5.7.1"), reply.text)
        has(reply.text, words)
        event = relay.wait("judged", client="127.0.0.1")
        equal(event.verdict, "refuse")
        assert event.reason_code, event
    # Who brings other mail is not concerned.
    equal(ask(relay, "a@other.example", certificate).code, 250)


@case
def under_tls_1_2_a_partner_is_known_too(lab):
    relay = lab.relay(verifying(lab), **STRANGERS)
    context = with_certificate(lab.ca.sort("good"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Client(relay.port) as client:
        client.ehlo()
        client.secure(context)
        client.ehlo()
        client.expect(250, ask="MAIL FROM:<a@de.tuv.com>")


@case
def our_own_networks_bring_anybodys_mail(lab):
    relay = lab.relay(verifying(lab), relay_domains='{ "home.example" }')
    equal(ask(relay, "a@de.tuv.com", tls=False).code, 250)


@case
def clients_are_asked_only_where_it_matters(lab):
    plain = lab.relay(inbound(lab, "required"), **STRANGERS)
    asked = lab.relay(verifying(lab), **STRANGERS)
    for relay, wanted in ((plain, False), (asked, True)):
        done = subprocess.run(
            ["openssl", "s_client", "-starttls", "smtp", "-tls1_2", "-msg",
             "-connect", f"127.0.0.1:{relay.port}"], text=True, check=False,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=30)
        has(done.stdout, "ServerHelloDone")
        equal("CertificateRequest" in done.stdout, wanted)


@case_for(("1.3", "-tls1_3"), ("1.2", "-tls1_2"))
def a_verdict_travels_with_no_ticket(lab, version):
    """A client that came by a ticket would show no certificate."""
    relay = lab.relay(verifying(lab), **STRANGERS)
    own = lab.ca.sort("good")
    done = subprocess.run(
        ["openssl", "s_client", "-starttls", "smtp", version, "-msg",
         "-cert", own.chain, "-key", own.key, "-connect",
         f"127.0.0.1:{relay.port}"], text=True, check=False,
        input="NOOP\r\nQUIT\r\n", stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=30)
    has(done.stdout, "CertificateVerify")
    for sign in ("NewSessionTicket", "New Session Ticket", "Reused"):
        assert sign not in done.stdout, sign


@case
def every_attempt_is_logged_and_recorded_with_its_proof(lab):
    """Level, verdict, reason code, version, cipher, name and pin: the same in
    the log's line and in the spool's record."""
    good, wrong = lab.ca.sort("good"), lab.ca.sort("wrong-name")
    busy = {"rcpt": "450 4.2.1 busy"}
    pinned = lab.gateway("pin.example", lab.sink(certificate=good, script=busy),
                         tls="verify", pins=f'{{ "{good.spki_pin()}" }}')
    dry = lab.gateway("dry.example", lab.sink(certificate=wrong, script=busy),
                      tls="may", would="verify", names="{ mx5.de.tuv.com }",
                      trust=f'"{lab.ca.trust}"')
    unmet = lab.verified("name.example", lab.sink(certificate=wrong))
    relay = lab.relay(pinned + dry + unmet, retry_first="60s", retry_max="60s")
    for domain, level, verdict, code, would, one, place in (
            ("pin", "verify", "deliver", "", "", good, "1"),
            ("dry", "may", "deliver", "", "certificate-host-mismatch", wrong,
             ""),
            ("name", "verify", "next-host", "certificate-host-mismatch", "",
             wrong, "")):
        sent = relay.send("a@client.example", f"b@{domain}.example")
        event = relay.wait("deferred", id=sent)
        name = "mx5.de.tuv.com" if one is good else "mail.other.example"
        told = (level, verdict, code, would, "TLSv1.3", name, one.spki_pin(),
                place)
        equal((event.level, event.verdict, event.reason_code, event.would,
               event.tls, event.name, event.pin, event.pinned), told)
        assert event.cipher.startswith("TLS_"), event
        done = subprocess.run(
            [relays.POSTERN, "queue", "show", sent, "--json", "-c",
             relay.conf], stdout=subprocess.PIPE, timeout=30, check=True)
        kept = json.loads(done.stdout)["jobs"][0]["log"][0]["tls"]
        equal(tuple(str(kept[key] or "") for key in (
            "level", "verdict", "reason_code", "would", "version", "name",
            "pin", "pinned")), told)
        equal(kept["cipher"], event.cipher)


@case_for(
    ("a good certificate", {"sort": "good"}, "deliver"),
    ("an expired one", {"sort": "expired"}, "certificate-expired"),
    ("another name", {"sort": "wrong-name"}, "certificate-host-mismatch"),
    ("a stranger's", {"sort": "unknown-ca"}, "certificate-not-trusted"),
    ("no TLS", {"tls": "none"}, "starttls-not-supported"),
    ("STARTTLS refused", {"sort": "good",
                          "script": {"starttls": "454 4.7.0 no"}},
     "starttls-not-supported"),
    ("a handshake that fails", {"sort": "good",
                                "newest_tls": ssl.TLSVersion.TLSv1_1},
     "validation-failure"),
)
def a_dry_run_tells_and_delivers(lab, options, would):
    sink = lab.sink(**options)
    relay = lab.relay(lab.gateway(
        "example.net", sink, tls="may", would="verify",
        names="{ mx5.de.tuv.com }", trust=f'"{lab.ca.trust}"'))
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("delivered")
    equal((event.level, event.would), ("may", would))
    sink.wait_messages(1)
    told = relay.find("would-have-failed")
    equal(len(told), would != "deliver")
    if told:
        equal((told[0].policy, told[0].reason_code), ("example.net", would))
        assert told[0].reason, told[0]
    if not event.tls:
        # Why mail went in the clear is said where it went.
        equal((event.verdict, event.reason_code), ("plaintext", would))
        has(relay.wait("judged", verdict="plaintext", count=len(
            relay.find("judged"))).reason, "STARTTLS" if "starttls" in would
            else "the TLS handshake failed")


@case
def a_dry_run_does_not_loosen_encrypt(lab):
    sink = lab.sink(tls="none")
    relay = lab.relay(lab.gateway(
        "example.net", sink, tls="encrypt", would="verify",
        names="{ mx5.de.tuv.com }", trust=f'"{lab.ca.trust}"'))
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("deferred")
    equal((event.level, event.would), ("encrypt", "starttls-not-supported"))
    equal(sink.commands(verb="MAIL"), [])


@case_for(("1.3", ssl.TLSVersion.TLSv1_3), ("1.2", ssl.TLSVersion.TLSv1_2))
def a_gateway_that_asks_is_shown_our_certificate(lab, version):
    sink = lab.sink("good", newest_tls=version, asks=lab.ca.trust)
    own = lab.ca.leaf("own", "out.relay.example",
                      purpose="serverAuth, clientAuth")
    relay = lab.relay(
        f'certificate "own" {{ chain = "{own.chain}" key = "{own.key}" }}\n' +
        lab.verified("example.net", sink, certificate="own") +
        lab.verified("example.org", sink))
    relay.send("a@client.example", "b@example.net")
    got = sink.wait_messages(1)[0]
    has(got.tls.client_certificate or b"", b"out.relay.example")
    relay.send("a@client.example", "b@example.org")
    got = sink.wait_messages(2)[1]
    assert not got.tls.client_certificate, "shown to whom it is not for"


@case
def all_gateways_of_the_form_share_one_name(lab):
    """mx5, mx6, mx1.amer, mx1.asia: each takes mail with the certificate that
    all of them bear, and none with one of its own name."""
    shared = lab.ca.sort("cn-only")
    own = {"mx6.de.tuv.com": lab.ca.leaf("mx6", "mx6.de.tuv.com")}
    text = ""
    sinks = {}
    for number, name in enumerate(("mx5.de.tuv.com", "mx6.de.tuv.com",
                                   "mx1.amer.tuv.com", "mx1.asia.tuv.com")):
        sinks[name] = lab.sink(certificate=shared, name=name)
        text += lab.verified(f"d{number}.tuv.com", sinks[name],
                             issuer='"D-TRUST SSL Class 3 CA 1 2009"')
    sink = lab.sink(certificate=own["mx6.de.tuv.com"])
    relay = lab.relay(text + lab.verified("own.tuv.com", sink))
    relay.send("a@client.example", [f"b@d{n}.tuv.com" for n in range(4)])
    for one in sinks.values():
        assert one.wait_messages(1)[0].tls
    relay.send("a@client.example", "b@own.tuv.com")
    event = relay.wait("deferred")
    has(event.reason, "bears mx6.de.tuv.com, expected mx5.de.tuv.com")
    equal(sink.commands(verb="MAIL"), [])


@case
def pins_survive_a_renewal_and_say_which_one_held(lab):
    now, later = lab.ca.sort("self-signed"), lab.ca.sort("good")
    sink = lab.sink(certificate=now)
    relay = lab.relay(lab.gateway(
        "example.net", sink, tls="verify",
        pins=f'{{ "{now.spki_pin()}", "{later.spki_pin()}" }}'),
        connection_idle="0s")
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("delivered")
    equal((event.pin, event.pinned), (now.spki_pin(), "1"))
    has(relay.wait("judged").reason, "the pin alone counts")
    sink.certificate = later
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("delivered", count=2)
    equal((event.pin, event.pinned), (later.spki_pin(), "2"))
    sink.certificate = lab.ca.leaf("third")
    relay.send("a@client.example", "b@example.net")
    equal(relay.wait("deferred").reason_code, "pin-mismatch")


@case
def mail_leaves_from_the_address_that_was_agreed(lab):
    """`source`, of delivery and of the probe."""
    sink = lab.sink("good")
    relay = lab.relay(lab.verified("example.net", sink, source="127.0.0.77"))
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)
    subprocess.run([relays.POSTERN, "check", "-c", relay.conf, "example.net"],
                   stdout=subprocess.DEVNULL, timeout=30, check=True)
    equal([session.peer[0] for session in sink.sessions], ["127.0.0.77"] * 2)


@case
def min_tls_holds(lab):
    old = lab.sink("good", newest_tls=ssl.TLSVersion.TLSv1_2)
    new = lab.sink("good")
    relay = lab.relay(
        lab.verified("example.net", old, new, min_tls="1.3") +
        lab.verified("old.example", old, min_tls="1.3"))
    relay.send("a@client.example", "b@example.net")
    equal(relay.wait("delivered").tls, "TLSv1.3")
    relay.send("a@client.example", "b@old.example")
    event = relay.wait("deferred")
    has("tls-version-too-old validation-failure", event.reason_code)
    equal(old.commands(verb="MAIL"), [])


@case
def mail_fails_when_tls_is_not_to_be_had_for_too_long(lab):
    home = lab.sink()
    bad = lab.sink("wrong-name")
    down = "127.0.0.1:1"
    relay = lab.relay(
        lab.verified("tls.example", bad, down,
                     on_failure='"bounce-after 3s"') +
        lab.verified("tls.test", down, bad, on_failure='"bounce-after 3s"') +
        lab.verified("down.example", down, on_failure='"bounce-after 3s"') +
        lab.verified("late.example", bad, lifetime="3s") +
        lab.gateway("client.example", home))
    for domain in ("tls.example", "tls.test", "down.example", "late.example"):
        relay.send("a@client.example", f"b@{domain}")
    # Whichever gateway came last: what TLS lacks is what can be mended.
    for domain in ("tls.example", "tls.test"):
        event = relay.wait("bounced", timeout=30, to=f"b@{domain}")
        equal((event.status, event.reason_code),
              ("5.7.5", "certificate-host-mismatch"))
        has(event.reason, "mail.other.example, expected mx5.de.tuv.com")
    # At the end of its lifetime other mail is told the same.
    event = relay.wait("bounced", timeout=30, to="b@late.example")
    equal((event.status, event.reason_code),
          ("4.4.7", "certificate-host-mismatch"))
    reports = [re.sub(r"\s+", " ", one.body.decode())
               for one in home.wait_messages(3)]
    equal(sum("Status: 5.7.5" in one for one in reports), 2)
    for text in reports:
        has(text, "mail.other.example, expected mx5.de.tuv.com")
        has(text, "within 3 seconds")
    relay.wait("deferred", to="b@down.example", count=3, timeout=30)
    equal(relay.find("bounced", to="b@down.example"), [])


run()
