#!/usr/bin/env python3
# timeout: 240
"""The lab's page: shows what is there, switches faults, obeys nobody else's
page, and lets nothing out of mail act."""
import http.client
import http.server
import os
import re
import smtplib
import socket
import threading
import urllib.parse

from browser import Browser
from harness import case, equal, has, need, run

STAGE = """lab "tuv" {{
    domains = {{ tuv.com }}
    http = "127.0.0.1:0"
    dns = "127.0.0.1:0"
    store = "{store}"
    gateway "mx5.de.tuv.com" {{ listen = "127.0.0.1:0" tls = none
        fault = {{ "450-noop first 3" }} }}
    gateway "mx6.de.tuv.com" {{ listen = "127.0.0.1:0" tls = none }}
}}
"""


class Stage:
    def __init__(self, lab):
        self.relay = lab.idle_relay(STAGE.format(store=lab.path("store")))
        self.relay.command = "lab"
        self.relay.start()
        self.address = self.relay.wait("page").address

    def ask(self, path, method="GET", body=None, headers=None, host=None):
        """status, headers, body"""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or self.address)
        for key, value in (headers or {}).items():
            connection.putheader(key, value)
        if body is not None:
            body = body.encode()
            connection.putheader("Content-Type",
                                 "application/x-www-form-urlencoded")
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        reply = connection.getresponse()
        text = reply.read().decode()
        connection.close()
        return reply.status, reply.headers, text

    def get(self, path):
        status, _, text = self.ask(path)
        equal(status, 200, path)
        return text

    @property
    def token(self):
        return re.search(r'name="token" value="([0-9a-f]{32})"',
                         self.get("/gateway/mx6.de.tuv.com"))[1]

    def post(self, headers=None, **fields):
        fields.setdefault("token", self.token)
        fields.setdefault("gateway", "mx6.de.tuv.com")
        fields.setdefault("do", "set")
        return self.ask("/faults", "POST", urllib.parse.urlencode(fields),
                        headers)

    def send(self, body, sender="a@client.example", to="b@tuv.com"):
        with smtplib.SMTP("127.0.0.1", self.relay.port,
                          local_hostname="client.example",
                          timeout=20) as smtp:
            smtp.sendmail(sender, [to], body)
        return re.findall(r'href="/message/([a-z0-9]+)"', self.get("/"))[0]

    def kind(self, name):
        """The number that the page gives a fault."""
        return re.search(rf'<strong>{name}</strong>.*?name="kind" '
                         r'value="(\d+)"', self.get(
                             "/gateway/mx6.de.tuv.com"), re.S)[1]

    def faults(self):
        text = self.get("/gateway/mx6.de.tuv.com")
        now = text[text.index('id="live-now"'):text.index('id="limits"')]
        return re.findall(r'<strong class="bad">(.*?)</strong>', now)


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
HTML = """<h1>Hello</h1><script>
fetch('http://TRAP/fetch'); new Image().src = 'http://TRAP/image';
document.title = 'owned'; alert(1); top.location = 'http://TRAP/top';
</script><img src="http://TRAP/img"><link rel=stylesheet href="http://TRAP/css">
<meta http-equiv="refresh" content="0;url=http://TRAP/refresh">
<iframe src="http://TRAP/frame"></iframe><object data="http://TRAP/object">
</object><form action="http://TRAP/form" id=f><button autofocus></form>
<svg onload="alert(2)"></svg><a href="javascript:alert(3)" id=a>x</a>
<base href="http://TRAP/"><img src="relative" onerror="alert(4)">
<style>@import "http://TRAP/import"; body{background:url(http://TRAP/bg)}
</style><video src="http://TRAP/video" autoplay></video>"""


@case
def what_came_is_shown_and_escaped(lab):
    here = Stage(lab)
    has(here.get("/"), "None has come yet")
    one = here.send(f"Subject: {EVIL}\r\nFrom: {EVIL}\r\n\r\n{EVIL}\r\n",
                    '"<script>"@client.example')
    two = here.send("Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: "
                    f"text/html\r\n\r\n{HTML}\r\n".replace("\n", "\r\n")
                    .replace("\r\r", "\r"))
    session = re.search(r'href="(/session/[^"]+)"', here.get("/"))[1]
    for path in ("/", f"/message/{one}", f"/message/{two}", session,
                 "/gateway/mx5.de.tuv.com", "/gateway/dns"):
        text = here.get(path)
        equal(re.findall(r"<script(?! src=\"/page.js\" defer>)", text), [],
              path)
        equal(re.findall(r"<img|onerror=alert\(1\)>|onload", text), [], path)
    has(here.get(f"/message/{two}"), "<h1>Grüße</h1>")
    has(here.get(session), "C: ")
    has(here.get("/"), '<span class="bad">in the clear</span>')
    status, headers, text = here.ask(f"/message/{one}/source")
    equal(status, 200)
    has(headers["Content-Type"], "text/plain")
    has(text, EVIL)


@case
def every_answer_bears_a_strict_policy(lab):
    here = Stage(lab)
    name = here.send("Content-Type: text/html\r\n\r\n<b>x</b>\r\n")
    for path in ("/", "/gateway/mx5.de.tuv.com", f"/message/{name}",
                 f"/message/{name}/html", f"/message/{name}/source",
                 "/style.css", "/page.js", "/nowhere"):
        _, headers, _ = here.ask(path)
        policy = headers["Content-Security-Policy"]
        has(policy, "default-src 'none'", path)
        equal("unsafe-eval" in policy, False)
        equal("unsafe-inline" in policy, path.endswith("/html"))
        equal(headers["X-Content-Type-Options"], "nosniff", path)
        equal(headers["Cache-Control"], "no-store", path)
    _, headers, _ = here.ask(f"/message/{name}/html")
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; "), policy
    equal("script-src" in policy or "allow-" in policy, False)
    has(here.get(f"/message/{name}"), "<iframe sandbox title=")
    # Unchanged: nothing is sent again.
    _, headers, _ = here.ask("/")
    equal(here.ask("/", headers={"If-None-Match": headers["ETag"]})[0], 304)


@case
def faults_are_switched_by_plain_forms(lab):
    here = Stage(lab)
    status, headers, _ = here.post(kind=here.kind("expired"), back="/#x")
    equal((status, headers["Location"]), (303, "/#x"))
    here.post(kind=here.kind("CODE-STEP"), code="451", step="rcpt",
              limits="first 3 to *@tuv.com")
    here.post(kind=here.kind("greylist"), number="30")
    equal(sorted(here.faults()), ["451-rcpt to *@tuv.com first 3", "expired",
                                  "greylist 30"])
    here.post(do="clear", fault="expired")
    equal(len(here.faults()), 2)
    here.post(do="clear-all")
    equal(here.faults(), [])
    here.post(gateway="dns", kind=here.kind("servfail"))
    has(here.get("/"), "Switch off servfail of dns")
    here.relay.wait("faults", name="dns", count=1)


@case
def what_a_form_cannot_mean_is_said(lab):
    here = Stage(lab)
    for fields, said in (
            ({"kind": "9999"}, "no such fault"),
            ({"kind": here.kind("CODE-STEP"), "code": "250",
              "step": "rcpt"}, ""),
            ({"kind": here.kind("expired"), "limits": "frist 3"}, ""),
            ({"kind": here.kind("expired"), "gateway": EVIL},
             "no such gateway"),
            ({"do": "explode"}, "no such action")):
        status, _, text = here.post(**fields)
        equal(status, 400, fields)
        has(text, said)
        equal(EVIL in text, False)
    equal(here.faults(), [])
    # It leads nowhere else.
    for back in ("//evil.example/", "http://evil.example/", "/\r\nX: y",
                 "/\\evil.example"):
        _, headers, _ = here.post(do="clear-all", back=back)
        equal(headers["Location"], "/", back)


@case
def a_form_of_somebody_else_is_refused(lab):
    here = Stage(lab)
    token, kind = here.token, here.kind("expired")
    for status, headers, fields in (
            (400, {}, {"token": "0" * 32}),
            (400, {}, {"token": ""}),
            (403, {"Origin": "http://evil.example"}, {}),
            (403, {"Origin": "null"}, {}),
            (403, {"Origin": "http://127.0.0.1:1"}, {}),
            (403, {"Sec-Fetch-Site": "cross-site"}, {}),
            (403, {"Sec-Fetch-Site": "same-site"}, {}),
            (413, {}, {"limits": "x" * 5000})):
        fields = {"token": token, "kind": kind, **fields}
        equal(here.post(headers, **fields)[0], status, (headers, fields))
        equal(here.faults(), [])
    own = {"Origin": f"http://{here.address}", "Sec-Fetch-Site":
           "same-origin"}
    equal(here.post(own, token=token, kind=kind)[0], 303)
    equal(here.faults(), ["expired"])


@case
def only_addresses_and_localhost_are_names_for_it(lab):
    here = Stage(lab)
    port = here.address.rpartition(":")[2]
    for host, status in ((f"localhost:{port}", 200), (f"[::1]:{port}", 200),
                         ("127.0.0.1", 200), ("evil.example", 421),
                         (f"evil.example:{port}", 421),
                         (f"127.0.0.1.evil.example:{port}", 421),
                         (f"localhost.evil.example:{port}", 421)):
        equal(here.ask("/", host=host)[0], status, host)
    equal(here.ask("/", "DELETE")[0], 405)
    equal(here.ask("/faults")[0], 404)
    for path in ("/nowhere", "/message/", "/message/../../etc/passwd",
                 "/session/..%2f..%2fetc%2fpasswd", "/session/x",
                 "/gateway/nobody", "/message/" + "a" * 26, "/x" * 5000):
        assert here.ask(path)[0] in (404, 414), path
    with socket.create_connection(("127.0.0.1", int(port)), 20) as client:
        client.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        client.recv(1000)
    equal(here.ask("/")[0], 200)


class Trap(http.server.BaseHTTPRequestHandler):
    """Notes who calls; its page shows that scripts run where they may."""

    def do_GET(self):
        self.server.seen.append(self.path)
        text = b"<script>new Image().src = '/alive'</script>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def trap(lab):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Trap)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    lab.later(thread.join)
    lab.later(server.server_close)
    lab.later(server.shutdown)
    return server


@case
def in_a_browser_mail_does_nothing_and_the_page_lives(lab):
    need("chromium")
    here, evil = Stage(lab), trap(lab)
    body = HTML.replace("TRAP", f"127.0.0.1:{evil.server_port}")
    name = here.send("Subject: h\r\nContent-Type: text/html\r\n\r\n" +
                     body.replace("\n", "\r\n") + "\r\n")
    with Browser(lab.fresh_folder("chromium")) as browser:
        base = f"http://{here.address}"
        mail_does_nothing(browser, base, name, evil)
        the_page_lives(browser, base, here)
        the_page_fits(browser, base, name)


def mail_does_nothing(browser, base, name, evil):
    for path in (f"/message/{name}", f"/message/{name}/html"):
        browser.go(base + path)
        browser.settle(0.3)
        equal(browser.run("location.pathname"), path)
    equal((evil.seen, browser.dialogs), ([], 0))
    browser.go(base + f"/message/{name}")
    equal(browser.run("document.title.startsWith('owned')"), False)
    equal(browser.run("document.querySelector('iframe').contentDocument"),
          None)
    # The trap works: elsewhere scripts run.
    browser.go(f"http://127.0.0.1:{evil.server_port}/")
    browser.wait("performance.getEntriesByName(location.origin + '/alive')"
                 ".length > 0")
    has(" ".join(evil.seen), "/alive")


def the_page_lives(browser, base, here):
    """All of it without a mouse, and without loading anew."""
    browser.errors = []
    browser.go(base + "/")
    browser.wait("document.getElementById('status').textContent === 'live'")
    browser.run("window.isSame = true")
    here.send("Subject: a second one\r\n\r\nx\r\n")
    browser.wait("document.getElementById('messages').parentNode"
                 ".textContent.includes('a second one')")
    equal(browser.run("document.querySelectorAll('.fault').length"), 1)
    for _ in range(20):
        browser.press("Tab", 9)
        if browser.run("document.activeElement.matches('button.x')"):
            break
    browser.press("Enter", 13, "\r")
    browser.wait("document.querySelectorAll('.fault').length === 0")
    equal(browser.run("window.isSame"), True)
    equal(browser.errors, [])


def the_page_fits(browser, base, name):
    browser.size(320)
    shots = os.environ.get("SHOTS")
    for path in ("/", "/gateway/mx6.de.tuv.com", f"/message/{name}",
                 "/gateway/dns"):
        browser.go(base + path)
        width = browser.run("document.documentElement.scrollWidth")
        assert width <= 320, (path, width)
        if shots:
            word = path.strip("/").replace("/", "-") or "overview"
            browser.shoot(f"{shots}/{word}.png", is_dark=path == "/")


run()
