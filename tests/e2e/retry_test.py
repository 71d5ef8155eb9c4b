#!/usr/bin/env python3
# touches: tls
"""What waits: back-off, restarts, expiry, and a policy that was tightened
while mail was waiting."""
import datetime
import fcntl
import re
import time

from harness import case, case_for, equal, run
from relay import message


def when(event):
    return datetime.datetime.fromisoformat(
        event.line.split()[0].replace("Z", "+00:00")).timestamp()


@case
def the_wait_doubles_up_to_its_cap(lab):
    sink = lab.sink(script={"rcpt": "450 4.2.1 busy"})
    relay = lab.relay(lab.gateway("example.net", sink), retry_first="1s",
                      retry_max="4s")
    relay.send("", "b@example.net")
    relay.wait("deferred", count=5, timeout=30)
    times = [when(event) for event in relay.find("deferred")]
    waits = [b - a for a, b in zip(times, times[1:])]
    for wait, wanted in zip(waits, (1, 2, 4, 4)):
        # With jitter of a fifth, and what a timer is late.
        assert wanted * 0.75 <= wait <= wanted * 1.25 + 0.7, waits


@case
def many_deferred_messages_are_spread(lab):
    """Jitter: they do not all come back in the same moment, nor each one
    alone while the destination is down."""
    sink = lab.sink(script={"rcpt": "450 4.2.1 busy"})
    relay = lab.relay(lab.gateway("example.net", sink), retry_first="4s",
                      retry_max="8s")
    for number in range(12):
        relay.send("", f"b{number}@example.net")
    relay.wait("deferred", count=12)
    waits = set()
    for event in relay.find("deferred")[:12]:
        waits.add(event.next)
    assert len(waits) > 1, waits


@case
def what_waits_survives_a_restart_and_a_kill(lab):
    sink = lab.sink(script={"dot": "450 4.2.0 later"})
    relay = lab.relay(lab.gateway("example.net", sink))
    body = message(size=30000)
    first = relay.send("", "b@example.net", body)
    relay.wait("deferred", id=first)
    equal(relay.stop(), 0)
    relay.start()
    relay.wait("deferred", id=first, count=2)
    relay.kill()
    sink.script = {}
    relay.start()
    assert sink.wait_messages(1)[0].body.endswith(body)
    relay.wait("delivered", id=first)
    time.sleep(1.5)
    equal(len(sink.messages), 1)
    # And nothing of it is left.
    relay.stop()
    relay.start()
    time.sleep(1)
    equal(len(sink.messages), 1)


@case_for(("the policy's", {"lifetime": "2s"}, {}),
          ("the global one", {}, {"lifetime": "2s"}))
def mail_expires_after(lab, policy, options):
    sink = lab.sink(script={"rcpt": "450 4.2.1 busy"})
    relay = lab.relay(lab.gateway("example.net", sink, **policy),
                      retry_max="1s", **options)
    begin = time.monotonic()
    identity = relay.send("", "b@example.net")
    event = relay.wait("bounced", id=identity)
    assert 1.5 < time.monotonic() - begin < 8
    assert re.match(r"[45]\.", event.status), event
    tried = len(sink.sessions)
    time.sleep(1.5)
    equal(len(sink.sessions), tried, "tried again after it had expired")


@case_for(("untouched", False), ("killed in between", True))
def a_tightened_policy_binds_what_waits(lab, killed):
    """Deferred under may, tightened to verify, retried: never plaintext."""
    sink = lab.sink("wrong-name", tls="none",
                    script={"rcpt": "450 4.2.1 busy"})
    relay = lab.relay(lab.gateway("example.net", sink, tls="may"))
    identity = relay.send("", "b@example.net")
    relay.wait("deferred", id=identity)
    if killed:
        relay.kill()
    else:
        relay.stop()
    heard = len(sink.commands(verb="MAIL"))
    assert heard, "it was tried in the clear under may"
    sink.script = {}
    relay.configure(lab.verified("example.net", sink))
    relay.start()
    mark = len(relay.find("deferred"))
    # Without TLS, then with the wrong certificate, then with a good one.
    event = relay.wait("deferred", count=mark + 1)
    assert event.status.startswith("4.7."), event
    sink.tls = "may"
    relay.wait("judged", verdict="next-host", reason=re.compile(
        "mail.other.example"))
    equal(len(sink.commands(verb="MAIL")), heard)
    equal(sink.messages, [])
    sink.certificate = lab.ca.sort("good")
    got = sink.wait_messages(1)[0]
    assert got.tls
    equal(len(sink.commands(in_tls=False, verb="MAIL")), heard)


@case
def a_changed_gateway_is_used_by_what_waits(lab):
    down = lab.sink(script={"greeting": "421 4.3.2 down"})
    other = lab.sink()
    relay = lab.relay(lab.gateway("example.net", down))
    identity = relay.send("", "b@example.net")
    relay.wait("deferred", id=identity)
    relay.stop()
    relay.configure(lab.gateway("example.net", other))
    relay.start()
    other.wait_messages(1)
    relay.wait("delivered", id=identity)


@case
def a_changed_pattern_moves_what_waits(lab):
    """It waited in the lane of one policy; now another one applies."""
    down = lab.sink(script={"greeting": "421 4.3.2 down"})
    other = lab.sink()
    relay = lab.relay(lab.gateway("*", down))
    identity = relay.send("", ["b@one.example", "c@two.example"])
    relay.wait("deferred", id=identity)
    relay.stop()
    relay.configure(lab.gateway("*", down) +
                    lab.gateway("two.example", other))
    relay.start()
    equal(other.wait_messages(1)[0].recipients, ["c@two.example"])
    relay.wait("delivered", id=identity, to=re.compile("two.example"))


@case
def fewer_workers_adopt_what_others_left(lab):
    sink = lab.sink(script={"greeting": "421 4.3.2 down"})
    relay = lab.relay(lab.gateway("example.net", sink), workers=3)
    sent = [relay.send("", f"b{number}@example.net") for number in range(30)]
    relay.wait("deferred", count=1)
    relay.stop()
    sink.script = {}
    relay.configure(lab.gateway("example.net", sink), workers=1)
    relay.start()
    sink.wait_messages(len(sent), 30)
    equal(len({m.recipients[0] for m in sink.messages}), len(sent))


@case
def a_folder_that_its_worker_could_not_take_is_adopted(lab):
    """Its lock was held when both workers started, by one that was slow to
    die; they took others."""
    sink = lab.sink(script={"greeting": "421 4.3.2 down"})
    relay = lab.relay(lab.gateway("example.net", sink), workers=2)
    sent = [relay.send("", f"b{number}@example.net") for number in range(20)]
    relay.wait("deferred")
    relay.stop()
    sink.script = {}
    with open(relay.spool + "/worker-1/lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        relay.start()
    sink.wait_messages(len(sent), 20)
    equal(len({m.recipients[0] for m in sink.messages}), len(sent))


run()
