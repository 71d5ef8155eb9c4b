#!/usr/bin/env python3
"""What a postmaster sees of the spool, and does to it: the `postern queue`
commands, with the relay running and stopped."""
import json
import os
import pwd
import socket
import subprocess
import time

from harness import case, case_for, equal, has, need_root, run
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
    relay = lab.relay(lab.gateway("example.net", sink) +
                      lab.gateway("client.example", sink),
                      retry_first="300s", retry_max="600s", **options)
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
def root_leaves_nothing_in_the_spool_that_is_not_its_owners(lab):
    need_root()
    sink = lab.sink(script=BUSY)
    relay = lab.idle_relay(lab.gateway("example.net", sink), user="nobody",
                           retry_first="300s", retry_max="600s")
    user = pwd.getpwnam("nobody")
    os.chown(relay.spool, user.pw_uid, user.pw_gid)
    relay.start()
    relay.send("", "b@example.net")
    deferred(relay, 1)
    for is_running in True, False:
        before = files(relay.spool)
        queue(relay, "list")
        queue(relay, "list", "--messages")
        queue(relay, "hold", "example.net")
        queue(relay, "release", "example.net")
        equal(files(relay.spool), before)
        if is_running:
            relay.stop()
    uids = {uid for uid, _ in files(relay.spool + "/worker-0").values()}
    equal(uids, {user.pw_uid})
    sink.script = {}
    relay.start()
    queue(relay, "retry", "all")
    sink.wait_messages(1)


def files(folder):
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            at = os.stat(os.path.join(path, name))
            found[os.path.join(path, name)] = (at.st_uid, at.st_mode)
    return found


BOTH = (("running", True), ("stopped", False))


def held(lab, is_running, count=3, **options):
    """As waiting(), BUSY, with the relay running or stopped."""
    relay, sink, sent = waiting(lab, BUSY, count, **options)
    if not is_running:
        equal(relay.stop(), 0)
    return relay, sink, sent


def ids(relay):
    return [job["id"] for job in listed(relay, "--messages")["messages"]]


@case_for(*BOTH)
def one_message_is_removed_with_the_relay(lab, is_running):
    relay, _, sent = held(lab, is_running)
    has(queue(relay, "remove", sent[1], "--dry-run"),
        "1 message (1 recipient) would be removed")
    equal(ids(relay), sorted(sent))
    has(queue(relay, "remove", sent[1]), "1 message (1 recipient) is removed")
    equal(ids(relay), sorted([sent[0], sent[2]]))
    has(queue(relay, "remove", sent[1], status=66), "no message")


@case
def a_dry_run_counts_and_changes_nothing(lab):
    relay, sink, sent = held(lab, True)
    sink.script = {}
    for verb, what in (("retry", "tried again now"), ("hold", "put on hold"),
                       ("release", "released"), ("remove", "removed"),
                       ("bounce", "given up")):
        for selector, count in (("example.net", 3), ("all", 3), (sent[0], 1),
                                ("a@client.example", 3), ("other.example", 0)):
            text = queue(relay, verb, selector, "--dry-run")
            has(text, f"{count} message{'s' * (count != 1)}")
            has(text, f"would be {what}")
    time.sleep(0.3)
    equal(ids(relay), sorted(sent))
    equal(listed(relay)["holds"], [])
    equal(sink.messages, [])


@case_for(*BOTH)
def many_are_removed_only_when_told_so_with_the_relay(lab, is_running):
    relay, _, sent = held(lab, is_running)
    text = queue(relay, "remove", "example.net", status=64)
    has(text, "3 messages (3 recipients) would be removed")
    has(text, "--yes")
    equal(len(ids(relay)), 3)
    has(queue(relay, "remove", "example.net", "--yes"), "3 messages")
    equal(ids(relay), [])
    has(queue(relay, "remove", "example.net", "--yes"), "0 messages")
    if is_running:
        equal(relay.find("bounced"), [])
        equal(len(relay.find("removed")), len(sent))


@case_for(*BOTH)
def what_is_given_up_is_told_with_the_relay(lab, is_running):
    relay, sink, sent = held(lab, is_running)
    sink.script = {}
    has(queue(relay, "bounce", sent[0]), "given up")
    if not is_running:
        relay.start()
    queue(relay, "retry", "all")
    until(lambda: any(b"given up by the postmaster" in m.body
                      for m in sink.messages))
    equal([m.recipients for m in sink.messages
           if m.recipients == ["b0@example.net"]], [])


@case_for(*BOTH)
def a_retry_does_not_wait_with_the_relay(lab, is_running):
    relay, sink, sent = held(lab, is_running)
    sink.script = {}
    has(queue(relay, "retry", sent[2]), "1 message")
    if not is_running:
        relay.start()
    equal(sink.wait_messages(1)[0].recipients, ["b2@example.net"])
    has(queue(relay, "retry", "example.net"), "are tried again now")
    sink.wait_messages(3)
    until(lambda: not ids(relay))


@case
def a_dead_destination_is_tried_when_told(lab):
    relay, sink, _ = waiting(lab, DOWN, 3)
    until(lambda: (one_lane(relay)["failures"],
                   one_lane(relay)["messages"]) == (1, 3))
    sink.script = {}
    queue(relay, "retry", "all")
    sink.wait_messages(3)


@case_for(("running, by domain", True, "example.net"),
          ("stopped, by domain", False, "example.net"),
          ("running, by sender", True, "A@client.example"),
          ("stopped, by sender", False, "A@client.example"),
          ("running, all of it", True, "all"))
def what_is_on_hold_waits(lab, is_running, what):
    relay, sink, sent = held(lab, is_running)
    sink.script = {}
    has(queue(relay, "hold", what), "on hold from now on")
    has(queue(relay, "list"), "on hold: ")
    if not is_running:
        relay.start()
    new = relay.send("a@client.example", "new@example.net")
    queue(relay, "retry", "all")
    time.sleep(0.5)
    equal(sink.messages, [])
    relay.stop()
    relay.start()
    time.sleep(0.3)
    equal(sink.messages, [])
    equal(ids(relay), sorted(sent + [new]))
    assert all(job["on_hold"] for job in
               listed(relay, "--messages")["messages"])
    has(queue(relay, "show", new), "next try on hold")
    queue(relay, "release", what)
    queue(relay, "retry", "all")
    sink.wait_messages(4)
    until(lambda: not ids(relay))


@case
def one_on_hold_lets_the_others_pass(lab):
    relay, sink, sent = held(lab, True)
    queue(relay, "hold", sent[0])
    sink.script = {}
    queue(relay, "retry", "all")
    sink.wait_messages(2)
    until(lambda: ids(relay) == [sent[0]])
    until(lambda: listed(relay, "--messages")["messages"][0]["on_hold"])
    has(queue(relay, "show", sent[0]), "next try on hold")
    has(queue(relay, "retry", sent[0]), "1 on hold and left so")
    queue(relay, "release", sent[0])
    sink.wait_messages(3)


@case
def all_folders_obey(lab):
    """Also one whose worker is gone for good, and a new one later."""
    relay, sink, sent = held(lab, False, 30, workers=3)
    equal(len(ids(relay)), 30)
    sink.script = {}
    queue(relay, "hold", "a@client.example")
    relay.configure(lab.gateway("example.net", sink), workers=4)
    relay.start()
    for _ in range(8):
        relay.send("a@client.example", "more@example.net")
    queue(relay, "retry", "all")
    time.sleep(0.5)
    equal(sink.messages, [])
    has(queue(relay, "remove", "a@client.example", "--yes"), "38 messages")
    equal(ids(relay), [])


@case
def a_large_message_goes_with_its_body(lab):
    """Nothing of it is left in the store."""
    relay, _, _ = waiting(lab, BUSY)
    sent = relay.send("", "x@example.net", message(size=3000000))
    relay.wait("deferred", id=sent)
    deferred(relay, 2)
    before = number(relay, "bytes_live")
    assert before > 3000000, before
    queue(relay, "remove", sent)
    until(lambda: number(relay, "bytes_live") < before - 2900000)


def number(relay, name):
    return sum(worker[name] for worker in
               json.loads(command(relay, "status", "--json"))["workers"])


@case
def the_status_says_how_things_stand(lab):
    relay, _, _ = waiting(lab, DOWN, 2, workers=2)
    deferred(relay)
    with relay.smtp():
        text = command(relay, "status")
        has(text, "postern is running")
        equal(number(relay, "sessions"), 1)
    equal(number(relay, "accepted"), 2)
    # One for each worker that met it.
    equal(number(relay, "destinations_in_trouble"),
          len({event.process for event in relay.find("deferred")}))
    has(text, "example.net: ")
    has(text, "421 4.3.2 down")
    relay.stop()
    has(command(relay, "status", status=69), "not running")


@case
def nobody_else_may_give_orders(lab):
    need_root()
    relay, _, _ = waiting(lab, BUSY)
    for number_ in range(1):
        path = f"{relay.spool}/worker-{number_}/control"
        equal(os.stat(path).st_mode & 0o777, 0o600)
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", POSTERN, "queue",
         "remove", "all", "--yes", "-c", relay.conf], capture_output=True,
        check=False)
    assert done.returncode != 0
    equal(len(ids(relay)), 1)


@case_for(("a long line", b"x" * 100000), ("an unknown order",
                                           b"postern/1 dance\n"),
          ("another version", b"postern/9 status\n"),
          ("bytes", bytes(range(256)) * 50),
          ("a bad value", b"postern/1 sweep remove id =\\x0\n"),
          ("a bad number", b"postern/1 import 1 x\n"))
def nonsense_on_the_control_socket_harms_nothing(lab, text):
    relay, _, sent = waiting(lab, BUSY)
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(10)
        where = os.open(f"{relay.spool}/worker-0", os.O_PATH)
        talk.connect(f"/proc/self/fd/{where}/control")
        os.close(where)
        try:
            talk.sendall(text + b"\n")
            has(talk.recv(4096).decode(), "failed")
        except OSError:
            pass
    equal(ids(relay), sent)


def shown(relay, one):
    """What `show` says of a message, without what differs by place and
    moment."""
    told = json.loads(queue(relay, "show", one, "--json"))
    for job in told["jobs"]:
        del job["worker"], job["is_new"], job["next"]
    told["jobs"].sort(key=lambda job: job["destination"])
    return told


def cat(relay, one):
    return subprocess.run([POSTERN, "queue", "cat", one, "-c", relay.conf],
                          capture_output=True, timeout=30, check=True).stdout


@case_for(("both running", True, True), ("both stopped", False, False),
          ("from the running to the stopped", True, False))
def a_spool_is_carried_to_another_relay(lab, from_running, to_running):
    relay, sink, sent = waiting(lab, BUSY, 2, workers=2)
    sent.append(relay.send(
        '"odd \\\\ name"@client.example', ["x@example.net", "y@example.net"],
        message(size=300000), mail=["RET=HDRS", "ENVID=QQ+2B1"],
        rcpt=["NOTIFY=FAILURE", "ORCPT=rfc822;z@example.org"]))
    sent.append(relay.send("", ["x@example.net", "y@client.example"]))
    relay.wait("deferred", count=6)
    deferred(relay, 5)
    queue(relay, "hold", sent[0])
    queue(relay, "hold", "nobody@client.example")
    queue(relay, "retry", "all")
    relay.wait("deferred", count=11)
    deferred(relay, 5)
    until(lambda: shown(relay, sent[0])["jobs"][0]["on_hold"])
    if not from_running:
        equal(relay.stop(), 0)
    folder = lab.path("files")
    has(queue(relay, "export", "all", folder), "4 messages exported")
    equal(sorted(os.listdir(folder)), sorted(
        [one + end for one in sent for end in (".eml", ".envelope")] +
        ["holds"]))
    before = {one: (shown(relay, one), cat(relay, one)) for one in sent}
    with open(f"{folder}/{sent[2]}.eml", "rb") as file:
        equal(file.read(), before[sent[2]][1])
    if from_running:
        relay.stop()
    other = lab.idle_relay(lab.gateway("example.net", sink) +
                           lab.gateway("client.example", sink),
                           retry_first="300s", retry_max="600s")
    if to_running:
        other.start()
    has(queue(other, "import", folder), "4 messages imported")
    if to_running:
        other.wait("deferred", count=5)
        deferred(other, 5)
    else:
        for one in sent:
            equal((shown(other, one), cat(other, one)), before[one])
    has(queue(other, "import", folder), "4 here already")
    has(queue(other, "list"), "on hold: sender nobody@client.example")
    sink.script = {}
    if not to_running:
        other.start()
    queue(other, "retry", "all")
    queue(other, "release", "all")
    sink.wait_messages(5)
    until(lambda: not ids(other))
    bodies = [m.body for m in sink.messages]
    for one in sent:
        assert any(body.endswith(before[one][1]) for body in bodies), one


@case
def files_that_are_no_good_are_refused(lab):
    relay, _, sent = waiting(lab, BUSY)
    folder = lab.path("files")
    queue(relay, "export", sent[0], folder)
    queue(relay, "remove", sent[0])
    path = f"{folder}/{sent[0]}.envelope"
    with open(path, encoding="utf-8") as file:
        good = file.read()
    for old, new in (("postern-envelope: 1", "postern-envelope: 2"),
                     ("id: ", "id: x"), ("to: b0@", "to: "),
                     ("attempts: 1", "attempts: x"),
                     ("attempt: 20", "attempt: yesterday 20"),
                     ("destination: ", "towards: "),
                     ("text: 450", "text: \\x0a450"),
                     ("reply-code: 450", "reply-code: 99999"),
                     ("accepted-clock: ", "accepted-clock: 9999999999999999"),
                     (good, ""), (good[40:], "")):
        assert old in good, old
        with open(path, "w", encoding="utf-8") as file:
            file.write(good.replace(old, new))
        has(queue(relay, "import", folder, status=65), "1 failed")
        equal(ids(relay), [])
    with open(path, "w", encoding="utf-8") as file:
        file.write(good)
    os.rename(f"{folder}/{sent[0]}.eml", f"{folder}/x")
    has(queue(relay, "import", path, status=65), ".eml")
    os.rename(f"{folder}/x", f"{folder}/{sent[0]}.eml")
    has(queue(relay, "import", path), "1 message imported")
    equal(ids(relay), sent)
    has(queue(relay, "export", "all", folder, status=74), "not empty")
    has(queue(relay, "import", lab.path("nothing"), status=66), "nothing")


@case
def there_may_be_no_room_for_an_import(lab):
    relay, sink, _ = waiting(lab, BUSY)
    sent = relay.send("", "x@example.net", message(size=4000000))
    relay.wait("deferred", id=sent)
    deferred(relay, 2)
    folder = lab.path("files")
    queue(relay, "export", "all", folder)
    small = lab.relay(lab.gateway("example.net", sink), spool_size="4M",
                      message_size="1M", retry_first="300s",
                      retry_max="600s")
    text = queue(small, "import", folder, status=75)
    has(text, "no room")
    assert sent not in ids(small)


@case_for(("a word too many", ["list", "this"]),
          ("an unknown option", ["list", "--jsn"]),
          ("no number", ["list", "--limit", "x"]),
          ("no selector", ["show"]),
          ("nothing that could be meant", ["show", "a b c"]))
def refused(lab, words):
    relay = lab.idle_relay(lab.gateway("example.net", "127.0.0.1:1"))
    has(queue(relay, *words, status=64), "postern queue")


run()
