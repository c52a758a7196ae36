#!/usr/bin/env python3
"""Grades components that other people built, and holds every line of the reports against facts found without Casemate.

The facts are read by the small parser below, which knows sections, names, memories and nothing else, and shares no code
with Casemate: what the component imports, which memories its modules declare and with what maximum, and which custom
sections stand in the outermost component. The points are those of docs/report.md. Each report must have exactly the
findings that follow, with these words, the scores and the letter that follow from them, and nothing else. The names of tools and of
their parameters are facts of `wasm-tools component wit` (see COMPONENTS).

Usage: report.py [--casemate PATH]
Downloads are those of inspect.py, and kept where it keeps them. Exits with 1 if a line is not true, or if fewer than three components
could be fetched.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile


ROOT = pathlib.Path(__file__).resolve().parents[2]
ENOUGH = 3

# Beginning of the package, file in it, and its tools, each with its parameters.
COMPONENTS = [
    ("wac-cli", "hello.wasm", {"hello": []}),
    ("wac-cli", "greeter.wasm", {"greet": []}),
    ("oci-wasm", "component.wasm", {}),
]


def load_neighbour():
    """inspect.py of this directory, whose name is that of a module of Python."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("inspect_components", pathlib.Path(__file__).parent / "inspect.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Bytes:
    """Reads integers and names of the binary format."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def number(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def take(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def name(self):
        return self.take(self.number()).decode()


def sections(data):
    """The sections of a module or component, each with its id."""
    reader = Bytes(data)
    assert reader.take(4) == b"\0asm"
    reader.take(4)
    while reader.at < len(data):
        kind = reader.byte()
        yield kind, reader.take(reader.number())


def is_component(data):
    return data[4:8] == b"\x0d\0\x01\0"


def facts(data):
    """Names of the custom sections of the outermost component, names of its imports, and all memories below it."""
    custom, imports, memories = set(), [], []

    def walk(data, outermost):
        component = is_component(data)
        for kind, body in sections(data):
            reader = Bytes(body)
            if kind == 0 and outermost:
                custom.add(reader.name())
            elif component and kind in (1, 4):  # a module, a component
                walk(body, False)
            elif component and kind == 10 and outermost:
                # All names begin with 0x00 or 0x01; types follow, of one or two bytes and an index.
                for _index in range(reader.number()):
                    reader.byte()
                    imports.append(reader.name())
                    sort = reader.byte()
                    if sort == 0 or sort == 3 and reader.byte() == 1:
                        raise ValueError("an import of a sort that is not read here")
                    reader.number()
            elif not component and kind == 5:
                for _index in range(reader.number()):
                    flags = reader.byte()
                    minimum = reader.number()
                    memories.append((minimum, reader.number() if flags & 1 else None))

    walk(data, True)
    return custom, imports, memories


def is_offered(name):
    """Whether Casemate has an interface: WASI 0.2 to the patch that docs/wasi.md names."""
    found = re.fullmatch(r"wasi:(cli|clocks|filesystem|http|io|random|sockets)/([a-z-]+)@0\.2\.(\d+)", name)
    return bool(found) and int(found[3]) <= 12


def expected(data, tools):
    """Every finding as (rule, points, what, where)."""
    custom, imports, memories = facts(data)
    lines = []
    strange = [name for name in imports if not is_offered(name)]
    if strange:
        more = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        lines.append(("reach.unknown-import", 10, f"it imports {strange[0]}{more}", "component"))
    # None of these has a tool that leads to files or the network: the tools only make text.
    open_ended = sum(maximum is None for _minimum, maximum in memories)
    if open_ended:
        has = "has" if open_ended == 1 else "have"
        what = f"{open_ended} of {len(memories)} declared memories {has} no maximum"
        lines.append(("limits.memory-undeclared", 5, what, "component"))
    lines.append(("provenance.file", 10, "a local file, which nobody vouches for", "source"))
    if not custom & {"description", "package-docs"}:
        what = "no category, no description and no documented world came with it"
        lines.append(("documentation.no-purpose", 15, what, "component"))
    neither = "neither the component nor WIT that was given with it describes"
    if "package-docs" not in custom:
        lines.append(("documentation.no-world", 5, f"{neither} its world", "component"))
        for tool, parameters in tools.items():
            lines.append(("documentation.tool", 5, f"{neither} the tool", f"tool {tool}"))
            for parameter in parameters:
                what = f"its description does not name the parameter {parameter}, and the type says nothing of itself"
                lines.append(("documentation.parameter", 1, what, f"tool {tool}"))
    if "licenses" not in custom:
        what = "neither the manifest nor the component names a licence"
        lines.append(("documentation.no-licence", 5, what, "component"))
    if not custom & {"source", "homepage"}:
        what = "neither the manifest nor the component says where its source is"
        lines.append(("documentation.no-source", 5, what, "component"))
    return lines


def complaints_of(binary, path, digest, tools):
    data = path.read_bytes()
    home = pathlib.Path(tempfile.mkdtemp(prefix="casemate-report-"))
    try:
        environment = {"PATH": "", "HOME": str(home), "CASEMATE_HOME": str(home / "casemate")}
        words = [binary, "report", str(path), "--format", "json"]
        done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60, check=True)
        left = list(home.rglob("*"))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    report = json.loads(done.stdout)
    complaints = [f"left {left}"] if left else []

    def same(what, found, wanted):
        if found != wanted:
            complaints.append(f"{what} is {found!r}, and should be {wanted!r}")

    wanted = expected(data, tools)
    found = [(one["rule"], one["points"], one["what"], one["where"]) for one in report["findings"]]
    for line in found:
        if line not in wanted:
            complaints.append(f"not true: {line}")
    for line in wanted:
        if line not in found:
            complaints.append(f"not said: {line}")
    same("digest", report["digest"], f"sha256:{digest}")
    same("size", report["bytes"], len(data))
    same("name", report["name"], path.name)
    same("source", report["source"], "file")
    same("purpose", report["purpose"], {"category": None, "description": None})
    same("notes", report["notes"], [] if tools else ["it has no tool that can be called"])
    letter = lambda score: "ABCDF"[[score >= 90, score >= 80, score >= 70, score >= 60, True].index(True)]  # noqa: E731
    scores = {axis: 100 for axis in ("reach", "limits", "provenance", "secrets", "text", "documentation")}
    for rule, points, _what, _where in wanted:
        scores[rule.split(".")[0]] -= points
    same("axes", report["axes"], [{"axis": k, "score": v, "grade": letter(v)} for k, v in scores.items()])
    same("grade", report["grade"], letter(min(scores.values())))
    return complaints, f"{report['grade']}, {len(found)} findings"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", default=str(ROOT / "target" / "release" / "casemate"))
    binary = pathlib.Path(parser.parse_args().casemate).resolve()
    neighbour = load_neighbour()
    place = neighbour.cache()
    passed = failed = 0
    for package, file, tools in COMPONENTS:
        known = next(one for one in neighbour.COMPONENTS if one[1] == package and one[3].endswith(f"/{file}"))
        registry, package, version, inside, digest, _about = known
        title = f"{package} {version} {file}"
        try:
            path = neighbour.fetch(place, registry, package, version, inside, digest)
        except (OSError, subprocess.SubprocessError, ValueError, IndexError, KeyError) as error:
            print(f"skip  {title}: not fetched from {registry}: {error}", flush=True)
            continue
        complaints, said = complaints_of(binary, path, digest, tools)
        failed += bool(complaints)
        passed += not complaints
        print(f"{'FAIL' if complaints else 'ok  '}  {title}: {said}{''.join(f'; {one}' for one in complaints)}", flush=True)
    print(f"{passed} reports are true, {failed} are not")
    return 1 if failed or passed < ENOUGH else 0


if __name__ == "__main__":
    sys.exit(main())
