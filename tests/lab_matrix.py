#!/usr/bin/env python3
"""Every fault of the lab against every level of TLS: `make lab-matrix`.

    tests/lab_matrix.py [--only PATTERN] [--postfix] [--show]

One relay and one lab serve the whole matrix. Each cell has a domain of its
own, whose first gateway has the fault and whose second has none, and gets one
message; what became of it is compared with the table in docs/lab.md, which is
written by hand. --postfix lets Postfix send instead and compares with its
differences there, kinds only; --show prints what happened in that form.
"""
import argparse
import os
import pathlib
import re
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "tests/e2e"), str(TOP / "tests")]
os.environ.setdefault("POSTERN", str(TOP / "build/postern"))
os.environ.setdefault("POSTERN_LAB", str(TOP / "build/postern-lab"))

import relay as relays                                      # noqa: E402
from ports import free_port                                 # noqa: E402

LEVELS = ("none", "may", "encrypt", "verify")
NAME = "mx5.de.tuv.com"
ISSUER = "D-TRUST SSL Class 3 CA 1 2009"
PATIENCE = 4            # s, of each of the relay's timeouts
SECONDS_MAX = 90        # for all cells together


def read_table(title):
    """fault text: one wanted outcome for each level."""
    text = (TOP / "docs/lab.md").read_text(encoding="utf-8")
    part = text[text.index(f"\n## {title}\n"):]
    part = part[:part.find("\n## ", 5)]
    rows = {}
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) >= 5:
            rows[cells[0].replace("`", "")] = cells[1:5]
    return rows


def is_of_dns(fault, dns_faults):
    return fault.split()[0] in dns_faults


def dns_faults():
    text = (TOP / "docs/lab.md").read_text(encoding="utf-8")
    part = text[text.index("\n### DNS"):text.index("\n## Limits")]
    return set(re.findall(r"^\| `([a-z-]+)", part, re.MULTILINE))


def forgotten(rows):
    """Faults of the list that no row of the matrix has."""
    text = (TOP / "docs/lab.md").read_text(encoding="utf-8")
    part = text[text.index("\n## Faults"):text.index("\n## Limits")]
    named = {word for fault in rows for word in fault.split()}
    families = {"CODE-STEP": r"\d{3}-", "stall-STEP": "stall-",
                "close-STEP": "close-"}
    return [name for name in re.findall(r"^\| `([^` ]+)", part, re.MULTILINE)
            if not any(re.match(families.get(name, re.escape(name) + "$"),
                                word.strip(",")) for word in named)]


class Cell:
    def __init__(self, number, fault, level, wanted, in_dns):
        self.fault, self.level, self.wanted = fault, level, wanted
        self.in_dns = in_dns
        self.domain = f"c{number}.matrix.test"
        self.port = 0           # of the gateway with the fault
        self.id = None
        self.outcome = "nothing"

    def is_as_wanted(self, by_kind_only):
        kind, _, reason = self.wanted.partition(": ")
        got, _, why = self.outcome.partition(": ")
        return kind == got and (by_kind_only or reason.lower() in why.lower())


class Stage:
    """The lab: a gateway with the fault for each cell, one without."""

    def __init__(self, folder, cells):
        self.cells = cells
        self.process = relays.Relay(folder)
        self.net = f"127.{os.getpid() % 200 + 20}.{os.getpid() // 200 % 250}."
        self.port = free_port()
        self.store = folder + "/store"
        self.process.command = "lab"
        self.process.configure(self.text(folder),
                               max_sessions_per_client="10000",
                               max_sessions="10000")
        self.process.start()
        ports = {one.name: int(one.address.rpartition(":")[2])
                 for one in self.process.listeners}
        for number, cell in enumerate(cells):
            cell.port = ports.get(f"g{number}.test", 0)
        self.good = {level: ports[f"{level}.test"] for level in LEVELS}
        self.root = self.store + "/root.pem"

    def gateway(self, name, faults, listen="127.0.0.1:0"):
        text = ", ".join(f'"{fault}"' for fault in faults)
        return (f'  gateway "{name}" {{ listen = "{listen}" names = '
                f'{{ {NAME} }} fault = {{ {text} }} }}\n')

    def text(self, folder):
        plain = "".join(
            self.gateway(f"g{number}.test", cell.fault.split(", "))
            for number, cell in enumerate(self.cells) if not cell.in_dns)
        plain += "".join(self.gateway(f"{level}.test", [])
                         for level in LEVELS)
        text = (f'lab "plain" {{\n  store = "{self.store}"\n  ca = "{ISSUER}"\n'
                f'{plain}}}\n')
        in_dns = [cell for cell in self.cells if cell.in_dns]
        if not in_dns:
            return text
        faults = ", ".join(f'"{cell.fault} to *{cell.domain}"'
                           for cell in in_dns)
        domains = ", ".join(cell.domain for cell in in_dns)
        hosts = "".join(self.gateway(f"mx{number}.hosts.test", [],
                                     f"{self.net}{number}:{self.port}")
                        for number in (1, 2))
        return text + (f'lab "dns" {{\n  store = "{folder}/dns"\n'
                       f'  ca = "{ISSUER}"\n  dns = "{self.net}53:0"\n'
                       f'  domains = {{ hosts.test, matrix.test, '
                       f'{domains} }}\n'
                       f'  fault = {{ {faults} }}\n{hosts}}}\n')


class Relay:
    """Postern as the sender."""

    def __init__(self, folder, stage):
        self.stage = stage
        self.process = relays.Relay(folder)
        self.process.configure(
            self.text(folder), retry_first="300s", retry_max="300s",
            max_outbound="1000", message_size="35M", mx_port=stage.port,
            mx_ignore="{ }", dnssec="required" if self.zones else "off",
            connection_idle="0", relay_from="{ 127.0.0.0/8 }",
            **{f"timeout_{one}": f"{PATIENCE}s" for one in (
                "connect", "greeting", "starttls", "command", "data",
                "block", "dot")})
        self.process.start()

    def text(self, folder):
        stage = self.stage
        dns = stage.process.find("dns")
        self.zones = "".join(
            f'zone "{name}" {{ servers = {{ "{dns[0].address}" }} anchor = '
            f'"{pathlib.Path(stage.store).parent}/dns/dns-anchor.key" }}\n'
            for name in ("hosts.test", "matrix.test")) if dns else ""
        return self.zones + "".join(self.policy(cell) for cell in stage.cells)

    def policy(self, cell):
        hops = "" if cell.in_dns else (
            f'gateways = {{ "127.0.0.1:{cell.port}", '
            f'"127.0.0.1:{self.stage.good[cell.level]}" }}')
        trust = (f'names = {{ {NAME} }} issuer = "{ISSUER}" trust = '
                 f'"{self.trust(cell)}"') if cell.level == "verify" else ""
        return (f'policy "{cell.domain}" {{ tls = {cell.level} {hops} '
                f'{trust} }}\n')

    def trust(self, cell):
        folder = os.path.dirname(self.stage.store)
        return f"{folder}/{'dns' if cell.in_dns else 'store'}/root.pem"

    def send(self):
        for cell in self.stage.cells:
            cell.id = self.process.send("a@client.example",
                                        "b@" + cell.domain)

    def is_done(self):
        ended = {one.id for one in self.process.events
                 if one.event in ("delivered", "deferred", "bounced")}
        return all(cell.id in ended for cell in self.stage.cells)

    def judge(self):
        for cell in self.stage.cells:
            cell.outcome = self.outcome(cell)

    def outcome(self, cell):
        story = [one for one in list(self.process.events)
                 if one.id == cell.id]
        ends = [one for one in story
                if one.event in ("delivered", "deferred", "bounced")]
        if not ends:
            return "nothing"
        end = ends[0]
        if end.event != "delivered":
            return f"{end.event}: {end.status} {end.reason}"
        if not cell.in_dns and f":{self.stage.good[cell.level]}" in end.line:
            return "next: " + " / ".join(
                one.reason for one in list(self.process.events)
                if one.reason and f":{cell.port}" in one.line)
        return "tls" if end.tls else "clear"

    def stop(self):
        self.process.stop()


def arrivals(stage):
    """(recipient's domain, gateway, whether in TLS) of what arrived."""
    found = []
    for path in pathlib.Path(stage.store).parent.glob("*/new/*"):
        head = path.read_bytes()[:8000].decode("latin-1")
        fields = {name: re.findall(rf"^X-Lab-{name}: (.*?)\r?$", head,
                                   re.MULTILINE)
                  for name in ("To", "Gateway", "TLS")}
        found += [(re.search(r"@([^\s>]+)", to)[1], fields["Gateway"][0],
                   not fields["TLS"][0].startswith("none"))
                  for to in fields["To"]]
    return found


def run_all(sender, stage):
    start = time.monotonic()
    sender.send()
    while not sender.is_done() and time.monotonic() - start < SECONDS_MAX:
        time.sleep(0.2)
    sender.judge()
    return time.monotonic() - start


def report(stage, is_shown, by_kind_only):
    rows, bad = {}, 0
    for cell in stage.cells:
        rows.setdefault(cell.fault, []).append(cell)
        if not cell.is_as_wanted(by_kind_only):
            bad += 1
            print(f"not ok {cell.fault} at {cell.level}: wanted "
                  f"{cell.wanted}, got {cell.outcome}")
    if is_shown:
        for fault, cells in rows.items():
            print(f"| `{fault}` | " + " | ".join(
                cell.outcome[:300] for cell in cells) + " |")
    bare = {domain for domain, _, is_tls in arrivals(stage) if not is_tls}
    for cell in stage.cells:
        if cell.level in ("encrypt", "verify") and cell.domain in bare:
            bad += 1
            print(f"not ok {cell.fault} at {cell.level}: left in the clear")
    return bad


def fill(options):
    """A cell for each fault and level, with what is wanted of it."""
    rows, of_dns, cells = read_table("Matrix"), dns_faults(), []
    for fault in forgotten(rows):
        print(f"not ok {fault}: has no row in docs/lab.md")
    others = read_table("Postfix") if options.postfix else {}
    for fault, wanted in rows.items():
        is_dns = is_of_dns(fault, of_dns)
        if options.only in fault and not (is_dns and options.postfix):
            cells += [Cell(len(cells) + number, fault, level,
                           others.get(fault, wanted)[number], is_dns)
                      for number, level in enumerate(LEVELS)]
    return cells, bool(forgotten(rows))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--only", default="")
    options.add_argument("--show", action="store_true")
    options.add_argument("--postfix", action="store_true")
    options = options.parse_args()
    cells, is_incomplete = fill(options)
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        os.chmod(folder, 0o755)
        for name in ("lab", "sender"):
            os.mkdir(f"{folder}/{name}")
        stage = Stage(folder + "/lab", cells)
        sender = None
        try:
            if options.postfix:
                import lab_postfix
                sender = lab_postfix.Sender(folder + "/sender", stage)
            else:
                sender = Relay(folder + "/sender", stage)
            seconds = run_all(sender, stage)
            bad = report(stage, options.show, options.postfix)
        finally:
            if sender:
                sender.stop()
            stage.process.stop()
    print(f"{len(cells)} cells, {bad} not as written, {seconds:.1f} s")
    return 1 if bad or not cells or is_incomplete else 0


if __name__ == "__main__":
    sys.exit(main())
