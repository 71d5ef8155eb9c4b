#!/usr/bin/env python3
# build: plain
"""docs/tls.md explains every reason that a postmaster can meet: each text and
each reason code that the judging rooms can say stands there, and no code that
they cannot. The tests that it names for its promises are there."""
import os
import pathlib
import re
import subprocess

from harness import case, equal, has, run

TOP = pathlib.Path(os.environ["TOP"])
PAGE = (TOP / "docs/tls.md").read_text(encoding="utf-8")

# The rooms in which a judgement, or what a handshake failed by, gets its words.
ROOMS = ("relay/smtp/opening.c", "tls/judge.c", "tls/chain.c", "tls/policy.c", "tls/wolf.c",
         "tls/wire.c", "tls/secure.c", "tls/conn.c")
# What says nothing of TLS, what no configuration can bring about, and what a
# demand is explained by.
OTHERS = {"cannot connect", "cannot use the source address",
          "cannot make a socket", "wolfSSL makes no session",
          "wolfSSL lacks TLS 1.3", "the connection is not open",
          "TLS is already spoken here", "trusting the name",
          "the wire keeps what the connection promises",
          # SMTP's own words
          "AUTH PLAIN", "AUTH LOGIN",
          "the server's text repeats the credentials"}

CONVERSION = re.compile(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z|j)?"
                        r"[a-zA-Z%]|\\[nr]")


def literals(path):
    """String literals, those that stand side by side as one."""
    text = (TOP / path).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"^#(?:\\\n|[^\n])*", "", text, flags=re.MULTILINE)
    one = r'"(?:[^"\\]|\\.)*"'
    for hit in re.finditer(rf"{one}(?:\s*{one})*", text):
        yield "".join(re.findall(r'"((?:[^"\\]|\\.)*)"',
                                 hit[0])).replace('\\"', '"')


def phrases(path):
    """What stands between the %s: whole phrases only."""
    for literal in literals(path):
        for phrase in CONVERSION.split(literal):
            phrase = phrase.strip(" ';,:()\"")
            if len(phrase) >= 8 and " " in phrase and phrase not in OTHERS:
                yield phrase


@case
def every_word_of_the_judge_is_explained(_lab):
    page = " ".join(PAGE.split())
    found = {(path, phrase) for path in ROOMS for phrase in phrases(path)}
    assert len(found) > 100, "the rooms are read wrongly"
    equal(sorted(one for one in found if one[1] not in page), [])


@case
def every_promise_of_the_page_names_its_tests(_lab):
    """`unit/tls_names: a_star_is_one_whole_left_most_label`"""
    names = re.findall(r"`(unit|e2e)/(\w+): ([a-z0-9_]+)`", PAGE)
    assert len(names) > 50, "the table is read wrongly"
    for kind, room, name in names:
        end = {"unit": "c", "e2e": "py"}[kind]
        text = (TOP / f"tests/{kind}/{room}_test.{end}").read_text("utf-8")
        has(re.findall(r"^(?:static void|def) (\w+)\(", text, re.MULTILINE),
            name, room)


@case
def the_published_weights_are_those_that_count(_lab):
    """docs/check.md and what --explain-score prints."""
    page = (TOP / "docs/check.md").read_text("utf-8")
    heads, _, weights = re.search(
        r"\| (Connect \|.*)\|\n(.*)\n\| ([\d |]+)\|\n", page).groups()
    done = subprocess.run([os.environ["POSTERN"], "check", "--explain-score"],
                          stdout=subprocess.PIPE, text=True, check=True)
    equal(re.findall(r"^ +(\d+) (.*)$", done.stdout, re.MULTILINE),
          list(zip([word.strip() for word in weights.split("|")],
                   [word.strip() for word in heads.split("|")])))


@case
def every_reason_code_is_explained_and_no_other(_lab):
    """Codes are the only literals of small letters and hyphens."""
    shape = r"[a-z]+(?:-[a-z]+)+"
    said = {literal for literal in literals("tls/judge.c")
            if re.fullmatch(shape, literal)}
    explained = re.findall(rf"^\| `({shape})` \|", PAGE, re.MULTILINE)
    equal(sorted(explained), sorted(said))


run()
