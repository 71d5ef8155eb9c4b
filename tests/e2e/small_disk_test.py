#!/usr/bin/env python3
"""A spool on a disk of a few megabytes, less than spool-size: it is used as
far as it goes, 452 behind that, and mail again as soon as there is room."""
import os
import re
import subprocess
import time

from client import Client
from harness import Skip, case, case_for, equal, run

MOUNT = 'mount -t tmpfs -o mode=700,size=$0 none "$1" && shift && exec "$@"'


def relay_on_disk(lab, size, body, **options):
    words = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    probe = subprocess.run([*words, MOUNT, size, "/mnt", "true"],
                           capture_output=True, check=False)
    if probe.returncode:
        raise Skip("no tmpfs may be mounted here")
    relay = lab.idle_relay(body, **options)
    relay.wrapper = [*words, MOUNT, size, relay.spool]
    return relay.start()


def ballast(relay):
    return f"/proc/{relay.process.pid}/root{relay.spool}/ballast"


def mail_code(relay):
    with Client(relay.port) as client:
        client.ehlo()
        code = client.ask("MAIL FROM:<a@client.example>").code
        client.ask("QUIT")
    return code


def fill(relay, text):
    """Sends until 452; how many were accepted."""
    with Client(relay.port) as client:
        client.ehlo()
        for count in range(4000):
            reply = client.ask("MAIL FROM:<a@client.example>")
            if reply.code == 250:
                client.expect(250, ask="RCPT TO:<b@example.net>")
                client.expect(354, ask="DATA")
                client.send(text + b".\r\n")
                reply = client.reply()
            if reply.code != 250:
                equal(reply.code, 452, reply.text)
                return count
    raise AssertionError("it takes more than the disk holds")


@case_for(("3 MB", "3m", 20), ("14 MB", "14m", 200))
def a_small_disk_is_used_and_never_overfilled(lab, size, least):
    sink = lab.sink(script={"greeting": "421 4.3.2 later"})
    relay = relay_on_disk(lab, size, lab.gateway("example.net", sink))
    relay.wait("warning", reason=re.compile("the disk has room for"))
    count = fill(relay, b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 2000)
    assert count >= least, f"only {count} messages found room"
    # What is there is deferred, and delivered once the host is back.
    relay.wait("deferred", timeout=30)
    sink.script.clear()
    sink.wait_messages(count, timeout=60)
    end = time.monotonic() + 20
    while mail_code(relay) != 250:
        assert time.monotonic() < end, "no room, though all is delivered"
        time.sleep(0.2)
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(count + 1)
    equal([one for one in relay.find("warning") if "spool: " in one.reason],
          [], "the store failed")


@case
def room_that_others_take_and_make_is_seen_at_once(lab):
    sink = lab.sink()
    relay = relay_on_disk(lab, "8m", lab.gateway("example.net", sink))
    equal(mail_code(relay), 250)
    with open(ballast(relay), "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 65536):
                pass
        except OSError:
            pass
    equal(mail_code(relay), 452)
    os.unlink(ballast(relay))
    equal(mail_code(relay), 250)
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)


run()
