#!/usr/bin/env python3
"""A person at a terminal: what widens is asked for there, and only a yes that was typed after the question counts.

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
    print(f"{len(table)} checks")


if __name__ == "__main__":
    main()
