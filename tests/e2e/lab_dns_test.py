#!/usr/bin/env python3
# touches: tls
"""The lab's DNS: unbound and Postern see its answers as proven, and every
fault of it as what it is."""
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import time

import dnslab
import relay as relays
from harness import case, equal, has, need, run

STAGE = """lab "tuv" {{
    domains = {{ tuv.com, de.tuv.com, asia.tuv.com, partner.example }}
    dns = "127.0.0.1:0"
    store = "{store}"
{gateways}}}
"""

UNBOUND = """
server:
  interface: 127.0.0.1@{port}
  directory: "{folder}"
  username: ""
  chroot: ""
  pidfile: "{folder}/pid"
  use-syslog: no
  logfile: ""
  num-threads: 1
  do-not-query-localhost: no
  module-config: "validator iterator"
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  val-bogus-ttl: 0
  trust-anchor-file: "{anchor}"
remote-control:
  control-enable: no
{stubs}
"""


def start(lab, *gateways, more=""):
    """Gateways are (name, options); the lab's relay, its DNS as host:port."""
    text = "".join(f'    gateway "{name}" {{ listen = "127.0.0.1:0" {what} }}'
                   "\n" for name, what in gateways)
    here = lab.idle_relay(STAGE.format(store=lab.path("store"),
                                       gateways=text + more))
    here.command = "lab"
    here.start()
    here.dns = here.wait("dns").address
    here.anchor = lab.path("store") + "/dns-anchor.key"
    return here


class Digger:
    """dig at a port: rcode, flags, records of the answer."""

    def __init__(self, address, *words):
        host, _, port = address.rpartition(":")
        done = subprocess.run(
            ["dig", f"@{host}", "-p", port, "+tries=1", "+time=4", *words],
            stdout=subprocess.PIPE, text=True, timeout=30, check=False)
        self.text = done.stdout
        found = re.search(r"status: ([A-Z]+)", self.text)
        self.rcode = found[1] if found else "none"
        found = re.search(r"flags: ([a-z ]+);", self.text)
        self.flags = found[1].split() if found else []
        part = re.search(r"ANSWER SECTION:\n(.*?)\n\n", self.text, re.S)
        rows = [row.split(None, 4) for row in part[1].splitlines()] \
            if part else []
        self.records = sorted(f"{row[3]} {row[4]}" for row in rows
                              if row[3] != "RRSIG")

    @property
    def is_proven(self):
        return "ad" in self.flags


def validator(lab, here, *zones):
    """unbound, which trusts the lab's anchor; its address."""
    need("unbound", "dig")
    folder = lab.fresh_folder("unbound")
    port = dnslab.free_port()
    stubs = "".join(f'stub-zone:\n  name: "{zone}"\n  stub-addr: '
                    f'{here.dns.replace(":", "@")}\n' for zone in zones)
    with open(folder + "/conf", "w", encoding="utf-8") as file:
        file.write(UNBOUND.format(port=port, folder=folder, stubs=stubs,
                                  anchor=here.anchor))
    path = shutil.which("unbound", path=os.environ["PATH"] + ":/usr/sbin")
    process = subprocess.Popen([path, "-d", "-c", folder + "/conf"],
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)

    def stop():
        process.terminate()
        process.wait(10)

    lab.later(stop)
    end = time.monotonic() + 10
    while not dnslab.ask("127.0.0.1", port, dnslab.query("up.invalid")):
        assert process.poll() is None and time.monotonic() < end, "unbound"
    return f"127.0.0.1:{port}"


def postern(lab, here, body="", anchors=("tuv.com", "partner.example")):
    """A configuration that finds the lab."""
    text = (f'hostname = relay.example\nspool = "{lab.folder}/spool"\n'
            f'resolver = {{ "{here.dns}" }}\nmx-ignore = {{ 192.0.2.0/24 }}\n'
            f"mx-port = {here.port}\n")
    for zone in ("tuv.com", "partner.example"):
        anchor = f' anchor = "{here.anchor}"' if zone in anchors else ""
        text += f'zone "{zone}" {{ servers = {{ "{here.dns}" }}{anchor} }}\n'
    return lab.write("postern.conf", text + body)


@case
def unbound_proves_what_is_there_and_what_is_not(lab):
    leaf = lab.ca.leaf("lab-mx5", "mx5.de.tuv.com")
    here = start(lab, ("mx5.de.tuv.com",
                       f'chain = "{leaf.chain}" key = "{leaf.key}"'),
                 ("mx6.de.tuv.com", ""))
    asked = validator(lab, here, "tuv.com", "partner.example")
    pin = subprocess.run(
        f'openssl x509 -in "{leaf.chain}" -noout -pubkey | openssl pkey '
        "-pubin -outform DER | openssl sha256 -r", shell=True, text=True,
        stdout=subprocess.PIPE, check=True).stdout.split()[0].upper()
    mx = ["MX 10 mx5.de.tuv.com.", "MX 20 mx6.de.tuv.com."]
    for name, kind, rcode, records in (
            ("tuv.com", "MX", "NOERROR", mx),
            ("asia.tuv.com", "MX", "NOERROR", mx),
            ("partner.example", "MX", "NOERROR", mx),
            ("mx5.de.tuv.com", "A", "NOERROR", ["A 127.0.0.1"]),
            ("mx5.de.tuv.com", "AAAA", "NOERROR", []),
            ("nobody.tuv.com", "MX", "NXDOMAIN", []),
            ("_25._tcp.mx5.de.tuv.com", "TLSA", "NOERROR",
             [f"TLSA 3 1 1 {pin[:56]} {pin[56:]}"]),
            (f"_{here.port}._tcp.mx5.de.tuv.com", "TLSA", "NOERROR",
             [f"TLSA 3 1 1 {pin[:56]} {pin[56:]}"])):
        said = Digger(asked, kind, name)
        equal((said.rcode, said.is_proven, said.records),
              (rcode, True, records), f"{kind} {name}\n{said.text}")


@case
def postern_takes_them_for_proven(lab):
    leaf = lab.ca.leaf("lab-mx5", "mx5.de.tuv.com")
    here = start(lab, ("mx5.de.tuv.com",
                       f'chain = "{leaf.chain}" key = "{leaf.key}"'))
    # The host lies in another domain: unsigned DNS would be no proof of it.
    policy = lab.verified("partner.example", names=None)
    conf = postern(lab, here, policy)
    done = subprocess.run([relays.POSTERN, "explain", "-c", conf, "--json",
                           "b@partner.example"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False,
                          timeout=30)
    said = json.loads(done.stdout)
    equal(said["route"]["mx"]["dnssec"], "secure", done.stderr)
    equal(said["route"]["hosts"][0]["a"]["dnssec"], "secure")
    equal(said["route"]["hosts"][0]["names"], ["mx5.de.tuv.com"])
    zones = "".join(f'zone "{zone}" {{ servers = {{ "{here.dns}" }} anchor = '
                    f'"{here.anchor}" }}\n'
                    for zone in ("tuv.com", "partner.example"))
    relay = lab.relay(policy + zones, dnssec="auto", mx_port=here.port,
                      resolver=f'{{ "{here.dns}" }}',
                      mx_ignore='{ "192.0.2.0/24" }')
    relay.send("a@client.example", "b@partner.example")
    equal(relay.wait("judged").name, "mx5.de.tuv.com")
    relay.wait("delivered")


@case
def its_key_stays_from_one_start_to_the_next(lab):
    here = start(lab, ("mx5.de.tuv.com", ""))
    with open(here.anchor, encoding="ascii") as file:
        before = file.read()
    here.stop()
    here.start()
    with open(here.anchor, encoding="ascii") as file:
        equal(file.read(), before)
    equal(os.stat(lab.path("store") + "/dns.key").st_mode & 0o777, 0o600)


FAULTS = ("servfail", "nxdomain", "bogus-signature", "mx-to-cname",
          "tlsa-mismatch", "null-mx", "timeout")


@case
def every_fault_is_seen_as_what_it_is_called(lab):
    leaf = lab.ca.leaf("lab-mx5", "mx5.de.tuv.com")
    here = start(lab, ("mx5.de.tuv.com", ""), *(
        (f"{fault}.tuv.com", f"fault = {{ {fault} }} "
         f'chain = "{leaf.chain}" key = "{leaf.key}"') for fault in FAULTS),
        more="    fault = { sts-broken, "
             '"bogus-signature to de.tuv.com", '
             '"nxdomain to partner.example", "nxdomain to asia.tuv.com" }\n')
    asked = validator(lab, here, "tuv.com", "partner.example")
    wanted = [f"MX {10 * (i + 2)} {fault}.tuv.com."
              for i, fault in enumerate(FAULTS) if fault != "null-mx"]
    for name, kind, rcode, proven, records in (
            ("tuv.com", "MX", "NOERROR", True,
             sorted(["MX 0 .", "MX 10 mx5.de.tuv.com."] + wanted)),
            ("servfail.tuv.com", "A", "SERVFAIL", False, []),
            ("nxdomain.tuv.com", "A", "NXDOMAIN", True, []),
            ("bogus-signature.tuv.com", "A", "SERVFAIL", False, []),
            ("bogus-signature.tuv.com", "AAAA", "SERVFAIL", False, []),
            ("mx-to-cname.tuv.com", "A", "NOERROR", True,
             ["A 127.0.0.1", "CNAME alias-target.mx-to-cname.tuv.com."]),
            ("de.tuv.com", "MX", "SERVFAIL", False, []),
            ("asia.tuv.com", "MX", "NXDOMAIN", True, []),
            ("nobody.asia.tuv.com", "A", "NXDOMAIN", True, []),
            # An apex cannot be proven away: bogus for who validates.
            ("partner.example", "MX", "SERVFAIL", False, []),
            ("mta-sts.tuv.com", "A", "NOERROR", True, ["A 127.0.0.1"])):
        said = Digger(asked, kind, name)
        equal((said.rcode, said.is_proven, said.records),
              (rcode, proven, records), f"{kind} {name}\n{said.text}")
    tlsa = [Digger(asked, "TLSA", f"_25._tcp.{host}.tuv.com").records
            for host in ("tlsa-mismatch", "null-mx")]
    assert tlsa[0] != tlsa[1] and all(tlsa), tlsa
    # Who does not validate sees the bogus answer, too.
    said = Digger(here.dns, "A", "bogus-signature.tuv.com")
    equal((said.rcode, said.records), ("NOERROR", ["A 127.0.0.1"]))
    equal(Digger(here.dns, "MX", "partner.example").rcode, "NXDOMAIN")
    equal(Digger(here.dns, "A", "timeout.tuv.com", "+time=1").rcode, "none")
    has(Digger(asked, "TXT", "_mta-sts.tuv.com").records[0],
        "v=STSv1; id=")
    here.wait("asked", name="servfail.tuv.com", fault="servfail")


@case
def faults_have_limits_and_can_be_switched(lab):
    here = start(lab, ("mx5.de.tuv.com", 'fault = { "servfail first 2" }'))

    def ask():
        return Digger(here.dns, "A", "mx5.de.tuv.com").rcode

    def tell(*words):
        subprocess.run([os.environ["POSTERN_LAB"], words[0], "--store",
                        lab.path("store"), *words[1:]], check=True,
                       stdout=subprocess.DEVNULL, timeout=20)

    # What is asked of another name is no occasion.
    equal(Digger(here.dns, "MX", "tuv.com").rcode, "NOERROR")
    equal([ask() for _ in range(3)], ["SERVFAIL", "SERVFAIL", "NOERROR"])
    tell("set", "mx5.de.tuv.com", "nxdomain", "every", "2")
    equal([ask() for _ in range(4)], ["NOERROR", "NXDOMAIN"] * 2)
    tell("clear", "mx5.de.tuv.com")
    equal([ask() for _ in range(2)], ["NOERROR"] * 2)


def exchange(address, data, stream=False, timeout=5):
    host, _, port = address.rpartition(":")
    kind = socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
    with socket.socket(type=kind) as client:
        client.settimeout(timeout)
        client.connect((host, int(port)))
        client.sendall(data)
        return client.recv(65535)


@case
def nonsense_gets_formerr_or_nothing_and_tcp_is_bounded(lab):
    here = start(lab, ("mx5.de.tuv.com", ""))
    good = dnslab.query("tuv.com", 15)
    answer = exchange(here.dns, good)
    equal(answer[:2], good[:2])
    equal(answer[3] & 15, 0)
    equal(exchange(here.dns, good[:15])[3] & 15, 1)
    equal(exchange(here.dns, dnslab.query("example.net", 15))[3] & 15, 5)
    # No answer to an answer; the next question shows that one was dropped.
    host, _, port = here.dns.rpartition(":")
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((host, int(port)))
        client.send(good[:2] + b"\x80" + good[3:])
        client.send(b"\0")
        client.send(good)
        equal(client.recv(65535), answer)
    # Several questions at once, in pieces, over one connection.
    framed = struct.pack(">H", len(good)) + good
    with socket.create_connection((host, int(port)), 5) as client:
        client.sendall(framed[:1])
        time.sleep(0.05)
        client.sendall(framed[1:] + framed + framed)
        wanted = 3 * (len(answer) + 2)
        got = b""
        while len(got) < wanted:
            got += client.recv(65535)
        equal(got, 3 * (struct.pack(">H", len(answer)) + answer))
    # A question that is too long ends the connection.
    equal(exchange(here.dns, b"\xff\xff" + b"x" * 100, stream=True), b"")
    # Idle clients are let go for new ones.
    idle = [socket.create_connection((host, int(port)), 5)
            for _ in range(60)]
    equal(exchange(here.dns, framed, stream=True)[2:], answer)
    idle[0].settimeout(5)
    equal(idle[0].recv(1), b"")
    for one in idle:
        one.close()


run()
