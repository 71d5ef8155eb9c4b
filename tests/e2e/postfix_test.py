#!/usr/bin/env python3
# touches: tls
"""Postfix as the next hop, as it stands out there: one that demands TLS, with
certificates good and bad, and one without TLS."""
import re

import postfix
from harness import case, equal, has, need, need_root, run
from relay import message

SORTS = ("good", "expired", "wrong-name", "unknown-ca", "self-signed")


def start(lab, *services):
    need("postfix", "postconf")
    need_root()
    made = postfix.Postfix(lab.fresh_folder("pf"), *services)
    lab.later(made.close)
    return made


@case
def every_certificate_under_every_level(lab):
    """The host is SORT.LEVEL.example; Postfix answers 530 to MAIL without
    TLS, so that nothing can be handed over in the clear."""
    services = {sort: postfix.Service(lab.ca.sort(sort), "encrypt")
                for sort in SORTS}
    made = start(lab, *services.values())
    text, holds, fails = "", [], []
    for sort in SORTS:
        text += lab.verified(f"{sort}.verify.example", services[sort])
        for level in ("encrypt", "may"):
            text += lab.gateway(f"{sort}.{level}.example", services[sort],
                                tls=level)
            holds.append(f"b@{sort}.{level}.example")
        (holds if sort == "good" else fails).append(
            f"b@{sort}.verify.example")
    relay = lab.relay(text)
    relay.send("a@client.example", holds + fails,
               message(recipients=holds + fails, text="whole\r\n.\r\n"
                       .replace("\r\n.", "\r\n..")))
    for address in holds:
        event = relay.wait("delivered", to=re.compile(re.escape(address)))
        has(event.proof, "TLSv1.")
    for address in fails:
        event = relay.wait("deferred", to=re.compile(re.escape(address)))
        assert re.match(r"4\.7\.", event.status), event
    made.wait_messages(len(holds))
    for one in made.parsed():
        # Whoever read "ESMTPS" wrote it because TLS was there.
        has(one["Received"], "with ESMTPS")
        has(one.get_payload(), "whole\n..\n")
    text = made.logged()
    equal(len(made.messages()), len(holds))
    equal(sorted(one["X-Original-To"] for one in made.parsed()),
          sorted(holds))
    assert "Must issue a STARTTLS" not in text, "MAIL came in the clear"


@case
def without_tls_and_with_tls_refused(lab):
    """Under may Postfix without TLS gets plaintext; under encrypt and verify
    the mail waits."""
    plain = postfix.Service(level="none")
    made = start(lab, plain)
    relay = lab.relay(lab.gateway("may.example", plain) +
                      lab.gateway("encrypt.example", plain, tls="encrypt") +
                      lab.verified("verify.example", plain))
    relay.send("a@client.example", [f"b@{level}.example" for level in
                                    ("may", "encrypt", "verify")])
    relay.wait("delivered", to=re.compile("may.example"))
    for level in ("encrypt", "verify"):
        event = relay.wait("deferred", to=re.compile(level))
        assert event.status.startswith("4.7."), event
    made.wait_messages(1)
    equal(len(made.messages()), 1)


@case
def extensions_and_large_mail(lab):
    """SMTPUTF8, DSN, eight bits, many recipients and 5 MB in one piece."""
    service = postfix.Service(lab.ca.sort("good"), "encrypt")
    made = start(lab, service)
    relay = lab.relay(lab.verified("*", service))
    big = message(size=5 << 20, text="grüße\r\n")
    relay.send("ä@client.example", ["ö@example.net"], big,
               mail=["SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=x1"],
               rcpt=["NOTIFY=NEVER"])
    relay.send("a@client.example",
               [f"r{number}@example.net" for number in range(150)],
               message())
    made.wait_messages(151, 60)
    texts = made.messages()
    large = [text for text in texts if len(text) > 4 << 20]
    equal(len(large), 1)
    # Postfix may write headers anew; the body is as it was.
    body = big.replace(b"\r\n", b"\n").partition(b"\n\n")[2]
    equal(large[0].partition(b"\n\n")[2].rstrip(), body.rstrip())
    relay.wait("delivered")


@case
def postfix_refuses_a_recipient_and_takes_another(lab):
    service = postfix.Service(
        smtpd_recipient_restrictions="check_recipient_access "
        "inline:{no@example.net=REJECT}, permit")
    made = start(lab, service)
    relay = lab.relay(lab.gateway("example.net", service))
    relay.send("", ["yes@example.net", "no@example.net"])
    relay.wait("delivered", to=re.compile("yes@example.net"))
    relay.wait("bounced", to=re.compile("no@example.net"))
    made.wait_messages(1)


run()
