#!/usr/bin/env python3
"""A wrong configuration stops the start, with file and line and what would be
right; `config check` says the same without starting."""
import os
import pwd
import re
import subprocess

import relay as relays
from harness import case, case_for, equal, has, run

BASE = 'hostname = relay.example\nspool = "spool"\nlisten "127.0.0.1:0" { }\n'

# (title, what is wrong, its line behind BASE, words that must be said)
WRONG = (
    ("an unknown option", "colour = blue", 1, "colour"),
    ("a wrong value", "retry-first = soon", 1, "retry-first"),
    ("a wrong choice", 'policy "a.example" {\n  tls = always\n}', 2,
     "none|may|encrypt|verify"),
    ("a repeated option", "retry-first = 5s\nretry-first = 6s", 2,
     "retry-first"),
    ("a repeated option in a section",
     'policy "a.example" {\n  tls = may\n  tls = may\n}', 3, "tls"),
    ("a repeated title", 'policy "a.example" { }\npolicy "a.example" { }', 2,
     "a.example"),
    ("a title that differs in case and dot only",
     'policy "a.example" { }\npolicy "A.Example." { }', 2, "a.example"),
    ("a title equal by IDNA",
     'policy "bücher.example" { }\npolicy "xn--bcher-kva.example" { }', 2,
     "xn--bcher-kva.example"),
    ("a pattern that stands in domains too",
     'policy "a.example" { }\npolicy "b.example" {\n'
     '  domains = { a.example }\n}', 3, "a.example"),
    ("names without verify",
     'policy "a.example" {\n  tls = may\n  names = { mx.example }\n}', 3,
     "verify"),
    ("pins without verify", 'policy "a.example" {\n  pins = { "sha256:' +
     "00" * 32 + '" }\n}', 2, "verify"),
    ("a pin of the wrong length", 'policy "a.example" {\n  tls = verify\n'
     '  pins = { "sha256:00" }\n}', 3, "sha256"),
    ("an unquoted star", "policy * { }", 1, "quote|\""),
    ("a pattern that begins with a dot", 'policy ".example" { }', 1,
     "quote|\\*\\."),
    ("a star among names", 'policy "a.example" {\n  tls = verify\n'
     '  names = { "*.example" }\n}', 3, "names"),
    ("a variable", 'postmaster = "${HOME}"', 1, r"\$\{"),
    ("a missing file", 'policy "a.example" {\n  tls = verify\n'
     '  trust = "nowhere.pem"\n}', 3, "nowhere.pem"),
    ("a file of roots without certificates", 'policy "a.example" {\n'
     '  tls = verify\n  trust = "empty"\n}', 1, "empty"),
    ("a certificate that is none",
     'certificate "x" {\n  chain = "empty"\n  key = "empty"\n}', 1, "empty"),
    ("credentials below verify", 'policy "a.example" {\n  tls = encrypt\n'
     '  gateways = { "mx.example:25" }\n  user = x\n'
     '  password-file = "secret"\n}', 4, "verify"),
    ("a user without a password", 'policy "a.example" {\n  tls = verify\n'
     '  gateways = { "mx.example:25" }\n  user = x\n}', 4, "password-file"),
    ("a gateway with a wrong port", 'policy "a.example" {\n'
     '  gateways = { "mx.example:99999" }\n}', 2, "99999"),
    ("an address that is none", "relay-from = { 300.0.0.1/8 }", 1,
     "300.0.0.1"),
    ("a network with host bits or too many", "relay-from = { 10.0.0.0/33 }",
     1, "33"),
    ("a listener that is no address", 'listen "nowhere" { }', 1, "nowhere"),
    ("a certificate that is not there",
     'listen "127.0.0.2:0" {\n  certificate = "none-such"\n}', 2,
     "none-such"),
    ("a size that is none", "message-size = large", 1, "message-size"),
    ("a number below its least", "workers = 0", 1, "workers"),
    ("an unclosed section", 'policy "a.example" {\n  tls = may\n', 1,
     "not closed"),
)


def folder(lab, text):
    lab.write("postern.conf", text)
    lab.write("empty", "nothing here\n")
    lab.write("secret", "x\n")
    os.makedirs(lab.path("spool"), exist_ok=True)
    return lab.path("postern.conf")


def say(*words):
    done = subprocess.run([relays.POSTERN, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=30)
    assert not relays.SANITIZER.search(done.stdout), done.stdout
    return done


@case_for(*WRONG)
def refused_is(lab, text, line, words):
    path = folder(lab, BASE + text + "\n")
    for command in (("config", "check", "-c", path), ("serve", "-c", path)):
        done = say(*command)
        equal(done.returncode, 78, f"{command}: {done.stdout}")
        number = BASE.count("\n") + line
        has(done.stdout, f"postern.conf:{number}: ")
        assert re.search(words, done.stdout), (words, done.stdout)
        assert len(done.stdout.splitlines()) <= 3, done.stdout


@case
def a_repetition_names_both_places(lab):
    path = folder(lab, BASE + 'policy "a.example" { }\n\n'
                  'policy "a.example" { }\n')
    done = say("config", "check", "-c", path)
    first = BASE.count("\n") + 1
    has(done.stdout, f":{first}")
    has(done.stdout, f":{first + 2}")


@case
def a_missing_configuration_is_told(lab):
    done = say("serve", "-c", lab.path("none.conf"))
    assert done.returncode in (66, 78), done
    has(done.stdout, "none.conf")


@case
def a_good_one_passes_the_check(lab):
    path = folder(lab, BASE + """
retry-first = 90s
lifetime = 5d
message-size = 35M
relay-from = { 127.0.0.0/8, ::1, 192.168.10.0/24 }
policy "*.tuv.com" { tls = may  gateways = { mx5.de.tuv.com:25, "[::1]:26" } }
policy "*" { gateways = { "smtps://smtp.example:465" } }
""")
    done = say("config", "check", "-c", path)
    equal(done.returncode, 0, done.stdout)


@case
def an_included_file_is_read_and_named(lab):
    lab.write("more.conf", "retry-max = 2h\ncolour = red\n")
    path = folder(lab, BASE + 'include("more.conf")\n')
    done = say("config", "check", "-c", path)
    equal(done.returncode, 78)
    has(done.stdout, "more.conf:2")
    lab.write("more.conf", "retry-max = 2h\n")
    equal(say("config", "check", "-c", path).returncode, 0)


@case
def the_annotated_examples_are_valid(lab):
    """As far as they can be checked here: syntax and options; the files that
    they name are put beside copies of them."""
    source = os.path.join(os.environ.get("TOP", "."), "docs", "examples")
    names = [name for name in sorted(os.listdir(source))
             if name.endswith(".conf")]
    assert names
    good = lab.ca.leaf("relay", "relay.example")
    me = pwd.getpwuid(os.geteuid()).pw_name
    for name in names:
        with open(os.path.join(source, name), encoding="utf-8") as file:
            text = file.read()
        for path in set(re.findall(r'[\w/.-]+\.(?:pem|key|secret)', text)):
            kept = good.key if path.endswith(".key") else \
                good.chain if "root" not in path else lab.ca.trust
            copy = lab.path(path.replace("/", "_"))
            with open(kept, "rb") as file:
                data = b"x\n" if path.endswith("secret") else file.read()
            with open(copy, "wb") as file:
                file.write(data)
            text = text.replace(path, copy)
        # The default is this machine's own name, which may be no full one.
        if not re.search(r"^hostname", text, re.MULTILINE):
            text = "hostname = relay.example\n" + text
        # Its own user may not exist yet.
        text = re.sub(r"^user( *=).*$", r"user\1 " + me, text,
                      flags=re.MULTILINE)
        lab.write(name, text)
        done = say("config", "check", "-c", lab.path(name))
        equal(done.returncode, 0, f"{name}: {done.stdout}")


@case
def version_help_and_wrong_usage(lab):
    del lab
    equal(say("--version").returncode, 0)
    done = say("--help")
    equal(done.returncode, 0)
    has(done.stdout, "serve")
    equal(say("whatever").returncode, 64)
    equal(say("serve", "--nonsense").returncode, 64)


run()
