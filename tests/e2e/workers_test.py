#!/usr/bin/env python3
"""Several workers on one listener, a stop in the middle of mail, and a log
that nobody reads."""
import os
import re
import subprocess
import time

import processes
import relay as relays
from client import Client
from harness import case, equal, run
from relay import message
from sink import Turns


def start(lab, **options):
    sink = lab.sink()
    return lab.relay(lab.gateway("*", sink), **options), sink


@case
def several_workers_share_the_load_and_the_listener(lab):
    relay, sink = start(lab, workers=3, max_sessions_per_client=300)
    equal(len(relay.children("worker")), 3)
    clients = [Client(relay.port) for _ in range(30)]
    for number, client in enumerate(clients):
        client.ehlo()
        equal(client.transact("a@client.example", [f"b{number}@example.net"],
                              message()).code, 250)
        client.close()
    sink.wait_messages(30, 30)
    folders = [name for name in os.listdir(relay.spool)
               if name.startswith("worker-")]
    equal(sorted(folders), ["worker-0", "worker-1", "worker-2"])


@case
def one_of_several_workers_may_die_under_load(lab):
    relay, sink = start(lab, workers=2)
    acknowledged = 0
    for number in range(40):
        if number == 10:
            processes.kill(relay.children("worker")[:1])
        try:
            relay.send("a@client.example", f"b{number}@example.net")
            acknowledged += 1
        except (OSError, AssertionError, relays.smtplib.SMTPException):
            pass
    assert acknowledged >= 36, acknowledged
    sink.wait(lambda: len({m.recipients[0] for m in sink.messages}) >=
              acknowledged)
    assert len({m.recipients[0] for m in sink.messages}) >= acknowledged


@case
def sigterm_during_a_delivery_loses_nothing(lab):
    sink = lab.sink(script={"dot": Turns(lambda *_: time.sleep(1))})
    relay = lab.relay(lab.gateway("*", sink), stop_limit="10s")
    relay.send("a@client.example", "b@example.net")
    sink.wait(lambda: sink.commands(verb="DATA"))
    equal(relay.stop(), 0)
    equal(len(sink.messages), 1, "the delivery was not finished")
    relay.start()
    time.sleep(1)
    equal(len(sink.messages), 1)


@case
def a_blocked_log_does_not_block_mail(lab):
    """The reader of the log stops; lines are dropped and counted."""
    sink = lab.sink()
    relay = lab.idle_relay(lab.gateway("*", sink), log_level="debug")
    ends = os.pipe()
    process = subprocess.Popen([relays.POSTERN, "serve", "-c", relay.conf],
                               stdin=subprocess.DEVNULL, stderr=ends[1])
    try:
        os.close(ends[1])
        text = b""
        while b" serving" not in text:
            text += os.read(ends[0], 4096)
        port = int(re.search(rb"address=127\.0\.0\.1:(\d+)", text)[1])
        with relays.smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            for number in range(600):
                client.sendmail("a@client.example",
                                [f"b{number}@example.net"], message())
        sink.wait_messages(600, 30)
    finally:
        os.close(ends[0])
        process.terminate()
        process.wait(15)


run()
