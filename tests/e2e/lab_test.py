#!/usr/bin/env python3
# touches: tls
"""The lab plays gateways: under their names, with their certificates, taking
everything and storing exactly what came."""
import glob
import os
import re
import signal
import smtplib
import ssl
import time

from harness import case, equal, has, run


def start(lab, *gateways, **options):
    text = "".join(f'    gateway "{name}" {{ {what} }}\n'
                   for name, what in gateways)
    relay = lab.idle_relay(
        f'lab "partner" {{\n    store = "{lab.path("store")}"\n{text}}}\n',
        **options)
    relay.command = "lab"
    return relay.start()


def client(relay, number=0):
    return smtplib.SMTP("127.0.0.1", relay.listener_port(number),
                        local_hostname="client.example", timeout=20)


def stored(lab, count=1):
    end = time.monotonic() + 10
    while True:
        found = sorted(glob.glob(lab.path("store") + "/new/*"),
                       key=os.path.getmtime)
        if len(found) >= count or time.monotonic() > end:
            equal(len(found), count)
            return found


def read(path):
    with open(path, "rb") as file:
        head = {}
        for line in file:
            hit = re.match(rb"X-Lab-([A-Za-z-]+): (.*)\r\n", line)
            if not hit:
                return head, line + file.read()
            head.setdefault(hit[1].decode(), []).append(hit[2].decode())
    raise AssertionError("no body")


BODY = b"Subject: h\r\n\r\n..dots\r\n\xc3\xa9\r\n" + \
    b"0123456789abcdef\r\n" * 5000


@case
def what_arrives_is_stored_byte_for_byte_with_its_facts(lab):
    leaf = lab.ca.leaf("lab-mx5", "mx5.de.tuv.com")
    relay = start(lab, ("mx5.de.tuv.com", f'listen = "127.0.0.1:0" '
                        f'chain = "{leaf.chain}" key = "{leaf.key}" '
                        "tls = required"))
    equal(relay.listeners[0].name and relay.listeners[0].fields["name"],
          "mx5.de.tuv.com")
    equal(relay.listeners[0].tls, "required")
    context = ssl.create_default_context(cafile=lab.ca.trust)
    context.check_hostname = False
    with client(relay) as smtp:
        code, text = smtp.ehlo()
        has(text.decode(), "mx5.de.tuv.com")
        smtp.starttls(context=context)
        names = smtp.sock.getpeercert()["subjectAltName"]
        equal(names, (("DNS", "mx5.de.tuv.com"),))
        # Nobody here is known to the lab, and everybody is welcome.
        smtp.sendmail("a@client.example", ["b@tuv.com", "c@elsewhere.test"],
                      BODY)
    head, body = read(stored(lab)[0])
    equal(head["Gateway"], ["mx5.de.tuv.com"])
    size = f"size={len(BODY)}"
    equal(head["From"], [f"<a@client.example> {size}"])
    equal(head["To"], ["<b@tuv.com>", "<c@elsewhere.test>"])
    has(head["Client"][0], "127.0.0.1:")
    equal(head["Helo"], ["client.example"])
    equal(head["Protocol"], ["ESMTPS"])
    equal(head["SNI"], ["none"])
    equal(head["Client-Certificate"], ["none"])
    assert re.fullmatch(r"TLSv1\.[23] \S+", head["TLS"][0]), head
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
                        head["Received"][0]), head
    assert body.startswith(b"Received: "), body[:100]
    assert body.endswith(BODY), "the body differs"
    equal(os.listdir(lab.path("store") + "/tmp"), [])
    relay.wait("stored", file=stored(lab)[0])


@case
def several_gateways_share_a_store_and_keep_their_names(lab):
    relay = start(lab, ("mx5.de.tuv.com", 'listen = "127.0.0.1:0" tls = none'),
                  ("mx6.de.tuv.com", 'listen = "127.0.0.1:0" tls = may'))
    for number, name in enumerate(("mx5.de.tuv.com", "mx6.de.tuv.com")):
        with client(relay, number) as smtp:
            _, text = smtp.ehlo()
            has(text.decode(), name)
            equal(smtp.has_extn("starttls"), number == 1)
            smtp.sendmail("", ["b@tuv.com"], "Subject: x\r\n\r\nx\r\n")
    heads = [read(path)[0] for path in stored(lab, 2)]
    equal([head["Gateway"][0] for head in heads],
          ["mx5.de.tuv.com", "mx6.de.tuv.com"])
    equal([head["TLS"][0] for head in heads], ["none", "none"])
    equal(heads[0]["From"][0].split()[0], "<>")


@case
def a_message_that_is_broken_off_leaves_nothing(lab):
    relay = start(lab, ("mx5.de.tuv.com", 'listen = "127.0.0.1:0" tls = none'))
    smtp = client(relay)
    smtp.ehlo()
    smtp.mail("a@client.example")
    smtp.rcpt("b@tuv.com")
    smtp.putcmd("data")
    equal(smtp.getreply()[0], 354)
    smtp.send(b"Subject: half\r\n")
    smtp.close()
    with client(relay) as smtp:
        smtp.sendmail("a@client.example", ["b@tuv.com"], "x: y\r\n\r\nz\r\n")
    stored(lab)
    equal(os.listdir(lab.path("store") + "/tmp"), [])


@case
def a_full_disk_is_not_acknowledged(lab):
    relay = start(lab, ("mx5.de.tuv.com", 'listen = "127.0.0.1:0" tls = none'))
    os.rename(lab.path("store") + "/new", lab.path("store") + "/gone")
    with client(relay) as smtp:
        try:
            smtp.sendmail("a@client.example", ["b@tuv.com"], "x\r\n")
            raise AssertionError("taken")
        except smtplib.SMTPDataError as refusal:
            equal(refusal.smtp_code // 100, 4)
    equal(os.listdir(lab.path("store") + "/tmp"), [])


@case
def it_stops_when_told(lab):
    relay = start(lab, ("mx5.de.tuv.com", 'listen = "127.0.0.1:0" tls = none'),
                  stop_limit="30s")
    with client(relay) as idle:
        idle.ehlo()
        relay.process.send_signal(signal.SIGTERM)
        equal(idle.getreply()[0], 421)
        equal(relay.process.wait(10), 0)


@case
def without_a_lab_section_it_says_so(lab):
    relay = lab.idle_relay()
    relay.command = "lab"
    relay.launch()
    equal(relay.process.wait(10), 78)
    relay.reader.join(5)
    has(relay.tail(), "no `lab` section")


run()
