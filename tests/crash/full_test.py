#!/usr/bin/env python3
# build: plain
# timeout: 120
"""A disk without room: new mail is refused before or after its content, what
is there goes on, and with room again mail is taken again. A spool that cannot
be used is refused at the start."""
import fcntl
import os
import pathlib
import pwd
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

import relay as relays                                  # noqa: E402
from client import Client                               # noqa: E402
from harness import (Skip, case, case_for, equal, has,  # noqa: E402
                     need_root, run)
from relay import message                               # noqa: E402

MIB = 1024 * 1024


def small_disk(lab, relay, size):
    """The relay's spool on a tmpfs of its own."""
    need_root()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o",
                           f"size={size},mode=700", "postern-test",
                           relay.spool], stderr=subprocess.PIPE, text=True,
                          check=False)
    if done.returncode != 0:
        raise Skip("cannot mount a tmpfs: " + done.stderr.strip())
    lab.later(lambda: subprocess.run(["umount", "-l", relay.spool],
                                     check=False))
    lab.later(relay.stop)


def fill(relay, leave=0):
    """Somebody else's file takes all that is free."""
    path = relay.spool + "/somebody-else"
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    if leave:
        os.truncate(path, max(0, os.path.getsize(path) - leave))
    return path


def offer(client, size):
    """One message; the reply that ended it."""
    for line in ("MAIL FROM:<a@client.example>", "RCPT TO:<b@example.net>",
                 "DATA"):
        reply = client.ask(line)
        if reply.code >= 400:
            client.expect(250, ask="RSET")
            return reply
    client.send(message(size=size) + b".\r\n")
    return client.reply()


def offer_until_taken(client, size, seconds):
    end = time.monotonic() + seconds
    while True:
        reply = offer(client, size)
        if reply.code == 250:
            return
        equal(reply.code, 452, reply)
        assert time.monotonic() < end, reply
        time.sleep(0.4)


def pour(client, size, most=4000):
    """Messages in one session until one is refused; that reply and how many
    were taken."""
    for count in range(most):
        reply = offer(client, size)
        if reply.code != 250:
            return reply, count
    raise AssertionError(f"{most} messages of {size} bytes were taken")


class Gate:
    """A next hop that says "later" until it is opened."""

    def __init__(self, lab):
        self.is_open = threading.Event()
        self.sink = lab.sink(keep_bodies=False, script={
            "rcpt": lambda _session, _address:
                None if self.is_open.is_set() else "450 4.2.1 later"})

    def wait(self, count):
        self.is_open.set()
        assert self.sink.wait(lambda: len(self.sink.messages) >= count, 40), \
            f"{len(self.sink.messages)} of {count} came"


@case_for(("small mail", 2_000), ("mail in chunks", 100_000))
def a_disk_fills_up_and_is_emptied(lab, size):
    gate = Gate(lab)
    relay = lab.idle_relay(lab.gateway("example.net", gate.sink),
                           spool_size="64M", retry_max="1s")
    small_disk(lab, relay, "8m")
    relay.start()
    with Client(relay.port) as client:
        client.ehlo()
        reply, count = pour(client, size)
        assert reply.code in (451, 452), reply
        assert count * size > 1 * MIB, count
        # The session goes on, and with SIZE it is told before the content.
        client.expect(250, ask="NOOP")
        client.expect(250, ask="RSET")
        reply = client.ask("MAIL FROM:<a@client.example> SIZE=7000000")
        equal(reply.code, 452)
        equal(reply.status, "4.3.1")
        # What is there is delivered; then there is room again.
        gate.wait(count)
        offer_until_taken(client, size, 10)
    gate.wait(count + 1)
    equal(len(gate.sink.messages), count + 1)
    equal(relay.find("warning", reason=lambda text: "ended" in text), [])


@case
def somebody_else_fills_the_disk(lab):
    """Not even a page is left for the relay: what is there is delivered, also
    where neither a deferral nor a removal can be recorded."""
    gate = Gate(lab)
    relay = lab.idle_relay(lab.gateway("example.net", gate.sink),
                           spool_size="16M", retry_max="1s")
    small_disk(lab, relay, "8m")
    relay.start()
    with Client(relay.port) as client:
        client.ehlo()
        for _ in range(20):
            equal(offer(client, 3000).code, 250)
        other = fill(relay)
        reply, count = pour(client, 3000)
        assert reply.code in (451, 452), reply
        client.expect(250, ask="NOOP")
        gate.wait(20 + count)
        os.unlink(other)
        # Nothing has to happen for the relay to notice.
        offer_until_taken(client, 3000, 3)
    gate.wait(21 + count)
    time.sleep(1.5)
    relay.stop()
    relay.start()
    time.sleep(0.3)
    equal(len(gate.sink.messages), 21 + count)


@case
def it_starts_and_delivers_on_a_full_disk(lab):
    gate = Gate(lab)
    relay = lab.idle_relay(lab.gateway("example.net", gate.sink),
                           spool_size="16M", retry_max="1s")
    small_disk(lab, relay, "8m")
    relay.start()
    with Client(relay.port) as client:
        client.ehlo()
        for _ in range(10):
            equal(offer(client, 3000).code, 250)
    relay.kill()
    other = fill(relay)
    relay.start()
    gate.wait(10)
    with Client(relay.port) as client:
        client.ehlo()
        client.expect(452, ask="MAIL FROM:<a@client.example> SIZE=3000")
        os.unlink(other)
        offer_until_taken(client, 3000, 3)
    gate.wait(11)


# --- spools that cannot be used ------------------------------------------

def nobody():
    return pwd.getpwnam("nobody")


def others(relay, name):
    os.chown(f"{relay.spool}/worker-0/{name}", 12345, -1)


@case_for(
    ("its lock", lambda relay: others(relay, "lock"), "lock: Permission"),
    ("a worker's folder", lambda relay: others(relay, ""),
     "belongs to user 12345"),
    ("a store", lambda relay: others(relay, "fresh"),
     "belongs to user 12345"),
    ("a store's file", lambda relay: others(relay, "held/data.mdb"),
     "worker-0/held: Permission denied"),
    ("a folder that is read-only",
     lambda relay: os.chmod(f"{relay.spool}/worker-0/held", 0o500),
     "worker-0/held: Permission denied"),
    ("a folder that others write to",
     lambda relay: os.chmod(f"{relay.spool}/worker-0", 0o770), "chmod 700"),
)
def what_is_not_ours_is_refused(lab, spoil, text):
    """As a user who is not root, below a spool that is in order."""
    need_root()
    relay = lab.idle_relay(user="nobody")
    os.chown(relay.spool, nobody().pw_uid, nobody().pw_gid)
    relay.start()
    relay.stop()
    spoil(relay)
    done = subprocess.run([relays.POSTERN, "serve", "-c", relay.conf],
                          stderr=subprocess.PIPE, text=True, timeout=20,
                          check=False)
    equal(done.returncode, 78, done.stderr)
    has(done.stderr, text)


@case
def a_spool_on_a_read_only_disk_is_refused(lab):
    relay = lab.idle_relay()
    small_disk(lab, relay, "4m")
    relay.start()
    relay.stop()
    subprocess.run(["mount", "-o", "remount,ro", relay.spool], check=True)
    done = subprocess.run([relays.POSTERN, "serve", "-c", relay.conf],
                          stderr=subprocess.PIPE, text=True, timeout=20,
                          check=False)
    assert done.returncode in (75, 78), done
    has(done.stderr, "Read-only file system")


@case
def a_store_that_another_process_has_is_left_to_it(lab):
    """Not ours to steal: the next free folder is taken."""
    relay = lab.relay()
    relay.stop()
    with open(relay.spool + "/worker-0/lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        relay.start()
        assert os.path.exists(relay.spool + "/worker-1/fresh/data.mdb")


run(abreast=4)
