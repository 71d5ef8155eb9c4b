"""An SMTP client that sends exactly the bytes that it is told to."""
import re
import socket
import ssl


class Closed(Exception):
    """The server closed the connection."""


class Reply:
    def __init__(self, lines):
        self.lines = lines
        self.code = int(lines[-1][:3])
        self.text = "\n".join(lines)
        found = re.match(r"\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})", lines[-1])
        self.status = found[1] if found else None

    def __repr__(self):
        return self.text


class Client:
    """Replies are read one at a time; `timeout` is for each of them."""

    def __init__(self, port, address="127.0.0.1", source=None, timeout=30,
                 greet=True):
        self.socket = socket.create_connection(
            (address, port), timeout, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.waiting = b""
        self.extensions = {}
        if greet:
            self.greeting = self.expect(220)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        while b"\n" not in self.waiting:
            try:
                piece = self.socket.recv(65536)
            except ConnectionResetError:
                piece = b""
            except ssl.SSLError as why:
                raise Closed(str(why)) from None
            if not piece:
                raise Closed("closed")
            self.waiting += piece
        line, _, self.waiting = self.waiting.partition(b"\n")
        if not line.endswith(b"\r"):
            raise AssertionError(f"a reply line without CR: {line!r}")
        return line[:-1].decode("utf-8", "surrogateescape")

    def reply(self):
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return Reply(lines)

    def ask(self, command):
        if isinstance(command, str):
            command = command.encode("utf-8", "surrogateescape")
        self.send(command + b"\r\n")
        return self.reply()

    def expect(self, *codes, ask=None):
        reply = self.reply() if ask is None else self.ask(ask)
        if reply.code not in codes:
            raise AssertionError(f"{ask or 'greeting'!r}: {reply.text!r}, "
                                 f"not {codes}")
        return reply

    def ehlo(self, name="client.example"):
        reply = self.expect(250, ask="EHLO " + name)
        self.extensions = {}
        for line in reply.lines[1:]:
            word, _, rest = line[4:].partition(" ")
            self.extensions[word.upper()] = rest
        return reply

    def secure(self, context=None, name="relay.example", implicit=False):
        if not implicit:
            self.expect(220, ask="STARTTLS")
        if context is None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket, server_hostname=name)
        return self.socket

    def envelope(self, sender, *recipients, arguments=""):
        self.expect(250, ask=f"MAIL FROM:<{sender}>{arguments}")
        for recipient in recipients:
            self.expect(250, 251, ask=f"RCPT TO:<{recipient}>")

    def transact(self, sender, recipients, body):
        """A whole transaction; `body` already stuffed, without the dot."""
        self.envelope(sender, *recipients)
        self.expect(354, ask="DATA")
        self.send(body + b".\r\n")
        return self.reply()

    def is_closed(self):
        """Whether the server closes, having said at most a last reply."""
        try:
            while True:
                self.line()
        except Closed:
            return True
        except socket.timeout:
            return False

    def sever(self):
        """Closes TCP under TLS, without close_notify."""
        plain = socket.socket(fileno=self.socket.detach())
        plain.shutdown(socket.SHUT_RDWR)
        plain.close()
