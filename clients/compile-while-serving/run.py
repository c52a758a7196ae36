#!/usr/bin/env python3
"""Calls a small tool every few milliseconds while two large components are compiled, and tells how long the answers took.

Two ways of compiling beside a running server, each measured by itself in a home of its own:

  add     two `casemate add` at once, while `casemate serve` answers on standard input and output
  serve   the server itself, started after its cache of native code is gone, compiles both while it is being called

A call is a whole `tools/call` of `notes_current_time`. In the second part a call of each large component is sent as
well, so that calls that wait for a compiler stand beside those that are measured. Fails if an answer took longer than
the limit, if an answer was an error, or if nothing was compiled during the measurement.

Whatever else the machine does can only make answers later. So a part whose slowest answer is above the limit is measured
again, and fails when none of its tries stays below; every try is printed.

Usage: run.py [--casemate PATH] [--limit MS] [--tries N] [COMPONENT COMPONENT]
"""

import argparse
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
LARGE = [EXAMPLES / "javascript" / "text.wasm", EXAMPLES / "python" / "tables.wasm"]
# A call of each, which waits until it is compiled. The second needs a folder that nobody grants: that is an answer too.
CALLS = {
    "text": ("text_markdown_to_text", {"markdown": "# One"}),
    "tables": ("tables_list_tables", {"folder": "/workspace"}),
}
# Seconds between the answer to a call and the next call.
PAUSE = 0.005
# Seconds after which compiling is given up: 8 to 13 of processor time each on the machine this was written on.
PATIENCE = 300


class Server:
    """`casemate serve`, its answers read by a thread."""

    def __init__(self, casemate, environment, log):
        self.process = subprocess.Popen(
            [casemate, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
        )
        self.answers = queue.SimpleQueue()
        threading.Thread(target=self.read, daemon=True).start()
        self.last = 0
        hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "ping", "version": "1"}}
        self.wait(self.send("initialize", hello))
        self.write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def read(self):
        for line in self.process.stdout:
            self.answers.put((time.perf_counter(), json.loads(line)))
        self.answers.put((time.perf_counter(), None))

    def write(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def send(self, method, params):
        self.last += 1
        self.write({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params})
        return self.last

    def wait(self, number):
        """The answer to a request and when it came. Answers to others are dropped."""
        while True:
            at, answer = self.answers.get(timeout=PATIENCE)
            if answer is None:
                raise SystemExit("the server went away")
            if answer.get("id") == number:
                return at, answer

    def ping(self):
        """Milliseconds of one call."""
        began = time.perf_counter()
        at, answer = self.wait(self.send("tools/call", {"name": "notes_current_time", "arguments": {"zone": "UTC"}}))
        if "result" not in answer or answer["result"].get("isError"):
            raise SystemExit(f"the call failed: {answer}")
        return (at - began) * 1000

    def end(self):
        self.process.stdin.close()
        if self.process.wait(timeout=PATIENCE) != 0:
            raise SystemExit("the server did not end in order")


def run(casemate, environment, *words):
    return subprocess.run([casemate, *words], env=environment, check=True, capture_output=True, text=True, timeout=PATIENCE)


def pinged(server, compiling):
    """Calls until `compiling` says no; the times of all calls."""
    times = []
    began = time.monotonic()
    while compiling():
        if time.monotonic() - began > PATIENCE:
            raise SystemExit(f"still compiling after {PATIENCE} s")
        times.append(server.ping())
        time.sleep(PAUSE)
    return times


def beside_add(casemate, environment, components, log):
    """Two processes compile; what each says of it."""
    server = Server(casemate, environment, log)
    server.ping()
    adds = [
        subprocess.Popen(
            [casemate, "add", component, "--yes", "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for component in components
    ]
    times = pinged(server, lambda: any(add.poll() is None for add in adds))
    # What was added is loaded by the server too.
    deadline = time.monotonic() + 1
    times += pinged(server, lambda: time.monotonic() < deadline)
    server.end()
    told = []
    for add in adds:
        out, err = add.communicate()
        if add.returncode != 0:
            raise SystemExit(f"add failed: {err}")
        compiled = json.loads(out)["compiled"]
        if not compiled:
            raise SystemExit("nothing was compiled")
        told.append(f"{compiled['milliseconds'] / 1000:.1f} s")
    return times, told


def inside_serve(casemate, environment, components, log):
    """The server compiles what it lacks, and a call of each large component waits for that."""
    for component in components:
        run(casemate, environment, "add", component, "--yes")
    natives = list(pathlib.Path(environment["CASEMATE_HOME"], "cache").glob("*.native"))
    listed = json.loads(run(casemate, environment, "list", "--json").stdout)
    small = next(entry["digest"] for entry in listed if entry["name"] == "notes").removeprefix("sha256:")
    gone = [native for native in natives if native.stem != small]
    for native in gone:
        native.unlink()
    began = time.monotonic()
    server = Server(casemate, environment, log)
    server.ping()
    for component in components:
        if call := CALLS.get(pathlib.Path(component).stem):
            server.send("tools/call", {"name": call[0], "arguments": call[1]})
    times = pinged(server, lambda: not all(native.exists() for native in gone))
    took = time.monotonic() - began
    deadline = time.monotonic() + 1
    times += pinged(server, lambda: time.monotonic() < deadline)
    peak = max(
        int(line.split()[1])
        for line in pathlib.Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    )
    server.end()
    return times, [f"both in {took:.1f} s", f"peak memory of the server {peak // 1024} MiB"]


def below(part, measure, casemate, components, options):
    """Whether one of the tries stays below the limit."""
    for _ in range(options.tries):
        with tempfile.TemporaryDirectory(prefix="casemate-compile-") as place, open(f"{place}/log", "wb") as log:
            environment = {"PATH": os.environ.get("PATH", ""), "HOME": place, "CASEMATE_HOME": f"{place}/home"}
            run(casemate, environment, "add", str(EXAMPLES / "rust" / "notes.wasm"), "--yes")
            times, told = measure(casemate, environment, components, log)
        times.sort()
        if len(times) < 100:
            raise SystemExit(f"{part}: only {len(times)} calls fell into the measurement")
        p50, p99, most = times[len(times) // 2], times[len(times) * 99 // 100], times[-1]
        print(
            f"{part:6} {len(times)} calls: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {most:.1f} ms"
            f" (limit {options.limit:g}); {', '.join(told)}",
            flush=True,
        )
        if most <= options.limit:
            return True
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--casemate", default=str(ROOT / "target" / "release" / "casemate"))
    parser.add_argument("--limit", type=float, default=100, help="milliseconds that an answer may take [default: 100]")
    parser.add_argument("--tries", type=int, default=3, help="how often a part is measured at most [default: 3]")
    parser.add_argument("components", nargs="*", default=LARGE, metavar="COMPONENT")
    options = parser.parse_args()
    casemate, components = os.path.abspath(options.casemate), [os.path.abspath(path) for path in options.components]
    print(", ".join(f"{os.path.basename(path)} {os.path.getsize(path) / (1 << 20):.1f} MiB" for path in components))
    parts = {"add": beside_add, "serve": inside_serve}
    above = {part for part, measure in parts.items() if not below(part, measure, casemate, components, options)}
    sys.exit(f"above the limit: {', '.join(sorted(above))}" if above else 0)


if __name__ == "__main__":
    main()
