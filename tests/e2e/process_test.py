#!/usr/bin/env python3
"""The processes of a relay: who starts, who is started again, who stops how,
and as whom they run."""
import os
import pwd
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import time

import processes
import relay as relays
import sink as sinks
import zones
from harness import case, case_for, equal, has, need, need_root, run

NOBODY = "nobody"


def policy(lab, sink):
    return lab.gateway("*", sink)


def wait_children(relay, kind, count, others_than=()):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        pids = [pid for pid in relay.children(kind)
                if pid not in others_than]
        if len(pids) == count:
            return pids
        time.sleep(0.02)
    raise AssertionError(f"no {count} {kind} but {pids}")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file
                    if ":\t" in line)


@case
def a_killed_worker_is_started_again(lab):
    sink = lab.sink()
    relay = lab.relay(policy(lab, sink), workers=2)
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)
    before = wait_children(relay, "worker", 2)
    os.kill(before[0], signal.SIGKILL)
    # Its listener is shared: nobody is refused meanwhile.
    relay.send("a@client.example", "c@example.net")
    wait_children(relay, "worker", 1, before)
    for number in range(8):
        relay.send("a@client.example", f"d{number}@example.net")
    sink.wait_messages(10)
    relay.wait("warning", reason=lambda text: "signal 9" in text)


@case
def a_worker_that_dies_again_and_again_waits_ever_longer(lab):
    relay = lab.relay()
    for _ in range(4):
        pid = wait_children(relay, "worker", 1)[0]
        os.kill(pid, signal.SIGKILL)
        processes.wait_gone([pid])
    wait_children(relay, "worker", 1)
    pauses = [one.reason.rpartition(" in ")[2]
              for one in relay.find("warning") if "again in" in one.reason]
    equal(pauses, ["0 ms", "100 ms", "200 ms", "400 ms"])


ZONE = """$ORIGIN lab.
$TTL 1
@ IN SOA ns.lab. admin.lab. 1 3600 600 86400 1
@ IN NS ns.lab.
dom IN MX 10 mx.lab.
mx  IN A 127.0.0.1
"""


@case
def a_killed_resolver_is_started_again_and_serves_the_same_workers(lab):
    need("nsd")
    nsd = zones.Nsd(lab.fresh_folder("nsd"), {"lab.": lab.write("z", ZONE)})
    lab.later(nsd.close)
    sink = lab.sink()
    relay = lab.relay(resolver=f'{{ "{nsd.server}" }}', mx_port=sink.port,
                      mx_ignore="{ 192.0.2.0/24 }", workers=2)
    relay.send("a@client.example", "b@dom.lab")
    sink.wait_messages(1)
    workers = wait_children(relay, "worker", 2)
    resolver = wait_children(relay, "resolver", 1)
    os.kill(resolver[0], signal.SIGKILL)
    for number in range(6):
        relay.send("a@client.example", f"c{number}@dom.lab")
    sink.wait_messages(7)
    wait_children(relay, "resolver", 1, resolver)
    equal(sorted(wait_children(relay, "worker", 2)), sorted(workers))


@case
def a_second_instance_on_the_same_spool_is_refused(lab):
    relay = lab.relay()
    second = subprocess.run([relays.POSTERN, "serve", "-c", relay.conf],
                            stderr=subprocess.PIPE, text=True, timeout=20,
                            check=False)
    equal(second.returncode, 75, second.stderr)
    has(second.stderr, "in use by another postern")
    equal(relay.process.poll(), None)


def begin_message(client):
    client.ehlo()
    equal(client.mail("a@client.example")[0], 250)
    equal(client.rcpt("b@example.net")[0], 250)
    client.putcmd("data")
    equal(client.getreply()[0], 354)
    client.send(b"Subject: half\r\n\r\nhalf")


@case
def sigterm_lets_a_transaction_end_and_sends_the_idle_away(lab):
    relay = lab.relay(lab.gateway("*", "127.0.0.1:1"), stop_limit="20s")
    busy, idle = relay.smtp(), relay.smtp()
    idle.ehlo()
    begin_message(busy)
    relay.process.send_signal(signal.SIGTERM)
    equal(idle.getreply()[0], 421)
    time.sleep(0.3)
    equal(relay.process.poll(), None)
    busy.send(b"\r\ndone\r\n.\r\n")
    code, text = busy.getreply()
    equal(code, 250, text)
    identity = relay.identity(text.decode())
    busy.close()
    idle.close()
    equal(relay.process.wait(20), 0)
    relay.stop()
    # What was acknowledged is there after the next start.
    sink = lab.sink()
    relay.configure(policy(lab, sink))
    relay.start()
    sink.wait_messages(1)
    relay.wait("delivered", id=identity)


@case
def sigterm_ends_at_the_limit(lab):
    relay = lab.relay(stop_limit="1s")
    busy = relay.smtp()
    begin_message(busy)
    start = time.monotonic()
    relay.process.send_signal(signal.SIGTERM)
    equal(relay.process.wait(20), 0)
    taken = time.monotonic() - start
    busy.close()
    assert 0.5 < taken < 4, taken


@case
def sigterm_does_not_wait_for_what_has_no_host_yet(lab):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        stalled = lab.sink(script={"greeting": sinks.stall})
        port = silent.getsockname()[1]
        relay = lab.relay(lab.gateway("slow.example", stalled),
                          resolver=f'{{ "127.0.0.1:{port}" }}',
                          stop_limit="60s")
        ids = [relay.send("", f"b@{domain}")
               for domain in ("slow.example", "example.net")]
        relay.wait("attempt")
        start = time.monotonic()
        equal(relay.stop(), 0)
        assert time.monotonic() - start < 5
        # Untried: due at once, not after a pause.
        sink = lab.sink()
        relay.configure(policy(lab, sink))
        relay.start()
        for identity in ids:
            relay.wait("delivered", id=identity, timeout=5)


@case
def a_second_sigterm_ends_at_once(lab):
    relay = lab.relay(stop_limit="60s")
    busy = relay.smtp()
    begin_message(busy)
    relay.process.send_signal(signal.SIGTERM)
    relay.wait("stopping")
    start = time.monotonic()
    relay.process.send_signal(signal.SIGTERM)
    equal(relay.process.wait(20), 0)
    assert time.monotonic() - start < 4
    busy.close()


@case
def children_end_when_the_supervisor_is_killed(lab):
    relay = lab.relay(workers=2)
    below = processes.descendants(relay.process.pid)
    equal(len(below), 3)
    relay.process.kill()
    relay.process.wait()
    equal(processes.wait_gone(below), [])


@case
def sighup_ends_nothing(lab):
    relay = lab.relay()
    before = sorted(processes.descendants(relay.process.pid))
    relay.process.send_signal(signal.SIGHUP)
    relay.wait("warning", reason=lambda text: "SIGHUP" in text)
    equal(sorted(processes.descendants(relay.process.pid)), before)


@case
def children_drop_root_for_good(lab):
    need_root()
    sink = lab.sink()
    relay = lab.idle_relay(policy(lab, sink), user=NOBODY)
    user = pwd.getpwnam(NOBODY)
    os.chown(relay.spool, user.pw_uid, user.pw_gid)
    relay.start()
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)
    for pid in relay.children("worker") + relay.children("resolver"):
        facts = status_of(pid)
        equal(facts["Uid"].split(), [str(user.pw_uid)] * 4)
        equal(facts["Gid"].split(), [str(user.pw_gid)] * 4)
        equal(facts["Groups"].split(), [])
        equal(facts["NoNewPrivs"], "1")
        equal(int(facts["CapEff"], 16), 0)
        equal(int(facts["CapPrm"], 16), 0)


@case
def a_spool_folder_is_made_for_the_user(lab):
    need_root()
    relay = lab.idle_relay(user=NOBODY)
    shutil.rmtree(relay.spool)
    relay.start()
    made = os.stat(relay.spool)
    equal(stat.S_IMODE(made.st_mode), 0o700)
    equal(made.st_uid, pwd.getpwnam(NOBODY).pw_uid)


@case
def it_runs_as_an_ordinary_user(lab):
    need_root()
    need("setpriv")
    sink = lab.sink()
    relay = lab.idle_relay(policy(lab, sink), certificate=False)
    user = pwd.getpwnam(NOBODY)
    for path in (relay.folder, relay.spool):
        os.chown(path, user.pw_uid, user.pw_gid)
    # The program may lie where only root may look. Copied by another process:
    # what is forked meanwhile by the other cases must not have it open.
    program = lab.path("postern")
    subprocess.run(["cp", relays.POSTERN, program], check=True)
    os.chmod(program, 0o755)
    # The first word behind is the program where it was.
    relay.wrapper = ["setpriv", f"--reuid={user.pw_uid}",
                     f"--regid={user.pw_gid}", "--clear-groups",
                     "sh", "-c", 'shift; exec "$0" "$@"', program]
    relay.start()
    equal(status_of(relay.process.pid)["Uid"].split()[0], str(user.pw_uid))
    relay.send("a@client.example", "b@example.net")
    sink.wait_messages(1)


@case_for(
    ("writable by others", lambda lab, relay: os.chmod(relay.spool, 0o777),
     "written to by others"),
    ("somebody else's", lambda lab, relay: os.chown(relay.spool, 12345, -1),
     "belongs to user 12345"),
    ("no folder", lambda lab, relay: (os.rmdir(relay.spool),
                                      open(relay.spool, "wb").close()),
     "is no folder"),
    ("nowhere", lambda lab, relay: relay.configure(
        "", spool=f'"{lab.folder}/no/where"'), "does not exist"),
)
def a_spool_that_is_not_ours_is_refused(lab, spoil, text):
    need_root()
    relay = lab.idle_relay()
    spoil(lab, relay)
    done = subprocess.run([relays.POSTERN, "serve", "-c", relay.conf],
                          stderr=subprocess.PIPE, text=True, timeout=20,
                          check=False)
    equal(done.returncode, 78, done.stderr)
    has(done.stderr, text)


@case
def every_address_is_reported_with_its_port(lab):
    relay = lab.relay(listen=['"127.0.0.1:0" { tls = none }',
                              '"[::1]:0" { tls = may }',
                              '"127.0.0.2:0" { tls = implicit }'])
    found = [(one.address.rpartition(":")[0], one.tls)
             for one in relay.listeners]
    equal(found, [("127.0.0.1", "none"), ("[::1]", "may"),
                  ("127.0.0.2", "implicit")])
    for number in range(3):
        assert relay.listener_port(number) > 0


@case
def an_address_in_use_is_said_with_its_place(lab):
    first = lab.relay()
    second = lab.idle_relay(
        listen=f'"127.0.0.1:{first.port}" {{ tls = may }}')
    done = subprocess.run([relays.POSTERN, "serve", "-c", second.conf],
                          stderr=subprocess.PIPE, text=True, timeout=20,
                          check=False)
    equal(done.returncode, 78, done.stderr)
    has(done.stderr, "postern.conf:")
    has(done.stderr, "Address already in use")


def certificate_of(relay):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with relay.smtp() as client:
        client.ehlo()
        client.starttls(context=context)
        return client.sock.getpeercert(True)


@case
def a_self_signed_certificate_is_made_once(lab):
    relay = lab.relay(certificate=False, workers=2)
    first = certificate_of(relay)
    for _ in range(4):
        equal(certificate_of(relay), first)
    kept = os.stat(relay.spool + "/self-signed.pem")
    equal(stat.S_IMODE(kept.st_mode), 0o600)
    relay.stop()
    relay.start()
    equal(certificate_of(relay), first)


def say(*words):
    done = subprocess.run([relays.POSTERN, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=20,
                          check=False)
    return done.returncode, done.stdout, done.stderr


@case
def the_command_line_helps(lab):
    equal(say("--version")[0], 0)
    status, out, _ = say("--help")
    equal(status, 0)
    for verb in ("serve", "config check", "resolve", "lab"):
        has(out, verb)
    status, _, err = say("serv")
    equal(status, 64)
    has(err, "did you mean `postern serve`")
    equal(say()[0], 64)
    equal(say("serve", "now")[0], 64)
    equal(say("serve", "-c")[0], 64)
    status, out, _ = say("help", "config", "check")
    equal(status, 0)
    has(out, "78")


@case
def config_check_starts_nothing(lab):
    relay = lab.idle_relay()
    shutil.rmtree(relay.spool)
    status, out, err = say("config", "check", "-c", relay.conf)
    equal(status, 0, err)
    has(out, "no errors")
    assert not os.path.exists(relay.spool)
    relay.configure("nonsense = yes\n")
    status, _, err = say("config", "check", "-c", relay.conf)
    equal(status, 78, err)
    has(err, "postern.conf:")
    has(err, "nonsense")
    relay.configure("", user="nobody-of-this-name")
    if os.geteuid() == 0:
        status, _, err = say("config", "check", "-c", relay.conf)
        equal(status, 78, err)
        has(err, "does not exist")
    status, _, err = say("config", "check", "-c", lab.path("missing.conf"))
    equal(status, 78, err)


@case
def a_key_of_another_certificate_is_found_before_the_start(lab):
    one = lab.ca.leaf("one", "one.example")
    two = lab.ca.leaf("two", "two.example")
    relay = lab.idle_relay(
        f'certificate "x" {{ chain = "{one.chain}" key = "{two.key}" }}\n')
    for verb in (("config", "check"), ("serve",)):
        status, _, err = say(*verb, "-c", relay.conf)
        equal(status, 78, err)
        has(err, one.chain)


run()
