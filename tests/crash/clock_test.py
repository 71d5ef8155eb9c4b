#!/usr/bin/env python3
# build: plain
# timeout: 120
"""The wall clock jumps, by a day or ten years, forward or back, while the
relay runs, while it is stopped and while it is dead. Nothing expires for it,
no sender is told of a delay, and what waits is tried in its turn."""
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

from harness import Skip, case_for, equal, run          # noqa: E402

DAY = 86400
JUMPS = [("ten years forward", 3653 * DAY), ("ten years back", -3653 * DAY)]
if os.environ.get("CRASH") == "all":
    JUMPS += [("a day forward", DAY), ("a day back", -DAY)]


class Clock:
    """The wall clock of a relay that is started with it."""

    def __init__(self, lab, relay):
        if not shutil.which("cc"):
            raise Skip("no cc here")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                              "wallclock.c")
        library = lab.path("wallclock.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE",
                        "-o", library, source, "-ldl"], check=True)
        self.path = lab.path("offset")
        self.jump(0)
        relay.wrapper = ["env", f"LD_PRELOAD={library}",
                         f"WALLCLOCK={self.path}"]

    def jump(self, seconds):
        mode = "r+b" if os.path.exists(self.path) else "wb"
        with open(self.path, mode) as file:
            file.write(struct.pack("=q", seconds))


def prepare(lab):
    """A relay with deferred mail to two hosts: one says later, one is down;
    by the spool's clock the mail lives for half a day."""
    sink = lab.sink(script={"rcpt": "450 4.2.1 later"})
    dead = lab.sink(script={"greeting": "421 4.3.2 closed"})
    home = lab.sink()
    relay = lab.idle_relay(
        lab.gateway("example.net", sink) + lab.gateway("example.org", dead) +
        lab.gateway("client.example", home), lifetime="12h",
        delay_notice="6h")
    clock = Clock(lab, relay)
    relay.start()
    for number in range(3):
        relay.send("a@client.example", f"b{number}@example.net")
        relay.send("a@client.example", f"b{number}@example.org")
    relay.wait("deferred", count=5)
    return relay, clock, sink, dead, home


def goes_on(relay, sink, dead, home):
    """New attempts come within the longest pause, nothing was given up."""
    for host in (sink, dead):
        before = len(host.sessions) + len(host.commands())
        assert host.wait(lambda host=host, before=before: before <
                         len(host.sessions) + len(host.commands()), 6), \
            "no attempt within 6 s"
    equal(relay.find("bounced"), [])
    equal(home.messages, [])


def ends_well(relay, sink, dead, home):
    sink.script = {}
    dead.script = {}
    relay.send("a@client.example", "new@example.net")
    sink.wait_messages(4)
    dead.wait_messages(3)
    equal(home.messages, [])
    equal(len({message.recipients[0] for message in sink.messages}), 4)
    relay.stop()


@case_for(*JUMPS)
def it_jumps_while_the_relay_runs(lab, seconds):
    relay, clock, *hosts = prepare(lab)
    clock.jump(seconds)
    goes_on(relay, *hosts)
    clock.jump(0)
    goes_on(relay, *hosts)
    clock.jump(seconds)
    ends_well(relay, *hosts)


@case_for(*JUMPS)
def it_jumps_while_the_relay_is_stopped(lab, seconds):
    relay, clock, *hosts = prepare(lab)
    relay.stop()
    clock.jump(seconds)
    relay.start()
    goes_on(relay, *hosts)
    relay.stop()
    clock.jump(0)
    relay.start()
    goes_on(relay, *hosts)
    ends_well(relay, *hosts)


@case_for(*JUMPS)
def it_jumps_while_the_relay_is_dead(lab, seconds):
    relay, clock, *hosts = prepare(lab)
    time.sleep(0.3)
    relay.kill()
    clock.jump(seconds)
    relay.start()
    goes_on(relay, *hosts)
    relay.kill()
    clock.jump(0)
    relay.start()
    ends_well(relay, *hosts)


run(abreast=6)
