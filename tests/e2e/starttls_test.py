#!/usr/bin/env python3
# touches: tls
"""STARTTLS from the client's side: nothing crosses from plaintext into TLS,
and a stream that was cut off is no message."""
import os
import socket
import ssl
import subprocess
import time

from client import Client, Closed
from harness import case, case_for, equal, has, need, run

MAIL = b"MAIL FROM:<injected@evil.example>\r\nRCPT TO:<b@example.net>\r\n"
BODY = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 200


@case_for(("in the same segment", b"STARTTLS\r\n" + MAIL),
          ("a single byte", b"STARTTLS\r\nX"),
          ("an empty line", b"STARTTLS\r\n\r\n"),
          ("a second STARTTLS", b"STARTTLS\r\nSTARTTLS\r\n"))
def plaintext_behind_starttls_ends_the_session(lab, text):
    relay = lab.relay(lab.gateway("*", lab.sink()))
    with Client(relay.port) as client:
        client.ehlo()
        client.send(text)
        try:
            reply = client.reply()
            if reply.code == 220:
                raise AssertionError("STARTTLS was taken")
        except Closed:
            pass
        assert client.is_closed(), "the session goes on"
    # The relay still serves others.
    with Client(relay.port) as client:
        client.ehlo()


@case
def plaintext_after_the_220_is_never_read_as_commands(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink))
    with Client(relay.port) as client:
        client.ehlo()
        client.expect(220, ask="STARTTLS")
        client.send(MAIL + b"DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        try:
            data = client.socket.recv(4096)
            # At most a TLS alert.
            assert not data or data[0] == 21, data
        except ConnectionResetError:
            pass
    time.sleep(0.2)
    equal(relay.find("accepted"), [])


@case
def ehlo_inside_tls_forgets_what_came_before(lab):
    relay = lab.relay(lab.gateway("*", lab.sink()))
    with Client(relay.port) as client:
        client.ehlo("outside.example")
        assert "STARTTLS" in client.extensions
        client.secure()
        reply = client.ask("MAIL FROM:<a@client.example>")
        equal(reply.code, 503, "MAIL before EHLO inside TLS")
        client.ehlo("inside.example")
        assert "STARTTLS" not in client.extensions
        reply = client.ask("STARTTLS")
        equal(reply.code // 100, 5, "STARTTLS inside TLS")
        equal(client.transact("a@client.example", ["b@example.net"],
                              b"Subject: x\r\n\r\nx\r\n").code, 250)
    equal(relay.wait("accepted").helo, "inside.example")


@case
def starttls_does_not_take_arguments_or_transactions(lab):
    relay = lab.relay(lab.gateway("*", lab.sink()))
    with Client(relay.port) as client:
        client.ehlo()
        equal(client.ask("STARTTLS now").code // 100, 5)
        client.expect(250, ask="MAIL FROM:<a@client.example>")
        equal(client.ask("STARTTLS").code // 100, 5, "within a transaction")


@case_for(("in the middle", BODY[:1000]), ("before the dot", BODY),
          ("within the dot", BODY + b"."), ("within its end", BODY + b".\r"))
def a_truncated_tls_stream_is_no_message(lab, text):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink))
    client = Client(relay.port)
    client.ehlo()
    client.secure()
    client.ehlo()
    client.envelope("a@client.example", "b@example.net")
    client.expect(354, ask="DATA")
    client.send(text)
    time.sleep(0.1)
    client.sever()
    time.sleep(0.3)
    equal(relay.find("accepted"), [])
    equal(sink.sessions, [])


@case
def a_message_before_the_cut_is_kept(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink))
    client = Client(relay.port)
    client.ehlo()
    client.secure()
    client.ehlo()
    equal(client.transact("a@client.example", ["b@example.net"], BODY).code,
          250)
    client.sever()
    assert sink.wait_messages(1)[0].body.endswith(BODY)


@case
def bdat_that_is_cut_off_is_no_message(lab):
    sink = lab.sink()
    relay = lab.relay(lab.gateway("*", sink))
    with Client(relay.port) as client:
        client.ehlo()
        client.envelope("a@client.example", "b@example.net")
        client.send(b"BDAT %d LAST\r\n" % len(BODY) + BODY[:-1])
    with Client(relay.port) as client:
        client.ehlo()
        client.envelope("a@client.example", "b@example.net")
        client.send(b"BDAT %d\r\n" % len(BODY) + BODY)
        client.expect(250)
    time.sleep(0.3)
    equal(relay.find("accepted"), [])
    equal(sink.sessions, [])


@case_for(("garbage", b"\x16\x03\x01\xff\xff" + os.urandom(300)),
          ("an HTTP request", b"GET / HTTP/1.0\r\n\r\n"),
          ("zeroes", bytes(4096)),
          ("an alert", b"\x15\x03\x03\x00\x02\x02\x28"),
          ("SSL 2", b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"))
def a_client_hello_that_is(lab, text):
    relay = lab.relay(lab.gateway("*", lab.sink()))
    with Client(relay.port) as client:
        client.ehlo()
        client.expect(220, ask="STARTTLS")
        client.send(text)
        client.socket.settimeout(10)
        try:
            while client.socket.recv(4096):
                pass
        except ConnectionResetError:
            pass
    with Client(relay.port) as client:
        client.ehlo()
        client.secure()
        client.ehlo()


@case
def a_client_that_stops_in_the_handshake_is_let_go(lab):
    """Half a ClientHello holds a session for timeout-starttls, and nobody
    else."""
    relay = lab.relay(lab.gateway("*", lab.sink()), timeout_starttls="2s",
                      listen='"127.0.0.1:0" { tls = implicit }')
    start = time.monotonic()
    with socket.create_connection(("127.0.0.1", relay.port)) as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        half.settimeout(15)
        with Client(relay.port, greet=False) as client:
            client.secure(implicit=True)
            client.expect(220)
            client.ehlo()
        try:
            while half.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert 1 < time.monotonic() - start < 12


@case
def a_listener_can_demand_tls(lab):
    relay = lab.relay(lab.gateway("*", lab.sink()),
                      listen='"127.0.0.1:0" { tls = required }')
    with Client(relay.port) as client:
        client.ehlo()
        reply = client.ask("MAIL FROM:<a@client.example>")
        equal((reply.code, reply.status), (530, "5.7.0"))
        client.expect(250, ask="NOOP")
        client.secure()
        client.ehlo()
        equal(client.transact("a@client.example", ["b@example.net"],
                              BODY).code, 250)
    with Client(relay.port) as client:
        client.expect(250, ask="HELO client.example")
        client.expect(530, ask="MAIL FROM:<a@client.example>")


@case
def a_listener_without_tls_offers_none(lab):
    relay = lab.relay(lab.gateway("*", lab.sink()),
                      listen='"127.0.0.1:0" { tls = none }')
    with Client(relay.port) as client:
        client.ehlo()
        assert "STARTTLS" not in client.extensions
        equal(client.ask("STARTTLS").code // 100, 5)


@case
def a_second_certificate_belongs_to_its_listener(lab):
    other = lab.ca.leaf("other", "other.example")
    relay = lab.relay(
        f'certificate "other" {{ chain = "{other.chain}" '
        f'key = "{other.key}" }}\n' + lab.gateway("*", lab.sink()),
        listen=('"127.0.0.1:0" { tls = may certificate = "relay" }',
                '"127.0.0.2:0" { tls = may certificate = "other" }'))
    for number, name in ((0, "relay.example"), (1, "other.example")):
        host, port = relay.listener(number)
        with Client(port, host) as client:
            client.ehlo()
            client.secure(ssl.create_default_context(cafile=lab.ca.trust),
                          name)


@case
def without_a_certificate_starttls_is_offered_all_the_same(lab):
    """A self-signed one is made at the first start and kept."""
    relay = lab.idle_relay(lab.gateway("*", lab.sink()), certificate=False)
    seen = []
    for _ in range(2):
        relay.start()
        with Client(relay.port) as client:
            client.ehlo()
            assert "STARTTLS" in client.extensions
            seen.append(client.secure().getpeercert(True))
        relay.stop()
    equal(seen[0], seen[1], "the same certificate after a restart")


@case
def renegotiation_is_refused(lab):
    need("openssl")
    relay = lab.relay(lab.gateway("*", lab.sink()))
    program = subprocess.Popen(
        ["openssl", "s_client", "-starttls", "smtp", "-connect",
         f"127.0.0.1:{relay.port}", "-tls1_2", "-legacy_renegotiation"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    try:
        text = b""
        while b"250 " not in text.splitlines()[-1:][0] if text else True:
            line = program.stdout.readline()
            if not line:
                break
            text += line
        program.stdin.write(b"R\n")
        program.stdin.flush()
        rest, _ = program.communicate(timeout=10)
        has(rest, b"RENEGOTIATING")
        assert b"error" in rest or b"alert" in rest, rest
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
        raise AssertionError("renegotiation was neither done nor refused") \
            from None


run()
