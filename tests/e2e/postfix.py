"""A private Postfix: a next hop as they stand out there.

All of it lies in one folder (configuration, queue, data); the master process
is our child. It takes mail for any domain on its ports and keeps each
message as a file. Needs root, as Postfix does.
"""
import email
import os
import pwd
import socket
import subprocess
import time

import processes
from ports import free_port

# Whole files only: the name appears when all is written.
KEEP = "cat >{kept}/.$1.$$ && mv {kept}/.$1.$$ {kept}/$1.$$\n"

DAEMONS = "/usr/lib/postfix/sbin"

MASTER = """
{services}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
keep unix - n n - - pipe
  flags=XO user={user} argv=/bin/sh {script} ${{queue_id}}
"""

MAIN = {
    "compatibility_level": "3.6",
    "myhostname": "postfix.example",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "local_recipient_maps": "",
    "default_transport": "keep",
    "relay_transport": "keep",
    "keep_destination_recipient_limit": "1",
    "inet_protocols": "ipv4",
    "message_size_limit": "104857600",
    "smtputf8_enable": "yes",
    "smtpd_tls_loglevel": "1",
    "smtpd_tls_received_header": "yes",
    "smtpd_peername_lookup": "no",
    "smtpd_relay_restrictions": "permit_mynetworks, reject",
    "disable_dns_lookups": "yes",
    "in_flow_delay": "0",
    "alias_maps": "",
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
}


class Service:
    """One port. `level` is smtpd_tls_security_level: none, may, encrypt."""

    def __init__(self, certificate=None, level="may", **settings):
        self.host = "127.0.0.1"
        self.port = free_port()
        self.settings = dict(settings, smtpd_tls_security_level=level)
        if certificate is not None:
            self.settings["smtpd_tls_chain_files"] = \
                f"{certificate.key},{certificate.chain}"

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def text(self):
        lines = [f"{self.address} inet n - n - - smtpd"]
        lines += [f"  -o {{ {key} = {value} }}"
                  for key, value in self.settings.items()]
        return "\n".join(lines)


class Postfix:
    def __init__(self, folder, *services, **settings):
        self.folder = folder
        self.services = services
        self.kept = os.path.join(folder, "kept")
        self.config = os.path.join(folder, "etc")
        self.log = os.path.join(folder, "log")
        for path in ("etc", "queue", "data", "kept"):
            os.makedirs(os.path.join(folder, path))
        postfix = pwd.getpwnam("postfix")
        os.chown(os.path.join(folder, "data"), postfix.pw_uid, postfix.pw_gid)
        nobody = pwd.getpwnam("nobody")
        os.chown(self.kept, nobody.pw_uid, nobody.pw_gid)
        self.settings = dict(
            MAIN, queue_directory=folder + "/queue",
            data_directory=folder + "/data",
            maillog_file=self.log, maillog_file_prefixes=folder, **settings)
        self.write()
        self.start()

    def write(self):
        with open(self.config + "/main.cf", "w", encoding="utf-8") as file:
            for key, value in self.settings.items():
                file.write(f"{key} = {value}\n")
        with open(self.config + "/master.cf", "w", encoding="utf-8") as file:
            file.write(MASTER.format(
                services="\n".join(one.text() for one in self.services),
                user="nobody", script=self.config + "/keep.sh"))
        with open(self.config + "/keep.sh", "w", encoding="utf-8") as file:
            file.write(KEEP.format(kept=self.kept))

    def start(self):
        checked = subprocess.run(
            ["/usr/sbin/postfix", "-c", self.config, "check"], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if checked.returncode:
            raise AssertionError("postfix check: " +
                                 checked.stdout.decode() + self.logged())
        self.process = subprocess.Popen(
            [DAEMONS + "/master", "-d", "-c", self.config],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        end = time.monotonic() + 20
        last = self.services[-1]
        while True:
            try:
                socket.create_connection((last.host, last.port), 5).close()
                return
            except OSError:
                if self.process.poll() is not None or \
                        time.monotonic() > end:
                    raise AssertionError("Postfix does not start:\n" +
                                         self.logged()) from None
                time.sleep(0.05)

    def logged(self):
        """The last of its log."""
        try:
            with open(self.log, encoding="utf-8") as file:
                return file.read()[-3000:]
        except OSError:
            return ""

    def messages(self):
        """What it kept, as bytes, in the order in which it came."""
        found = []
        for name in os.listdir(self.kept):
            if not name.startswith("."):
                path = os.path.join(self.kept, name)
                with open(path, "rb") as file:
                    found.append((os.stat(path).st_mtime_ns, file.read()))
        return [text for _, text in sorted(found)]

    def wait_messages(self, count, timeout=30):
        end = time.monotonic() + timeout
        while len(self.messages()) < count:
            if time.monotonic() > end:
                raise AssertionError(
                    f"{len(self.messages())} of {count} messages reached "
                    f"Postfix within {timeout} s:\n{self.logged()}")
            time.sleep(0.05)
        return self.messages()

    def parsed(self):
        return [email.message_from_bytes(text) for text in self.messages()]

    def close(self):
        below = processes.descendants(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        left = processes.wait_gone(below, 5)
        processes.kill(left)
        if left:
            raise AssertionError(f"Postfix left {left} running")
