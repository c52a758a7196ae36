#!/usr/bin/env python3
"""A throw-away home of Casemate with the examples installed, for the checks of every client.

Installing compiles, which takes ten seconds for a component that brings its language's engine along; so it is done once,
into a folder that the checks then copy, each for itself. Beside the home that folder holds `components.json`, the names
of what was installed. Nothing but the standard library is used.

Usage: home.py --casemate PATH [--component NAME=FILE[:WIT[:POLICY]]]... FOLDER
Makes FOLDER; prints a line per component; exits with 1 if one could not be installed.
"""

import argparse
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent / "examples"
FIXTURE = HERE / "fixture"
# What is always there: the components of the examples that are committed, and the fixture with what no example has.
ALWAYS = (
    ("notes", EXAMPLES / "rust" / "notes.wasm", EXAMPLES / "rust" / "wit", EXAMPLES / "rust" / "policy.yaml"),
    ("checksums", EXAMPLES / "c" / "checksums.wasm", EXAMPLES / "c" / "wit", EXAMPLES / "c" / "policy.yaml"),
    ("test", FIXTURE / "fixture.wasm", FIXTURE / "wit" / "world.wit", FIXTURE / "policy.yaml"),
)
# Calls that the checks make, the files they work on and the pages they fetch.
CALLS = json.loads((HERE / "calls.json").read_text())
# Seconds in which any one command of Casemate has to end, and a server to listen.
COMMAND = 180
LISTENS = 30


class NotInstalled(Exception):
    """`casemate add` refused a component."""


def environment(home, place):
    """Nothing of the caller's own home is looked at."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(place), "CASEMATE_HOME": str(home)}


def component(text):
    """NAME=FILE[:WIT[:POLICY]] as a tuple; an empty part is one that was left out."""
    name, _, rest = text.partition("=")
    parts = (rest.split(":") + [""] * 2)[:3]
    if not name or not parts[0]:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE[:WIT[:POLICY]]")
    return (name, *(pathlib.Path(part).resolve() if part else None for part in parts))


def prepare(binary, folder, components=()):
    """Makes `folder` with a home in it; returns the names of what is installed there."""
    folder = pathlib.Path(folder)
    home = folder / "home"
    home.mkdir(parents=True)
    home.chmod(0o700)
    # A script has no terminal to confirm on; a person says here that this home may do without.
    (home / "config.toml").write_text("[grants]\nwithout-terminal = true\n")
    installed = []
    for name, file, wit, policy in (*ALWAYS, *components):
        if name not in CALLS["components"]:
            raise NotInstalled(f"there are no calls of {name} in clients/calls.json")
        words = ["add", str(file), "--name", name]
        words += ["--wit", str(wit)] if wit else []
        words += ["--policy", str(policy)] if policy else []
        added = subprocess.run(
            [binary, *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment(home, folder),
            cwd=folder,
            timeout=COMMAND,
            check=False,
        )
        if added.returncode != 0:
            raise NotInstalled(f"`casemate add` of {name}: {added.stderr}{added.stdout}")
        installed.append(name)
    (folder / "components.json").write_text(json.dumps(installed))
    return installed


class Setup:
    """A copy of a prepared home, and a workspace with the files of the calls."""

    def __init__(self, binary, prepared):
        self.binary = binary
        prepared = pathlib.Path(prepared)
        self.components = json.loads((prepared / "components.json").read_text())
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="casemate-client-"))
        self.home = self.place / "home"
        shutil.copytree(prepared / "home", self.home)
        self.workspace = self.place / "workspace"
        for name, text in CALLS["files"].items():
            file = self.workspace / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def environment(self):
        return environment(self.home, self.place)

    def casemate(self, *words):
        return subprocess.run(
            [self.binary, *words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=self.environment(),
            cwd=self.place,
            timeout=COMMAND,
            check=False,
        )

    def calls(self, pages):
        """The calls of each installed component, where `pages` is the address of the pages."""
        text = json.dumps({name: CALLS["components"][name] for name in self.components})
        return json.loads(text.replace("{pages}", pages))

    def let_reach(self, pages):
        """Lets each component whose calls name the pages reach them, as a person who edits its policy would."""
        host, port = pages.removeprefix("http://").split(":")
        for name in self.components:
            if "{pages}" not in json.dumps(CALLS["components"][name]):
                continue
            policy = self.home / "policies" / f"{name}.yaml"
            rule = f'  network:\n    allow:\n      - {{ host: "{host}", schemes: [http], ports: [{port}] }}\n'
            text = policy.read_text()
            if "  network:\n    allow:\n" not in text:
                raise ValueError(f"{name} has no rules for the network to add one to")
            policy.write_text(text.replace("  network:\n    allow:\n", rule))

    def serve(self):
        """The arguments of a server on standard input and output."""
        return ["serve", "--workspace", str(self.workspace)]

    def records(self):
        """The records of calls."""
        file = self.home / "audit" / "calls.jsonl"
        return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []

    def remove(self):
        shutil.rmtree(self.place, ignore_errors=True)


class Pages:
    """A server on loopback that gives the pages of the calls, until the `with` is left."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):  # noqa: N802, the name that the library calls
            page = CALLS["pages"].get(self.path)
            body = (page["body"] if page else "no such page").encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Type", page["type"] if page else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Listening:
    """`casemate serve --http` on a port of the kernel's choice, until the `with` is left."""

    def __init__(self, setup, extra=None):
        self.setup = setup
        self.extra = extra or {}
        self.process = None
        self.address = None
        self.said = []
        self._told = threading.Event()

    def _read(self):
        for line in self.process.stderr:
            self.said.append(line)
            _, found, rest = line.partition("serving MCP at ")
            if found and self.address is None:
                self.address = rest.split()[0]
                self._told.set()
        self._told.set()

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.setup.binary, *self.setup.serve(), "--http", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.setup.environment() | self.extra,
            cwd=self.setup.place,
        )
        threading.Thread(target=self._read, daemon=True).start()
        if not self._told.wait(LISTENS) or self.address is None:
            self.process.kill()
            self.process.wait()
            raise RuntimeError("the server does not say where it listens: " + "".join(self.said)[-1000:])
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", required=True)
    parser.add_argument("--component", action="append", type=component, default=[])
    parser.add_argument("folder")
    chosen = parser.parse_args()
    try:
        for name in prepare(pathlib.Path(chosen.casemate).resolve(), chosen.folder, chosen.component):
            print(f"installed {name}")
    except (NotInstalled, OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
