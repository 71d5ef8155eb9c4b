#!/usr/bin/env python3
# build: plain
# timeout: 240
"""The K-th system call fails, or is the last one of the process.

strace attaches to a worker and lets the K-th call of one sort fail with one
error, or kills the worker there, while mail of every fate goes through:
received, delivered, recorded, deferred, bounced. What was acknowledged
arrives whole, and nothing more often than faults explain. `make test` takes a
few K, `make crash` all of them until none is reached any more.

Calls on the way to service are tried too: with a spool that holds mail the
K-th call on a store's files fails while the relay starts."""
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

import processes                                        # noqa: E402
from harness import Skip, case_for, equal, need, run    # noqa: E402
from traffic import Book                                # noqa: E402

IS_ALL = os.environ.get("CRASH") == "all"
KILL = "signal=SIGKILL"
FIRED = re.compile(r"INJECTED|killed by SIGKILL")

# The call, what happens, and the K of a short run.
RUNNING = (
    ("pwrite64", "error=EIO", (1, 6)),
    ("pwrite64", "error=ENOSPC", (2, 5, 9)),
    ("pwrite64", KILL, (3, 8, 17)),
    ("writev", "error=EIO", (1, 2)),
    ("writev", "error=ENOSPC", (1,)),
    ("writev", KILL, (1, 3)),
    ("fdatasync", "error=EIO", (1, 5)),
    ("fdatasync", "error=ENOSPC", (2,)),
    ("fdatasync", KILL, (2, 9)),
    ("ftruncate", "error=EIO", (1,)),
    ("mmap", "error=ENOMEM", (1, 3)),
    ("openat", "error=EMFILE", (1,)),
    ("accept4", "error=EMFILE", (1, 3)),
    ("accept4", "error=ENOMEM", (2,)),
    ("connect", "error=EIO", (1, 2)),
    ("connect", "error=EMFILE", (2,)),
    ("connect", KILL, (2,)),
    ("sendto", KILL, (9, 20, 33)),
)
STARTING = (
    ("openat", "error=EMFILE", (1, 4)),
    ("openat", "error=EIO", (2, 7)),
    ("mmap", "error=ENOMEM", (1, 3)),
    ("ftruncate", "error=ENOSPC", (1,)),
    ("pwrite64", "error=EIO", (1, 2)),
    ("fdatasync", "error=EIO", (1,)),
    ("openat", KILL, (3, 6)),
    ("pwrite64", KILL, (2,)),
)


def titled(rows):
    return [(f"{call} {how.partition('=')[2]}", call, how, numbers)
            for call, how, numbers in rows]


class Fault:
    """strace on a running worker: the number-th such call of each of its
    threads."""

    def __init__(self, pid, call, how, number, log):
        self.log = log
        self.process = subprocess.Popen(
            ["strace", "-f", "-p", str(pid), "-o", log, "-e",
             "trace=" + call, "-e", f"inject={call}:{how}:when={number}"],
            stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        if "attached" not in line:
            self.end()
            raise Skip("strace may not trace here: " + line.strip())

    def end(self):
        """How often it fired."""
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()
        if not os.path.exists(self.log):
            return 0
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return len(FIRED.findall(file.read()))


@case_for(*titled(RUNNING))
def mail_survives(lab, call, how, numbers):
    need("strace")
    book = Book(lab)
    relay = lab.idle_relay(book.policies, listen=book.listen)
    relay.start()
    faults = 0
    for number in range(1, 500) if IS_ALL else numbers:
        worker = relay.children("worker")[0]
        fault = Fault(worker, call, how, number, lab.path("strace"))
        book.send(str(number))
        book.settle(2.5)
        fired = fault.end()
        faults += fired
        if not processes.is_alive(worker):
            faults += 1
            relay.kill()
            relay.start()
        if IS_ALL and not fired:
            break
    assert len(book.acknowledged) > 2 * len(numbers), book.acknowledged
    book.check(faults)
    relay.stop()
    relay.start()
    before = sum(map(len, book.came.values()))
    time.sleep(0.3)
    equal(sum(map(len, book.came.values())), before, "left in the spool")


@case_for(*titled(STARTING))
def a_start_that_fails_says_so_and_loses_nothing(lab, call, how, numbers):
    need("strace")
    book = Book(lab)
    relay = lab.idle_relay(book.policies, listen=book.listen,
                           retry_first="2s")
    relay.start()
    faults = 0
    for number in range(1, 100) if IS_ALL else numbers:
        book.send(str(number), ("later", "large"))
        relay.kill()
        log = lab.path("strace")
        stores = [f"{relay.spool}/worker-0/{name}"
                  for name in ("fresh", "held")]
        paths = [path + name for path in stores
                 for name in ("", "/data.mdb", "/lock.mdb", "/journal")]
        relay.wrapper = ["strace", "-f", "-qqq", "-o", log,
                         *(word for path in paths for word in ("-P", path)),
                         "-e", "trace=" + call,
                         "-e", f"inject={call}:{how}:when={number}"]
        relay.launch()
        # A worker that is killed each time is tried for ever.
        end = time.monotonic() + (1.5 if how == KILL else 10)
        while relay.process.poll() is None and time.monotonic() < end and \
                not relay.find("serving", relay.mark):
            time.sleep(0.02)
        fired = fired_in(log)
        if relay.process.poll() is not None:
            equal(relay.process.returncode, 78)
            relay.reader.join(10)
            assert any("worker-0" in event.reason for event in
                       relay.find("warning", relay.mark)), relay.tail(5)
        relay.kill()
        relay.wrapper = []
        relay.start()
        faults += 2
        if IS_ALL and not fired:
            break
    book.check(faults)


def fired_in(log):
    with open(log, encoding="utf-8", errors="replace") as file:
        return len(FIRED.findall(file.read()))


run(abreast=4)
