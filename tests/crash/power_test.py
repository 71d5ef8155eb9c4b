#!/usr/bin/env python3
# build: plain
# timeout: 240
"""The power is cut at every moment of a relay's life.

A preloaded library (powerlog.c) writes down every change of the spool and
every sync while mail of every fate goes through. From each prefix of that
record the disk is rebuilt as the cut may have left it, and a relay is started
on it. What had been acknowledged by then has arrived, or arrives now, whole.

Three disks for each prefix: `kept` has all writes, the last one torn at a
sector; `lost` only what was synced; `mixed` a random choice of what was not,
with the last one torn. A write through O_DSYNC is durable when it is done; in
`mixed` the cut comes within it when it is the last one. A name that its folder
was never synced for may be missing, too. `make test` takes some prefixes,
`make crash` all of them."""
import fcntl
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

from harness import Skip, case_for, equal, run          # noqa: E402
from traffic import Book                                # noqa: E402

IS_ALL = os.environ.get("CRASH") == "all"
SAMPLE = 14             # prefixes of each kind in a short run
SECTOR = 512
HEAD = struct.Struct("<IIQII")
LATER = 1 << 62         # the position of what comes after the cut


class Event:
    def __init__(self, kind, path, offset, is_durable, data, end):
        self.kind, self.path, self.offset = kind, path, offset
        self.is_durable, self.data, self.end = is_durable, data, end
        self.node = None    # what is named by a change of names


def events(log):
    with open(log, "rb") as file:
        raw = file.read()
    at, found = 0, []
    while at < len(raw):
        path_len, data_len, offset, kind, durable = HEAD.unpack_from(raw, at)
        at += HEAD.size
        path = raw[at:at + path_len].decode()
        at += path_len + data_len
        found.append(Event(chr(kind), path, offset, durable,
                           raw[at - data_len:at], at))
    return found


def torn(event, chance):
    """The write with only its first sectors, as they lie on the disk."""
    first = event.offset // SECTOR
    last = (event.offset + len(event.data) - 1) // SECTOR
    sectors = chance.randint(0, last - first)
    length = max(0, (first + sectors) * SECTOR - event.offset)
    return Event("W", event.path, event.offset, 0,
                 event.data[:min(length, len(event.data))], event.end)


class File:
    def __init__(self):
        self.synced = bytearray()
        self.pending = []   # writes that nothing has made durable

    @staticmethod
    def change(content, event):
        size = event.offset + len(event.data)
        if event.kind == "T":
            del content[event.offset:]
        if len(content) < size:
            content.extend(bytes(size - len(content)))
        if event.kind == "W":
            content[event.offset:size] = event.data

    def lay_out(self, path, chosen):
        content = bytearray(self.synced)
        for event in self.pending:
            if event in chosen:
                self.change(content, chosen[event])
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o600)


class Folder:
    def __init__(self):
        self.synced = {}    # name -> File or Folder
        self.names = {}     # the same, as a process sees it by now
        self.pending = []

    @staticmethod
    def change(names, event):
        name = os.path.basename(event.path)
        if event.kind in "UN":
            names.pop(name, None)
        if event.kind == "N":
            name = os.path.basename(event.data.decode())
        if event.kind != "U":
            names[name] = event.node

    def lay_out(self, path, chosen):
        names = dict(self.synced)
        for event in self.pending:
            if event in chosen:
                self.change(names, event)
        os.mkdir(path, 0o700)
        for name, node in names.items():
            node.lay_out(os.path.join(path, name), chosen)


class Disk:
    """Folders and files, what of them is synced, and what came since."""

    def __init__(self, root):
        self.base = root
        self.root = Folder()

    def find(self, path):
        node = self.root
        for name in path[len(self.base):].split("/")[1:]:
            node = node.names.get(name)
        return node

    def add(self, event):
        if event.kind in "CMUN":
            folder = self.find(os.path.dirname(event.path))
            name = os.path.basename(event.path)
            if event.kind == "C" and name in folder.names:
                return
            event.node = File() if event.kind == "C" else \
                Folder() if event.kind == "M" else folder.names[name]
            folder.change(folder.names, event)
            folder.pending.append(event)
            return
        node = self.find(event.path)
        if node is None:
            return      # unlinked, or not made under the library's eyes
        if event.kind == "S":
            for earlier in node.pending:
                node.change(node.synced, earlier)
            node.pending = []
        elif event.is_durable:
            node.change(node.synced, event)
        else:
            node.pending.append(event)

    def pending(self, node=None):
        """All of it, in the order in which it came."""
        node = node or self.root
        found = list(node.pending)
        for below in getattr(node, "names", {}).values():
            found += self.pending(below)
        return sorted(found, key=lambda event: event.end)


def choose(sort, pending, chance):
    """Event -> as much of it as reached the disk."""
    if sort == "lost":
        return {}
    chosen = {event: event for event in pending
              if sort == "kept" or chance.random() < 0.5}
    last = pending[-1] if pending else None
    if last in chosen and last.kind == "W":
        chosen[last] = torn(last, chance)
    return chosen


def disks(root, found, sort, numbers):
    """(number of events, where the record stood, function of a path that
    lays the disk out there)"""
    disk = Disk(root)
    for number, event in enumerate(found, 1):
        chance = random.Random(f"{sort} {number}")
        node = disk.find(event.path) if event.kind == "W" else None
        is_within = sort == "mixed" and event.is_durable and node
        if number in numbers and is_within:
            chosen = choose(sort, disk.pending(), chance)
            chosen[event] = torn(event, chance)
            node.pending.append(event)
            yield (number, event.end - 1,
                   lambda path: disk.root.lay_out(path, chosen))
            node.pending.remove(event)
        disk.add(event)
        if number in numbers and not is_within:
            chosen = choose(sort, disk.pending(), chance)
            yield (number, event.end,
                   lambda path: disk.root.lay_out(path, chosen))


def record(lab, book):
    """A relay's life, from an empty folder on; its events."""
    library = lab.path("powerlog.so")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "powerlog.c")
    if not shutil.which("cc"):
        raise Skip("no cc here")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-o",
                    library, source, "-ldl"], check=True)
    relay = lab.idle_relay(book.policies, listen=book.listen)
    log = lab.path("log")
    relay.wrapper = ["env", f"LD_PRELOAD={library}", f"POWERLOG={log}",
                     f"POWERROOT={relay.spool}"]
    book.position = lambda: os.path.getsize(log)
    relay.start()
    for title in ("one", "two"):
        book.send(title, seconds=10)
    equal(book.settle(10), [])
    book.send("three", ("later", "ok"))
    with open(log, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)    # no change without its record
        relay.kill()
    relay.start()
    book.send("four", ("large", "bad"))
    equal(book.settle(10), [])
    relay.stop()
    return relay, events(log)


def due(book, end):
    """What was acknowledged and had not arrived before the cut."""
    arrived = {name for name, times in book.came.items() if times[0] <= end}
    told = {name for name, times in book.reported.items() if times[0] <= end}
    names = {name: at for name, at in book.acknowledged.items() if at <= end}
    return {name for name in names if not name.endswith("bad")} - arrived, \
        {name for name in names if name.endswith(("bad", "both"))} - told


@case_for(("nothing is lost of the cache", "kept"),
          ("all that was not synced is lost", "lost"),
          ("a part of it is lost", "mixed"))
def the_power_is_cut(lab, sort):
    book = Book(lab)
    recorded, found = record(lab, book)
    before = book.came, book.reported
    count = len(found)
    numbers = range(1, count + 1) if IS_ALL else \
        sorted(random.Random(sort).sample(range(1, count + 1), SAMPLE))
    relay = lab.idle_relay(book.policies, listen=book.listen)
    for number, end, lay_out in disks(recorded.spool, found, sort,
                                      set(numbers)):
        shutil.rmtree(relay.spool)
        lay_out(relay.spool)
        book.came, book.reported = before
        messages, reports = due(book, end)
        book.position = lambda: LATER
        book.came, book.reported = {}, {}
        book.seen_later = {name for name in book.sent}
        relay.start()
        wanted = f"prefix {number} of {count}"
        wait_for(book, messages, reports)
        equal(sorted(messages - set(book.came)), [], wanted + ": lost")
        equal(sorted(reports - set(book.reported)), [],
              wanted + ": nobody told")
        equal(book.damaged, [], wanted + ": damaged")
        # A report may be there together with the job that it speaks of.
        often = [name for name, times in book.came.items() if times[1:]] + \
            [name for name, times in book.reported.items() if times[2:]]
        equal(often, [], wanted + ": too often")
        if number % 3:
            relay.kill()
        else:
            relay.stop()
    print(f"    {len(numbers)} of {count} moments", flush=True)


def wait_for(book, messages, reports):
    book.sink.wait(lambda: messages <= set(book.came), 10)
    book.home.wait(lambda: reports <= set(book.reported), 10)


run(abreast=3)
