"""Further relays to compare with: OpenSMTPD and Exim as Debian has them, only
unpacked (tests/peers.sh) and run in a cage (tests/bench/cage). They take mail
in the clear and hand it to one next hop; to be asked for with `had()`, which
leaves out what this machine cannot have.
"""
import os
import subprocess

import parties

HERE = os.path.dirname(os.path.abspath(__file__))
CAGE = HERE + "/cage"
FETCH = parties.TOP + "/tests/peers.sh"

# Without the pauses that spare a next hop which is not ours.
SMTPD = """\
listen on 127.0.0.1 port {port}
smtp max-message-size 100M
mta limit reconn-delay-route 0
mta limit conn-delay-host 0
mta limit conn-delay-source 0
mta limit conn-delay-connector 0
mta limit conn-delay-relay 0
mta limit conn-delay-domain 0
mta limit session-transaction-delay 0
mta limit max-conn-per-host 100
mta limit max-conn-per-route 100
mta limit max-conn-per-relay 100
action "out" relay host smtp://127.0.0.1:{hop}
match from any for any action "out"
"""

# No look-ups, no TLS, connections that serve long, and no queue runs needed
# for what can be delivered at once.
EXIM = """\
primary_hostname = exim.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
smtp_accept_max = 500
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
smtp_connect_backlog = 1000
queue_run_max = 100
host_lookup =
rfc1413_query_timeout = 0s
tls_advertise_hosts =
split_spool_directory = true
log_file_path = /var/log/exim4/%slog
deliver_drop_privilege = true
never_users =
acl_smtp_rcpt = accept
acl_smtp_data = accept
begin routers
out:
  driver = manualroute
  domains = *
  transport = out
  route_list = * 127.0.0.1
  self = send
begin transports
out:
  driver = smtp
  port = {hop}
  hosts_avoid_tls = *
  connection_max_messages = 1000
begin retry
* * F,1h,1m
"""


class Caged:
    """A relay whose configuration lies at `path` in its root."""

    name = users = path = text = prepare = ""
    command = ()
    pid = property(lambda self: self.process.pid)

    def __init__(self, folder, home, hop):
        port = parties.free_port()
        self.ports = {"plain": port}
        self.write(folder + "/root" + self.path,
                   self.text.format(port=port, hop=hop.port))
        self.write(folder + "/prepare", self.prepare)
        # Somebody else's users write below it.
        os.chmod(folder, 0o755)
        self.process = subprocess.Popen(
            [CAGE, folder, home, self.users, *self.command],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        parties.wait_port(port, self.process, self.name)

    @staticmethod
    def write(path, text):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def close(self):
        parties.stop(self.process)


class OpenSmtpd(Caged):
    name = "opensmtpd"
    users = "opensmtpd opensmtpq"
    path = "/etc/bench.conf"
    text = SMTPD
    command = ("smtpd", "-d", "-f", "/etc/bench.conf")


class Exim(Caged):
    name = "exim"
    users = "Debian-exim"
    path = "/etc/exim4/exim4.conf"
    text = EXIM
    prepare = ("mkdir -p var/spool/exim4 var/log/exim4\n"
               "chroot . chown -R Debian-exim: "
               "/var/spool/exim4 /var/log/exim4\n")
    command = ("exim4", "-bdf", "-q1m")


def had(folder, hop):
    """Those that can be had; `folder(name)` gives each a place."""
    found = []
    for cls in (OpenSmtpd, Exim) if os.geteuid() == 0 else ():
        fetched = subprocess.run([FETCH, cls.name], check=False,
                                 stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True)
        if fetched.returncode:
            continue
        try:
            found.append(cls(folder(cls.name), fetched.stdout.strip(), hop))
        except RuntimeError as why:
            print(f"{cls.name} is left out: {why}", flush=True)
    return found
