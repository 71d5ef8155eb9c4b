#!/usr/bin/env python3
# touches: tls
"""The book of partners' certificates: kept by the relay, listed by `postern
partner certs`, and a line in the log for each change and each near end."""
import json
import subprocess
import time

import relay as relays
from harness import case, case_for, equal, has, run


def listed(relay, *words):
    done = subprocess.run(
        [relays.POSTERN, "partner", "certs", "-c", relay.conf, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=30, check=False)
    assert not relays.SANITIZER.search(done.stdout + done.stderr), done
    return done


def book(relay, wanted, seconds=10):
    """The entries as JSON, once they are as wanted."""
    end = time.monotonic() + seconds
    while True:
        done = listed(relay, "--json")
        equal(done.returncode, 0, done.stderr)
        entries = json.loads(done.stdout)
        if wanted(entries) or time.monotonic() > end:
            assert wanted(entries), entries
            return entries
        time.sleep(0.2)


@case
def a_change_of_certificate_is_one_line(lab):
    sink = lab.sink("good")
    relay = lab.relay(lab.verified("example.net", sink) +
                      lab.gateway("example.org", sink), workers="2")
    equal(listed(relay).stdout, "No partner's gateway was met yet.\n")
    relay.send("a@client.example", ["b@example.net", "b@example.org"])
    relay.wait("delivered", count=2)
    first = book(relay, lambda entries: len(entries) == 1)[0]
    good = lab.ca.sort("good")
    equal(first["policy"], "example.net")
    equal(first["gateway"], f"127.0.0.1[127.0.0.1]:{sink.port}")
    equal(first["names"], ["mx5.de.tuv.com"])
    equal(first["pin"], good.spki_pin())
    equal((first["verdict"], first["changes"]), ("deliver", 0))
    assert 363 <= first["days_left"] <= 365, first
    sink.certificate = lab.ca.leaf("renewed")
    # Connections are kept, and show no other certificate.
    time.sleep(1)
    relay.stop()
    relay.start()
    for _ in range(4):
        relay.send("a@client.example", "b@example.net")
    relay.wait("delivered", count=6)
    event = relay.wait("certificate-changed")
    equal(event.host, first["gateway"])
    equal(event.sender, first["sha256"])
    has(event.reason, "certificate changed: another key")
    second = book(relay, lambda entries: entries[0]["changes"] == 1)[0]
    equal(event.to, second["sha256"])
    equal(second["previous"], first["sha256"])
    time.sleep(1.5)
    equal(len(relay.find("certificate-changed")), 1)
    text = listed(relay).stdout
    for part in (first["gateway"], "mx5.de.tuv.com", second["pin"],
                 "days left", "changed once", "it holds"):
        has(text, part)


@case_for(("soon", 5, 4), ("this very day", 1, 0))
def a_certificate_that_ends_is_warned_of_once(lab, days, left):
    certificate = lab.ca.leaf(f"ends-{days}", days=(-1, days))
    sink = lab.sink(certificate=certificate)
    relay = lab.relay(lab.verified("example.net", sink))
    relay.send("a@client.example", "b@example.net")
    event = relay.wait("certificate-ends")
    equal((event.policy, event.days), ("example.net", str(left)))
    relay.stop()
    relay.start()
    relay.send("a@client.example", "b@example.net")
    relay.wait("delivered", count=2)
    relay.stop()
    equal(len(relay.find("certificate-ends")), 1)


@case
def a_dry_run_is_counted(lab):
    sink = lab.sink("wrong-name")
    relay = lab.relay(lab.gateway(
        "example.net", sink, tls="may", would="verify",
        names="{ mx5.de.tuv.com }", trust=f'"{lab.ca.trust}"'))
    for _ in range(3):
        relay.send("a@client.example", "b@example.net")
    relay.wait("delivered", count=3)
    relay.stop()
    entry = book(relay, lambda entries: len(entries) == 1)[0]
    equal((entry["would_failed"], entry["would"]),
          (3, "certificate-host-mismatch"))
    has(listed(relay).stdout, "3 messages would have failed")


@case
def where_no_certificate_is_judged_no_book_is_kept(lab):
    relay = lab.relay(lab.gateway("example.net", lab.sink("good")))
    relay.send("a@client.example", "b@example.net")
    relay.wait("delivered")
    relay.stop()
    equal(listed(relay, "--json").stdout, "[]\n")
    equal(listed(relay, "--no").returncode, 64)


run()
