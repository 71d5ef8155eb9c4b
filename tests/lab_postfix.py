"""Postfix as the sender of the lab's matrix (tests/lab_matrix.py --postfix).

Each cell's domain has a transport of two next hops, the gateway with the
fault and one without, and a row in the policy table for each. Postfix asks
the system's DNS: faults of the DNS are not for it.
"""
import re
import smtplib

import postfix

import lab_matrix

LEVELS = {"none": "none", "may": "may", "encrypt": "encrypt",
          "verify": f"secure match={lab_matrix.NAME}"}
ENDED = re.compile(r": ([0-9A-F]{6,}): to=<[^>]*@([^>]+)>.*?"
                   r"dsn=([\d.]+), status=(\w+) (.*)")
TIMES = ("connect", "helo", "starttls", "mail", "rcpt", "data_init",
         "data_xfer", "data_done", "quit")


class Client:
    """The service that sends."""

    @staticmethod
    def text():
        return "smtp unix - - n - 200 smtp"


class Sender:
    def __init__(self, folder, stage):
        self.stage = stage
        self.way_in = postfix.Service(level="none")
        settings = {f"smtp_{one}_timeout": f"{lab_matrix.PATIENCE}s"
                    for one in TIMES}
        settings.update(self.tables(folder))
        self.postfix = postfix.Postfix(
            folder, Client, self.way_in, default_transport="discard",
            relay_transport="discard", smtp_tls_loglevel="1",
            smtp_tls_CAfile=stage.root, smtp_randomize_addresses="no",
            smtp_connection_cache_on_demand="no",
            smtp_address_preference="ipv4", minimal_backoff_time="1000s",
            maximal_backoff_time="1000s", default_process_limit="200",
            default_destination_rate_delay="0", **settings)

    def tables(self, folder):
        goods, first = self.stage.good, "127.0.0.1"
        transports, levels = [], []
        for cell in self.stage.cells:
            transports.append(
                f"{cell.domain} smtp:[{first}]:{cell.port}, "
                f"[{first}]:{goods[cell.level]}")
            levels.append(f"[{first}]:{cell.port} {LEVELS[cell.level]}")
        for level, port in goods.items():
            levels.append(f"[{first}]:{port} {LEVELS[level]}")
        for name, lines in (("transport", transports), ("levels", levels)):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))
        return {"transport_maps": f"texthash:{folder}/transport",
                "smtp_tls_policy_maps": f"texthash:{folder}/levels"}

    def send(self):
        with smtplib.SMTP(self.way_in.host, self.way_in.port,
                          local_hostname="client.example") as client:
            for cell in self.stage.cells:
                client.sendmail("a@client.example", "b@" + cell.domain,
                                "Subject: matrix\r\n\r\nHello.\r\n")

    def log(self):
        with open(self.postfix.log, encoding="utf-8") as file:
            return file.read()

    def ends(self):
        return {found[2]: found for found in ENDED.finditer(self.log())}

    def is_done(self):
        ended = self.ends()
        return all(cell.domain in ended for cell in self.stage.cells
                   if cell.wanted != "nothing")

    def judge(self):
        log, ends = self.log(), self.ends()
        came = {}
        for domain, gateway, is_tls in lab_matrix.arrivals(self.stage):
            came.setdefault(domain, []).append((gateway, is_tls))
        for cell in self.stage.cells:
            end = ends.get(cell.domain)
            if end is None:
                continue
            if end[4] != "sent":
                cell.outcome = f"{end[4]}: {end[3]} {end[5]}"
            elif f"{cell.level}.test" in [one for one, _ in
                                          came.get(cell.domain, [])]:
                cell.outcome = "next: " + " / ".join(
                    line.partition("]: ")[2] for line in log.splitlines()
                    if f":{cell.port}:" in line or f"{end[1]}: " in line)
            else:
                is_tls = came.get(cell.domain, [("", False)])[0][1]
                cell.outcome = "tls" if is_tls else "clear"

    def stop(self):
        try:
            self.postfix.close()
        except AssertionError:
            pass    # who still listens to an endless reply was killed
