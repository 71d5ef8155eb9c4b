"""The frame of the end-to-end cases.

    @case
    def a_message_arrives(lab):
        sink = lab.sink()
        relay = lab.relay(lab.gateway("example.net", sink))
        relay.send("a@client.example", "b@example.net")
        sink.wait_messages(1)

    run()

Each case gets a Lab: a folder, a CA and whatever it starts, all of which is
closed behind it; nothing may be left running and no sanitizer may have
spoken. Cases run ABREAST side by side, for most of their time is waiting. A
line `ok NAME` or `not ok NAME` is printed for each; names given on the command
line choose some of them.
"""
import concurrent.futures
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import traceback

import ca
import processes
import relay as relays
import sink as sinks

ABREAST = 4
CASES = []


class Skip(Exception):
    """The case cannot run here; the text says why."""


def case(function):
    CASES.append(function)
    return function


def case_for(*rows):
    """One case for each row, which is (title, argument, ...)."""
    def make(function):
        for title, *arguments in rows:
            def one(lab, arguments=arguments):
                function(lab, *arguments)
            one.__name__ = f"{function.__name__}: {title}"
            CASES.append(one)
        return function
    return make


def need(*programs):
    for program in programs:
        if not shutil.which(program, path=os.environ["PATH"] +
                            ":/usr/sbin:/sbin"):
            raise Skip(f"no {program} here")


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def equal(got, wanted, what=""):
    if got != wanted:
        raise AssertionError(f"{what}\n  got    {got!r}\n  wanted {wanted!r}")


def has(text, part, what=""):
    if part not in text:
        raise AssertionError(f"{what}: {part!r} is not in {text!r}")


class Shared:
    """Made once a run, by whoever needs it first."""

    def __init__(self):
        self.lock = threading.Lock()
        self.folder = tempfile.mkdtemp(prefix="lab-")
        # A relay that drops root has to read what lies in it.
        os.chmod(self.folder, 0o755)
        self.authority = None

    def ca(self):
        with self.lock:
            if self.authority is None:
                self.authority = ca.Authority(self.folder + "/ca")
            return self.authority

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Lab:
    """What one case uses."""

    def __init__(self, shared, name):
        self.shared = shared
        # Short: paths of UNIX sockets below it must not pass 107 bytes.
        word = re.sub(r"[^a-z0-9]+", "-", name.lower())[:12]
        self.folder = tempfile.mkdtemp(prefix=word + "-", dir=shared.folder)
        os.chmod(self.folder, 0o755)
        self.closing = []
        self.relays = []
        self.count = 0

    @property
    def ca(self):
        return self.shared.ca()

    def later(self, close):
        """Runs when the case is over; the last one first."""
        self.closing.append(close)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        mode = "wb" if isinstance(text, bytes) else "w"
        with open(self.path(name), mode) as file:
            file.write(text)
        return self.path(name)

    def fresh_folder(self, name):
        self.count += 1
        path = self.path(f"{name}-{self.count}")
        os.makedirs(path)
        return path

    def sink(self, sort=None, **options):
        """A next hop; `sort` names its certificate in ca.SORTS."""
        if sort is not None:
            options["certificate"] = self.ca.sort(sort)
        made = sinks.Sink(**options)
        self.later(made.close)
        return made

    @staticmethod
    def gateway(pattern, *hops, **options):
        """A policy's text; hops are sinks or "host:port"; an option that is
        None is left out."""
        options.setdefault("tls", "may")
        listed = ", ".join(
            f'"{hop}"' if isinstance(hop, str) else f'"{hop.address}"'
            for hop in hops)
        text = "".join(f"    {key.replace('_', '-')} = {value}\n"
                       for key, value in options.items()
                       if value is not None)
        if hops:
            text += f"    gateways = {{ {listed} }}\n"
        return f'policy "{pattern}" {{\n{text}}}\n'

    def verified(self, pattern, *hops, **options):
        """A policy in the words of the form: verify against our root."""
        options.setdefault("names", "{ mx5.de.tuv.com }")
        options.setdefault("trust", f'"{self.ca.trust}"')
        return self.gateway(pattern, *hops, tls="verify", **options)

    def idle_relay(self, body="", certificate=True, **options):
        """Configured, not started."""
        own = self.ca.leaf("relay", "relay.example") if certificate else None
        made = relays.Relay(self.fresh_folder("relay"), own)
        made.configure(body, **options)
        self.relays.append(made)
        self.later(made.stop)
        return made

    def relay(self, body="", **options):
        return self.idle_relay(body, **options).start()

    def close(self):
        trouble = []
        for close in reversed(self.closing):
            try:
                close()
            except Exception as why:
                trouble.append(str(why))
        return trouble

    def logs(self):
        return "\n".join(f"--- log of {os.path.basename(one.folder)}\n" +
                         one.tail() for one in self.relays)


class Runner:
    def __init__(self):
        self.shared = Shared()
        self.lock = threading.Lock()
        self.failed = 0
        self.skips = []

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def one(self, function):
        name = function.__name__.replace("_", " ")
        lab = Lab(self.shared, function.__name__)
        start = time.monotonic()
        trouble, skipped = "", None
        try:
            function(lab)
        except Skip as why:
            skipped = str(why)
        except BaseException:
            trouble = traceback.format_exc()
        logs = lab.logs()
        after = lab.close()
        if after:
            trouble += "\nwhile closing:\n" + "\n".join(after)
            logs = lab.logs()
        seconds = time.monotonic() - start
        with self.lock:
            self.failed += bool(trouble)
            if skipped and not trouble:
                self.skips.append(skipped)
        if trouble:
            self.say(f"not ok {name} ({seconds:.1f} s)\n" +
                     indent(trouble + "\n" + logs))
        elif skipped:
            self.say(f"skip {name}: {skipped}")
        else:
            self.say(f"ok {name} ({seconds:.1f} s)")
        if not os.environ.get("KEEP"):
            shutil.rmtree(lab.folder, ignore_errors=True)

    def all(self, wanted, abreast):
        processes.adopt_orphans()
        try:
            with concurrent.futures.ThreadPoolExecutor(abreast) as pool:
                list(pool.map(self.one, wanted))
            left = processes.wait_gone(processes.descendants(), 5)
            if left:
                names = [processes.command(pid) for pid in left]
                self.say(f"not ok nothing is left running: {names}")
                self.failed += 1
        finally:
            processes.kill(processes.descendants())
            self.shared.close()
        if self.failed:
            return 1
        if len(self.skips) == len(wanted):
            self.say(self.skips[0])
            return 77
        return 0


def indent(text):
    return "    " + text.rstrip().replace("\n", "\n    ")


def run(abreast=ABREAST):
    asked = sys.argv[1:]
    wanted = [one for one in CASES if not asked or any(
        word in one.__name__.replace("_", " ") for word in asked)]
    if not wanted:
        sys.exit(f"no case is called {asked}")
    sys.exit(Runner().all(wanted, abreast))
