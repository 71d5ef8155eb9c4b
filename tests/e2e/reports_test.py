#!/usr/bin/env python3
"""Reports to the sender (RFC 3464) and what was asked about them (RFC 3461),
read by Python's email package."""
import email
import email.policy
import re
import time

from harness import case, case_for, equal, has, run
from relay import message

NEVER = {"rcpt": "550 5.1.1 no such user"}
BODY = message(subject="the one that failed", size=4000)


class Report:
    """A multipart/report, taken apart."""

    def __init__(self, got):
        self.sender = got.sender
        self.recipients = got.recipients
        self.message = email.message_from_bytes(got.body,
                                                policy=email.policy.default)
        equal(self.message.get_content_type(), "multipart/report")
        equal(self.message.get_param("report-type"), "delivery-status")
        parts = list(self.message.iter_parts())
        self.text = parts[0].get_content()
        equal(parts[1].get_content_type(), "message/delivery-status")
        blocks = parts[1].get_payload()
        self.about = blocks[0]
        self.each = {block["Final-Recipient"].split(";")[1].strip(): block
                     for block in blocks[1:]}
        self.returned = parts[2]
        self.kind = self.returned.get_content_type()

    def original(self):
        if self.kind == "message/rfc822":
            return self.returned.get_payload()[0]
        return email.message_from_string(self.returned.get_content())


def start(lab, script=NEVER, options=None, **dialect):
    """A failing destination, and where reports go."""
    failing = lab.sink(script=script, **dialect)
    home = lab.sink()
    relay = lab.relay(lab.gateway("example.net", failing) +
                      lab.gateway("client.example", home), **(options or {}))
    return relay, failing, home


def report(home, number=0):
    return Report(home.wait_messages(number + 1)[number])


@case
def a_failure_is_reported_to_the_sender(lab):
    relay, _, home = start(lab)
    identity = relay.send("a@client.example", "b@example.net", BODY)
    found = report(home)
    equal(found.sender, "")
    equal(found.recipients, ["a@client.example"])
    equal(found.message["To"].addresses[0].addr_spec, "a@client.example")
    has(found.message["From"].lower(), "relay.example")
    assert found.message["Auto-Submitted"].startswith("auto-replied")
    assert found.message["Date"] and found.message["Message-ID"]
    equal(found.message["MIME-Version"], "1.0")
    has(found.about["Reporting-MTA"], "dns; relay.example")
    assert found.about["Arrival-Date"]
    one = found.each["b@example.net"]
    equal(one["Action"], "failed")
    equal(one["Status"], "5.1.1")
    has(one["Remote-MTA"], "dns;")
    has(one["Diagnostic-Code"], "smtp; 550 5.1.1 no such user")
    equal(found.original()["Subject"], "the one that failed")
    has(found.text, "b@example.net")
    has(found.text, "no such user")
    relay.wait("bounced", id=identity, status="5.1.1")
    event = relay.wait("report")
    equal(event.fields["for"], identity)
    equal(event.to, "a@client.example")
    relay.wait("delivered", id=event.id)


@case
def a_failed_report_is_not_reported(lab):
    """The null sender gets nothing; the loss is logged."""
    relay, _, home = start(lab)
    identity = relay.send("", "b@example.net", BODY)
    relay.wait("bounced", id=identity)
    time.sleep(1)
    equal(home.messages, [])
    equal(relay.find("report"), [])


@case
def a_double_bounce_goes_to_the_postmaster(lab):
    failing = lab.sink(script=NEVER)
    home = lab.sink()
    relay = lab.relay(lab.gateway("example.net", failing) +
                      lab.gateway("client.example", failing) +
                      lab.gateway("example.org", home),
                      postmaster='"admin@example.org"')
    relay.send("a@client.example", "b@example.net", BODY)
    got = home.wait_messages(1)[0]
    equal(got.recipients, ["admin@example.org"])
    equal(got.sender, "")
    time.sleep(0.5)
    equal(len(home.messages), 1)


@case
def a_report_to_the_postmaster_that_fails_is_the_end(lab):
    failing = lab.sink(script=NEVER)
    relay = lab.relay(lab.gateway("*", failing),
                      postmaster='"admin@example.org"')
    relay.send("a@client.example", "b@example.net", BODY)
    relay.wait("bounced", to=re.compile("b@example.net"))
    relay.wait("bounced", to=re.compile("a@client.example"))
    relay.wait("bounced", to=re.compile("admin@example.org"))
    time.sleep(1)
    equal(len(relay.find("bounced")), 3)


@case_for(("NEVER", "NEVER"), ("SUCCESS only", "SUCCESS"),
          ("DELAY only", "DELAY"))
def no_failure_is_reported_for_notify(lab, notify):
    relay, _, home = start(lab)
    relay.send("a@client.example", "b@example.net", BODY,
               rcpt=["NOTIFY=" + notify])
    relay.wait("bounced")
    time.sleep(0.7)
    equal(home.messages, [])


@case
def failures_of_one_message_come_in_one_report(lab):
    relay, _, home = start(lab)
    relay.send("a@client.example", ["b@example.net", "c@example.net"], BODY)
    found = report(home)
    equal(sorted(found.each), ["b@example.net", "c@example.net"])
    time.sleep(0.5)
    equal(len(home.messages), 1)


@case
def each_recipients_notify_counts_for_itself(lab):
    relay, _, home = start(lab)
    with relay.smtp() as client:
        client.ehlo()
        client.mail("a@client.example")
        client.rcpt("loud@example.net", ["NOTIFY=FAILURE"])
        client.rcpt("silent@example.net", ["NOTIFY=NEVER"])
        client.data(BODY)
    found = report(home)
    equal(list(found.each), ["loud@example.net"])
    has(found.text, "loud@example.net")
    assert "silent" not in found.text


LESS = ("PIPELINING", "SIZE 1000000", "8BITMIME")


@case
def success_at_a_hop_without_dsn_is_reported_as_relayed(lab):
    relay, _, home = start(lab, script={}, extensions=LESS)
    relay.send("a@client.example", "b@example.net", BODY,
               mail=["ENVID=QQ+2B1", "RET=HDRS"],
               rcpt=["NOTIFY=SUCCESS", "ORCPT=rfc822;B+2Bx@example.net"])
    found = report(home)
    one = found.each["b@example.net"]
    equal(one["Action"], "relayed")
    assert one["Status"].startswith("2."), one
    has(one["Original-Recipient"].replace(" ", ""),
        "rfc822;B+x@example.net")
    equal(found.about["Original-Envelope-Id"], "QQ+1")
    equal(found.kind, "text/rfc822-headers")


@case_for(("SUCCESS at a hop with DSN", ("DSN",), ["NOTIFY=SUCCESS"]),
          ("FAILURE", (), ["NOTIFY=FAILURE"]), ("nothing said", (), []))
def success_is_not_reported_for(lab, more, words):
    relay, failing, home = start(lab, script={}, extensions=LESS + more)
    relay.send("a@client.example", "b@example.net", BODY, rcpt=words)
    relay.wait("delivered", to=re.compile("b@example.net"))
    time.sleep(0.7)
    equal(home.messages, [])
    if more:
        has(failing.messages[0].recipient_arguments[0], "NOTIFY=SUCCESS")


@case_for(("FULL", ["RET=FULL"], "message/rfc822"),
          ("HDRS", ["RET=HDRS"], "text/rfc822-headers"))
def what_comes_back_is_asked_for(lab, words, kind):
    relay, _, home = start(lab)
    relay.send("a@client.example", "b@example.net", BODY, mail=words)
    found = report(home)
    equal(found.kind, kind)
    equal(found.original()["Subject"], "the one that failed")
    if kind == "message/rfc822":
        has(found.original().get_payload(), "0123456789abcdef")
    else:
        assert "0123456789abcdef" not in found.message.as_string()


@case
def envid_and_orcpt_come_back(lab):
    relay, _, home = start(lab)
    relay.send("a@client.example", "b@example.net", BODY,
               mail=["ENVID=order+3D17"],
               rcpt=["ORCPT=rfc822;Bee+2B1@example.net"])
    found = report(home)
    equal(found.about["Original-Envelope-Id"], "order=17")
    has(found.each["b@example.net"]["Original-Recipient"].replace(" ", ""),
        "rfc822;Bee+1@example.net")


@case
def a_large_message_does_not_come_back_whole_by_itself(lab):
    """The report of a large message stays small (backscatter), unless
    RET=FULL asked for it."""
    relay, _, home = start(lab)
    relay.send("a@client.example", "b@example.net", message(size=3 << 20))
    found = home.wait_messages(1)[0]
    assert found.size < 1 << 20, found.size
    Report(found)


@case
def a_delay_is_told_once(lab):
    relay, failing, home = start(
        lab, script={"rcpt": "450 4.2.1 mailbox busy"},
        options={"delay_notice": "2s", "retry_max": "1s"})
    identity = relay.send("a@client.example", "b@example.net", BODY)
    found = report(home)
    one = found.each["b@example.net"]
    equal(one["Action"], "delayed")
    assert one["Status"].startswith("4."), one
    assert one["Will-Retry-Until"]
    has(found.text, "b@example.net")
    relay.wait("deferred", count=5, id=identity)
    equal(len(home.messages), 1, "told more than once")
    failing.script = {}
    relay.wait("delivered", id=identity)


@case
def a_delay_is_not_told_for_notify_failure(lab):
    relay, _, home = start(lab, script={"rcpt": "450 4.2.1 busy"},
                           options={"delay_notice": "1s", "retry_max": "1s"})
    relay.send("a@client.example", "b@example.net", BODY,
               rcpt=["NOTIFY=FAILURE"])
    relay.wait("deferred", count=4)
    equal(home.messages, [])


@case
def expiry_is_reported_with_the_last_reason(lab):
    relay, _, home = start(lab, script={"rcpt": "450 4.2.1 mailbox busy"},
                           options={"lifetime": "3s", "retry_max": "1s"})
    relay.send("a@client.example", "b@example.net", BODY)
    found = report(home)
    one = found.each["b@example.net"]
    equal(one["Action"], "failed")
    assert one["Status"][0] in "45", one["Status"]
    has(one["Diagnostic-Code"], "mailbox busy")
    relay.wait("bounced")


@case
def an_unmet_demand_that_expires_says_what_was_missing(lab):
    bad = lab.sink("wrong-name")
    home = lab.sink()
    relay = lab.relay(lab.verified("example.net", bad) +
                      lab.gateway("client.example", home), lifetime="3s",
                      retry_max="1s")
    relay.send("a@client.example", "b@example.net", BODY)
    found = report(home)
    whole = found.text + str(found.each["b@example.net"])
    has(whole, "mail.other.example")
    has(whole, "mx5.de.tuv.com")
    equal(bad.commands(verb="MAIL"), [])


@case
def utf8_addresses_are_reported_in_utf8(lab):
    relay, _, home = start(lab)
    relay.send("ä@client.example", "ö@example.net", BODY,
               mail=["SMTPUTF8", "BODY=8BITMIME"])
    got = home.wait_messages(1)[0]
    equal(got.recipients, ["ä@client.example"])
    has(got.sender_arguments, "SMTPUTF8")
    has(got.body.decode(), "ö@example.net")


@case
def a_report_survives_a_kill(lab):
    """It is in the spool before the recipient is marked done."""
    relay, _, home = start(lab)
    home.script = {"greeting": "421 4.3.2 not yet"}
    relay.send("a@client.example", "b@example.net", BODY)
    relay.wait("report")
    relay.kill()
    home.script = {}
    relay.start()
    report(home)
    time.sleep(0.5)
    assert len(home.messages) <= 2


run()
