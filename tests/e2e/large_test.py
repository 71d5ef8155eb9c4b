#!/usr/bin/env python3
# build: plain
"""100 MB in and out in bounded memory, in the plain build: sanitizers keep
shadow memory of their own."""
import hashlib
import threading
import time

import processes
from client import Client
from harness import case, case_for, equal, run

SIZE = 100 << 20
MOST = 8 << 20
LINE = bytes(range(33, 109)) + b"\r\n"


class Watch:
    """The greatest memory of each process, sampled while it runs."""

    def __init__(self, relay):
        self.pids = [relay.process.pid,
                     *processes.descendants(relay.process.pid)]
        self.first = {pid: processes.memory(pid) for pid in self.pids}
        self.most = dict(self.first)
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over.wait(0.02):
            for pid in self.pids:
                self.most[pid] = max(self.most[pid], processes.memory(pid))

    def growth(self):
        self.is_over.set()
        self.thread.join()
        return sum(self.most.values()) - sum(self.first.values())


def blocks():
    block = LINE * (65536 // len(LINE))
    yield b"Subject: large\r\n\r\n"
    for _ in range(SIZE // len(block)):
        yield block


def send_data(client):
    client.expect(354, ask="DATA")
    for block in blocks():
        client.send(block)
    client.send(b".\r\n")


def send_chunks(client):
    for block in blocks():
        client.send(b"BDAT %d\r\n" % len(block) + block)
        client.expect(250)
    client.send(b"BDAT 0 LAST\r\n")


def offer(relay, send, secure=False):
    with Client(relay.port, timeout=60) as client:
        client.ehlo()
        if secure:
            client.secure()
            client.ehlo()
        client.envelope("a@client.example", "b@example.net")
        send(client)
        return client.expect(250)


def warm(relay, sink):
    """Libraries and buffers that come with the first message."""
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)
    time.sleep(0.3)


@case_for(("DATA", send_data, {}, False),
          ("BDAT", send_chunks,
           {"extensions": ("PIPELINING", "CHUNKING", "8BITMIME")}, False),
          ("DATA over TLS", send_data, {"sort": "good"}, True))
def a_hundred_megabytes_by(lab, send, options, secure):
    sink = lab.sink(**options)
    relay = lab.relay(
        lab.verified("*", sink) if secure else lab.gateway("*", sink),
        message_size="200M", spool_size="1G")
    warm(relay, sink)
    watch = Watch(relay)
    offer(relay, send, secure)
    got = sink.wait_messages(2, 60)[1]
    growth = watch.growth()
    relay.wait("delivered", count=2)
    whole = b"".join(blocks())
    body = got.body[got.body.index(b"Subject: large"):]
    equal(hashlib.sha256(body).hexdigest(),
          hashlib.sha256(whole).hexdigest())
    print(f"    memory grew by {growth / (1 << 20):.1f} MB", flush=True)
    assert growth < MOST, f"memory grew by {growth} bytes"


@case
def a_slow_reader_does_not_fill_memory(lab):
    """The next hop reads a little now and then: the rest waits in the
    spool, not in buffers."""
    def slowly(session, _argument):
        for _ in range(20):
            session.fill()
            time.sleep(0.1)

    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), message_size="200M",
                      spool_size="1G")
    warm(relay, sink)
    sink.script = {"content": slowly}
    watch = Watch(relay)
    offer(relay, send_data)
    sink.wait_messages(2, 60)
    growth = watch.growth()
    assert growth < MOST, f"memory grew by {growth} bytes"


@case
def a_fast_writer_waits_for_the_disk(lab):
    """Four clients at once, each with 100 MB that never end in a dot."""
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink), message_size="200M",
                      spool_size="1G")
    warm(relay, sink)
    watch = Watch(relay)

    def half():
        with Client(relay.port, timeout=60) as client:
            client.ehlo()
            client.envelope("a@client.example", "b@example.net")
            client.expect(354, ask="DATA")
            for block in blocks():
                client.send(block)

    threads = [threading.Thread(target=half) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    growth = watch.growth()
    equal(relay.find("accepted")[1:], [])
    assert growth < 4 * MOST, f"memory grew by {growth} bytes"
    # What was begun and never finished gives its room back.
    offer(relay, send_data)
    sink.wait_messages(2, 60)


run(abreast=1)
