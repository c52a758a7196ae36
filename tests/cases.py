#!/usr/bin/env python3
"""Keeps the books on the adversarial cases: each one in scope has a test named by its number, or a reason.

A case is covered when a Rust test carries its number: `fn s021_act_02_an_endless_loop_ends_at_its_cpu_limit`, or
`fn s044_s235_every_call_starts_anew` for two at once. A case in scope without one stands in tests/UNCOVERED.md with the
reason, as a row `| S021 | reason |`. That file may only shrink: a row can be added only together with its number in SCOPE,
when a release takes on new cases.

Usage: tests/cases.py [--list]
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
UNCOVERED = "tests/UNCOVERED.md"
BOOKS = "tests/cases.py"

# The cases of each release that has taken them on. `A-B` is a range with both ends.
SCOPE = {
    "Foundation": """
        1-5 7 9-16 18
        21-31 33-36 38 44
        49-51 53 58 60
        129 130 133-141 143
        144-147 157
        185-187
        204-206 209 210
        223 225 226 228 230 233
        235
        249
    """,
    "Clients": """
        78-84 92 93 96 98-101 110
        196-198 201-203 206 209 211 213 214
    """,
    "Enforcement": """
        32 37 39-43 45
        52 54-57 59 61-73
        85-91 94 95 97 102-105 109
        116-126
        148-150 159 160
    """,
    "Trust": """
        151 155 156
        165-184 188-190
        221 222 224 229
    """,
}

ROW = re.compile(r"^\|\s*S(\d{3})\s*\|\s*(.*?)\s*\|$", re.MULTILINE)
TEST = re.compile(r"^\s*(?:pub(?:\(\w+\))?\s+)?(?:async\s+)?fn\s+((?:s\d{3}_)+)\w*\s*\(")
ATTRIBUTE = re.compile(r"#\[(?:\w+::)*test\b")


def scope_of(text):
    numbers = set()
    for word in text.split():
        first, _, last = word.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return numbers


def scope_in(source):
    """The numbers in scope as another version of this file has them."""
    found = re.search(r"^SCOPE = (\{.*?^\})", source, re.MULTILINE | re.DOTALL)
    if not found:
        return set()
    return scope_of(" ".join(re.findall(r'"""(.*?)"""', found.group(1), re.DOTALL)))


def tests():
    """Case number -> [place of each test that carries it]."""
    covered = {}
    for top in ("crates", "bench"):
        for directory, inner, files in os.walk(os.path.join(ROOT, top)):
            inner[:] = [name for name in inner if name != "target"]
            for name in files:
                if name.endswith(".rs"):
                    read(os.path.join(directory, name), covered)
    return covered


def read(path, covered):
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for index, line in enumerate(lines):
        found = TEST.match(line)
        if not found or not is_test(lines, index):
            continue
        place = f"{os.path.relpath(path, ROOT)}:{index + 1}"
        for number in re.findall(r"s(\d{3})_", found.group(1)):
            covered.setdefault(int(number), []).append(place)


def is_test(lines, index):
    """Whether the attributes above a function make it a test; one that is ignored is none."""
    above = []
    for line in reversed(lines[:index]):
        text = line.strip()
        if text in ("", "}") or text.endswith((";", "{", "}")) and not text.startswith(("#", "///", "//")):
            break
        above.append(text)
    joined = "\n".join(above)
    return bool(ATTRIBUTE.search(joined)) and "#[ignore" not in joined


def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def grown(uncovered):
    """Rows that an earlier version of the file did not have, although it could have."""
    if git("rev-parse", "--is-shallow-repository") != "false\n":
        print("cases: no full history here, so growth of UNCOVERED.md was not looked for")
        return []
    complaints = []
    for commit in (git("log", "--format=%H", "--", UNCOVERED) or "").split():
        before = git("show", f"{commit}:{UNCOVERED}")
        books = git("show", f"{commit}:{BOOKS}")
        if before is None or books is None:
            continue
        known = scope_in(books)
        rows = {int(number) for number, _ in ROW.findall(before)}
        for number in sorted((uncovered - rows) & known):
            complaints.append(f"S{number:03} was covered at {commit[:12]}; {UNCOVERED} may only shrink")
    return complaints


def main():
    scope = set()
    for words in SCOPE.values():
        scope |= scope_of(words)
    with open(os.path.join(ROOT, UNCOVERED), encoding="utf-8") as file:
        rows = ROW.findall(file.read())
    uncovered = {int(number) for number, _ in rows}
    covered = tests()

    complaints = []
    if len(uncovered) != len(rows):
        complaints.append(f"a case stands twice in {UNCOVERED}")
    complaints += [f"S{int(n):03} has no reason in {UNCOVERED}" for n, reason in rows if len(reason) < 20]
    for number in sorted(scope):
        if number not in covered and number not in uncovered:
            complaints.append(f"S{number:03} has neither a test nor a row in {UNCOVERED}")
        if number in covered and number in uncovered:
            complaints.append(f"S{number:03} has a test ({covered[number][0]}): remove its row in {UNCOVERED}")
    for number in sorted(uncovered - scope):
        complaints.append(f"S{number:03} is in no release's scope, so it needs no row in {UNCOVERED}")
    complaints += grown(uncovered)

    if "--list" in sys.argv[1:]:
        for number in sorted(set(covered) | scope):
            where = ", ".join(covered.get(number, [])) or ("uncovered" if number in uncovered else "MISSING")
            print(f"S{number:03} {'' if number in scope else '(beyond scope) '}{where}")
    for complaint in complaints:
        print(f"cases: {complaint}", file=sys.stderr)
    print(
        f"cases: {len(scope)} in scope, {len(scope & set(covered))} with a test, {len(uncovered)} with a reason; "
        f"{len(set(covered) - scope)} more have a test already"
    )
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
