#!/usr/bin/env python3
"""What a postmaster sees of the spool, and does to it: the `postern queue`
commands, with the relay running and stopped."""
import json
import os
import re
import subprocess
import time

from harness import case, case_for, equal, has, run
from relay import POSTERN, message

DOWN = {"greeting": "421 4.3.2 down"}
BUSY = {"rcpt": "450 4.2.1 busy\x1b[31m"}


def command(relay, *words, status=0, stdin=""):
    """`postern WORDS -c ...`: what it wrote to standard output."""
    done = subprocess.run([POSTERN, *words, "-c", relay.conf],
                          input=stdin.encode(), capture_output=True,
                          timeout=60, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == status, (words, done.returncode, text)
    assert b"Sanitizer" not in text and b"runtime error" not in text, text
    return done.stdout.decode() if status == 0 else text.decode()


def queue(relay, *words, **options):
    return command(relay, "queue", *words, **options)


def listed(relay, *words):
    return json.loads(queue(relay, "list", "--json", *words))


def until(says, seconds=10):
    """The log is ahead of the disk by a commit."""
    end = time.monotonic() + seconds
    while not says():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.02)


def one_lane(relay):
    lanes = listed(relay)["destinations"]
    equal(len(lanes), 1)
    return lanes[0]


def deferred(relay, count=None):
    """Waits until nothing is new any more (and so much is there)."""
    def is_settled():
        lanes = listed(relay)["destinations"]
        return not any(lane["new"] for lane in lanes) and count in (
            None, sum(lane["messages"] for lane in lanes))
    until(is_settled)


def waiting(lab, script, count=1, sender="a@client.example", **options):
    """A relay whose only gateway does that, and the mail it deferred."""
    sink = lab.sink(script=script)
    relay = lab.relay(lab.gateway("example.net", sink), retry_first="300s",
                      retry_max="600s", **options)
    sent = [relay.send(sender, f"b{n}@example.net") for n in range(count)]
    relay.wait("deferred", count=1 if script is DOWN else count)
    if script is not DOWN:
        deferred(relay, count)
    return relay, sink, sent


@case_for(("running", True), ("stopped", False))
def the_list_says_what_waits_and_why_with_the_relay(lab, is_running):
    relay, _, sent = waiting(lab, BUSY, 3)
    if not is_running:
        equal(relay.stop(), 0)
    text = queue(relay, "list")
    has(text, "example.net: 3 messages, oldest")
    has(text, "3  450 4.2.1 busy")
    assert "\x1b" not in text, "a remote's escape sequence came through"
    lane = one_lane(relay)
    equal((lane["messages"], lane["failures"]), (3, 0))
    equal([(r["count"], r["status"]) for r in lane["reasons"]],
          [(3, "4.2.1")])
    for order in ("--domain", "example.net"), ("--messages",), (
            "--sender", "A@client.example"):
        jobs = listed(relay, *order)["messages"]
        equal([job["id"] for job in jobs], sorted(sent), order)
    equal(listed(relay, "--domain", "example.org")["messages"], [])
    has(queue(relay, "list", "--sender", "<>"), "No mail is waiting")


@case
def a_dead_destination_is_shown_with_its_host(lab):
    relay, sink, _ = waiting(lab, DOWN, 2)
    relay.send("a@client.example", "late@example.net")
    until(lambda: one_lane(relay)["messages"] == 3)
    lane = one_lane(relay)
    equal(lane["failures"], 1)
    has(lane["host"], str(sink.port))
    has(lane["last_reason"], "421")
    has(queue(relay, "list"), "1 in a row")


@case
def pages_go_on_where_the_last_one_ended(lab):
    sink = lab.sink(script=BUSY)
    relay = lab.relay("".join(lab.gateway(f"d{n}.example", sink)
                              for n in range(7)), retry_first="300s",
                      retry_max="600s")
    sent = [relay.send("", f"b@d{n}.example") for n in range(7)]
    relay.wait("deferred", count=7)
    deferred(relay)
    names, after = [], ""
    while after is not None:
        page = listed(relay, "--limit", "3", "--after", after)
        assert len(page["destinations"]) <= 3
        names += [lane["destination"] for lane in page["destinations"]]
        after = page["after"]
    equal(names, [f"d{n}.example" for n in range(7)])
    equal(len(listed(relay, "--all")["destinations"]), 7)
    found, after = [], ""
    while after is not None:
        page = listed(relay, "--messages", "--limit", "2", "--after", after)
        found += [job["id"] for job in page["messages"]]
        after = page["after"]
    equal(found, sent)


@case_for(("running", True), ("stopped", False))
def one_message_is_shown_and_written_out(lab, is_running):
    relay, _, _ = waiting(lab, BUSY)
    sender = '"odd name"@client.example'
    body = message(size=200000)
    sent = relay.send(sender, ["x@example.net", "y@example.net"], body,
                      mail=["RET=HDRS", "ENVID=QQ1"],
                      rcpt=["NOTIFY=FAILURE"])
    relay.wait("deferred", id=sent, count=2)
    deferred(relay)
    if not is_running:
        equal(relay.stop(), 0)
    text = queue(relay, "show", sent)
    for part in (sender, "x@example.net", "y@example.net", "notify=failure",
                 "envid:      QQ1", "1 attempt\n", "450 4.2.1 busy",
                 "TLS: may demanded"):
        has(text, part)
    shown = json.loads(queue(relay, "show", sent.lower(), "--json"))
    equal(shown["sender"], sender)
    attempt = shown["jobs"][0]["log"][0]
    equal((attempt["reply_code"], attempt["status"]), (450, "4.2.1"))
    equal(attempt["tls"]["level"], "may")
    done = subprocess.run([POSTERN, "queue", "cat", sent, "-c", relay.conf],
                          capture_output=True, timeout=30, check=True)
    assert done.stdout.endswith(body), done.stdout[-200:]
    has(done.stdout[:400].decode(), "Received: from ")
    other = sent[:-1] + ("0" if sent[-1] != "0" else "1")
    has(queue(relay, "show", other, status=66), "no message")
    queue(relay, "cat", other, status=66)
    queue(relay, "cat", "example.net", status=64)


@case
def all_workers_are_shown_as_one(lab):
    sink = lab.sink(script=BUSY)
    relay = lab.relay(lab.gateway("example.net", sink), workers=3,
                      retry_first="300s", retry_max="600s")
    sent = [relay.send("", f"b{n}@example.net") for n in range(20)]
    relay.wait("deferred", count=20)
    deferred(relay)
    equal(one_lane(relay)["messages"], 20)
    equal([job["id"] for job in listed(relay, "--messages")["messages"]],
          sorted(sent))
    for one in sent:
        queue(relay, "show", one)


@case
def a_look_leaves_nothing_in_the_spool(lab):
    """Not even for root: every file stays the owner's."""
    relay, _, _ = waiting(lab, BUSY)
    relay.stop()
    before = files(relay.spool)
    queue(relay, "list")
    queue(relay, "list", "--messages")
    equal(files(relay.spool), before)
    relay.start()


def files(folder):
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            at = os.stat(os.path.join(path, name))
            found[os.path.join(path, name)] = (at.st_uid, at.st_mode)
    return found


@case_for(("a word too many", ["list", "this"]),
          ("an unknown option", ["list", "--jsn"]),
          ("no number", ["list", "--limit", "x"]),
          ("no selector", ["show"]),
          ("nothing that could be meant", ["show", "a b c"]))
def refused(lab, words):
    relay = lab.idle_relay(lab.gateway("example.net", "127.0.0.1:1"))
    has(queue(relay, *words, status=64), "postern queue")


run()
