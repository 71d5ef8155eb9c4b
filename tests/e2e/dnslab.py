"""DNS of our own: nsd with zones written by the case, and servers that spoil.

    zones = Zones(folder, {"example.net": "@ MX 10 mx\\nmx A 127.0.0.11"},
                  signed=("example.net",))

Owner names and targets are relative to the zone. A zone that is None is
configured, but its file is missing: SERVFAIL. For signed zones anchor(name)
is a file of DS records.
"""
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

import processes
from ports import free_port

HEAD = """$ORIGIN {origin}
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
"""

CONFIGURATION = """
server:
  ip-address: {host}@{port}
  username: ""
  database: ""
  zonesdir: "{folder}"
  pidfile: "{folder}/pid"
  xfrdfile: "{folder}/xfrd"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/list"
  logfile: "{folder}/log"
  server-count: 1
  ipv4-edns-size: 4096
  rrl-ratelimit: 0
remote-control:
  control-enable: no
"""


def tool(name, *words, folder):
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    done = subprocess.run([path, *words], cwd=folder, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError(f"{name} {words}: {done.stdout}")
    return done.stdout


class Zones:
    def __init__(self, folder, zones, signed=(), host="127.0.0.1",
                 expired=()):
        self.folder = folder
        self.host = host
        self.port = free_port()
        self.signed = signed
        self.names = tuple(zones)
        self.expired = expired
        text = CONFIGURATION.format(host=host, port=self.port, folder=folder)
        # Parents behind their children: a parent carries the child's DS.
        for name in sorted(zones, key=lambda name: -len(name)):
            text += f'zone:\n  name: "{name}"\n  zonefile: {self.file(name)}\n'
            if zones[name] is not None:
                self.write(name, zones[name])
        with open(folder + "/conf", "w", encoding="utf-8") as file:
            file.write(text)
        self.start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @staticmethod
    def file(name):
        return "root.zone" if name == "." else name + ".zone"

    def write(self, name, records):
        path = os.path.join(self.folder, self.file(name))
        origin = "." if name == "." else name + "."
        with open(path, "w", encoding="utf-8") as file:
            file.write(HEAD.format(origin=origin) + records + "\n")
            if name == ".":
                file.write(self.delegations())
        if name in self.signed:
            self.sign(name, path)

    def delegations(self):
        """What the root says of all the other zones."""
        text = ""
        for name in self.names:
            if name != ".":
                text += f"{name}. NS ns.{name}.\nns.{name}. A 127.0.0.1\n"
            if name in self.signed and name != ".":
                with open(self.anchor(name), encoding="utf-8") as file:
                    text += file.read() + "\n"
        return text

    def sign(self, name, path):
        key = tool("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", name,
                   folder=self.folder).strip()
        os.rename(f"{self.folder}/{key}.ds", self.anchor(name))
        dates = ["-i", "20200101", "-e", "20200201"] \
            if name in self.expired else []
        tool("ldns-signzone", "-n", "-o", name, *dates, "-f", path + ".new",
             path, key, folder=self.folder)
        os.rename(path + ".new", path)

    def anchor(self, name):
        return os.path.join(self.folder, self.file(name) + ".ds")

    def start(self):
        nsd = shutil.which("nsd", path=os.environ["PATH"] + ":/usr/sbin")
        self.process = subprocess.Popen(
            [nsd, "-d", "-c", self.folder + "/conf"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        question = query("ns.nowhere.invalid")
        while not ask(self.host, self.port, question):
            if self.process.poll() is not None or time.monotonic() > end:
                with open(self.folder + "/log", encoding="utf-8") as file:
                    raise AssertionError("nsd does not start: " + file.read())

    def close(self):
        below = processes.descendants(self.process.pid)
        self.process.terminate()
        self.process.wait(10)
        processes.kill(processes.wait_gone(below, 3))


def query(name, kind=1):
    labels = b"".join(bytes([len(part)]) + part.encode()
                      for part in name.split(".") if part)
    return struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + \
        struct.pack(">BHH", 0, kind, 1)


def ask(host, port, packet, timeout=0.2):
    with socket.socket(type=socket.SOCK_DGRAM) as question:
        question.settimeout(timeout)
        try:
            question.sendto(packet, (host, port))
            return question.recv(65535)
        except OSError:
            time.sleep(0.02)
            return None


class Spoiler:
    """A server on UDP that answers as `answer(packet)` says; None is
    silence. `asked` counts."""

    def __init__(self, answer, host="127.0.0.1"):
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host, self.port = host, self.socket.getsockname()[1]
        self.answer = answer
        self.asked = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.is_open = True
        self.thread.start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def run(self):
        while self.is_open:
            try:
                packet, peer = self.socket.recvfrom(65535)
            except OSError:
                return
            self.asked += 1
            answer = self.answer(packet)
            if answer and self.is_open:
                self.socket.sendto(answer, peer)

    def close(self):
        self.is_open = False
        # Wakes the thread, which a close alone would not.
        with socket.socket(type=socket.SOCK_DGRAM) as end:
            end.sendto(b"", (self.host, self.port))
        self.thread.join(5)
        self.socket.close()


def silence(_packet):
    return None


def failing(rcode):
    """Answers everything with that code: 2 SERVFAIL, 5 REFUSED."""
    def answer(packet):
        if len(packet) < 12:
            return None
        end = packet.index(0, 12) + 5
        return packet[:2] + struct.pack(">5H", 0x8180 | rcode, 1, 0, 0, 0) + \
            packet[12:end]
    return answer


def stripping(zones):
    """Passes questions on without asking for signatures, and answers for
    keys and signatures with nothing, as an old forwarder does."""
    def answer(packet):
        if len(packet) < 12:
            return None
        end = packet.index(0, 12) + 5
        kind = struct.unpack(">H", packet[end - 4:end - 2])[0]
        if kind in (43, 46, 47, 48, 50):
            return packet[:2] + struct.pack(">5H", 0x8180, 1, 0, 0, 0) + \
                packet[12:end]
        bare = packet[:10] + b"\0\0" + packet[12:end]
        reply = ask(zones.host, zones.port, bare, 2)
        # Recursion available, no authority: what a forwarder says.
        return reply and reply[:2] + bytes(
            [reply[2] & ~4, reply[3] | 0x80]) + reply[4:]
    return answer
