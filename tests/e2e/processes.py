"""What runs below this process, by /proc; orphans come to us as children."""
import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stat(pid):
    """(parent, state) or None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[1]), fields[0]
    except OSError:
        return None


def descendants(pid=None):
    """Living processes below pid (ourselves), each as its pid."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            found = stat(name)
            if found and found[1] not in "ZX":
                children.setdefault(found[0], []).append(int(name))
    found, waiting = [], [pid or os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def is_alive(pid):
    found = stat(pid)
    return found is not None and found[1] not in "ZX"


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def wait_gone(pids, timeout=5):
    """Those of pids that are still there after so many seconds."""
    end = time.monotonic() + timeout
    while True:
        left = [pid for pid in pids if is_alive(pid)]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def kill(pids, number=signal.SIGKILL):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def memory(pid):
    """RssAnon plus RssFile in bytes, without what is mapped from a store
    (files called data.mdb), from smaps."""
    total, counts = 0, True
    with open(f"/proc/{pid}/smaps", encoding="utf-8",
              errors="replace") as file:
        for line in file:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                counts = not line.rstrip().endswith("data.mdb")
            elif words[0] == "Rss:" and counts:
                total += int(words[1]) * 1024
    return total
