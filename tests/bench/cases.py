"""The benchmarks. Each case says what it measures and what is wanted, and
makes its contestants, which are run in turn; a run returns a dict of figures,
the case's `unit` first.
"""
import os
import shutil
import subprocess
import time

import parties
import peers
from parties import Disk, Held, Load, Postern, Postfix, SmtpSink, Straight

CASES = []
RUN_SECONDS = 2.0       # how long a run of a throughput case is meant to take
STUCK_SECONDS = 90
MANY_CORES = 6
LEAST_MESSAGES = 200
LEAST_OF_SLOW = 40      # of those that take some ten messages a second


class Case:
    name = title = unit = ""
    contestants = ()
    repeats = 6             # the first is discarded
    # (whose figure, "at least"/"at most", factor, times whose or None), and
    # perhaps the name of another figure than the unit's
    wanted = ()
    is_quick = True         # part of --quick
    is_asked = False        # only by --only or an option of its own

    def __init__(self, lab):
        self.lab = lab
        self.open = []
        self.number = 0

    def keep(self, thing):
        self.open.append(thing)
        return thing

    def prepare(self):
        """Starts what is needed; returns {name: function of (run)}."""
        raise NotImplementedError

    def check(self):
        """Called when all runs are done; raises when something is wrong."""

    def close(self):
        for thing in reversed(self.open):
            thing.close()
        self.open = []

    def folder(self, name):
        self.number += 1
        return self.lab.folder(f"{self.name}-{name}-{self.number}")


def case(cls):
    CASES.append(cls)
    return cls


class Throughput(Case):
    """Messages a second. `relays` and `hop` say between whom; the number of a
    run's messages follows from how long the one before took."""

    unit = "messages/s"
    first_count = 1000
    domain = "plain.example"
    has_straight = False
    has_postfix = True
    has_peers = False       # and others beside Postfix
    options = {}

    def hop(self):
        return SmtpSink(self.lab.top)

    def relays(self):
        hop = self.keep(self.hop())
        hops = {self.domain: hop, **self.more_hops()}
        found = []
        if self.has_postfix:
            found.append((Postfix(self.folder("postfix"), self.lab, hops), hop))
        for workers in (1, 2):
            found.append((Postern(self.folder("postern"), self.lab, hops,
                                  workers, **self.options), hop))
        if self.has_peers:
            for peer in peers.had(self.folder, hop):
                found.append((peer, hop))
                self.counts[peer.name] = self.least[peer.name] = \
                    LEAST_OF_SLOW
        if self.has_straight:
            own = self.keep(self.hop())
            found.insert(0, (Straight(own), own))
        return found

    def more_hops(self):
        return {}

    def prepare(self):
        self.counts, self.least = {}, {}
        runs = {}
        for relay, hop in self.relays():
            self.keep(relay)
            runs[relay.name] = lambda run, relay=relay, hop=hop: \
                self.run(relay, hop, run)
        return runs

    def drive(self, relay, count, run):
        """When the messages began to be sent."""
        raise NotImplementedError

    def run(self, relay, hop, run):
        count = self.counts.get(relay.name, self.first_count)
        hop.expect(run, count)
        used = parties.cpu(relay.pid)
        begun = self.drive(relay, count, run)
        seconds = hop.wait(STUCK_SECONDS) - begun
        used = parties.cpu(relay.pid) - used
        time.sleep(0.1)
        hop.check()
        self.counts[relay.name] = max(
            self.least.get(relay.name, LEAST_MESSAGES),
            min(40000, int(count / seconds * RUN_SECONDS)))
        found = {self.unit: count / seconds, "messages": count}
        if relay.pid:
            found["cpu us/message"] = used / count * 1e6
        return found


class InTheClear(Throughput):
    """Postfix's source and sink look at nothing. What they measured takes a
    thousand messages of our own in the end, each of which has to arrive once
    and whole."""

    has_straight = has_peers = True
    checked = 1000
    a_connection = 0        # messages; 0: all

    def more_hops(self):
        self.checker = self.keep(Load("sink"))
        return {"checked.example": self.checker}

    def relays(self):
        found = super().relays()
        self.ours = [relay for relay, _ in found
                     if isinstance(relay, (Postfix, Postern))]
        return found

    def check(self):
        for number, relay in enumerate(self.ours):
            self.checker.expect(number, self.checked)
            parties.load("send", relay.ports["plain"], self.checked, x=number,
                         a="recipient@checked.example",
                         n=self.a_connection or self.checked)
            self.checker.wait(STUCK_SECONDS)
            time.sleep(0.1)
            self.checker.check()


@case
class Reused(InTheClear):
    name = "reused"
    title = "relayed, many messages per connection"
    wanted = (("postern-1", "at least", 10, "postfix"),
              ("postern-1", "at least", 0.5, "straight"))
    # Source and sink have to have processors of their own for this one.
    if os.cpu_count() >= MANY_CORES:
        wanted += (("postern-2", "at least", 1.7, "postern-1"),)

    def drive(self, relay, count, run):
        return parties.smtp_source(relay.ports["plain"], count)


@case
class Each(InTheClear):
    name = "each"
    title = "relayed, an inbound connection per message"
    a_connection = 1
    wanted = (("postern-1", "at least", 6, "postfix"),
              ("postern-1", "at least", 0.48, "straight"))

    def drive(self, relay, count, run):
        return parties.smtp_source(relay.ports["plain"], count, keeps=False)


class Handshakes(Throughput):
    """Accepted messages, each on a TLS connection of its own; the bare server
    echoes a line instead."""

    unit = "accepted/s"
    first_count = 500

    def hop(self):
        return Load("sink")

    def prepare(self):
        runs = super().prepare()
        bare = self.keep(Load("echo", certificate=getattr(self.lab,
                                                          self.sort)))
        self.counts["bare"] = 2000
        runs["bare"] = lambda run: self.shake(bare)
        return runs

    def shake(self, bare):
        report = parties.load("shake", bare.port, self.counts["bare"])
        rate = rate_of(report)
        self.counts["bare"] = int(rate * RUN_SECONDS)
        return {self.unit: rate, "messages": report["messages"]}

    def run(self, relay, hop, run):
        count = self.counts.get(relay.name, self.first_count)
        hop.expect(run, count)
        used = parties.cpu(relay.pid)
        report = parties.load("send", relay.ports[self.sort], count, x=run,
                              n=1, t="implicit")
        hop.wait(STUCK_SECONDS)
        used = parties.cpu(relay.pid) - used
        time.sleep(0.1)
        hop.check()
        rate = rate_of(report)
        self.counts[relay.name] = max(LEAST_MESSAGES,
                                      int(rate * RUN_SECONDS))
        return {self.unit: rate, "cpu us/message": used / count * 1e6,
                "messages": count, "p50 ms": report["p50_us"] / 1e3,
                "p99 ms": report["p99_us"] / 1e3}


def rate_of(report):
    return report["messages"] / (report["ended_ns"] -
                                 report["begun_ns"]) * 1e9


@case
class HandshakesEc(Handshakes):
    name = "tls-ec"
    title = "accepted, a full TLS 1.3 handshake each (ECDSA P-256)"
    sort = "ec"
    wanted = (("postern-1", "at least", 4, "postfix"),
              ("postern-1", "at least", 0.5, "bare"))


@case
class HandshakesRsa(Handshakes):
    name = "tls-rsa"
    title = "accepted, a full TLS 1.3 handshake each (RSA-2048)"
    sort = "rsa"
    is_quick = False
    wanted = (("postern-1", "at least", 1.5, "postfix"),)


class Outbound(Throughput):
    def hop(self):
        return Load("sink", "starttls", self.lab.gateway)

    def drive(self, relay, count, run):
        report = parties.load("send", relay.ports["plain"], count, x=run,
                              a="recipient@" + self.domain)
        return report["begun_ns"] / 1e9


@case
class OutboundWarm(Outbound):
    name = "out-warm"
    title = "relayed out over verified TLS, warm connections"
    domain = "warm.example"
    wanted = (("postern-1", "at least", 6, "postfix"),)


@case
class OutboundNew(Outbound):
    name = "out-new"
    title = "relayed out over verified TLS, a connection per message"
    domain = "new.example"
    is_quick = False
    options = {"connection_messages": "1"}
    wanted = (("postern-1", "at least", 3, "postfix"),)


@case
class Large(Throughput):
    name = "large"
    title = "one message of 50 MB, in and out over TLS"
    unit = "MB/s"
    domain = "new.example"
    size = 50 * 1000 * 1000
    is_quick = False
    wanted = (("postern-1", "at least", 1.5, "postfix"),
              ("postern-1", "at most", 8, None, "anonymous MB more"))

    def hop(self):
        return Load("sink", "starttls", self.lab.gateway)

    def run(self, relay, hop, run):
        hop.expect(run, 1)
        used = parties.cpu(relay.pid)
        with parties.Watch(lambda: parties.anonymous(relay.pid)) as watch:
            report = parties.load("send", relay.ports["ec"], 1, 1, x=run,
                                  t="implicit", l=self.size,
                                  a="recipient@" + self.domain)
            seconds = hop.wait(STUCK_SECONDS) - report["begun_ns"] / 1e9
        hop.check()
        used = parties.cpu(relay.pid) - used
        return {self.unit: self.size / 1e6 / seconds,
                "messages": 1, "cpu us/message": used * 1e6,
                "anonymous MB more": watch.growth / 1e6}


@case
class Latency(Throughput):
    name = "latency"
    title = "latency of one message on an idle system, dot to dot"
    unit = "p50 ms"
    count = 100
    wanted = (("postern-1", "at most", 0.5, "postfix"),
              ("postern-1", "at most", 0.5, "postfix", "p99 ms"))

    def hop(self):
        return Load("sink")

    def run(self, relay, hop, run):
        hop.expect(run, self.count)
        parties.load("send", relay.ports["plain"], self.count, 4, x=run, n=1,
                     r=30)
        hop.wait(STUCK_SECONDS)
        report = hop.check()
        return {self.unit: report["p50_us"] / 1e3,
                "p99 ms": report["p99_us"] / 1e3}


class Sectors(Case):
    """Both relays on file systems of their own."""

    unit = "KB written/message"
    is_quick = False
    sessions = 1
    wanted = (("postern-1", "at most", 0.85, "postfix"),)

    def prepare(self):
        runs = {}
        hop = self.keep(SmtpSink(self.lab.top))
        for make in (Postfix, Postern):
            disk = Disk.make(self.folder(make.__name__.lower()))
            if disk is None:
                return {}
            self.keep(disk)
            relay = self.keep(make(disk.folder + "/home", self.lab,
                                   {"plain.example": hop}))
            runs[relay.name] = lambda run, relay=relay, disk=disk: \
                self.run(relay, disk, hop, run)
        return runs

    def run(self, relay, disk, hop, run):
        count = self.count
        hop.expect(run, count)
        os.sync()
        written = disk.written()
        parties.smtp_source(relay.ports["plain"], count, self.sessions)
        hop.wait(STUCK_SECONDS)
        time.sleep(0.2)
        os.sync()
        return {self.unit: (disk.written() - written) / count / 1024}


@case
class SectorsOne(Sectors):
    name = "sectors-1"
    title = "written to the device per message of 4 KiB, 1 sender"
    count = 500


@case
class SectorsMany(Sectors):
    name = "sectors-20"
    title = "written to the device per message of 4 KiB, 20 senders"
    count = 1500
    sessions = 20


class Once(Case):
    """One figure for each contestant."""

    repeats = 1


@case
class Memory(Once):
    name = "memory"
    title = "memory of all processes (PSS), idle after 1,000 messages"
    unit = "MB"
    wanted = (("postern-1", "at most", 16, None),)

    def prepare(self):
        hop = self.keep(Load("sink"))
        hops = {"plain.example": hop}
        relays = [Postfix(self.folder("postfix"), self.lab, hops),
                  Postern(self.folder("postern"), self.lab, hops)]
        return {self.keep(relay).name: lambda run, relay=relay:
                self.run(relay, hop, run) for relay in relays}

    def run(self, relay, hop, run):
        hop.expect(run, 1000)
        parties.load("send", relay.ports["plain"], 1000, x=run)
        hop.wait(STUCK_SECONDS)
        hop.check()
        time.sleep(1)
        idle = parties.memory(relay.pid)
        with Held(relay.ports["plain"], 50):
            time.sleep(0.5)
            busy = parties.memory(relay.pid)
        return {self.unit: idle / 1e6, "MB with 50 sessions": busy / 1e6}


class IdleSessions(Once):
    unit = "KB"
    tls = "none"

    def prepare(self):
        relay = self.keep(Postern(self.folder("postern"), self.lab,
                                  {"plain.example": self.keep(Load("sink"))}))
        return {relay.name: lambda run: self.run(relay)}

    def run(self, relay):
        port = relay.ports["plain"]
        with Held(port, 50, self.tls):
            pass
        time.sleep(0.3)
        before = parties.memory(relay.pid)
        with Held(port, self.count, self.tls):
            time.sleep(0.5)
            each = (parties.memory(relay.pid) - before) / self.count
        return {self.unit: each / 1024, "sessions": self.count}


@case
class IdlePlain(IdleSessions):
    name = "idle-plain"
    title = "memory per idle session in the clear"
    count = 2000
    wanted = (("postern-1", "at most", 4, None),)


@case
class IdleTls(IdleSessions):
    name = "idle-tls"
    title = "memory per idle TLS session, 10,000 on one worker"
    tls = "starttls"
    count = 10000
    wanted = (("postern-1", "at most", 20, None),)


@case
class Binary(Once):
    name = "binary"
    title = "stripped binary with wolfSSL inside"
    unit = "MB"
    wanted = (("postern", "at most", 2, None),
              ("small", "at most", 1.2, None))

    def prepare(self):
        return {name: lambda run, path=path: self.run(path)
                for name, path in (("postern", parties.POSTERN),
                                   ("small", parties.SMALL))
                if os.path.exists(path)}

    def run(self, binary):
        path = os.path.join(self.lab.top, "stripped")
        subprocess.run(["strip", "-o", path, binary], check=True)
        return {self.unit: os.path.getsize(path) / 1e6}


@case
class Growth(Reused):
    """The CPU time of two workers beside one's, all on two cores."""

    name = "growth"
    title = "CPU time per message with one worker and with two"
    unit = "us/message"
    has_postfix = has_straight = has_peers = False
    wanted = (("postern-2", "at most", 1.4, "postern-1"),)

    def run(self, relay, hop, run):
        row = super().run(relay, hop, run)
        return {self.unit: row["cpu us/message"]}


@case
class Start(Case):
    name = "start"
    title = "start to the first accepted message, empty spool"
    unit = "ms"
    wanted = (("postern-1", "at most", 100, None),)

    def prepare(self):
        hop = self.keep(Load("sink"))
        return {"postern-1": lambda run: self.run(hop, run)}

    def run(self, hop, run):
        hop.expect(run, 1)
        relay = Postern(self.folder("postern"), self.lab,
                        {"plain.example": hop})
        try:
            report = parties.load("send", relay.ports["plain"], 1, 1, x=run)
            hop.wait(STUCK_SECONDS)
        finally:
            relay.close()
            shutil.rmtree(relay.folder)
        return {self.unit: (report["ended_ns"] / 1e9 - relay.launched) * 1e3}
