#!/usr/bin/env python3
"""A person at a terminal: what widens is asked for there, and only a yes that was typed after the question counts; passwords are not shown.

Needs Python 3 on a system with pseudo-terminals: terminal.py PATH-OF-CASEMATE PATH-OF-notes.wasm
"""

import os
import pty
import select
import sys
import tempfile
import time


def run(arguments, answer, environment, before=b""):
    """Runs a command on a terminal of its own and types `answer` once it asks; returns status and output."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(arguments[0], arguments, environment)
    os.write(terminal, before)
    shown, answered, start = b"", False, time.monotonic()
    while time.monotonic() - start < 30:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                part = os.read(terminal, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
        if b"[y/N]" in shown and not answered:
            time.sleep(0.1)
            os.write(terminal, answer)
            answered = True
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode(), answered


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
    print(f"{len(table) + 3} checks")


if __name__ == "__main__":
    main()
