#!/usr/bin/env python3
# build: plain
# timeout: 180
"""A damaged spool: a byte of a store is flipped or its file cut, after a stop
in order, after a kill, and under a relay that runs.

Whatever it is, the relay serves: new mail is taken and delivered, at most one
worker dies of it, no body arrives that is not as it was sent, and every
message that does not arrive was named in the log. `make test` tries some
places, `make crash` many; that every byte of a store can be flipped is shown
below the relay, by tests/unit/damage_test.c.

What is set aside can be salvaged by hand, too."""
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

from client import Client, Closed                        # noqa: E402
from harness import case, case_for, equal, has, run      # noqa: E402
from relay import POSTERN                                # noqa: E402
from traffic import MARK, content, digest                # noqa: E402

IS_ALL = os.environ.get("CRASH") == "all"
PAGE = 4096
SMALL, LARGE = 2500, 150_000
DEATH = re.compile(r"worker-\d+ (was ended by signal|ended with status)")
WORD = struct.Struct("=Q")


class Sample:
    """A relay, and its spool as it was left with mail that waits."""

    def __init__(self, lab):
        self.stubborn = True
        self.came = {}              # name -> how often
        self.damaged = []
        self.gone = set()           # names of what nothing is left of
        sink = lab.sink(keep_bodies=False, script={
            "rcpt": self.on_recipient, "dot": self.on_message})
        self.relay = lab.idle_relay(lab.gateway("example.net", sink))
        self.sent = {}              # name -> digest
        self.ids = {}               # name -> the relay's id
        self.saved = lab.path("saved")

    def on_recipient(self, _session, address):
        if self.stubborn and not address.startswith("new"):
            return "450 4.2.1 later"
        return None

    def on_message(self, _session, message):
        body, message.body = message.body, None
        mark = MARK.search(body)
        name = mark[1].decode()
        self.came[name] = self.came.get(name, 0) + 1
        if self.sent[name] != digest(body[mark.start():]):
            self.damaged.append(name)

    def offer(self, client, name, size):
        body = content(name, size)
        self.sent[name] = digest(body)
        reply = client.transact("a@client.example", [name + "@example.net"],
                                body)
        equal(reply.code, 250, reply)
        self.ids[name] = self.relay.identity(reply.text)

    def insist(self, name, end):
        """As a client does that was told to come again."""
        while True:
            try:
                with Client(self.relay.port) as client:
                    client.ehlo()
                    self.offer(client, name, SMALL)
                return
            except (OSError, Closed, AssertionError):
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def fill(self):
        self.relay.start()
        with Client(self.relay.port) as client:
            client.ehlo()
            for number in range(9):
                self.offer(client, f"old-{number}",
                           LARGE if number == 4 else SMALL)
        self.relay.wait("deferred", count=9)
        time.sleep(0.2)             # the log is ahead of the disk

    def leave(self, how):
        getattr(self.relay, how)()
        self.copy(self.relay.spool, self.saved)
        self.stubborn = False
        return self

    @staticmethod
    def copy(one, other):
        shutil.copytree(one, other,
                        ignore=shutil.ignore_patterns("control"))

    def restore(self):
        shutil.rmtree(self.relay.spool)
        self.copy(self.saved, self.relay.spool)
        self.came.clear()
        self.gone.clear()

    def cut(self, size):
        """Of what is behind the end nobody can say a thing, nor of what is
        left in part in some page that is used anew."""
        path = self.file("held")
        os.truncate(path, size)
        data = pathlib.Path(path).read_bytes()
        self.gone = {name for name in self.ids
                     if content(name, SMALL)[:SMALL] not in data}

    def file(self, name):
        return os.path.join(self.relay.spool, "worker-0", name, "data.mdb")

    # What is to be true.

    def unheard_of(self):
        """Neither arrived nor named as lost or put aside."""
        with self.relay.changed:
            lines = [one.line for one in self.relay.events[self.relay.mark:]
                     if one.event == "warning"]
        return [name for name, id in self.ids.items()
                if name.startswith("old") and name not in self.gone and
                not self.came.get(name) and
                not any(id in line for line in lines)]

    def serves(self, what):
        """New mail goes through, and what was there comes to its end."""
        end = time.monotonic() + 30
        self.insist("new", end)
        while time.monotonic() < end and (
                self.unheard_of() or not self.came.get("new")):
            time.sleep(0.02)
        equal(self.came.get("new"), 1, what)
        equal(self.unheard_of(), [], what)
        equal(self.damaged, [], what)
        deaths = self.deaths()
        assert len(deaths) <= 1, (what, deaths)
        return sum(1 for name in self.ids if self.came.get(name))

    def deaths(self):
        return [one.line for one in
                self.relay.find("warning", self.relay.mark,
                                reason=DEATH)]


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << at % 8)]))


def telling_places(path):
    """Where a flip is felt: the newest meta page's root, the heads and first
    nodes of the root, of a leaf and of a value's pages, and in a value."""
    with open(path, "rb") as file:
        data = file.read()
    metas = [(WORD.unpack_from(data, page + 144)[0], page)
             for page in (0, PAGE)]
    newest = max(metas)[1]
    root = WORD.unpack_from(data, newest + 128)[0] * PAGE
    places = [newest + 128, newest + 88, root + 10, root + 12]
    for page in range(2 * PAGE, len(data), PAGE):
        flags = struct.unpack_from("=H", data, page + 10)[0]
        if flags == 2:
            node = struct.unpack_from("=H", data, page + 16)[0]
            places += [page + 16, page + node + 4, page + node + 40]
        elif flags == 4:
            places += [page + 13, page + 300]
    return [place for place in places if place < len(data)]


def choose(path, seed):
    places = telling_places(path)
    size = os.path.getsize(path)
    chance = random.Random(seed)
    if not IS_ALL:
        return places[:1] + places[2:3] + chance.sample(places[4:], 2)
    return places + [chance.randrange(size) for _ in range(100)]


@case_for(("a stop", "stop"), ("a kill", "kill"))
def a_flipped_byte_is_survived_after(lab, how):
    sample = Sample(lab)
    sample.fill()
    sample.leave(how)
    arrived = 0
    sample.restore()
    trials = [("held", at) for at in choose(sample.file("held"), how)]
    trials += [("fresh", at) for at in
               choose(sample.file("fresh"), how)[::1 if IS_ALL else 3]]
    for name, at in trials:
        sample.restore()
        flip(sample.file(name), at)
        sample.relay.start()
        arrived += sample.serves(f"{name}, byte {at}")
        equal(sample.relay.stop(), 0)
    assert arrived >= 8 * len(trials), (arrived, len(trials))


@case_for(("a stop", "stop"), ("a kill", "kill"))
def a_file_that_was_cut_is_survived_after(lab, how):
    sample = Sample(lab)
    sample.fill()
    sample.leave(how)
    sample.restore()
    size = os.path.getsize(sample.file("held"))
    cuts = range(0, size, PAGE) if IS_ALL else (size // PAGE // 2 * PAGE,)
    for cut in cuts:
        sample.restore()
        sample.cut(cut)
        sample.relay.start()
        sample.serves(f"cut at {cut}")
        equal(sample.relay.stop(), 0)


@case_for(("cut", True), ("overwritten", False))
def a_store_is_survived_under_a_relay_that_runs(lab, is_cut):
    sample = Sample(lab)
    sample.fill()
    sample.stubborn = False
    path = sample.file("held")
    size = os.path.getsize(path)
    if is_cut:
        sample.cut(3 * PAGE)
    else:
        with open(path, "r+b") as file:
            for page in range(2 * PAGE, size, PAGE):
                file.seek(page + 8)
                file.write(b"\xff" * 12)
    sample.serves("under it")
    equal(sample.relay.stop(), 0)
    # In order again.
    sample.relay.start()
    sample.came.clear()
    end = time.monotonic() + 10
    sample.insist("new", end)
    while not sample.came.get("new") and time.monotonic() < end:
        time.sleep(0.02)
    equal(sample.came, {"new": 1})
    equal(sample.relay.stop(), 0)


def salvage(relay, *words, status=0):
    done = subprocess.run([POSTERN, "queue", "salvage", "-c", relay.conf,
                           *words], capture_output=True, timeout=60,
                          check=False, text=True)
    equal(done.returncode, status, done.stdout + done.stderr)
    return done.stdout if status in (0, 65) else done.stderr


@case
def a_store_is_salvaged_by_hand(lab):
    sample = Sample(lab)
    sample.fill()
    sample.leave("kill")
    relay = sample.relay
    # What is in its place is the relay's own business.
    has(salvage(relay, sample.file("held"), status=66), "is in use")
    folder = lab.path("held.damaged-1")
    shutil.move(os.path.dirname(sample.file("held")), folder)
    shutil.rmtree(relay.spool)
    os.mkdir(relay.spool, 0o700)
    damaged = os.path.join(folder, "data.mdb")
    for page in (0, PAGE):
        flip(damaged, page + 16)    # no meta page is one
    has(salvage(relay, "--dry-run", folder), "9 messages can be saved")
    assert not os.path.exists(os.path.join(folder, "salvaged.txt"))
    equal(os.listdir(relay.spool), [])
    said = json.loads(salvage(relay, "--json", damaged))
    equal(said["messages"], 9)
    equal(said["lost"], 0)
    equal(said["tree_is_whole"], False)
    saved = {one["id"]: one for one in said["records"]
             if one["fate"] == "saved"}
    equal(set(saved), set(sample.ids.values()))
    equal(saved[sample.ids["old-4"]]["recipients"], ["old-4@example.net"])
    with open(os.path.join(folder, "salvaged.txt"), encoding="ascii") as file:
        equal(file.read().count("saved "), 9)
    # Not again, unless that is what is wanted.
    has(salvage(relay, folder, status=66), "was salvaged already")
    relay.start()
    sample.serves("by hand")
    equal(sum(sample.came.values()), 10)
    equal(relay.stop(), 0)


@case
def what_cannot_be_salvaged_is_refused(lab):
    relay = lab.idle_relay()
    has(salvage(relay, lab.path("nothing"), status=66), "nothing")
    has(salvage(relay, status=64), "which file")
    text = lab.write("text", "no store at all\n" * 1000)
    has(salvage(relay, text), "0 messages saved; 0 lost")
    equal([name for name in os.listdir(relay.spool)
           if os.path.exists(f"{relay.spool}/{name}/held")], [])


run(abreast=3)
