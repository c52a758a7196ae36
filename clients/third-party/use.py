#!/usr/bin/env python3
"""Installs a component that other people built and published, as it is, and calls it: one that reads files.

It is `wasm-tools.component.wasm` of the Bytecode Alliance, from the npm package @bytecodealliance/jco 1.0.0: a component of
WASI 0.2.0, made for a JavaScript host, that exports seven ordinary functions. `component-embed` reads the WIT files of a
folder. What is checked: without a grant it reads nothing, and the person is told why and what it said; with one folder
granted it reads that folder and none beside it; what it made of it, its other functions turn into a component and back
into the text of that WIT.

Usage: use.py [--casemate PATH]
Needs npm, which fetches the package once; it is kept in $CASEMATE_CI_CACHE, else $XDG_CACHE_HOME/casemate-ci or
~/.cache/casemate-ci. Exits with 1 if a check failed, with 3 if the package could not be fetched.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = "@bytecodealliance/jco@1.0.0"
FILE = "package/obj/wasm-tools.component.wasm"
SHA256 = "9830f1a5a65d5d3abd43d833fc94d82619d6871d7b5ccd67b40c4a8447897d7a"
TOOLS = ["component_embed", "component_new", "component_wit", "metadata_add", "metadata_show", "parse", "print"]
WIT = "package shop:till;\n\nworld till {\n  import log: func(text: string);\n\n  export total: func() -> u32;\n}\n"
NOT_FETCHED = 3

failures = []


def check(what, holds, seen=""):
    print(f"{'ok   ' if holds else 'FAIL '} {what}{'' if holds else f': {seen}'}", flush=True)
    if not holds:
        failures.append(what)


def fetched():
    """The path of the component, fetched once."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = pathlib.Path(os.environ.get("CASEMATE_CI_CACHE") or os.path.join(base, "casemate-ci"), "third-party")
    place.mkdir(parents=True, exist_ok=True)
    kept = place / "jco-1.0.0-wasm-tools.component.wasm"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=place) as scratch:
            words = ["npm", "pack", "--silent", "--pack-destination", scratch, PACKAGE]
            subprocess.run(words, cwd=scratch, check=True, capture_output=True, timeout=300)
            (archive,) = pathlib.Path(scratch).glob("*.tgz")
            with tarfile.open(archive) as package:
                data = package.extractfile(FILE).read()
            partial = pathlib.Path(scratch, "component")
            partial.write_bytes(data)
            partial.rename(kept)
    found = hashlib.sha256(kept.read_bytes()).hexdigest()
    if found != SHA256:
        kept.unlink()
        raise ValueError(f"the bytes are {found}, not {SHA256}")
    return kept


class Casemate:
    """The binary, in a home where nobody has to be asked."""

    def __init__(self, binary, place):
        self.binary, self.place = str(binary), place
        self.environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(place), "CASEMATE_HOME": str(place / "home")}
        (place / "home").mkdir()
        (place / "home" / "config.toml").write_text("[grants]\nwithout-terminal = true\n")

    def run(self, *words):
        return subprocess.run(
            [self.binary, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=self.place,
            env=self.environment, timeout=300, check=False,
        )  # fmt: skip

    def call(self, tool, **arguments):
        """The exit status and the report of one call, with the workspace bound."""
        done = self.run("call", f"wasm_tools_{tool}", json.dumps(arguments), "--workspace", "work", "--json")
        return done.returncode, json.loads(done.stdout)


def converse(casemate, component):
    added = casemate.run("add", str(component), "--name", "wasm-tools", "--json")
    check("it is installed as it is", added.returncode == 0, added.stderr)
    told = json.loads(added.stdout)
    check("its functions are tools", sorted(told["tools"]) == [f"wasm_tools_{tool}" for tool in TOOLS], told)
    print(f"      compiled in {told['compiled']['milliseconds']} ms to {told['compiled']['native_bytes']} bytes")

    status, report = casemate.call("parse", wat="(component)")
    empty = base64.b64decode(report.get("result") or "")
    check("it parses text without any grant", (status, empty) == (0, b"\0asm\x0d\0\1\0"), report)

    embed = {"wit-path": "/workspace/wit", "world": "till", "dummy": True}
    status, report = casemate.call("component_embed", **{"embed-opts": embed})
    check("it reads no file that nobody granted", status == 3 and "result" not in report, report)
    reasons = [denial["reason"] for denial in report["denials"]]
    check("the refusal has its reason", reasons == ["denied.storage.read"], report["denials"])
    check("its author sees what it said", "/workspace/wit" in report["stderr"] and report["backtrace"], report)

    granted = casemate.run("grant", "wasm-tools", "read", "fs://workspace/wit/**")
    check("a person grants one folder", granted.returncode == 0, granted.stderr)
    status, report = casemate.call("component_embed", **{"embed-opts": embed})
    check("it reads the WIT of that folder", status == 0 and report["denials"] == [], report)
    module = report["result"]
    status, report = casemate.call("component_new", binary=module)
    check("it makes a component of what it read", status == 0, report)
    status, report = casemate.call("component_wit", binary=report["result"])
    text = report.get("result") or ""
    check("the component says what the file said", status == 0 and all(
        line in text for line in ["import log: func(text: string);", "export total: func() -> u32;"]
    ), report)  # fmt: skip

    beside = {**embed, "wit-path": "/workspace/beside"}
    status, report = casemate.call("component_embed", **{"embed-opts": beside})
    check("it reads nothing beside that folder", status != 0 and "result" not in report, report)
    check("nothing of that file is told", "canary" not in json.dumps(report), report)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", default=str(ROOT / "target" / "release" / "casemate"))
    binary = pathlib.Path(parser.parse_args().casemate).resolve()
    try:
        component = fetched()
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        print(f"not fetched: {PACKAGE}: {error}")
        return NOT_FETCHED
    with tempfile.TemporaryDirectory(prefix="casemate-use-") as place:
        place = pathlib.Path(place)
        for folder, text in [("wit", WIT), ("beside", WIT.replace("log", "canary"))]:
            (place / "work" / folder).mkdir(parents=True)
            (place / "work" / folder / "till.wit").write_text(text)
        converse(Casemate(binary, place), component)
    print(f"{len(failures)} failed" if failures else "all hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
