#!/usr/bin/env python3
"""Proves that the bans of clippy.toml and the lints of Cargo.toml are alive: clippy must refuse every line of seed.rs.

The seed becomes an example of casemate-runtime for as long as clippy looks at it, so that it shares what is built.
"""

import json
import pathlib
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[1]
SEED = ROOT / ".ci" / "seed.rs"
PLANTED = ROOT / "crates" / "runtime" / "examples" / "seeded_violation.rs"
COMMAND = [
    *("cargo", "clippy", "--locked", "--package", "casemate-runtime", "--example", "seeded_violation"),
    *("--message-format", "json"),
]


def refused():
    """What clippy says of the seed: whether it fails, the lints and the paths it names, and other errors."""
    PLANTED.parent.mkdir(parents=True, exist_ok=True)
    PLANTED.write_text(SEED.read_text())
    try:
        done = subprocess.run(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    finally:
        PLANTED.unlink()
    lints, texts, broken = set(), [], []
    for line in done.stdout.splitlines():
        message = json.loads(line).get("message") or {}
        if not any(span["file_name"].endswith(PLANTED.name) for span in message.get("spans", [])):
            continue
        code = (message.get("code") or {}).get("code") or ""
        if message["level"] == "error" and code.startswith("E"):
            broken.append(message["message"])
        lints.add(code)
        texts.append(message["message"])
    return done.returncode != 0, lints, "\n".join(texts), broken


def main():
    bans = [entry["path"] for entry in tomllib.loads((ROOT / "clippy.toml").read_text())["disallowed-methods"]]
    levels = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["lints"]
    fails, lints, texts, broken = refused()
    dead = [f"the seed does not compile: {message}" for message in broken]
    if not fails:
        dead.append("clippy lets the seeded violation pass")
    dead += [f"the ban of {path} is dead" for path in bans if f"disallowed method `{path}`" not in texts]
    own = [f"clippy::{name}" for name, level in levels["clippy"].items() if level == "deny"] + ["unsafe_code"]
    dead += [f"the lint {name} is dead" for name in own if name not in lints]
    for complaint in dead:
        print(f"seed: {complaint}", file=sys.stderr)
    if not dead:
        print(f"seed: clippy refuses {len(bans)} banned methods and {len(own)} other violations")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
