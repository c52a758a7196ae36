#!/usr/bin/env python3
"""Writes src/zones.txt: every zone of the IANA time zone database, from 2020 on, in a few kilobytes.

usage: pip install tzdata; ./make-zones.py > src/zones.txt

The compiled files in the PyPI package `tzdata` (public domain) end in a POSIX TZ string that rules the time after
their last listed change. Where that string does not rule all of the time since 2020, the periods before it are listed:

    NAME RULE                                     the rule holds from 2020 on
    NAME RULE START,OFFSET,ABBREVIATION ...       periods first, in order; the rule holds after the last START
    NAME =TARGET                                  another name of TARGET

START is in seconds since 1970 UTC, OFFSET in seconds east of UTC; the first START of a line is 0 ("from the beginning").
From the last START on, the rule holds; that period is listed so that the moment of the change is known.
"""

import importlib.resources
import struct
import sys

SINCE = 1577836800  # 2020-01-01T00:00:00Z


def read(data):
    """Returns the changes [(start, offset, abbreviation)] of a TZif file and its closing rule."""
    magic, _version, *counts = struct.unpack(">4sc15x6l", data[:44])
    assert magic == b"TZif"
    isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt = counts
    start = 44 + timecnt * 5 + typecnt * 6 + charcnt + leapcnt * 8 + isstdcnt + isutcnt
    _, _, *counts = struct.unpack(">4sc15x6l", data[start : start + 44])
    isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt = counts
    at = start + 44
    times = struct.unpack(f">{timecnt}q", data[at : at + 8 * timecnt])
    at += 8 * timecnt
    indices = data[at : at + timecnt]
    at += timecnt
    types = [struct.unpack(">lBB", data[at + 6 * i : at + 6 * i + 6]) for i in range(typecnt)]
    at += 6 * typecnt
    names = data[at : at + charcnt]
    at += charcnt + leapcnt * 12 + isstdcnt + isutcnt
    rule = data[at:].strip(b"\n").decode()

    def period(time, index):
        offset, _dst, name = types[index]
        return (time, offset, names[name : names.index(b"\0", name)].decode())

    return [period(-(1 << 62), 0)] + [period(t, i) for t, i in zip(times, indices)], rule


def main():
    package = importlib.resources.files("tzdata")
    names = sorted(set((package / "zones").read_text().split()) - {"Factory"})
    seen = {}
    for name in names:
        changes, rule = read((package / "zoneinfo" / name).read_bytes())
        inside = [c for c in changes if c[0] >= SINCE]
        line = rule
        if inside:
            before = [c for c in changes if c[0] < SINCE][-1]
            line += "".join(f" {max(t, 0)},{o},{a}" for t, o, a in [before, *inside])
        # The alphabetical first of several names with the same content keeps the line when it is long.
        if len(line) > 40 and line in seen:
            print(name, "=" + seen[line])
        else:
            seen.setdefault(line, name)
            print(name, line)
    print(f"{len(names)} zones", file=sys.stderr)


main()
