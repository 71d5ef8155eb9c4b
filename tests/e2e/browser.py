"""Chromium without a screen, spoken to by the DevTools protocol over a pipe.

    with Browser(folder) as browser:
        browser.go("http://127.0.0.1:8025/")
        browser.run("document.title")

`dialogs` counts what tried to open one; `errors` are the page's own.
"""
import base64
import fcntl
import json
import os
import select
import subprocess
import time

import processes

PATIENCE = 40  # s; the machine may be busy


def pipe():
    """Beyond the numbers 3 and 4, which chromium's ends get."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high


class Browser:
    def __init__(self, folder):
        self.number = 0
        self.pending = b""
        self.session = None
        self.dialogs = 0
        self.errors = []
        self.loaded = 0
        their_in, self.out = pipe()
        self.input, their_out = pipe()
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{their_in} 4>&{their_out}', "bash",
             "chromium", "--headless", "--no-sandbox", "--disable-gpu",
             "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--disable-sync",
             "--disable-component-update", "--disable-breakpad",
             "--disable-dev-shm-usage", "--hide-scrollbars",
             f"--user-data-dir={folder}", "--remote-debugging-pipe"],
            pass_fds=(their_in, their_out), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=folder))
        os.close(their_in)
        os.close(their_out)
        target = self.call("Target.createTarget", url="about:blank")
        self.session = self.call("Target.attachToTarget", flatten=True,
                                 targetId=target["targetId"])["sessionId"]
        for part in ("Page", "Runtime", "Log"):
            self.call(part + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # The protocol: JSON, each ended by a NUL.

    def take(self, end):
        while b"\0" not in self.pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.input], [], [], left)[0]:
                return None
            data = os.read(self.input, 1 << 20)
            if not data:
                raise AssertionError("chromium has ended")
            self.pending += data
        text, _, self.pending = self.pending.partition(b"\0")
        said = json.loads(text)
        if "id" not in said:
            self.note(said)
        return said

    def note(self, said):
        what, facts = said["method"], said.get("params", {})
        if what == "Page.javascriptDialogOpening":
            self.dialogs += 1
            self.tell("Page.handleJavaScriptDialog", accept=True)
        elif what == "Page.loadEventFired":
            self.loaded += 1
        elif what == "Runtime.exceptionThrown":
            self.errors.append(str(facts["exceptionDetails"]))
        elif what == "Log.entryAdded" and facts["entry"]["level"] == "error":
            self.errors.append(facts["entry"]["text"])

    def tell(self, method, **facts):
        self.number += 1
        said = {"id": self.number, "method": method, "params": facts}
        if self.session:
            said["sessionId"] = self.session
        os.write(self.out, json.dumps(said).encode() + b"\0")
        return self.number

    def call(self, method, **facts):
        number = self.tell(method, **facts)
        end = time.monotonic() + PATIENCE
        while True:
            said = self.take(end)
            assert said, f"{method}: no answer"
            if said.get("id") == number:
                assert "error" not in said, said
                return said["result"]

    # What a case wants.

    def go(self, url):
        before = self.loaded
        self.call("Page.navigate", url=url)
        end = time.monotonic() + PATIENCE
        while self.loaded == before:
            assert self.take(end), f"{url} does not load"

    def run(self, script):
        done = self.call("Runtime.evaluate", expression=script,
                         returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait(self, script):
        end = time.monotonic() + PATIENCE
        while not self.run(script):
            assert time.monotonic() < end, f"never: {script}"
            self.take(time.monotonic() + 0.1)

    def settle(self, seconds):
        """Lets the page do what it may."""
        end = time.monotonic() + seconds
        while self.take(end):
            pass

    def press(self, key, code=0, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key,
                      windowsVirtualKeyCode=code,
                      text=text if kind == "keyDown" else "")

    def size(self, width, height=800):
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=width < 600)

    def shoot(self, path, is_dark=False):
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme",
             "value": "dark" if is_dark else "light"}])
        done = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(done["data"]))

    def close(self):
        """At once: what it leaves behind is a folder of the case's."""
        below = processes.descendants(self.process.pid)
        processes.kill([self.process.pid, *below])
        self.process.wait()
        processes.wait_gone(below)
        os.close(self.out)
        os.close(self.input)
