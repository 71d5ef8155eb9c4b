"""How mail shares the commits of the spool: fewer for each message the more
there is to do. Counted by the relay itself, as `postern status` shows it.
"""
import json
import subprocess

import parties
from cases import STUCK_SECONDS, Case
from parties import Load, Postern

CASES = []


def case(cls):
    CASES.append(cls)
    return cls


@case
class Commits(Case):
    """Of both stores together, with the removal of what was delivered."""

    name = "commits"
    title = "commits per relayed message of 4 KiB"
    unit = "commits/message"
    wanted = (("20 senders", "at most", 0.5, "1 sender"),
              ("200 senders", "at most", 0.5, "20 senders"))
    senders = {"1 sender": (1, 500), "20 senders": (20, 4000),
               "200 senders": (200, 8000)}

    def prepare(self):
        hop = self.keep(Load("sink"))
        relay = self.keep(Postern(self.folder("postern"), self.lab,
                                  {"plain.example": hop}))
        return {name: lambda run, order=order: self.run(relay, hop, run,
                                                        *order)
                for name, order in self.senders.items()}

    def commits(self, relay):
        done = subprocess.run(
            [parties.POSTERN, "status", "--json", "-c", relay.conf],
            check=True, stdin=subprocess.DEVNULL, capture_output=True)
        return sum(worker["commits"]
                   for worker in json.loads(done.stdout)["workers"])

    def run(self, relay, hop, run, sessions, count):
        before = self.commits(relay)
        hop.expect(run, count)
        parties.load("send", relay.ports["plain"], count, sessions, x=run,
                     a="recipient@plain.example")
        hop.wait(STUCK_SECONDS)
        hop.check()
        return {self.unit: (self.commits(relay) - before) / count,
                "messages": count}
