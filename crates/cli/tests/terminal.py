#!/usr/bin/env python3
"""A person at a terminal: what widens is asked for there, and only a yes that was typed after the question counts; passwords are not shown.

Needs Python 3 on a system with pseudo-terminals: terminal.py PATH-OF-CASEMATE PATH-OF-notes.wasm
"""

import json
import os
import pty
import select
import subprocess
import sys
import tempfile
import time


def run(arguments, answer, environment, before=b"", prompt=b"[y/N]"):
    """Runs a command on a terminal of its own and types `answer` once it asks; returns status and output.

    Several answers are typed one by one, each after one more line that ends as a question does: `prompt`.
    """
    answers = answer if isinstance(answer, list) else [answer]
    prompts = [b"[y/N] ", b"[q]uit: "] if prompt is None else [prompt]
    asked = lambda shown: sum(shown.count(prompt) for prompt in prompts)
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(arguments[0], arguments, environment)
    os.write(terminal, before)
    shown, answered, start = b"", 0, time.monotonic()
    while time.monotonic() - start < 30:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        if asked(shown) > answered and answered < len(answers):
            time.sleep(0.1)
            os.write(terminal, answers[answered])
            answered += 1
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode(), answered > 0


REQUEST = b"""version: "1.0"
permissions:
  storage:
    allow:
      - { uri: "fs://workspace/**", access: [read] }
  network:
    allow:
      - { host: api.github.com }
  environment:
    allow:
      - { key: GITHUB_TOKEN }
"""


def leb(number):
    """A number as WebAssembly writes it."""
    out = bytearray()
    while True:
        byte, number = number & 0x7F, number >> 7
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def with_request(component, request):
    """The bytes of a component with what it asks for in its section."""
    name = b"casemate:permissions"
    content = leb(len(name)) + name + request
    return component + b"\x00" + leb(len(content)) + content


def consent(casemate, component, directory, environment):
    """The screen of `add`: all of what is asked for, some of it, none, or not at all."""
    asking = os.path.join(directory, "asking.wasm")
    with open(component, "rb") as plain, open(asking, "wb") as out:
        out.write(with_request(plain.read(), REQUEST))
    # The answers, the status, whether it is installed after, and what of the request its policy has then.
    token, files, host = "GITHUB_TOKEN", "fs://workspace", "api.github.com"
    table = [
        ([b"q\n"], 3, False, []),
        ([b"\x04"], 3, False, []),
        ([b"maybe\n", b"\n", b"y\n"], 3, False, []),
        ([b"p\n", b"y\n", b"q\n"], 3, False, []),
        ([b"n\n"], 0, True, []),
        ([b"p\n", b"n\n", b"n\n", b"y\n"], 0, True, [host]),
        ([b"pick\n", b"n\n", b"yes\n", b"no\n"], 0, True, [files]),
        ([b"a\n"], 0, True, [token, files, host]),
    ]
    for number, (answers, status, installed, granted) in enumerate(table):
        name = f"asking{number}"
        policy = os.path.join(environment["CASEMATE_HOME"], "policies", name + ".yaml")
        got, shown, _ = run([casemate, "add", asking, "--name", name], answers, environment, prompt=None)
        text = open(policy).read() if os.path.exists(policy) else ""
        has = [word for word in (token, files, host) if word in text]
        listed = subprocess.run([casemate, "list", "--json"], env=environment, capture_output=True, check=True)
        there = name in [component["name"] for component in json.loads(listed.stdout)]
        ranked = shown.find("see the environment variable " + token) < shown.find("send requests to " + host)
        ok = (got, there, has) == (status, installed, granted) and ranked and "Together" in shown
        print("ok" if ok else "FAILED", "add", answers, got, has)
        if not ok:
            sys.exit(f"{answers}: status {got}, installed {there}, policy {text!r}\n{shown}")
    # A newer build of the same file: only what grew is asked, and what was granted stays.
    more = REQUEST.replace(b"  network:\n    allow:\n", b"  network:\n    allow:\n      - { host: upload.github.com }\n")
    with open(component, "rb") as plain, open(asking, "wb") as out:
        out.write(with_request(plain.read(), more))
    name = f"asking{len(table) - 1}"
    policy = os.path.join(environment["CASEMATE_HOME"], "policies", name + ".yaml")
    steps = [([b"q\n"], 3, False), ([b"p\n", b"y\n"], 0, True)]
    for answers, status, granted in steps:
        got, shown, _ = run([casemate, "update", name], answers, environment, prompt=None)
        text = open(policy).read()
        ok = (got, "upload.github.com" in text, token in text) == (status, granted, True)
        ok = ok and "(not asked again)" in shown
        print("ok" if ok else "FAILED", "update", answers, got)
        if not ok:
            sys.exit(f"{answers}: status {got}, policy {text!r}\n{shown}")
    return len(table) + len(steps)


def converse(arguments, answers, environment):
    """Runs a command on a terminal of its own and types each answer once its question is there; returns status and output."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(arguments[0], arguments, environment)
    shown, left, start = b"", list(answers), time.monotonic()
    while time.monotonic() - start < 30:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        # The question is written once the terminal shows nothing of what is typed.
        if left and shown.count(left[0][0]) > 0:
            os.write(terminal, left.pop(0)[1])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def secrets(casemate, directory, environment):
    """A password is asked twice, shown to nobody, and not taken when the two differ; yields what is wrong."""
    first, again = b"Password of the new key", b"The same again"
    for name, answers, status, encrypted in [
        ("sealed", [(first, b"geheim one\n"), (again, b"geheim one\n")], 0, True),
        ("differs", [(first, b"geheim one\n"), (again, b"geheim two\n")], 2, None),
        ("open", [(first, b"\n")], 0, False),
    ]:
        prefix = os.path.join(directory, name)
        got, shown = converse([casemate, "sign", "--generate-key", prefix], answers, environment)
        made = os.path.exists(prefix + ".key")
        found = made and "ENCRYPTED SIGSTORE" in open(prefix + ".key").read()
        if got != status or made != (encrypted is not None) or found != bool(encrypted) or "geheim" in shown:
            yield f"a new key, {name}: exit {got}, made {made}, encrypted {found}: {shown!r}"


def main():
    casemate, component = map(os.path.abspath, sys.argv[1:3])
    directory = tempfile.mkdtemp()
    folder, home = os.path.join(directory, "folder"), os.path.join(directory, "home")
    os.mkdir(folder)
    environment = {"HOME": os.path.join(directory, "user"), "CASEMATE_HOME": home, "TERM": "xterm"}
    policy = os.path.join(home, "policies", "notes.yaml")
    grant = ["grant", "notes", "read", folder]
    # What is typed, the answer, what was typed before the question, the status, whether it asks, whether it is granted after.
    table = [
        (["add", component], b"n\n", b"", 3, True, False),
        (["add", component], b"y\n", b"", 0, True, False),
        (grant, b"n\n", b"", 3, True, False),
        (grant, b"\n", b"", 3, True, False),
        (grant, b"\n", b"y\ny\ny\n", 3, True, False),
        (grant + ["--yes"], b"y\n", b"", 3, False, False),
        (["limit", "notes", "memory=1Gi"], b"n\n", b"", 3, True, False),
        (grant, b"y\n", b"", 0, True, True),
        (["limit", "notes", "memory=1Mi"], b"", b"", 0, False, True),
    ]
    for arguments, answer, before, status, asks, granted in table:
        got, shown, asked = run([casemate] + arguments, answer, environment, before)
        text = open(policy).read() if os.path.exists(policy) else ""
        ok = (got, asked, "fs://" in text) == (status, asks, granted)
        print("ok" if ok else "FAILED", arguments[0], repr(answer), got)
        if not ok:
            sys.exit(f"{arguments}: status {got}, asked {asked}, policy {text!r}\n{shown}")
    wrong = list(secrets(casemate, directory, environment))
    if wrong:
        sys.exit("\n".join(wrong))
    count = len(table) + 3 + consent(casemate, component, directory, environment)
    print(f"{count} checks")


if __name__ == "__main__":
    main()
