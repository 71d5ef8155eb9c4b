"""Mail of every fate, and the books on it: what was said about each message,
and what came of it.

    book = Book(lab)                a next hop and the senders' home
    relay = lab.idle_relay(book.policies, listen=book.listen)
    book.send("one")                one message of each kind, until it is
                                    acknowledged or the time is over
    book.settle(20)                 all that was acknowledged has its end
    book.check(faults)              ... and nothing came too often or partial

Kinds: `ok` is taken at once, `later` only at the second attempt, `bad` is
refused for good (a report goes home), `both` has one recipient of each sort,
`large` is stored in chunks."""
import hashlib
import random
import re
import socket
import threading
import time

from client import Client, Closed
from harness import equal
from ports import free_port

RECIPIENTS = {
    "ok": ("ok",), "later": ("later",), "bad": ("bad",),
    "both": ("ok", "bad"), "large": ("ok",),
}
LARGE = 150_000
MARK = re.compile(rb"X-Load: ([a-z0-9-]+)\r\n")


class Book:
    def __init__(self, lab, keep=None):
        self.lock = threading.Lock()
        self.sent = {}              # name -> hash of its content
        self.acknowledged = {}      # name -> position()
        self.came = {}              # name -> [position()]
        self.reported = {}          # name -> [position()]
        self.damaged = []
        self.seen_later = set()
        # Where a recorded run has come to; a power cut is a position.
        self.position = keep or (lambda: 0)
        self.sink = lab.sink(keep_bodies=False, script={
            "rcpt": self.on_recipient, "dot": self.on_message})
        self.home = lab.sink(keep_bodies=False,
                             script={"dot": self.on_report})
        self.port = free_port()
        self.listen = f'"127.0.0.1:{self.port}" {{ tls = may }}'
        self.policies = lab.gateway("example.net", self.sink) + \
            lab.gateway("client.example", self.home)

    # The next hop's side.

    @staticmethod
    def on_recipient(_session, address):
        return "550 5.1.1 nobody" if address.startswith("bad") else None

    def on_message(self, session, message):
        body, message.body = message.body, None
        mark = MARK.search(body)
        name = mark[1].decode()
        later = any(address.startswith("later")
                    for address, _ in session.recipients)
        with self.lock:
            if later and name not in self.seen_later:
                self.seen_later.add(name)
                return "451 4.3.0 later"
            self.came.setdefault(name, []).append(self.position())
            if self.sent.get(name) != digest(body[mark.start():]):
                self.damaged.append(name)
        return None

    def on_report(self, _session, message):
        body, message.body = message.body, None
        name = MARK.search(body)[1].decode()
        with self.lock:
            self.reported.setdefault(name, []).append(self.position())

    # The client's side.

    def send(self, title, kinds=tuple(RECIPIENTS), seconds=3):
        """Names of those that were acknowledged."""
        names = [f"{title}-{kind}" for kind in kinds]
        end = time.monotonic() + seconds
        for name in names:
            while not self.offer(name) and time.monotonic() < end:
                time.sleep(0.02)
        with self.lock:
            return [name for name in names if name in self.acknowledged]

    def offer(self, name):
        kind = name.rpartition("-")[2]
        body = content(name, LARGE if kind == "large" else 2500)
        with self.lock:
            self.sent[name] = digest(body)
        try:
            with Client(self.port, timeout=5) as client:
                client.ehlo()
                reply = client.transact(
                    "a@client.example",
                    [who + "@example.net" for who in RECIPIENTS[kind]], body)
        except (OSError, Closed, AssertionError, socket.timeout):
            return False
        with self.lock:
            if reply.code == 250:
                self.acknowledged[name] = self.position()
        return reply.code == 250

    # What became of it.

    def unsettled(self, until=None):
        """Acknowledged (up to a position), and neither arrived nor, where
        that is due, reported."""
        with self.lock:
            names = [name for name, at in self.acknowledged.items()
                     if until is None or at <= until]
            left = []
            for name in names:
                who = RECIPIENTS[name.rpartition("-")[2]]
                if "bad" in who and name not in self.reported or \
                        who != ("bad",) and name not in self.came:
                    left.append(name)
            return left

    def settle(self, seconds, until=None):
        end = time.monotonic() + seconds
        while self.unsettled(until) and time.monotonic() < end:
            time.sleep(0.02)
        return self.unsettled(until)

    def check(self, faults, until=None, seconds=20):
        """`faults`: how often something was cut off or failed."""
        equal(self.settle(seconds, until), [], "acknowledged, but lost")
        equal(self.damaged, [], "arrived damaged")
        for what in (self.came, self.reported):
            with self.lock:
                often = {name: len(times) for name, times in what.items()
                         if len(times) > 1 + faults}
            equal(often, {}, f"more often than {faults} faults explain")


def content(name, size):
    text = random.Random(name).randbytes(size // 2).hex().encode()
    lines = b"\r\n".join(text[at:at + 76] for at in range(0, len(text), 76))
    return b"X-Load: " + name.encode() + b"\r\n\r\n" + lines + b"\r\n"


def digest(body):
    return hashlib.sha256(body).hexdigest()
