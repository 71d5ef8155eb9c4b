#!/usr/bin/env python3
"""Postfix's smtp-sink as the next hop, with each of its faults: one row for
each, with what must become of the message."""
import os
import re
import socket
import subprocess
import time

from harness import case, case_for, equal, has, need, run
from ports import free_port
from relay import message


class SmtpSink:
    """`kept` is the folder of what it took."""

    def __init__(self, lab, *words):
        need("smtp-sink")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.kept = lab.fresh_folder("kept")
        os.chmod(self.kept, 0o777)
        who = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(
            ["smtp-sink", *who, *words, "-d", self.kept + "/m.",
             self.address, "100"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lab.later(self.close)
        end = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def close(self):
        self.process.terminate()
        self.process.wait(10)

    def texts(self):
        found = []
        for name in os.listdir(self.kept):
            with open(os.path.join(self.kept, name), "rb") as file:
                found.append(file.read())
        return found


# (words of smtp-sink, the event, what its status begins with)
LATER = ("deferred", "4.")
FAILED = ("bounced", "5.")
TAKEN = ("delivered", "2.")
FAULTS = (
    # Hangs up without a reply: the host is to blame, the message waits.
    (("-q", "CONNECT"), *LATER),
    (("-q", "EHLO,HELO"), *LATER),
    (("-q", "MAIL"), *LATER),
    (("-q", "RCPT"), *LATER),
    (("-q", "DATA"), *LATER),
    (("-q", "."), *LATER),
    (("-q", "QUIT"), *TAKEN),
    # 421 and hangs up.
    (("-Q", "CONNECT"), *LATER),
    (("-Q", "EHLO,HELO"), *LATER),
    (("-Q", "MAIL"), *LATER),
    (("-Q", "RCPT"), *LATER),
    (("-Q", "DATA"), *LATER),
    (("-Q", "."), *LATER),
    # 450.
    (("-r", "CONNECT"), *LATER),
    (("-r", "EHLO,HELO"), *LATER),
    (("-r", "MAIL"), *LATER),
    (("-r", "RCPT"), *LATER),
    (("-r", "DATA"), *LATER),
    (("-r", "."), *LATER),
    (("-r", "RSET,QUIT"), *TAKEN),
    # 5xx: before MAIL it blames the host, from MAIL on it is final.
    (("-f", "CONNECT"), *LATER),
    (("-f", "EHLO,HELO"), *LATER),
    (("-f", "EHLO"), *TAKEN),
    (("-f", "MAIL"), *FAILED),
    (("-f", "RCPT"), *FAILED),
    (("-f", "DATA"), *FAILED),
    (("-f", "."), *FAILED),
    (("-f", "QUIT"), *TAKEN),
    (("-A", "0"), *FAILED),
    # Less than is usual.
    (("-e",), *TAKEN),
    (("-p",), *TAKEN),
    (("-E",), *TAKEN),
    (("-N",), *TAKEN),
    (("-8",), *TAKEN),
    (("-P",), *TAKEN),
    # Slow.
    (("-w", "1"), *TAKEN),
    (("-H", "1", "-T", "2000"), *TAKEN),
    (("-p", "-W", "MAIL:1", "-W", "RCPT:1"), *TAKEN),
)


@case_for(*((" ".join(words), words, event, status)
            for words, event, status in FAULTS))
def the_fault(lab, words, event, status):
    hop = SmtpSink(lab, *words)
    relay = lab.relay(lab.gateway("example.net", hop))
    body = message(size=20000)
    # From the null sender, so that no report follows.
    identity = relay.send("", "b@example.net", body)
    found = relay.wait(event, id=identity)
    assert found.status.startswith(status), found
    if event == "delivered":
        # It writes the file out when the next command comes.
        end = time.monotonic() + 10
        while not any(body.replace(b"\r\n", b"\n") in text
                      for text in hop.texts()):
            assert time.monotonic() < end, "it did not arrive whole"
            time.sleep(0.05)
        equal(relay.find("deferred"), [])
    elif event == "deferred":
        assert found.next, found
        relay.wait("deferred", count=2, id=identity)
        equal(relay.find("bounced"), [])


@case
def a_deferred_message_arrives_once_the_fault_is_gone(lab):
    hop = SmtpSink(lab, "-r", ".")
    relay = lab.relay(lab.gateway("example.net", hop))
    relay.send("", "b@example.net")
    relay.wait("deferred")
    hop.close()
    hop.process = subprocess.Popen(
        ["smtp-sink", "-u", "nobody", "-d", hop.kept + "/m.", hop.address,
         "100"], stderr=subprocess.DEVNULL) if os.geteuid() == 0 else \
        subprocess.Popen(["smtp-sink", "-d", hop.kept + "/m.", hop.address,
                          "100"], stderr=subprocess.DEVNULL)
    event = relay.wait("delivered")
    assert int(event.delay.partition(".")[0].rstrip("s") or 0) >= 0
    has(event.to, "b@example.net")


@case
def a_dead_port_defers(lab):
    relay = lab.relay(lab.gateway("example.net",
                                  f"127.0.0.1:{free_port()}"))
    relay.send("", "b@example.net")
    event = relay.wait("deferred")
    assert re.match(r"4\.4\.", event.status), event


run(abreast=6)
