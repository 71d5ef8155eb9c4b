#!/usr/bin/env python3
# build: plain
"""Destinations that accept connections and then stall do not keep mail to
good ones waiting: it is there within a second, whether the good one was met
before or not."""
import selectors
import smtplib
import socket
import threading
import time

from harness import case, case_for, equal, run

STALLING = 200
ANSWERS = {b"EHLO": b"250 stall.example\r\n", b"DATA": b"354 go\r\n"}


class Stalls:
    """So many next hops in one thread; each is silent from `stage` on."""

    def __init__(self, count, stage):
        self.stage, self.peak, self.now, self.met = stage, 0, 0, 0
        self.ends = False
        self.selector = selectors.DefaultSelector()
        self.hops = []
        for _ in range(count):
            hop = socket.create_server(("127.0.0.1", 0), backlog=16)
            hop.setblocking(False)
            self.selector.register(hop, selectors.EVENT_READ, None)
            self.hops.append("127.0.0.1:%d" % hop.getsockname()[1])
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.ends:
            for key, _ in self.selector.select(0.1):
                if key.data is None:
                    self.accept(key.fileobj)
                else:
                    self.read(key.fileobj, key.data)

    def accept(self, hop):
        try:
            guest, _ = hop.accept()
        except OSError:
            return
        self.selector.register(guest, selectors.EVENT_READ, bytearray())
        self.met += 1
        self.now += 1
        self.peak = max(self.peak, self.now)
        if self.stage != "greeting":
            guest.sendall(b"220 stall.example ESMTP\r\n")

    def read(self, guest, seen):
        try:
            got = guest.recv(65536)
        except OSError:
            got = b""
        if not got:
            self.selector.unregister(guest)
            guest.close()
            self.now -= 1
            return
        if self.stage == "greeting":
            return
        seen += got
        while b"\r\n" in seen:
            line, _, rest = bytes(seen).partition(b"\r\n")
            seen[:] = rest
            verb = line[:4].upper()
            # What follows DATA is not answered any more.
            if verb in (b"EHLO", b"MAIL", b"RCPT", b"DATA"):
                guest.sendall(ANSWERS.get(verb, b"250 ok\r\n"))

    def close(self):
        self.ends = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def stalled_relay(lab, stage, **options):
    stalls = Stalls(STALLING, stage)
    lab.later(stalls.close)
    sink = lab.sink()
    hops = "".join(lab.gateway(f"stall{n}.example", hop, tls="none")
                   for n, hop in enumerate(stalls.hops))
    relay = lab.relay(hops + lab.gateway("*", sink), retry_first="60s",
                      retry_max="60s", stop_limit="1s", **options)
    return relay, sink, stalls


def send_to_stalling(relay):
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=60) as client:
        for n in range(STALLING):
            client.sendmail("", f"b@stall{n}.example", "Subject: x\n\nx\n")


def seconds(relay, sink, recipient):
    """From the answer to the dot until it is at the sink."""
    count = len(sink.messages)
    with smtplib.SMTP("127.0.0.1", relay.port, timeout=60) as client:
        client.sendmail("", recipient, "Subject: x\n\nx\n")
        begun = time.monotonic()
        sink.wait_messages(count + 1, 30)
        return time.monotonic() - begun


def check(took, what):
    print(f"# {what}: " + ", ".join(f"{one:.3f}" for one in took) + " s",
          flush=True)
    assert max(took) < 1, (what, took)


@case_for(("while all is new", False), ("when they hang already", True))
def a_destination_never_met_is_served_within_a_second(lab, is_later):
    relay, sink, stalls = stalled_relay(lab, "greeting", workers=1)
    # Each good domain is a destination of its own.
    good = [lab.gateway(f"good{n}.example", sink, tls="none")
            for n in range(5)]
    relay.stop()
    with open(relay.conf, "a", encoding="utf-8") as file:
        file.write("".join(good))
    relay.start()
    send_to_stalling(relay)
    if is_later:
        time.sleep(1.5)
    took = [seconds(relay, sink, f"b@good{n}.example") for n in range(5)]
    check(took, "never met")
    took = [seconds(relay, sink, "b@good0.example") for _ in range(5)]
    check(took, "met before")
    assert stalls.met >= STALLING * 0.8, stalls.met
    equal(relay.find("deferred"), [])


@case
def hosts_that_stall_after_the_message_leave_room_for_good_ones(lab):
    """They cannot be broken off, for they may have taken it."""
    relay, sink, _ = stalled_relay(lab, "dot", workers=1)
    seconds(relay, sink, "b@good.example")
    send_to_stalling(relay)
    time.sleep(1)
    check([seconds(relay, sink, "b@good.example") for _ in range(5)],
          "met before")


run()
