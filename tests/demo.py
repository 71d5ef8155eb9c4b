#!/usr/bin/env python3
"""`make demo`: one partner, two gateways, and what verified TLS means.

Everything runs on loopback and as whoever calls it: a lab that plays the
gateways mx5 and mx6.de.tuv.com with certificates made on the spot, a relay
whose policy uses the words of the partner's form, and curl as the sender. All
lines that are shown come from the log of the relay. Exit status 0 only if
each step went as it is told.
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "e2e"))
sys.dont_write_bytecode = True

import ca                                               # noqa: E402
import dnslab                                           # noqa: E402
import processes                                        # noqa: E402
import relay as relays                                  # noqa: E402
from ports import free_port                               # noqa: E402

NAMES = ("mx5.de.tuv.com", "mx6.de.tuv.com")
# Where the gateways are found, and where the lab plays them behind a wire
# that is listened to.
FRONT = {"mx5.de.tuv.com": "127.0.5.5", "mx6.de.tuv.com": "127.0.5.6"}
BEHIND = {"mx5.de.tuv.com": "127.0.6.5", "mx6.de.tuv.com": "127.0.6.6"}
WAIT = 10

POLICY = """policy "*.tuv.com" {{
    tls      = verify
    gateways = {{ mx5.de.tuv.com:{port}, mx6.de.tuv.com:{port} }}
    names    = {{ mx5.de.tuv.com }}
    issuer   = "D-TRUST SSL Class 3 CA 1 2009"
    trust    = lab-root.pem
}}
"""

REST = """
hostname        = relay.example.org
spool           = spool
certificate "relay" {{ chain = relay.pem  key = relay.key }}
listen "127.0.0.1:0" {{ tls = may }}
zone "tuv.com" {{ servers = {{ "{dns}" }} }}
retry-first     = 1s
retry-max       = 2s
connection-idle = 1s
dnssec          = off
"""

MAIL = """From: Quality Desk <desk@example.org>\r
To: Anna <anna@de.tuv.com>\r
Subject: {subject}\r
\r
This must not be read on its way.\r
"""


class Failed(Exception):
    """A step did not go as it should."""


def say(station, text):
    print(f"  {station:<12} {text}", flush=True)


class Tap:
    """A wire to a gateway that is listened to: passes bytes both ways and
    keeps what the relay said before its first TLS record, and how many
    bytes it sent inside TLS."""

    def __init__(self, front, behind, port):
        self.target = (behind, port)
        self.clear = []         # plaintext of each connection
        self.ends = []
        self.listener = socket.create_server((front, port))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.target, 5)
            except OSError:
                near.close()
                continue
            self.ends += [near, far]
            said = bytearray()
            self.clear.append(said)
            for pair in ((near, far, said), (far, near, None)):
                threading.Thread(target=self.pass_on, args=pair,
                                 daemon=True).start()

    @staticmethod
    def pass_on(source, target, said):
        is_clear = said is not None
        try:
            while data := source.recv(65536):
                if is_clear:
                    # A TLS handshake record begins with 0x16, which no
                    # SMTP command does.
                    is_clear = data[0] != 0x16
                    said += data if is_clear else b""
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def commands(self):
        """All that was said in the clear, as lines."""
        return [line for said in self.clear
                for line in said.decode("latin-1").splitlines()]

    def close(self):
        self.listener.close()
        for end in self.ends:
            end.close()


def addresses(packet):
    """Answers for the names of the gateways, as the partner's DNS would."""
    if len(packet) < 12:
        return None
    end = packet.index(0, 12) + 5
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    address = FRONT.get(".".join(labels).lower())
    is_known = address and packet[end - 4:end - 2] == b"\0\x01"
    head = packet[:2] + b"\x84\0\0\1" + \
        (b"\0\1" if is_known else b"\0\0") + bytes(4) + packet[12:end]
    if is_known:
        head += b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\4" + socket.inet_aton(address)
    return head


class Gateways(relays.Relay):
    """`postern lab`: mx5 and mx6, each with the certificate it is given."""

    command = "lab"

    def play(self, port, **certificates):
        if self.process:
            self.stop()
        text = f'hostname = lab.example\nlab "tuv" {{\n  store = "{self.folder}/store"\n'
        for name in NAMES:
            mine = certificates[name[:3]]
            text += (f'  gateway "{name}" {{ listen = "{BEHIND[name]}:{port}"'
                     f'\n    chain = "{mine.chain}" key = "{mine.key}" }}\n')
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(text + "}\n")
        self.launch()
        self.wait("listening", count=2, timeout=WAIT, since=self.mark)

    def files(self):
        return sorted(pathlib.Path(self.folder, "store", "new").glob("*"))


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.closing = []
        self.authority = ca.Authority(folder + "/ca")
        self.good = self.authority.sort("good")
        self.wrong = self.authority.sort("wrong-name")
        self.port = free_port()
        dns = dnslab.Spoiler(addresses)
        self.closing.append(dns.close)
        self.taps = [Tap(FRONT[name], BEHIND[name], self.port)
                     for name in NAMES]
        self.closing += [tap.close for tap in self.taps]
        self.lab = Gateways(folder + "/lab")
        self.closing.append(self.lab.stop)
        self.relay = self.configure_relay(dns)
        self.closing.append(self.relay.stop)

    def configure_relay(self, dns):
        made = relays.Relay(self.folder + "/relay")
        own = self.authority.leaf("relay", "relay.example.org")
        shutil.copy(own.chain, made.folder + "/relay.pem")
        shutil.copy(own.key, made.folder + "/relay.key")
        shutil.copy(self.authority.trust, made.folder + "/lab-root.pem")
        with open(made.conf, "w", encoding="utf-8") as file:
            file.write(POLICY.format(port=self.port) +
                       REST.format(dns=dns.address))
        return made

    # Steps.

    def send(self, subject, *words):
        """By curl; returns the relay's `accepted` event."""
        mark = len(self.relay.events)
        port = self.relay.port
        done = subprocess.run(
            ["curl", "-sS", "--url", f"smtp://relay.example.org:{port}",
             "--resolve", f"relay.example.org:{port}:127.0.0.1", "--cacert",
             self.authority.trust, "--mail-from", "desk@example.org",
             "--mail-rcpt", "anna@de.tuv.com", "--upload-file", "-", *words],
            input=MAIL.format(subject=subject).encode(), check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT)
        if done.returncode:
            raise Failed("curl: " + done.stdout.decode())
        event = self.relay.wait("accepted", since=mark, timeout=WAIT)
        how = f"in {event.tls}, {event.cipher}" if event.tls else \
            "without TLS (the sender did not ask for it)"
        say("accepted", f"{event.id} from {event.sender}, "
            f"{event.size} bytes, {how}")
        say("durable", f"its text lies in {self.spooled(subject)}, synced "
            "before curl was told 250")
        return event, mark

    def spooled(self, subject, where="fresh"):
        """The spool's file in which the message is found: fresh for what was
        never deferred, held for what waits."""
        top = pathlib.Path(self.relay.folder)
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            for path in top.glob(f"spool/*/{where}/data.mdb"):
                if subject.encode() in path.read_bytes():
                    return path.relative_to(top)
            time.sleep(0.02)
        raise Failed("accepted, but not found in the spool")

    def judged(self, event):
        if event.verdict == "deliver":
            say("certificate", f"{event.host}: good")
            say("", f"why it holds: {event.reason}")
        else:
            say("certificate", f"{event.host}: not accepted, the next host "
                "is tried")
            say("", f"why not: {event.reason}")

    def arrived(self, subject, event):
        """The file that the lab wrote, which must be what was sent."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            for path in self.lab.files():
                text = path.read_bytes()
                if subject.encode() in text:
                    if MAIL.partition("\r\n\r\n")[2].encode().strip() \
                            not in text:
                        raise Failed(f"{path} is not what was sent")
                    say("file", str(path))
                    return
            time.sleep(0.05)
        raise Failed(f"{event.id} was delivered, but lies nowhere")

    def show_attempt(self, since, identity):
        event = self.relay.wait("attempt", since=since, id=identity,
                                timeout=WAIT)
        say("attempt", f"to {event.host} (lane {event.lane})")

    def delivered(self, identity, host, since):
        event = self.relay.wait("delivered", since=since, id=identity,
                                timeout=WAIT)
        said = set()
        for one in self.relay.find("judged", since):
            # Retries may have met the same before the change.
            if (one.host, one.reason) not in said:
                self.judged(one)
            said.add((one.host, one.reason))
        if not event.host.startswith(host):
            raise Failed(f"delivered to {event.host}, not {host}")
        if not event.proof:
            raise Failed("delivered without a proof of TLS")
        say("delivered", f"to {event.host}: {event.reason}")
        say("", "proof: " + re.sub(r"([0-9a-f]{12})[0-9a-f]{52}", r"\1...",
                                   event.proof))
        return event

    def first(self):
        print("\n1. Both gateways present the certificate that was agreed.")
        event, since = self.send("Report one")
        self.show_attempt(since, event.id)
        self.delivered(event.id, "mx5.", since)
        self.arrived("Report one", event)

    def second(self):
        print("\n2. mx5 now presents a certificate for another name.")
        self.lab.play(self.port, mx5=self.wrong, mx6=self.good)
        event, since = self.send("Report two", "--ssl-reqd")
        self.show_attempt(since, event.id)
        self.delivered(event.id, "mx6.", since)
        if not self.relay.find("judged", since, verdict="next-host"):
            raise Failed("nobody judged mx5")
        self.arrived("Report two", event)

    def third(self):
        print("\n3. Now mx6 does so, too.")
        self.lab.play(self.port, mx5=self.wrong, mx6=self.wrong)
        before = len(self.lab.files())
        event, since = self.send("Report three", "--ssl-reqd")
        self.show_attempt(since, event.id)
        deferred = self.relay.wait("deferred", since=since, id=event.id,
                                   timeout=WAIT)
        for one in self.relay.find("judged", since)[:2]:
            self.judged(one)
        say("deferred", f"{deferred.status} {deferred.reason}")
        say("", f"waits in {self.spooled('Report three', 'held')}; next "
            f"attempt in {deferred.next} s")
        self.nothing_in_the_clear()
        if len(self.lab.files()) != before or \
                self.relay.find("delivered", since):
            raise Failed("something was delivered all the same")
        say("lab", "received no message")
        return event

    def nothing_in_the_clear(self):
        said = [line for tap in self.taps for line in tap.commands()]
        words = sorted({line.split(" ")[0].upper() for line in said})
        if any(word not in ("EHLO", "STARTTLS", "QUIT") for word in words):
            raise Failed(f"in the clear: {said}")
        count = sum(len(tap.clear) for tap in self.taps)
        say("wire", f"{count} connections so far; in the clear went only: " +
            ", ".join(words))

    def fourth(self, event):
        print("\n4. The good certificates return; the relay tries by itself.")
        since = len(self.relay.events)
        self.lab.play(self.port, mx5=self.good, mx6=self.good)
        self.delivered(event.id, "mx", since)
        self.arrived("Report three", event)
        self.nothing_in_the_clear()

    def run(self):
        print("A partner's form says: mail to *.tuv.com only over TLS, and "
              "only to a gateway\nwhose certificate bears the agreed name "
              "from the agreed CA. As a policy:\n")
        print("    " + POLICY.format(port=self.port).rstrip()
              .replace("\n", "\n    "))
        print("\n`postern lab` plays the gateways at 127.0.5.5 and 127.0.5.6, "
              "behind a wire that\nis listened to. A port above 1024 stands "
              "for 25, so that no root is needed; the\nCA and the DNS that "
              "knows their names were made on the spot.")
        self.lab.play(self.port, mx5=self.good, mx6=self.good)
        self.relay.start()
        self.first()
        self.second()
        self.fourth(self.third())
        print("\nDone: three messages, none lost, none in the clear.")

    def close(self):
        for close in reversed(self.closing):
            try:
                close()
            except AssertionError as why:
                print(f"while closing: {why}", file=sys.stderr)


def stop(_number, _frame):
    raise KeyboardInterrupt


def main():
    signal.signal(signal.SIGTERM, stop)
    processes.adopt_orphans()
    folder = tempfile.mkdtemp(prefix="postern-demo-")
    demo = None
    begin = time.monotonic()
    try:
        demo = Demo(folder)
        demo.run()
        demo.close()
        left = processes.wait_gone(processes.descendants(), 5)
        if left:
            raise Failed(f"left running: {left}")
        print(f"({time.monotonic() - begin:.1f} s)")
        return 0
    except (Failed, AssertionError) as why:
        print(f"\nThe demo failed: {why}", file=sys.stderr)
        if demo:
            print("--- the lab's log\n" + demo.lab.tail(15) +
                  "\n--- the relay's log\n" + demo.relay.tail(30),
                  file=sys.stderr)
            demo.close()
        return 1
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    finally:
        processes.kill(processes.descendants())
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
