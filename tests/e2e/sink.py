"""A next hop that does what a case tells it to.

A Sink listens on a port of the kernel's choice, one thread for each session,
and remembers every command and every message that it took. A script says what
differs from a well-behaved host, by step:

    connect greeting ehlo helo starttls handshake auth mail rcpt data content
    bdat dot rset noop quit

An action is a reply ("450 4.2.0 later"; a list of lines for several), a
function of (session, argument) that returns a reply or None, None for what is
usual, or Turns(action, ...), used up one a visit, for all sessions together.
"""
import base64
import hashlib
import re
import socket
import ssl
import struct
import threading
import time

EXTENSIONS = ("PIPELINING", "SIZE 209715200", "8BITMIME", "SMTPUTF8",
              "ENHANCEDSTATUSCODES", "DSN")


class Hangup(Exception):
    """Ends a session; `how` is kept as the session's end."""


class Turns:
    """Actions used up one a visit; afterwards what is usual."""

    def __init__(self, *actions):
        self.actions = list(actions)
        self.lock = threading.Lock()

    def next(self):
        with self.lock:
            return self.actions.pop(0) if self.actions else None


class Message:
    """What one accepted transaction carried."""

    def __init__(self, session, body):
        self.sender, self.sender_arguments = session.sender
        self.recipients = [address for address, _ in session.recipients]
        self.recipient_arguments = [more for _, more in session.recipients]
        self.body = body
        self.sha256 = hashlib.sha256(body).hexdigest()
        self.size = len(body)
        self.session = session
        self.tls = session.tls
        self.when = time.monotonic()


class Tls:
    def __init__(self, connection, sni):
        self.version = connection.version()
        self.cipher = connection.cipher()[0]
        self.sni = sni
        self.client_certificate = connection.getpeercert(True)


class Session:
    """One connection's dialogue, as the host saw it."""

    def __init__(self, sink, connection, peer):
        self.sink = sink
        self.connection = connection
        self.peer = peer
        self.commands = []      # (in TLS, line without its end)
        self.waiting = bytearray()
        self.tls = None
        self.helo = None
        self.user = None
        self.is_batched = False # a command came before its turn
        self.has_bare_newline = False
        self.end = None
        self.messages = 0
        self.forget()

    def forget(self):
        self.sender = None
        self.recipients = []
        self.chunks = bytearray()
        self.offered = None     # a message at its dot

    # The wire.

    def fill(self):
        try:
            piece = self.connection.recv(262144)
        except (OSError, ValueError) as why:
            raise Hangup(f"lost: {why}") from None
        if not piece:
            raise Hangup("closed by the client")
        self.waiting += piece

    def send(self, data):
        try:
            self.connection.sendall(data)
        except (OSError, ValueError) as why:
            raise Hangup(f"lost: {why}") from None

    def reply(self, text):
        """"250 a" or lines ["250 a", "250 b"], made into one reply."""
        lines = [text] if isinstance(text, str) else list(text)
        out = [line[:3] + "-" + line[4:] for line in lines[:-1]]
        self.send("".join(line + "\r\n" for line in out + lines[-1:])
                  .encode("utf-8", "surrogateescape"))

    def read_line(self):
        while b"\n" not in self.waiting:
            self.fill()
        end = self.waiting.index(b"\n") + 1
        line = bytes(self.waiting[:end])
        del self.waiting[:end]
        if not line.endswith(b"\r\n"):
            self.has_bare_newline = True
        return line.rstrip(b"\r\n")

    def read_content(self):
        """To the dot, unstuffed; what comes behind it stays waiting."""
        data, start = self.waiting, 0
        self.waiting = bytearray()
        while True:
            if data.startswith(b".\r\n"):
                end, tail = 0, 3
                break
            end, tail = data.find(b"\r\n.\r\n", start) + 2, 3
            if end >= 2:
                break
            start = max(0, len(data) - 4)
            self.waiting = data
            self.fill()
        self.waiting = data[end + tail:]
        body = bytes(data[:end]).replace(b"\r\n..", b"\r\n.")
        return body[1:] if body.startswith(b"..") else body

    def read_bytes(self, count):
        while len(self.waiting) < count:
            self.fill()
        data = bytes(self.waiting[:count])
        del self.waiting[:count]
        return data

    # The dialogue.

    def scripted(self, step, argument, usual):
        """What the script says, or else the usual reply (None: nothing)."""
        action = self.sink.script.get(step)
        if isinstance(action, Turns):
            action = action.next()
        if callable(action):
            action = action(self, argument)
        answer = usual if action is None else action
        if answer and answer[0] == "2":
            self.keep_offered()
        if answer:
            self.reply(answer)
        if answer and answer[:3] == "421":
            raise Hangup("421 said")
        return answer

    def keep_offered(self):
        """Before the reply is said, so that whoever hears it finds it."""
        if self.offered is not None:
            self.messages += 1
            self.sink.keep(self.offered)
            self.offered = None

    def secure(self):
        self.scripted("handshake", "", None)
        sni = []
        context = self.sink.context()
        context.sni_callback = lambda _sock, name, _context: sni.append(name)
        try:
            self.connection.settimeout(self.sink.patience)
            self.connection = context.wrap_socket(self.connection,
                                                  server_side=True)
        except (OSError, ValueError) as why:
            raise Hangup(f"handshake: {why}") from None
        self.tls = Tls(self.connection, sni[0] if sni else None)
        self.sink.note()

    def run(self):
        self.scripted("connect", "", None)
        if self.sink.tls == "implicit":
            self.secure()
        self.scripted("greeting", "", f"220 {self.sink.name} ESMTP")
        while True:
            line = self.read_line()
            self.commands.append((self.tls is not None, line))
            self.sink.note()
            self.is_batched |= bool(self.waiting)
            text = line.decode("utf-8", "surrogateescape")
            verb, _, argument = text.partition(" ")
            step = verb.lower()
            if step not in VERBS:
                self.reply("500 5.5.1 what?")
                continue
            VERBS[step](self, argument)

    def on_ehlo(self, argument):
        self.helo = argument
        self.forget()
        lines = [self.sink.name, *self.sink.extensions]
        if self.sink.certificate and self.sink.tls == "may" and not self.tls:
            lines.append("STARTTLS")
        if self.sink.credentials and self.tls:
            lines.append("AUTH PLAIN LOGIN")
        self.scripted("ehlo", argument, ["250 " + line for line in lines])

    def on_helo(self, argument):
        self.helo = argument
        self.forget()
        self.scripted("helo", argument, f"250 {self.sink.name}")

    def on_starttls(self, argument):
        if not self.sink.certificate or self.tls:
            self.reply("502 5.5.1 no")
            return
        answer = self.scripted("starttls", argument, "220 2.0.0 go ahead")
        if answer[:3] == "220":
            if self.waiting:
                raise Hangup("plaintext behind STARTTLS")
            self.helo = None
            self.secure()

    def ask(self, prompt):
        self.reply("334 " + base64.b64encode(prompt).decode())
        return base64.b64decode(self.read_line())

    def on_auth(self, argument):
        how, _, first = argument.partition(" ")
        if how.upper() == "PLAIN":
            said = base64.b64decode(first) if first else self.ask(b"")
            _, user, password = said.split(b"\0")
        else:
            user = base64.b64decode(first) if first else \
                self.ask(b"Username:")
            password = self.ask(b"Password:")
        given = (user.decode(), password.decode())
        is_right = given == self.sink.credentials
        answer = self.scripted("auth", given, "235 2.7.0 welcome" if is_right
                               else "535 5.7.8 wrong")
        if answer[:3] == "235":
            self.user = given[0]

    @staticmethod
    def path(argument):
        found = re.match(r"(?:FROM|TO): *<([^>]*)> *(.*)$", argument,
                         re.IGNORECASE)
        return (found[1], found[2]) if found else (None, "")

    def on_mail(self, argument):
        self.forget()
        sender = self.path(argument)
        answer = self.scripted("mail", sender[0], "250 2.1.0 ok")
        if answer[0] == "2":
            self.sender = sender

    def on_rcpt(self, argument):
        if self.sender is None:
            self.reply("503 5.5.1 MAIL first")
            return
        recipient = self.path(argument)
        answer = self.scripted("rcpt", recipient[0], "250 2.1.5 ok")
        if answer[0] == "2":
            self.recipients.append(recipient)

    def on_data(self, argument):
        if not self.recipients:
            self.reply("554 5.5.1 no valid recipients")
            return
        answer = self.scripted("data", argument, "354 go ahead")
        if answer[0] == "3":
            self.scripted("content", "", None)
            self.finish(self.read_content())

    def on_bdat(self, argument):
        size, _, last = argument.partition(" ")
        self.chunks += self.read_bytes(int(size))
        if self.sender is None or not self.recipients:
            self.reply("503 5.5.1 nobody to give it to")
        elif last.upper() == "LAST":
            self.finish(bytes(self.chunks))
        else:
            self.scripted("bdat", argument, "250 2.0.0 more")

    def finish(self, body):
        self.offered = Message(self, body)
        self.scripted("dot", self.offered, "250 2.0.0 kept")
        self.forget()

    def on_rset(self, argument):
        self.forget()
        self.scripted("rset", argument, "250 2.0.0 ok")

    def on_noop(self, argument):
        self.scripted("noop", argument, "250 2.0.0 ok")

    def on_vrfy(self, _argument):
        self.reply("252 2.0.0 try")

    def on_quit(self, argument):
        self.scripted("quit", argument, "221 2.0.0 bye")
        raise Hangup("QUIT")


VERBS = {name[3:]: function for name, function in vars(Session).items()
         if name.startswith("on_")}


class Sink:
    """`tls`: none, may (STARTTLS) or implicit; all of it, the certificate and
    the script too, may be changed while it runs."""

    def __init__(self, certificate=None, tls="may", script=None,
                 extensions=EXTENSIONS, name="sink.example",
                 address="127.0.0.1", port=0, credentials=None,
                 newest_tls=None, patience=60, keep_bodies=True,
                 asks=None):
        self.certificate = certificate
        self.tls = tls
        self.script = script or {}
        self.extensions = extensions
        self.name = name
        self.credentials = credentials
        self.newest_tls = newest_tls
        self.asks = asks        # clients for a certificate of these roots
        self.patience = patience
        self.keep_bodies = keep_bodies
        self.sessions = []
        self.messages = []
        self.changed = threading.Condition()
        self.closing = threading.Event()
        self.threads = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(200)
        self.host = address
        self.port = self.listener.getsockname()[1]
        self.start(self.serve)

    @property
    def address(self):
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def start(self, function, *arguments):
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self.threads = [old for old in self.threads if old.is_alive()]
        self.threads.append(thread)
        thread.start()

    def serve(self):
        while not self.closing.is_set():
            try:
                connection, peer = self.listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(self.patience)
            session = Session(self, connection, peer)
            with self.changed:
                self.sessions.append(session)
                self.changed.notify_all()
            self.start(self.serve_one, session)

    def serve_one(self, session):
        try:
            session.run()
        except Hangup as why:
            session.end = str(why)
        # A script that is wrong must be seen, not swallowed.
        except Exception as why:
            session.end = f"sink failed: {why!r}"
            if not self.closing.is_set():
                raise
        finally:
            self.hang_up(session)

    def hang_up(self, session):
        try:
            if session.end == "QUIT" and session.tls:
                session.connection.settimeout(1)
                session.connection.unwrap()
        except (OSError, ValueError):
            pass
        try:
            session.connection.close()
        except OSError:
            pass
        self.note()

    @staticmethod
    def cut(session):
        """Ends a session from outside. A mere close() would not be heard while
        the session's thread waits for the connection."""
        session.connection.shutdown(socket.SHUT_RDWR)

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Weak certificates are for the relay to refuse, not for us.
        context.set_ciphers("ALL:@SECLEVEL=0")
        if self.newest_tls:
            context.maximum_version = self.newest_tls
        if self.asks:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(self.asks)
        context.load_cert_chain(self.certificate.chain, self.certificate.key)
        return context

    # What was seen.

    def note(self):
        with self.changed:
            self.changed.notify_all()

    def keep(self, message):
        with self.changed:
            if not self.keep_bodies:
                message.body = None
            self.messages.append(message)
            self.changed.notify_all()

    def wait(self, what, timeout=20):
        """Until what() is true; returns it, whatever it is at the end."""
        with self.changed:
            self.changed.wait_for(what, timeout)
            return what()

    def wait_messages(self, count, timeout=20):
        if not self.wait(lambda: len(self.messages) >= count, timeout):
            raise AssertionError(f"{len(self.messages)} of {count} messages "
                                 f"came within {timeout} s")
        return self.messages[:count]

    def wait_sessions(self, count, timeout=20):
        """Until so many sessions are over."""
        def over():
            return [one for one in self.sessions if one.end is not None]
        if not self.wait(lambda: len(over()) >= count, timeout):
            raise AssertionError(f"{len(over())} of {count} sessions were "
                                 f"over within {timeout} s")
        return over()

    def commands(self, in_tls=None, verb=None):
        """All lines said, of all sessions, as text."""
        found = []
        for session in list(self.sessions):
            for was_tls, line in list(session.commands):
                text = line.decode("utf-8", "replace")
                if in_tls in (None, was_tls) and \
                        (verb is None or text.upper().startswith(verb)):
                    found.append(text)
        return found

    def close(self):
        self.closing.set()
        for end in [self.listener] + [s.connection for s in self.sessions]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except (OSError, ValueError):
                pass
        self.listener.close()
        for thread in self.threads:
            thread.join(5)


# Faults for scripts.

def drop(_session, _argument):
    """Closes without a word."""
    raise Hangup("dropped")


def reset(session, _argument):
    """Resets the connection."""
    session.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  struct.pack("ii", 1, 0))
    raise Hangup("reset")


def stall(session, _argument):
    """Says nothing any more, until the client has gone."""
    session.connection.settimeout(None)
    while True:
        session.fill()


def say_and_drop(reply):
    def act(session, _argument):
        if reply[0] == "2":
            session.keep_offered()
        session.reply(reply)
        raise Hangup("said and dropped")
    return act


def say_and_reset(reply):
    def act(session, argument):
        if reply[0] == "2":
            session.keep_offered()
        session.reply(reply)
        # Let it arrive before the reset overtakes it.
        time.sleep(0.1)
        reset(session, argument)
    return act


def raw(data, then=None):
    """Sends exactly these bytes, then goes on as the next action says."""
    def act(session, argument):
        session.send(data)
        return then(session, argument) if then else None
    return act


def endless(piece, most=64 << 20):
    """Sends `piece` again and again; the session's `flood` counts bytes."""
    def act(session, _argument):
        session.flood = 0
        block = piece * max(1, 16384 // len(piece))
        while session.flood < most and not session.sink.closing.is_set():
            session.send(block)
            session.flood += len(block)
        raise Hangup("endless")
    return act


def dribble(data, pause=0.2):
    """Sends byte after byte, with a pause before each."""
    def act(session, _argument):
        for byte in data:
            time.sleep(pause)
            session.send(bytes([byte]))
        raise Hangup("dribbled")
    return act


def content_then(action, count=1):
    """For `content`: reads some of it, then acts."""
    def act(session, argument):
        while len(session.waiting) < count:
            session.fill()
        return action(session, argument)
    return act
