"""What takes part in a benchmark: Postfix and Postern as relays, smtp-sink
and our own sink as next hops, and what drives them.

Every party is a process below ours in a folder of its own. What it used is
read from /proc: `cpu(pid)` and `memory(pid)` count a whole tree of processes.
"""
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import threading
import time

import processes
import relay as relays

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
POSTERN = os.environ.get("POSTERN", TOP + "/build/postern")
SMALL = os.environ.get("SMALL", TOP + "/build/small/postern")
LOAD = os.environ.get("LOAD", TOP + "/build/load")
DAEMONS = "/usr/lib/postfix/sbin"
TICK = os.sysconf("SC_CLK_TCK")
# Whose next hop takes all in the clear.
CLEAR = ("plain.example", "checked.example")
GATEWAY = "mx5.de.tuv.com"      # the name that the TLS sinks' certificate bears


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_port(port, process, what, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{what} does not start") from None
            time.sleep(0.005)


def tree(pid):
    return [pid, *processes.descendants(pid)]


def cpu(pid):
    """Seconds of CPU time of a tree, with those that it has reaped."""
    total = 0
    for one in tree(pid) if pid else ():
        try:
            with open(f"/proc/{one}/stat", encoding="latin-1") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICK


class Spent:
    """What a block took of the processors: `seconds` of all that runs below
    us (source, relay and sink), and the per cent of the machine that others
    took meanwhile."""

    def __enter__(self):
        self.began = self.now()
        return self

    def __exit__(self, *_):
        wall, busy, below, ourselves = (
            end - begin for end, begin in zip(self.now(), self.began))
        self.seconds = below
        others = (busy - below - ourselves) / (wall * os.cpu_count())
        self.others = 100 * min(max(0.0, others), 1.0)

    @staticmethod
    def now():
        with open("/proc/stat", encoding="ascii") as file:
            fields = [int(word) for word in file.readline().split()[1:9]]
        ourselves = time.process_time()
        return (time.monotonic(), (sum(fields) - fields[3] - fields[4]) / TICK,
                cpu(os.getpid()) - ourselves, ourselves)


def memory(pid):
    """Bytes of a tree: PSS without what is mapped from a store."""
    total = 0
    for one in tree(pid):
        counts = True
        try:
            with open(f"/proc/{one}/smaps", encoding="utf-8",
                      errors="replace") as file:
                for line in file:
                    words = line.split()
                    if "-" in words[0] and not words[0].endswith(":"):
                        counts = not line.rstrip().endswith("data.mdb")
                    elif words[0] == "Pss:" and counts:
                        total += int(words[1]) * 1024
        except OSError:
            continue
    return total


def status_field(pid, field):
    try:
        with open(f"/proc/{pid}/status", encoding="latin-1") as file:
            return int(re.search(rf"^{field}:\s+(\d+)", file.read(),
                                 re.MULTILINE)[1]) * 1024
    except (OSError, TypeError):
        return 0


def anonymous(pid):
    return sum(status_field(one, "RssAnon") for one in tree(pid))


class Watch:
    """The highest of a figure while a block runs."""

    def __init__(self, figure, every=0.01):
        self.figure, self.every = figure, every
        self.most = self.first = figure()
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.ends.wait(self.every):
            self.most = max(self.most, self.figure())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        self.most = max(self.most, self.figure())

    @property
    def growth(self):
        return self.most - self.first


class Disk:
    """A file system of its own on a loop device, so that what others write is
    not counted; where that is not to be had, None from make()."""

    @classmethod
    def make(cls, folder, megabytes=512):
        os.makedirs(folder)
        image = folder + ".img"
        made = cls()
        made.folder, made.image, made.device = folder, image, None
        try:
            # Written whole: a hole that is filled would be a change of the
            # file system below.
            with open(image, "wb") as file:
                for _ in range(megabytes):
                    file.write(b"\0" * (1 << 20))
            made.device = subprocess.run(
                ["losetup", "-f", "--show", image], check=True,
                capture_output=True, text=True).stdout.strip()
            subprocess.run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,"
                            "lazy_journal_init=0", made.device], check=True,
                           capture_output=True)
            subprocess.run(["mount", made.device, folder], check=True,
                           capture_output=True)
            os.chmod(folder, 0o755)
            return made
        except (OSError, subprocess.CalledProcessError):
            made.close()
            return None

    def written(self):
        """Bytes that the device was given."""
        name = os.path.basename(self.device)
        with open(f"/sys/block/{name}/stat", encoding="ascii") as file:
            return int(file.read().split()[6]) * 512

    def unmount(self):
        """Whoever still ends there is waited for; else it goes with them."""
        for options in [[]] * 50 + [["--lazy"]]:
            done = subprocess.run(["umount", *options, self.folder],
                                  check=False, capture_output=True)
            if done.returncode == 0 or not os.path.ismount(self.folder):
                return
            time.sleep(0.1)

    def close(self):
        if self.device:
            self.unmount()
            subprocess.run(["losetup", "-d", self.device], check=False,
                           capture_output=True)
        if os.path.exists(self.image):
            os.unlink(self.image)


# --- next hops ----------------------------------------------------------

class SmtpSink:
    """Postfix's smtp-sink, which counts and looks at nothing."""

    def __init__(self, folder):
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.counter = os.path.join(folder, f"smtp-sink-{self.port}")
        who = ["-u", "nobody"] if os.geteuid() == 0 else []
        with open(self.counter, "wb") as out:
            self.process = subprocess.Popen(
                ["smtp-sink", *who, "-c", self.address, "1000"],
                stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.DEVNULL)
        wait_port(self.port, self.process, "smtp-sink")

    def count(self):
        with open(self.counter, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 80))
            found = re.findall(rb"mesg=(\d+)", file.read())
        return int(found[-1]) if found else 0

    def expect(self, run, count):
        self.goal = self.count() + count

    def wait(self, seconds):
        """When the last one was answered, in s of CLOCK_MONOTONIC."""
        end = time.monotonic() + seconds
        while self.count() < self.goal:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.goal - self.count()} messages "
                                   "did not reach smtp-sink")
            time.sleep(0.003)
        return time.monotonic()

    def check(self):
        if self.count() != self.goal:
            raise RuntimeError(f"{self.count() - self.goal} messages too many "
                               "reached smtp-sink")
        return {}

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class Load:
    """A mode of the load generator that serves: sink or echo."""

    def __init__(self, mode, tls="none", certificate=None):
        words = [LOAD, mode, "-t", tls]
        if certificate:
            words += ["-c", certificate.chain, "-k", certificate.key]
        self.process = subprocess.Popen(
            [*words, "127.0.0.1:0"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        self.address = f"127.0.0.1:{self.port}"

    def order(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def expect(self, run, count):
        self.count = count
        self.order(f"expect {run} {count}")

    def wait(self, seconds):
        killer = threading.Timer(seconds, self.process.kill)
        killer.start()
        line = self.process.stdout.readline()
        killer.cancel()
        if not line.startswith("done"):
            raise RuntimeError("messages did not reach the sink in time")
        return int(line.split()[1]) / 1e9

    def check(self):
        self.order("report")
        report = json.loads(self.process.stdout.readline())
        wrong = {key: report[key]
                 for key in ("repeated", "damaged", "strange") if report[key]}
        if wrong or report["taken"] != self.count:
            raise RuntimeError(f"the sink reports {report}")
        return report

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


# --- relays -------------------------------------------------------------

MASTER = """\
{port} inet n - n - - smtpd
{ec_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_chain_files={ec.key},{ec.chain}
{rsa_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_chain_files={rsa.key},{rsa.chain}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
  -o smtp_tls_security_level=none
smtp-warm unix - - n - - smtp
  -o smtp_tls_security_level=verify -o smtp_tls_connection_reuse=yes
  -o smtp_connection_cache_on_demand=yes
  -o smtp_connection_cache_destinations=static:all
smtp-new unix - - n - - smtp
  -o smtp_tls_security_level=verify
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsproxy unix - - n - 0 tlsproxy
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""

# As a busy relay would be set up: no pause between taking and giving, as many
# processes and deliveries to a host as help, processes that serve long, and
# no address rewriting, which a relay does not need.
MAIN = {
    "compatibility_level": "3.6",
    "myhostname": "postfix.example",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "local_recipient_maps": "",
    "alias_maps": "",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "disable_dns_lookups": "yes",
    "smtpd_peername_lookup": "no",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "local_header_rewrite_clients": "",
    "message_size_limit": "104857600",
    "default_process_limit": "200",
    "default_destination_concurrency_limit": "100",
    "initial_destination_concurrency": "20",
    "in_flow_delay": "0",
    "max_use": "10000",
    # What tlsproxy reads to be ready; the transports have their own.
    "smtp_tls_security_level": "may",
    "smtp_tls_verify_cert_match": GATEWAY,
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
}


class Postfix:
    """All the roles at once: a port in the clear, one with TLS from the first
    byte for each certificate, a transport for each kind of next hop."""

    name = "postfix"

    def __init__(self, folder, lab, hops):
        self.folder = folder
        for path in ("etc", "queue", "data"):
            os.makedirs(os.path.join(folder, path))
        who = pwd.getpwnam("postfix")
        os.chown(folder + "/data", who.pw_uid, who.pw_gid)
        self.ports = {kind: free_port() for kind in ("plain", "ec", "rsa")}
        transports = {"warm.example": "smtp-warm", "new.example": "smtp-new",
                      **dict.fromkeys(CLEAR, "smtp")}
        maps = " ".join(
            f"{{ {domain} = {transports[domain]}:[127.0.0.1]:{hop.port} }}"
            for domain, hop in hops.items())
        settings = dict(
            MAIN, queue_directory=folder + "/queue",
            data_directory=folder + "/data", maillog_file=folder + "/log",
            maillog_file_prefixes=folder, transport_maps=f"inline:{{ {maps} }}",
            smtp_tls_CAfile=lab.ca.trust)
        self.write("main.cf", "".join(f"{key} = {value}\n"
                                      for key, value in settings.items()))
        self.write("master.cf", MASTER.format(
            port=f"127.0.0.1:{self.ports['plain']}",
            ec_port=f"127.0.0.1:{self.ports['ec']}",
            rsa_port=f"127.0.0.1:{self.ports['rsa']}", ec=lab.ec, rsa=lab.rsa))
        checked = subprocess.run(["postfix", "-c", folder + "/etc", "check"],
                                 check=False, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
        if checked.returncode:
            raise RuntimeError("postfix check: " + checked.stdout.decode())
        self.process = subprocess.Popen(
            [DAEMONS + "/master", "-d", "-c", folder + "/etc"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        wait_port(self.ports["rsa"], self.process, "Postfix")

    @property
    def pid(self):
        return self.process.pid

    def write(self, name, text):
        with open(f"{self.folder}/etc/{name}", "w", encoding="utf-8") as file:
            file.write(text)

    def close(self):
        stop(self.process)


class Postern:
    """`postern serve` with the same roles."""

    def __init__(self, folder, lab, hops, workers=1, more="", **options):
        self.name = f"postern-{workers}"
        self.folder = folder
        os.makedirs(folder + "/spool", exist_ok=True)
        self.ports = {kind: free_port() for kind in ("plain", "ec", "rsa")}
        roles = {"plain": ("may", "ec"), "ec": ("implicit", "ec"),
                 "rsa": ("implicit", "rsa")}
        listen = [f'"127.0.0.1:{self.ports[kind]}" {{ tls = {tls} '
                  f'certificate = "{pair}" }}'
                  for kind, (tls, pair) in roles.items()]
        body = "".join(
            f'certificate "{name}" {{ chain = "{pair.chain}" '
            f'key = "{pair.key}" }}\n'
            for name, pair in (("ec", lab.ec), ("rsa", lab.rsa)))
        for domain, hop in hops.items():
            verified = (f'tls = verify\n names = {{ {GATEWAY} }}\n '
                        f'trust = "{lab.ca.trust}"')
            tls = "tls = none" if domain in CLEAR else verified
            more += (f'policy "{domain}" {{\n {tls}\n '
                     f'gateways = {{ "{hop.address}" }}\n}}\n')
        settings = dict(workers=str(workers), message_size="100M",
                        max_sessions="16000", max_sessions_per_client="16000",
                        max_outbound="200", max_per_destination="100",
                        retry_first="60s", retry_max="1h")
        settings.update(options)
        # The sections of certificates stand before their use.
        text = relays.configuration(folder, None, "",
                                    dict(settings, listen=listen))
        self.conf = folder + "/postern.conf"
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(body + text + more)
        self.log = open(folder + "/log", "ab")
        self.mark = self.log.tell()
        self.launched = time.monotonic()
        self.process = subprocess.Popen(
            [POSTERN, "serve", "-c", self.conf], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=self.log)
        self.wait_serving()

    def wait_serving(self):
        end = time.monotonic() + 20
        while True:
            with open(self.folder + "/log", encoding="utf-8",
                      errors="replace") as file:
                file.seek(self.mark)
                text = file.read()
            if " serving" in text:
                return
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("Postern does not start:\n" + text[-2000:])
            time.sleep(0.002)

    @property
    def pid(self):
        return self.process.pid

    def close(self):
        stop(self.process)
        self.log.close()


class Straight:
    """No relay: the source speaks to the sink."""

    name = "straight"
    pid = None

    def __init__(self, hop):
        self.ports = {"plain": hop.port}

    def close(self):
        pass


def stop(process):
    below = processes.descendants(process.pid)
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        below += processes.descendants(process.pid)
        process.kill()
        process.wait()
    processes.kill(processes.wait_gone(below, 5))


# --- drivers ------------------------------------------------------------

def smtp_source(port, count, sessions=20, length=4096, keeps=True,
                domain="plain.example"):
    """Returns when it began."""
    begun = time.monotonic()
    done = subprocess.run(
        ["smtp-source", *(["-d"] if keeps else []), "-s", str(sessions), "-m",
         str(count), "-l", str(length), "-f", "sender@bench.example", "-t",
         "recipient@" + domain, f"127.0.0.1:{port}"], check=False,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
    if done.returncode:
        raise RuntimeError("smtp-source: " + done.stderr.decode()[-500:])
    return begun


def load(mode, port, count, sessions=20, **options):
    """Runs a client's mode of the load generator; its report."""
    words = []
    for key, value in options.items():
        words += ["-" + key, str(value)]
    done = subprocess.run(
        [LOAD, mode, "-m", str(count), "-s", str(sessions), *words,
         f"127.0.0.1:{port}"], check=False, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"load {mode}: " + done.stderr.decode()[-500:])
    return json.loads(done.stdout)


class Held:
    """So many idle sessions, open while the block runs."""

    def __init__(self, port, sessions, tls="none"):
        self.process = subprocess.Popen(
            [LOAD, "hold", "-s", str(sessions), "-t", tls,
             f"127.0.0.1:{port}"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        line = self.process.stdout.readline()
        if not line.startswith("held"):
            raise RuntimeError("not all sessions could be opened")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(30)
