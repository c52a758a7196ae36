#!/usr/bin/env python3
"""Keeps the documents true where a machine can: links lead somewhere, tests that are named exist, and, given the binary,
every YAML and TOML example of docs/ loads and every command that is named is one.

Usage: .ci/docs.py [--casemate PATH]
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("tests/*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
BLOCK = re.compile(r"^```(yaml|toml)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[`\s])casemate ([a-z][a-z-]+)\b", re.MULTILINE)
# Words that follow the program's name in a sentence.
PROSE = {"is", "has", "runs", "reads", "refused", "with", "as", "does", "keeps", "for", "and"}


def broken_links():
    for document in DOCUMENTS:
        for target in LINK.findall(document.read_text()):
            if "://" not in target and not (document.parent / target).exists():
                yield f"{document.relative_to(ROOT)}: {target} is not there"


def missing_tests():
    names = set()
    for path in ROOT.glob("crates/**/*.rs"):
        names.update(re.findall(r"\bfn ([a-z0-9_]+)", path.read_text()))
    for document in [ROOT / "SECURITY.md", ROOT / "ARCHITECTURE.md"]:
        # Names of tests are sentences; of anything else with underscores there is little.
        for name in re.findall(r"`([a-z0-9]+(?:_[a-z0-9]+){2,})`", document.read_text()):
            if name not in names:
                yield f"{document.name}: there is no test {name}"


def run(binary, home, *words):
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "CASEMATE_HOME": str(home / "casemate")}
    return subprocess.run(
        [binary, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, timeout=60, check=False
    )


def trusted(binary, home, text):
    """Verifies a file that is there anyway under these rules, with new keys for those that they name."""
    rules, keys = home / "casemate" / "trust.yaml", home / "casemate" / "keys"
    keys.mkdir(exist_ok=True)
    for name in re.findall(r"keys/(\S+)\.pub", text):
        if not (keys / f"{name}.pub").exists():
            run(binary, home, "sign", "--generate-key", str(keys / name))
    rules.write_text(text)
    done = run(binary, home, "verify", str(ROOT / "examples" / "rust" / "notes.wasm"))
    rules.unlink()
    return done


def broken_examples(binary):
    with tempfile.TemporaryDirectory(prefix="casemate-docs-") as place:
        home = pathlib.Path(place)
        (home / "casemate").mkdir()
        for document in sorted(ROOT.glob("docs/*.md")):
            for kind, text in BLOCK.findall(document.read_text()):
                where = f"{document.relative_to(ROOT)}: the example that starts {text.splitlines()[0].strip()!r}"
                if kind == "toml":
                    # A lock starts with its version, a configuration has none.
                    file = home / "casemate" / ("casemate.lock" if text.startswith("version") else "config.toml")
                    file.write_text(text)
                    done = run(binary, home, "list")
                    file.unlink()
                elif document.name == "trust.md":
                    done = trusted(binary, home, text)
                else:
                    file = home / "example.yaml"
                    whole = text if text.startswith("version") else f'version: "1.0"\npermissions:\n{text}'
                    file.write_text(whole)
                    done = run(binary, home, "policy", "check", str(file))
                # A file of this machine is unsigned, which `verify` denies once the rules are loaded.
                if done.returncode != (3 if document.name == "trust.md" and kind == "yaml" else 0):
                    yield f"{where} does not load: {done.stderr.strip()}"


def unknown_commands(binary):
    known = set()
    with tempfile.TemporaryDirectory() as home:
        for line in run(binary, pathlib.Path(home), "--help").stdout.splitlines():
            found = re.match(r"^  ([a-z-]+)  +\S", line)
            if found:
                known.add(found.group(1))
    for document in DOCUMENTS:
        if document.name == "CHANGELOG.md":
            continue
        for word in COMMAND.findall(document.read_text()):
            if word not in known | PROSE:
                yield f"{document.relative_to(ROOT)}: there is no command casemate {word}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate")
    chosen = parser.parse_args()
    complaints = [*broken_links(), *missing_tests()]
    looked = "links and names of tests"
    if chosen.casemate:
        binary = pathlib.Path(chosen.casemate).resolve()
        complaints += [*broken_examples(binary), *unknown_commands(binary)]
        looked += ", examples and commands"
    for complaint in complaints:
        print(f"docs: {complaint}", file=sys.stderr)
    if not complaints:
        print(f"docs: {looked} of {len(DOCUMENTS)} documents are right")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
