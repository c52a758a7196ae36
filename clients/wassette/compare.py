#!/usr/bin/env python3
"""The same guest, policy and calls against Wassette and Casemate; what came of each is compared with docs/wassette.md.

Fails if Casemate does anything else than rows.py says, or if the document says something else of Casemate. What Wassette does is compared
with the document too, and a difference is told; it is no failure, since Wassette may change.

Usage: compare.py --wassette PATH --casemate PATH [--namespace] [--table]
`--namespace`: this process has a network and mounts of its own; without, rows that need names and addresses are left out.
`--table`: prints the table for the document at the end.
"""

import argparse
import pathlib
import re
import shutil
import sys
from types import SimpleNamespace

import rows
import surroundings
from servers import Casemate, Wassette, found

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "wassette.md"


def shown(row):
    """The policy as it stands in the document."""
    return "no file" if row.policy is None else "a file that is no YAML" if row.policy == rows.BROKEN else f"`{row.policy}`"


def documented():
    """The outcomes in the document: {row: [policy, Wassette, Casemate]}."""
    table = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    return {name: cells for name, *cells in table}


def outcome(program, row, around):
    """What a program does in a row, each in a server of its own."""
    if around.network is not None:
        around.network.turn.clear()
        around.network.looked_up.clear()
    # No policy of these grants the first variable.
    server = program.start(row.text(program, around), {"SERVER_SECRET": surroundings.CANARY, "MODE": "quiet"})
    try:
        return server.fault or row.attempt(server, around)
    finally:
        server.stop()


def compare(around, wassette, casemate, written):
    """Yields (row, outcome of Wassette, outcome of Casemate); None where a row cannot be tried here."""
    for row in rows.ROWS:
        if row.network and around.network is None:
            yield row, None, None
            continue
        theirs = outcome(wassette, row, around)
        if theirs != written.get(row.name, ("", theirs))[1]:
            # What is told of another program was seen twice. Casemate has one try.
            theirs = outcome(wassette, row, around)
        yield row, theirs, outcome(casemate, row, around)


def judge(results, written):
    """Prints each row; returns how many held, failed, were left out, and how many of Wassette's differ from the document."""
    held = failed = skipped = changed = 0
    for row, wassette, casemate in results:
        if casemate is None:
            skipped += 1
            print(f"skip  {row.name}: there is no network namespace to be had here", flush=True)
            continue
        policy, there, here = written.get(row.name, ("", "", ""))
        ours = casemate == row.casemate
        told = here == row.casemate and policy == shown(row)
        held, failed = (held + 1, failed) if ours and told else (held, failed + 1)
        print(f"{'ok   ' if ours and told else 'FAIL '} {row.name}: Wassette: {wassette}; Casemate: {casemate}", flush=True)
        if not ours:
            print(f"      Casemate should have: {row.casemate}")
        if not told:
            print(f"      docs/wassette.md says of Casemate: {here or 'nothing'}, under {policy or 'no policy'}")
        if there != wassette:
            changed += 1
            print(f"      docs/wassette.md says of Wassette: {there or 'nothing'} (told, not a failure)")
    return held, failed, skipped, changed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--casemate", required=True)
    parser.add_argument("--wassette", required=True)
    parser.add_argument("--namespace", action="store_true")
    parser.add_argument("--table", action="store_true")
    chosen = parser.parse_args()
    files = surroundings.Files()
    pages = None
    try:
        network = surroundings.Network(files.place) if chosen.namespace else None
        # On every address only where the network is the run's own.
        pages = surroundings.Pages("0.0.0.0" if network else "127.0.0.1")
        around = SimpleNamespace(files=files, pages=pages, network=network)
        programs = (Wassette(found(chosen.wassette), files.place), Casemate(found(chosen.casemate), files.place))
        print(f"{programs[0].name} {programs[0].version}, {programs[1].name} {programs[1].version}", flush=True)
        results = []
        written = documented()

        def kept():
            for result in compare(around, *programs, written):
                results.append(result)
                yield result

        held, failed, skipped, changed = judge(kept(), written)
        if chosen.table:
            for row, wassette, casemate in results:
                print(f"| {row.name} | {shown(row)} | {wassette} | {casemate} |")
    finally:
        if pages is not None:
            pages.stop()
        shutil.rmtree(files.place, ignore_errors=True)
    if changed:
        print(f"Wassette {programs[0].version} did something else than docs/wassette.md says in {changed} rows")
    print(f"{held} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
