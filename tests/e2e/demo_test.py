#!/usr/bin/env python3
# touches: tls
"""`make demo` does what it tells."""
import os
import pathlib
import subprocess
import sys

from harness import case, equal, has, need, run

DEMO = pathlib.Path(__file__).parent.parent / "demo.py"


@case
def the_demo_goes_as_it_is_told(lab):
    need("curl", "openssl")
    done = subprocess.run(
        [sys.executable, "-B", DEMO], check=False, text=True, timeout=60,
        env=dict(os.environ, TMPDIR=lab.folder), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT)
    equal(done.returncode, 0, done.stdout)
    for word in ("accepted", "durable", "attempt", "certificate",
                 "delivered", "file", "deferred"):
        has(done.stdout, f"\n  {word} ")
    equal(os.listdir(lab.folder), [], "it leaves something behind")


run()
