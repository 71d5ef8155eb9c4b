"""Name servers for the cases: a small signed internet on nsd, and servers
of our own with faults.

The internet has a root of its own (trust it by `root-anchor`), below it
`signed.` (signed), `unsigned.` (delegated without DS), `expired.` (its
signatures are from last year) and `stray.` (signed by a key that the root does
not name); and a `test.` of which the root knows nothing.
"""
import glob
import os
import socket
import struct
import subprocess
import threading
import time

from ports import free_port

PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"
ENVIRONMENT = dict(os.environ, PATH=PATH)
ALGORITHM = "ECDSAP256SHA256"
DAY = 86400

HEAD = """$ORIGIN {origin}
$TTL 300
@ IN SOA ns.nic. admin.nic. 1 3600 600 86400 300
@ IN NS ns.nic.
"""

ZONES = {
    "signed.": """
@           IN MX    0 .
a           IN A     192.0.2.1
a           IN AAAA  2001:db8::1
mx          IN MX    20 MX2.signed.
mx          IN MX    10 mx1.signed.
odd         IN MX    10 a\\.b.signed.
odd         IN MX    20 mx1.signed.
null        IN MX    0 .
mx1         IN A     192.0.2.11
mx2         IN A     192.0.2.12
alias       IN CNAME mx.signed.
outside     IN CNAME mx.unsigned.
txt         IN TXT   "v=one" " and two"
_25._tcp.mx1 IN TLSA 3 1 1 {digest}
many        IN MX    10 m0.signed.
{many}
""",
    "unsigned.": """
a           IN A     192.0.2.2
mx          IN MX    10 mx1.unsigned.
inside      IN CNAME mx.signed.
""",
    "expired.": "a IN A 192.0.2.3\nmx IN MX 10 a.expired.\n",
    "test.": "lab IN A 192.0.2.5\n",
    "stray.": "a IN A 192.0.2.4\nmx IN MX 10 a.stray.\n",
}
# Where resolvers look for the root, and where ours says that its servers are.
ROOT_SERVERS = (
    "198.41.0.4", "170.247.170.2", "192.33.4.12", "199.7.91.13",
    "192.203.230.10", "192.5.5.241", "192.112.36.4", "198.97.190.53",
    "192.36.148.17", "192.58.128.30", "193.0.14.129", "199.7.83.42",
    "202.12.27.33", "199.9.14.201")
NAME_SERVER = "192.0.2.53"
# The root delegates the first without a DS and does not know the second.
UNSIGNED = ("unsigned.", "test.")


def run(*command, folder):
    subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make_key(folder, zone):
    """The key's name; NAME.key and NAME.ds lie beside it."""
    before = set(glob.glob(folder + "/K*.ds"))
    run("ldns-keygen", "-k", "-a", ALGORITHM, zone, folder=folder)
    made = set(glob.glob(folder + "/K*.ds")) - before
    return made.pop()[:-len(".ds")]


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def ask(address, port, name, kind, timeout=1):
    """The answer's bytes to a plain question, or None."""
    question = b"".join(bytes([len(label)]) + label.encode()
                        for label in name.strip(".").split(".") if label)
    packet = struct.pack(">6H", 77, 0x0100, 1, 0, 0, 0) + question + \
        b"\0" + struct.pack(">2H", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.sendto(packet, (address, port))
        try:
            return client.recv(4096)
        except OSError:
            return None


class Zones:
    """The files of the signed internet; made once, served by many."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = {zone: make_key(folder, zone) for zone in ZONES}
        self.root_key = make_key(folder, ".")
        self.anchor = self.root_key + ".ds"
        for zone, text in ZONES.items():
            self.write_zone(zone, text)
        self.write_root()
        self.files = {zone: self.zone_file(zone) + ".signed"
                      for zone in ZONES}
        self.files["."] = self.zone_file("root") + ".signed"

    def ds_of(self, zone):
        return self.keys[zone] + ".ds"

    def zone_file(self, zone):
        return f"{self.folder}/zone{zone}"

    def write_zone(self, zone, text):
        path = self.zone_file(zone)
        many = "".join(f"many IN MX {n} m{n}.signed.\n" for n in range(1, 80))
        with open(path, "w", encoding="ascii") as file:
            file.write(HEAD.format(origin=zone) +
                       text.format(digest="ab" * 32, many=many))
        now = int(time.time())
        if zone == "expired.":
            times = ["-i", str(now - 400 * DAY), "-e", str(now - 365 * DAY)]
        else:
            times = ["-i", str(now - DAY), "-e", str(now + 30 * DAY)]
        if zone in UNSIGNED:
            os.rename(path, path + ".signed")
        else:
            run("ldns-signzone", *times, "-o", zone, path, self.keys[zone],
                folder=self.folder)

    def write_root(self):
        path = self.zone_file("root")
        text = HEAD.format(origin=".") + f"ns.nic. IN A {NAME_SERVER}\n"
        for zone in ZONES:
            if zone != "test.":
                text += f"{zone} IN NS ns.nic.\n"
        for zone in ("signed.", "expired."):
            text += read(self.ds_of(zone))
        # The root vouches for another key than the one that signs.
        stray = make_key(self.folder, "stray.")
        text += read(stray + ".ds")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        run("ldns-signzone", "-o", ".", path, self.root_key,
            folder=self.folder)

class Nsd:
    """Serves zone files, {"signed.": path}, on a free port of loopback, or
    on port 53 of the addresses given."""

    def __init__(self, folder, files, *addresses):
        self.address = addresses[0] if addresses else "127.0.0.1"
        self.port = 53 if addresses else free_port()
        self.server = f"{self.address}:{self.port}"
        lines = ["server:"]
        for address in addresses or [self.address]:
            lines.append(f"  ip-address: {address}@{self.port}")
        lines += [
            '  username: ""', '  chroot: ""', "  server-count: 1",
            f'  pidfile: "{folder}/nsd.pid"',
            f'  xfrdfile: "{folder}/xfrd.state"',
            f'  zonelistfile: "{folder}/zone.list"',
            f'  xfrdir: "{folder}"', '  database: ""',
            "remote-control:", "  control-enable: no",
        ]
        for zone, path in files.items():
            lines += ["zone:", f'  name: "{zone}"', f'  zonefile: "{path}"']
        conf = folder + "/nsd.conf"
        with open(conf, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        with open(folder + "/nsd.log", "wb") as log:
            self.process = subprocess.Popen(
                ["nsd", "-d", "-c", conf], env=ENVIRONMENT, stdout=log,
                stderr=log)
        end = time.monotonic() + 10
        while ask(self.address, self.port, next(iter(files)), 6, 0.2) is None:
            if time.monotonic() > end or self.process.poll() is not None:
                self.close()
                raise AssertionError("nsd does not answer:\n" +
                                     read(folder + "/nsd.log"))

    def close(self):
        self.process.terminate()
        self.process.wait()


class Server:
    """A UDP name server: answer(packet) gives the reply's bytes or None."""

    def __init__(self, answer, address="127.0.0.1", port=0):
        self.answer = answer
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.server = "%s:%d" % self.socket.getsockname()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            packet, client = self.socket.recvfrom(4096)
            if not packet:
                return
            self.asked.append(packet)
            reply = self.answer(packet)
            if reply is not None:
                self.socket.sendto(reply, client)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"", self.socket.getsockname())
        self.thread.join(5)
        self.socket.close()


def question_end(packet):
    at = 12
    while packet[at]:
        at += 1 + packet[at]
    return at + 5


def failing(code):
    """Answers everything with that rcode (2 SERVFAIL, 5 REFUSED)."""
    def answer(packet):
        flags = struct.pack(">H", 0x8180 | code)
        return packet[:2] + flags + packet[4:6] + bytes(6) + \
            packet[12:question_end(packet)]
    return Server(answer)


def silent():
    return Server(lambda packet: None)


def stripping(nsd, *where):
    """Forwards to nsd without EDNS, so that no signature comes
    back: what many a home router does."""
    def answer(packet):
        plain = packet[:10] + b"\0\0" + packet[12:question_end(packet)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.sendto(plain, (nsd.address, nsd.port))
            try:
                return client.recv(4096)
            except OSError:
                return None
    return Server(answer, *where)
