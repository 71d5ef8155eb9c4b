#!/usr/bin/env python3
# build: plain
# timeout: 240
"""kill -9 exactly at the K-th write or sync of a worker's life, by strace.

For each kind of call and each K: a relay whose workers die there takes three
messages and a failure that makes a report, is killed, and is started again
without strace. What was acknowledged is delivered, whole. `make test` takes a
few K, `make crash` all of them until a worker lives long enough to finish."""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

from client import Client, Closed                       # noqa: E402
from harness import Skip, case_for, equal, need, run    # noqa: E402
from postfix import free_port                           # noqa: E402
from relay import message                               # noqa: E402

IS_ALL = os.environ.get("CRASH") == "all"
KINDS = {
    "sync": "fdatasync,fsync,msync",
    "write": "pwrite64,pwritev,pwritev2",
}
SAMPLE = (1, 2, 3, 5, 8, 13, 21)


def strace(calls, number):
    return ["strace", "-f", "-qqq", "-o", "/dev/null", "-e",
            "trace=" + calls, "-e",
            f"inject={calls}:signal=SIGKILL:when={number}"]


def offer(port, bodies, end):
    """Sends each until it is acknowledged or the time is over."""
    acknowledged = set()
    while bodies - acknowledged and time.monotonic() < end:
        name = sorted(bodies - acknowledged)[0]
        try:
            with Client(port, timeout=5) as client:
                client.ehlo()
                reply = client.transact(
                    "a@client.example",
                    [("bad" if name.endswith("0") else "b") +
                     "@example.net"], message(subject=name, size=3000))
                if reply.code == 250:
                    acknowledged.add(name)
        except (OSError, Closed, AssertionError):
            time.sleep(0.05)
    return acknowledged


@case_for(*KINDS.items())
def a_kill_at_each(lab, calls):
    need("strace")
    numbers = range(1, 200) if IS_ALL else SAMPLE
    for number in numbers:
        if one(lab, calls, number) and IS_ALL:
            return


def one(lab, calls, number):
    """Whether the workers lived through it, so that a greater number makes
    no difference."""
    port = free_port()
    sink = lab.sink(script={"rcpt": lambda _session, address:
                            "550 5.1.1 no such user"
                            if address.startswith("bad") else None})
    home = lab.sink()
    relay = lab.idle_relay(lab.gateway("example.net", sink) +
                           lab.gateway("client.example", home),
                           listen=f'"127.0.0.1:{port}" {{ tls = may }}')
    relay.wrapper = strace(calls, number)
    relay.launch()
    try:
        relay.wait("listening", timeout=20)
    except AssertionError:
        raise Skip("strace may not trace here") from None
    bodies = {f"m{number}-{count}" for count in range(4)}
    acknowledged = offer(port, bodies, time.monotonic() + 3)
    time.sleep(0.2)
    deaths = [event for event in relay.find("warning")
              if "signal 9" in event.reason]
    relay.kill()
    relay.wrapper = []
    relay.start()
    wanted = {name for name in acknowledged if not name.endswith("0")}
    failed = acknowledged - wanted

    def subjects():
        return {name for name in bodies for message in sink.messages
                if f"Subject: {name}\r".encode() in message.body}

    sink.wait(lambda: wanted <= subjects(), 20)
    equal(sorted(wanted - subjects()), [], f"lost at call {number}")
    if failed:
        home.wait_messages(1)
    for got in sink.messages:
        name = next(name for name in bodies
                    if f"Subject: {name}\r".encode() in got.body)
        assert got.body.endswith(message(subject=name, size=3000))
    relay.stop()
    return not deaths


run(abreast=2)
