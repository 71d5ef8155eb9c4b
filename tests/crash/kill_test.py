#!/usr/bin/env python3
# build: plain
# timeout: 240
"""kill -9 under load: what was acknowledged arrives, whole; what arrives
twice is what was in flight.

Clients send without a pause, each message with an id and random content, and
note what was acknowledged. The next hop notes what came, and now and then
says "later", so that mail waits in both environments. Fifty times the worker
or everything is killed in the middle of it."""
import hashlib
import os
import pathlib
import random
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

import processes                                        # noqa: E402
from client import Client, Closed                       # noqa: E402
from harness import case, case_for, equal, run          # noqa: E402
from ports import free_port                             # noqa: E402
from relay import Relay                                 # noqa: E402

KILLS = 50 if os.environ.get("CRASH") != "all" else 500
CLIENTS = 4
MOST_CONNECTIONS = 8
IN_COMMIT = 64      # results that ride with one commit


class Load:
    """Clients that go on whatever happens, until stop()."""

    def __init__(self, port, domains):
        self.port = port
        self.domains = domains
        self.lock = threading.Lock()
        self.sent = {}              # id -> hash of its content
        self.acknowledged = {}      # id -> the relay's own id for it
        self.refused = 0
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,))
                        for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        chance = random.Random(number)
        count = 0
        while not self.is_over.is_set():
            try:
                with Client(self.port, timeout=20) as client:
                    client.ehlo()
                    while not self.is_over.is_set():
                        count += 1
                        self.one(client, chance, f"{number}-{count}")
            except (OSError, Closed, AssertionError, socket.timeout):
                time.sleep(0.005)

    def one(self, client, chance, name):
        # Mostly small; now and then one that is stored in chunks.
        size = chance.choice((300, 1000, 3000, 3000, 20000, 300000))
        text = chance.randbytes(size // 2).hex().encode()
        lines = b"\r\n".join(text[at:at + 76]
                             for at in range(0, len(text), 76))
        body = b"X-Load: " + name.encode() + b"\r\n\r\n" + lines + b"\r\n"
        with self.lock:
            self.sent[name] = hashlib.sha256(body).hexdigest()
        domain = chance.choice(self.domains)
        client.send(b"MAIL FROM:<>\r\nRCPT TO:<b@" + domain.encode() +
                    b">\r\nDATA\r\n")
        client.expect(250)
        client.expect(250)
        client.expect(354)
        client.send(body + b".\r\n")
        reply = client.reply()
        with self.lock:
            if reply.code == 250:
                self.acknowledged[name] = Relay.identity(reply.text)
            else:
                self.refused += 1

    def stop(self):
        self.is_over.set()
        for thread in self.threads:
            thread.join(30)


class Arrivals:
    """What came, by id: how often, and whether it was what was sent."""

    def __init__(self, load):
        self.load = load
        self.lock = threading.Lock()
        self.counts = {}
        self.damaged = []
        self.chance = random.Random(7)

    def dot(self, _session, message):
        at = message.body.index(b"X-Load: ")
        body, message.body = message.body[at:], None
        name = body[8:body.index(b"\r")].decode()
        with self.lock:
            if name not in self.counts and self.chance.random() < 0.05:
                return "451 4.3.0 later"
            self.counts[name] = self.counts.get(name, 0) + 1
            if self.load.sent.get(name) != hashlib.sha256(body).hexdigest():
                self.damaged.append(name)
        return None

    def missing(self):
        with self.lock, self.load.lock:
            return sorted(set(self.load.acknowledged) - set(self.counts))


def kill_worker(relay, chance):
    workers = relay.children("worker")
    if workers:
        processes.kill([chance.choice(workers)])


def kill_everything(relay, _chance):
    relay.kill()
    relay.start()


@case_for(("one worker", 1), ("two workers", 2))
def nothing_acknowledged_is_lost(lab, workers):
    kills = KILLS * 3 // 5 if workers == 1 else KILLS * 2 // 5
    port = free_port()
    domains = [f"d{number}.example" for number in range(5)]
    sink = lab.sink(keep_bodies=False)
    relay = lab.idle_relay(
        "".join(lab.gateway(domain, sink) for domain in domains),
        listen=f'"127.0.0.1:{port}" {{ tls = may }}', workers=workers,
        max_per_destination=MOST_CONNECTIONS)
    relay.start()
    load = Load(port, domains)
    lab.later(load.stop)
    arrivals = Arrivals(load)
    sink.script = {"dot": arrivals.dot}
    seed = int(os.environ.get("SEED", workers))
    chance = random.Random(seed)
    for number in range(kills):
        time.sleep(chance.uniform(0.05, 0.35))
        how = kill_everything if number % 2 else kill_worker
        how(relay, chance)
    time.sleep(0.5)
    load.stop()
    end = time.monotonic() + 60
    while arrivals.missing() and time.monotonic() < end:
        time.sleep(0.1)
    duplicates = sum(count - 1 for count in arrivals.counts.values())
    print(f"    {kills} kills: {len(load.sent)} sent, "
          f"{len(load.acknowledged)} acknowledged, {load.refused} refused, "
          f"{len(arrivals.counts)} arrived, {duplicates} twice", flush=True)
    told = [line for line in relay.output
            if any(load.acknowledged[name] in line
                   for name in arrivals.missing())]
    equal(arrivals.missing(), [], "acknowledged, but lost:\n" +
          "\n".join(told))
    equal(arrivals.damaged[:10], [], "arrived damaged")
    in_flight = MOST_CONNECTIONS * len(domains) * workers + IN_COMMIT
    assert duplicates <= kills * in_flight, duplicates
    assert len(load.acknowledged) > kills * 10, "hardly any load"
    # The spool is empty and sound: nothing comes after a clean restart.
    relay.stop()
    before = sum(arrivals.counts.values())
    relay.start()
    time.sleep(1)
    equal(sum(arrivals.counts.values()), before)


@case
def mail_that_waits_survives_every_kill(lab):
    """A hundred messages to a host that is down, killed ten times while they
    are deferred and moved; then the host comes back."""
    sink = lab.sink(script={"rcpt": "450 4.2.1 later"})
    relay = lab.relay(lab.gateway("example.net", sink), retry_first="1s",
                      retry_max="1s")
    with relay.smtp() as client:
        for number in range(100):
            client.sendmail("", [f"b{number}@example.net"],
                            f"Subject: {number}\r\n\r\nx\r\n")
    chance = random.Random(3)
    for _ in range(10):
        time.sleep(chance.uniform(0.1, 0.6))
        relay.kill()
        relay.start()
    sink.script = {}
    sink.wait(lambda: len({m.recipients[0] for m in sink.messages}) >= 100,
              30)
    equal(len({m.recipients[0] for m in sink.messages}), 100)


run(abreast=1)
