"""A relay under test: its configuration, its process, its log."""
import os
import re
import signal
import smtplib
import subprocess
import threading
import time

import processes

POSTERN = os.environ.get("POSTERN", "build/postern")

# A defect that a sanitizer saw, in whatever process.
SANITIZER = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|"
                       r"runtime error:")
FIELD = re.compile(r'([a-z][a-z0-9-]*)=("[^"]*"|\S*)')
LINE = re.compile(r"\S+ (?:debug|info|notice|warning|error) +([a-z][a-z-]*)"
                  r"(?: |$)")


def unescape(value):
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda hit: chr(int(hit[1], 16)),
                  value)


class Event:
    """One line of the log: what happened as `event`, its keys as attributes
    (to -> .to, from -> .sender), "" when they do not stand there."""

    def __init__(self, line):
        self.line = line
        self.event = LINE.match(line)[1]
        self.fields = {key: unescape(value.strip('"'))
                       for key, value in FIELD.findall(line)}

    @property
    def proof(self):
        """What was proven of a next hop, as one line; "" in the clear."""
        if not self.tls:
            return ""
        is_verified = self.level == "verify" and self.verdict == "deliver"
        return (f"{self.tls} {self.cipher} "
                f"{'verified' if is_verified else 'unverified'} "
                f"name={self.name} issuer=\"{self.issuer}\" "
                f"pin={self.pin}")

    def __getattr__(self, key):
        key = {"sender": "from"}.get(key, key)
        return self.fields.get(key.replace("_", "-"), "")

    def __repr__(self):
        return self.line

    def fits(self, wanted):
        """Each wanted key: equal, or found by the pattern's search, or, with
        a function, what it says."""
        for key, value in wanted.items():
            said = getattr(self, key)
            if isinstance(value, re.Pattern):
                if not value.search(said):
                    return False
            elif callable(value):
                if not value(said):
                    return False
            elif said != str(value):
                return False
        return True


def configuration(folder, certificate, body, options):
    """The text of a configuration: what a case needs and nothing slow."""
    listen = options.pop("listen", '"127.0.0.1:0" { tls = may }')
    lines = {"hostname": "relay.example", "spool": f'"{folder}/spool"',
             "resolver": '{ "127.0.0.1:1" }', "dnssec": "off",
             "retry-first": "1s", "retry-max": "2s", "stop-limit": "5s"}
    lines.update((key.replace("_", "-"), value)
                 for key, value in options.items())
    text = "".join(f"{key} = {value}\n" for key, value in lines.items()
                   if value is not None)
    if certificate is not None:
        text += (f'certificate "relay" {{ chain = "{certificate.chain}" '
                 f'key = "{certificate.key}" }}\n')
    for one in [listen] if isinstance(listen, str) else listen:
        text += f"listen {one}\n"
    return text + body + "\n"


class Relay:
    """`postern serve` in a folder of its own. start() waits until it
    serves."""

    command = "serve"

    def __init__(self, folder, certificate=None):
        self.folder = folder
        self.certificate = certificate
        self.conf = os.path.join(folder, "postern.conf")
        self.spool = os.path.join(folder, "spool")
        self.process = None
        self.listeners = []
        self.events = []
        self.output = []        # every line, also those that are no event
        self.changed = threading.Condition()
        self.reader = None
        self.program = POSTERN
        self.wrapper = []       # words in front of the program: strace ...
        os.makedirs(self.spool, exist_ok=True)

    # The process.

    def configure(self, body, **options):
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(configuration(self.folder, self.certificate, body,
                                     options))

    def start(self, timeout=20):
        self.launch()
        self.wait("serving", timeout=timeout, since=self.mark)
        self.listeners = self.find("listening", self.mark)
        return self

    def launch(self):
        with self.changed:
            self.mark = len(self.events)
        self.process = subprocess.Popen(
            [*self.wrapper, self.program, self.command, "-c", self.conf],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True,
                                       args=(self.process.stderr,))
        self.reader.start()

    def read(self, stream):
        for data in stream:
            line = data.decode("utf-8", "replace").rstrip("\n")
            with self.changed:
                self.output.append(line)
                if LINE.match(line):
                    self.events.append(Event(line))
                self.changed.notify_all()
        stream.close()
        with self.changed:
            self.changed.notify_all()

    def stop(self, timeout=15):
        """SIGTERM; the exit status. Nothing may be left running."""
        if self.process is None:
            return None
        below = processes.descendants(self.process.pid)
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            processes.kill(processes.descendants(self.process.pid) +
                           [self.process.pid])
            self.process.wait()
            raise AssertionError(
                f"still running {timeout} s after SIGTERM") from None
        left = processes.wait_gone(below)
        names = [processes.command(pid) for pid in left]
        processes.kill(left)
        self.reader.join(10)
        self.process = None
        if left:
            raise AssertionError(f"left running after SIGTERM: {names}")
        self.check_output()
        return status

    def kill(self):
        """kill -9 of everything at once."""
        below = processes.descendants(self.process.pid)
        processes.kill([self.process.pid, *below])
        self.process.wait()
        left = processes.wait_gone(below)
        self.reader.join(10)
        self.process = None
        assert not left, f"left after SIGKILL: {left}"
        self.check_output()

    def check_output(self):
        with self.changed:
            bad = [number for number, line in enumerate(self.output)
                   if SANITIZER.search(line)]
            if bad:
                text = "\n".join(self.output[bad[0]:bad[0] + 60])
                raise AssertionError("a sanitizer's report:\n" + text)

    def children(self, kind):
        """The pids of "worker" or "resolver" processes."""
        return [pid for pid in processes.descendants(self.process.pid)
                if re.search(rf"\b{kind}\b", processes.command(pid))]

    # The log.

    def find(self, event, since=0, **wanted):
        with self.changed:
            return [one for one in self.events[since:]
                    if one.event == event and one.fits(wanted)]

    def wait(self, event, timeout=20, count=1, since=0, **wanted):
        """The count-th such event whose keys fit."""
        end = time.monotonic() + timeout
        while True:
            with self.changed:
                found = self.find(event, since, **wanted)
                if len(found) >= count:
                    return found[count - 1]
                left = end - time.monotonic()
                is_over = self.process is None or \
                    self.process.poll() is not None
                if left <= 0 or is_over and not self.reader.is_alive():
                    why = "it ended" if is_over else f"{timeout} s"
                    raise AssertionError(
                        f"no {event} {wanted or ''} ({why})")
                self.changed.wait(min(left, 0.5))

    def tail(self, lines=40):
        with self.changed:
            return "\n".join(self.output[-lines:])

    # The ways in.

    def listener(self, number=0):
        """(host, port)"""
        host, _, port = self.listeners[number].address.rpartition(":")
        return host, int(port)

    def listener_port(self, number=0):
        return self.listener(number)[1]

    @property
    def port(self):
        return self.listener_port()

    def smtp(self, number=0, **options):
        options.setdefault("local_hostname", "client.example")
        options.setdefault("timeout", 30)
        return smtplib.SMTP(*self.listener(number), **options)

    def send(self, sender, recipients, body=None, **options):
        """One message by smtplib; the id that the 250 named, "" if none."""
        if body is None:
            body = message(sender, recipients)
        if isinstance(recipients, str):
            recipients = [recipients]
        with self.smtp() as client:
            client.ehlo()
            code, text = client.mail(sender, options.get("mail", ()))
            assert code == 250, (code, text)
            for recipient in recipients:
                code, text = client.rcpt(recipient, options.get("rcpt", ()))
                assert code == 250, (code, text)
            code, text = client.data(body)
            assert code == 250, (code, text)
        found = self.identity(text.decode())
        return found

    @staticmethod
    def identity(reply):
        """The id in a 250 to the final dot."""
        found = re.search(r"\b([A-Za-z0-9]{26})\b", reply)
        assert found, f"no id in {reply!r}"
        return found[1]


def message(sender="a@client.example", recipients=("b@example.net",),
            subject="hello", text="Hello.\r\n", size=0):
    """A small message, filled up to `size` bytes."""
    if isinstance(recipients, str):
        recipients = [recipients]
    head = (f"From: <{sender}>\r\nTo: {', '.join(recipients)}\r\n"
            f"Subject: {subject}\r\nMIME-Version: 1.0\r\n"
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{text}").encode()
    line = b"0123456789abcdef" * 4 + b"\r\n"
    return head + line * (max(0, size - len(head)) // len(line))
