"""A spool with a million deferred messages of 2 KiB to a thousand dead domains
(`MILLION=50000` for fewer), written by `fill` as a relay would have left it:
what a start costs, what memory, what it does to new mail, and how quickly a
postmaster sees it. The cases share one spool, filled by the first of them.
"""
import os
import resource
import signal
import smtplib
import subprocess
import time

import parties
import processes
from cases import Case
from parties import Load, Postern

DEFERRED = int(os.environ.get("MILLION", "1000000"))
DOMAINS = 1000
LENGTH = 2048
STUCK_SECONDS = 300     # the disk may still be busy with what filled it
SETTINGS = {"spool_size": "6G", "retry_first": "60s", "retry_max": "1h"}
FILL = os.environ.get("FILL", parties.TOP + "/build/fill")
CASES = []


def case(cls):
    CASES.append(cls)
    return cls


def resident(pid):
    """Bytes of a process, RssAnon and RssFile, without what is mapped from a
    store."""
    total, counts = 0, True
    with open(f"/proc/{pid}/smaps", encoding="utf-8",
              errors="replace") as file:
        for line in file:
            words = line.split()
            if not words[0].endswith(":"):
                counts = not line.rstrip().endswith("data.mdb")
            elif words[0] == "Rss:" and counts:
                total += int(words[1]) * 1024
    return total


def worker(relay):
    return next(pid for pid in processes.descendants(relay.pid)
                if "worker" in processes.command(pid))


class MillionCase(Case):
    is_asked = True

    def dead_policies(self):
        dead = parties.free_port()
        return "".join(f'policy "d{i}.dead.example" {{ tls = none '
                       f'gateways = {{ "127.0.0.1:{dead}" }} }}\n'
                       for i in range(DOMAINS))

    def filled(self):
        """The folder, filled once for all cases."""
        folder = self.lab.folder("million")
        if not os.path.exists(folder):
            os.makedirs(folder + "/spool", mode=0o700)
            begun = time.monotonic()
            subprocess.run([FILL, folder + "/spool", str(DEFERRED),
                            str(DOMAINS), str(LENGTH), str(9 * 1024)],
                           check=True, stdin=subprocess.DEVNULL)
            print(f"filled with {DEFERRED} messages within "
                  f"{time.monotonic() - begun:.0f} s", flush=True)
        return folder

    def full(self, hop):
        return Postern(self.filled(), self.lab, {"plain.example": hop},
                       more=self.dead_policies(), **SETTINGS)


@case
class Start(MillionCase):
    """From the start of the program to the answer to the first message."""

    name = "million-start"
    title = "start to the first accepted message, a million deferred"
    unit = "ms"
    wanted = (("after a stop", "at most", 1000, None),
              ("after SIGKILL", "at most", 1000, None))

    def prepare(self):
        self.hop = self.keep(Load("sink"))
        self.relay = self.full(self.hop)
        return {"after a stop": lambda run: self.run(False),
                "after SIGKILL": lambda run: self.run(True)}

    def run(self, is_killed):
        if is_killed:
            below = processes.descendants(self.relay.pid)
            processes.kill([self.relay.pid, *below], signal.SIGKILL)
            self.relay.process.wait()
            processes.wait_gone(below)
        self.relay.close()
        self.relay = self.full(self.hop)
        with smtplib.SMTP("127.0.0.1", self.relay.ports["plain"],
                          timeout=60) as client:
            # To a dead domain: it must not be in the way of later cases.
            client.sendmail("sender@bench.example", "b@d0.dead.example",
                            "Subject: x\n\nx\n")
            took = time.monotonic() - self.relay.launched
        return {self.unit: took * 1000,
                "cpu ms": parties.cpu(self.relay.pid) * 1000}

    def close(self):
        self.relay.close()
        super().close()


@case
class Memory(MillionCase):
    """The worker's RssAnon and RssFile without the store's map, after so many
    new messages went through."""

    name = "million-memory"
    title = "a worker's memory, a million deferred"
    unit = "MB"
    repeats = 2
    wanted = (("started", "at most", 40, None),
              ("has worked", "at most", 40, None))

    def prepare(self):
        self.hop = self.keep(Load("sink"))
        relay = self.keep(self.full(self.hop))
        return {"started": lambda run: self.one(relay),
                "has worked": lambda run: self.worked(relay, run)}

    def one(self, relay):
        return {self.unit: resident(worker(relay)) / 1e6}

    def worked(self, relay, run):
        self.hop.expect(run, 10000)
        parties.load("send", relay.ports["plain"], 10000, x=run,
                     a="recipient@plain.example")
        self.hop.wait(STUCK_SECONDS)
        return self.one(relay)


@case
class Throughput(MillionCase):
    name = "million"
    title = "new mail relayed, a million deferred"
    unit = "messages/s"
    wanted = (("full", "at least", 0.9, "empty"),)

    def prepare(self):
        hop = self.keep(Load("sink"))
        empty = self.keep(Postern(self.folder("empty"), self.lab,
                                  {"plain.example": hop}, **SETTINGS))
        full = self.keep(self.full(hop))
        return {"empty": lambda run: self.run(empty, hop, run),
                "full": lambda run: self.run(full, hop, run)}

    def run(self, relay, hop, run):
        count = 8000
        hop.expect(run, count)
        used = parties.cpu(relay.pid)
        report = parties.load("send", relay.ports["plain"], count, x=run,
                              a="recipient@plain.example")
        seconds = hop.wait(STUCK_SECONDS) - report["begun_ns"] / 1e9
        used = parties.cpu(relay.pid) - used
        hop.check()
        return {self.unit: count / seconds, "messages": count,
                "cpu us/message": used / count * 1e6}


@case
class List(MillionCase):
    """The first screen of what a postmaster asks, relay running."""

    name = "million-list"
    title = "`postern queue`, a million deferred"
    unit = "ms"
    wanted = (("list", "at most", 100, None),
              ("list --messages", "at most", 100, None),
              ("list --domain", "at most", 100, None),
              ("show", "at most", 100, None))

    def prepare(self):
        self.relay = self.keep(self.full(self.keep(Load("sink"))))
        shown = self.ask("list", "--messages", "--limit", "1")[1]
        self.id = shown.split()[0]
        words = {"list": ["list"], "list --messages": ["list", "--messages"],
                 "list --domain": ["list", "--domain", "d7.dead.example"],
                 "show": ["show", self.id]}
        return {name: lambda run, order=order: self.ask(*order)[0]
                for name, order in words.items()}

    def ask(self, *order):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.monotonic()
        done = subprocess.run(
            [parties.POSTERN, "queue", *order, "-c", self.relay.conf],
            check=True, stdin=subprocess.DEVNULL, capture_output=True,
            text=True)
        took = time.monotonic() - begun
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {self.unit: took * 1000, "cpu ms": 1000 * (
            used.ru_utime + used.ru_stime - before.ru_utime -
            before.ru_stime)}, done.stdout
