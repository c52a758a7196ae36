#!/usr/bin/env python3
"""Calls every function of notes.wasm under Wasmtime and compares with what is known from elsewhere.

usage: pip install wasmtime tzdata; ./check.py [COMPONENT]

Files: a folder made here, given read-write, read-only, and not at all. Zones: Python's own `zoneinfo` over the package
`tzdata`, for every zone around each of its changes of 2020 to 2099 and at a month's steps between.
"""

import datetime as dt
import os
import pathlib
import sys
import tempfile
import zoneinfo

from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Record, Variant

HERE = pathlib.Path(__file__).parent
UTC = dt.timezone.utc
checks = 0


class Notes:
    """The component in a store of its own; a method call is a function call."""

    component = None

    def __init__(self, folder=None, writable=False):
        if Notes.component is None:
            Notes.engine = Engine()
            path = sys.argv[1] if len(sys.argv) > 1 else str(HERE / "notes.wasm")
            Notes.component = Component.from_file(Notes.engine, path)
        self.store = Store(self.engine)
        wasi = WasiConfig()
        if folder:
            wasi.preopen_dir(str(folder), "/workspace", writable)
        self.store.set_wasi(wasi)
        linker = Linker(self.engine)
        linker.add_wasip2()
        self.instance = linker.instantiate(self.store, self.component)

    def __call__(self, function, *arguments):
        interface = "time" if function in ("current-time", "convert-time", "list-zones") else "files"
        index = self.instance.get_export_index(self.store, f"casemate-examples:notes/{interface}@0.1.0")
        index = self.instance.get_export_index(self.store, function, index)
        found = self.instance.get_func(self.store, index)
        result = found(self.store, *arguments)
        found.post_return(self.store)
        return plain(result)


def plain(value):
    """Records become dicts, errors (tag, text)."""
    if isinstance(value, Variant):
        return (value.tag, plain(value.payload))
    if isinstance(value, Record):
        return {name: plain(item) for name, item in vars(value).items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def options(**given):
    record = Record()
    for name in ("case-sensitive", "max-matches", "suffixes", "hidden"):
        setattr(record, name, given.get(name.replace("-", "_")))
    return record


def equal(got, wanted):
    global checks
    checks += 1
    if got != wanted:
        raise SystemExit(f"check {checks}: got {got!r}, wanted {wanted!r}")


def check_files():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / ".git").mkdir()
        (folder / "a.md").write_text("first\nThe Fortress\r\nthe fortress, the fortress\n")
        (folder / "deep" / "b.txt").write_text("Süße FORTRESS ÄÖÜ\n")
        (folder / "deep" / "er" / "c.md").write_text("x" * 1000 + "fortress" + "y" * 1000)
        (folder / "deep" / "latin1.txt").write_bytes(b"caf\xe9 fortress\n")
        (folder / ".git" / "d.md").write_text("fortress\n")
        (folder / "binary.md").write_bytes(b"fortress\0")
        (folder / "large.md").write_bytes(b"fortress\n" * (1 << 20))
        (folder / "link.md").symlink_to("a.md")
        (folder / "loop").symlink_to(".")
        os.mkfifo(folder / "pipe.md")

        reader = Notes(folder)
        report = reader("search-text", "/workspace", "fortress", None)
        places = [(m["path"].removeprefix("/workspace/"), m["line"], m["column"]) for m in report["matches"]]
        equal(places, [("a.md", 2, 5), ("a.md", 3, 5), ("deep/b.txt", 1, 6), ("deep/er/c.md", 1, 1001), ("deep/latin1.txt", 1, 6)])
        equal(report["matches"][0]["text"], "The Fortress")
        equal(report["matches"][3]["text"], "…" + "x" * 100 + "fortress" + "y" * 292 + "…")
        equal((report["files-searched"], report["skipped"], report["incomplete"]), (4, 2, None))
        report = reader("search-text", "/workspace/", "fortress", options(case_sensitive=True, suffixes=[".md"], hidden=True))
        equal([(m["path"], m["line"]) for m in report["matches"]],
              [("/workspace/.git/d.md", 1), ("/workspace/a.md", 3), ("/workspace/deep/er/c.md", 1)])
        report = reader("search-text", "/workspace", "fortress", options(max_matches=2))
        equal((len(report["matches"]), report["incomplete"]), (2, "max-matches"))
        report = reader("search-text", "/workspace", "fortress", options(max_matches=5))
        equal((len(report["matches"]), report["incomplete"]), (5, None))
        report = reader("search-text", "/workspace", "sÜSSE", None)
        equal(report["matches"], [])
        report = reader("search-text", "/workspace", "äöü", None)
        equal([(m["line"], m["column"]) for m in report["matches"]], [(1, 15)])
        for pattern in ("", "a\nb", "x" * 1001):
            equal(reader("search-text", "/workspace", pattern, None)[0], "invalid-argument")
        for number in (0, 1001):
            equal(reader("search-text", "/workspace", "x", options(max_matches=number))[0], "invalid-argument")
        equal(reader("search-text", "/workspace/no", "x", None), ("not-found", "there is no /workspace/no"))
        equal(reader("search-text", "/workspace/a.md", "x", None)[0], "not-a-folder")
        equal(reader("search-text", "/etc", "x", None),
              ("not-permitted", "cannot search /etc: it is in no folder that the tool was given"))

        for depth in range(40):
            (folder / "/".join(["down"] * (depth + 1))).mkdir()
        report = reader("search-text", "/workspace/down", "x", None)
        equal(report["incomplete"], "max-depth")

        text = "first\nThe Fortress\nthe fortress, the fortress"
        equal(reader("read-lines", "/workspace/a.md", 1, None), {"text": text, "first": 1, "last": 3, "total": 3})
        equal(reader("read-lines", "/workspace/a.md", 2, 2), {"text": "The Fortress", "first": 2, "last": 2, "total": 3})
        equal(reader("read-lines", "/workspace/a.md", 3, 4294967295)["last"], 3)
        (folder / "many").write_text("line\n" * 5000)
        excerpt = reader("read-lines", "/workspace/many", 2, None)
        equal((excerpt["first"], excerpt["last"], excerpt["total"]), (2, 2001, 5000))
        (folder / "wide").write_text(("w" * 100_000 + "\n") * 5)
        equal(reader("read-lines", "/workspace/wide", 1, None)["last"], 2)
        (folder / "wider").write_text("w" * 300_000)
        equal(reader("read-lines", "/workspace/wider", 1, None)[0], "too-large")
        (folder / "odd").write_bytes(b"\xff\xfe caf\xe9\nna\xc3\xafve \xe2\x82")
        equal(reader("read-lines", "/workspace/odd", 1, None)["text"], "?? caf?\nnaïve ??")
        (folder / "empty").touch()
        equal(reader("read-lines", "/workspace/empty", 1, None), {"text": "", "first": 1, "last": 0, "total": 0})
        for first, last in ((0, None), (3, 2), (4, None)):
            equal(reader("read-lines", "/workspace/a.md", first, last)[0], "invalid-argument")
        equal(reader("read-lines", "/workspace/a.md", 4, None), ("invalid-argument", "/workspace/a.md has only 3 lines"))
        for path, tag in (("/workspace", "not-a-file"), ("/workspace/pipe.md", "not-a-file"), ("/workspace/binary.md", "not-text"),
                          ("/workspace/large.md", "too-large"), ("/workspace/no.md", "not-found"), ("/etc/passwd", "not-permitted"),
                          ("/workspace/../etc/passwd", "not-permitted"), ("/workspace/a.md/b", "not-a-folder")):
            equal(reader("read-lines", path, 1, None)[0], tag)

        for function, arguments in (("save-note", ("/workspace/n.md", "x", None)), ("append-line", ("/workspace/a.md", "x")),
                                    ("save-note", ("/workspace/a.md", "x", True))):
            equal(reader(function, *arguments)[0], "not-permitted")
        equal(reader("append-line", "/workspace/a.md", "x"),
              ("not-permitted", "cannot write /workspace/a.md: the tool is not permitted to"))

        writer = Notes(folder, writable=True)
        equal(writer("save-note", "/workspace/n.md", "one", None), {"path": "/workspace/n.md", "bytes": 3})
        equal(writer("save-note", "/workspace/n.md", "two", None)[0], "already-exists")
        equal(writer("append-line", "/workspace/n.md", "more"), {"path": "/workspace/n.md", "bytes": 6})
        equal(writer("append-line", "/workspace/n.md", "and more")["bytes"], 9)
        equal((folder / "n.md").read_text(), "one\nmore\nand more\n")
        equal(writer("save-note", "/workspace/n.md", "new\n", True)["bytes"], 4)
        equal((folder / "n.md").read_text(), "new\n")
        equal(writer("append-line", "/workspace/made.md", "line")["bytes"], 5)
        equal((folder / "made.md").read_text(), "line\n")
        equal(writer("append-line", "/workspace/n.md", "a\nb")[0], "invalid-argument")
        equal(writer("save-note", "/workspace/no/n.md", "x", None)[0], "not-found")
        equal(writer("save-note", "/workspace/deep", "x", True)[0], "not-a-file")
        equal(writer("save-note", "/workspace/big.md", "x" * (1 << 20), None)["bytes"], 1 << 20)
        equal(writer("save-note", "/workspace/bigger.md", "x" * ((1 << 20) + 1), None)[0], "too-large")
        equal((folder / "bigger.md").exists(), False)
        equal(Notes()("read-lines", "/workspace/a.md", 1, None)[0], "not-permitted")


def stamp(moment):
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def expected(name, zone, moment):
    local = moment.astimezone(zone)
    return (name, local.isoformat(), stamp(moment), local.strftime("%A").lower(), local.tzname())


def changes(zone, begin, end):
    """The moments at which offset or abbreviation change, found by bisection between days."""
    keeping = lambda moment: (moment.astimezone(zone).utcoffset(), moment.astimezone(zone).tzname())
    found, day = [], begin
    while day < end:
        low, high = day, day + dt.timedelta(days=1)
        if keeping(low) != keeping(high):
            while high - low > dt.timedelta(seconds=1):
                middle = (low + (high - low) / 2).replace(microsecond=0)
                low, high = (middle, high) if keeping(middle) == keeping(low) else (low, middle)
            found.append(high)
        day += dt.timedelta(days=1)
    return found


def check_zones():
    zoneinfo.reset_tzpath(to=())  # not the system's database, which may be older
    notes = Notes()
    names = [zone["name"] for zone in notes("list-zones", "")]
    equal(set(names), zoneinfo.available_timezones() - {"Factory"})
    begin, end = dt.datetime(2020, 1, 1, tzinfo=UTC), dt.datetime(2100, 1, 1, tzinfo=UTC)
    seen = {}
    for name in names:
        zone = zoneinfo.ZoneInfo(name)
        full = (HERE / "src" / "zones.txt").read_text().split(f"\n{name} ", 1)[-1].split("\n", 1)[0]
        if full not in seen:  # the slow part once for each rule
            # Every fixed zone's list is empty; the years up to 2040 and the last ones stand for all.
            seen[full] = changes(zone, begin, dt.datetime(2040, 1, 1, tzinfo=UTC)) + changes(
                zone, dt.datetime(2080, 1, 1, tzinfo=UTC), end - dt.timedelta(days=1))
        turning = seen[full]
        moments = {begin, end - dt.timedelta(seconds=1)} | {begin + dt.timedelta(days=30 * i, hours=i % 24) for i in range(0, 970, 10)}
        for moment in turning[:45] + turning[-6:]:
            moments |= {moment + dt.timedelta(seconds=s) for s in (-5400, -3600, -1, 0, 1, 3600)}
        for moment in moments:
            local = moment.astimezone(zone)
            # Given in UTC, told in the zone …
            got = notes("convert-time", moment.strftime("%Y-%m-%dT%H:%M:%S"), "UTC", name)["converted"]
            equal((got["zone"], got["local"], got["utc"], got["weekday"], got["abbreviation"]), expected(name, zone, moment))
            following = next((m for m in turning if m > moment), None)
            if following and (moment.year < 2039 or moment.year >= 2080):
                after = following.astimezone(zone)
                equal(got["next-change"], {"utc": stamp(following), "offset": after.isoformat()[-6:], "abbreviation": after.tzname()})
            # … and given as local time: both times where it is repeated.
            first, second = local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)
            if first < begin or first >= end:
                continue
            got = notes("convert-time", local.strftime("%Y-%m-%d %H:%M:%S"), name, "UTC")
            equal((got["converted"]["utc"], got["repeated"]), (stamp(first), first != second))
        for moment in turning[:45]:
            before, after = ((moment + dt.timedelta(seconds=s)).astimezone(zone).utcoffset() for s in (-1, 0))
            if after > before:
                skipped = (moment + before + (after - before) / 2).strftime("%Y-%m-%dT%H:%M:%S")
                equal(notes("convert-time", skipped, name, "UTC")[0], "no-such-time")

    now = dt.datetime.now(UTC)
    for name in ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "UTC"):
        got = notes("current-time", name)
        told = dt.datetime.fromisoformat(got["local"])
        equal(abs(told - now) < dt.timedelta(minutes=5), True)
        equal(told.utcoffset(), told.astimezone(zoneinfo.ZoneInfo(name)).utcoffset())
    equal(notes("current-time", " europe/berlin ")["zone"], "Europe/Berlin")
    equal(notes("current-time", "Berlin"), ("unknown-zone", 'there is no time zone "Berlin"; there is Europe/Berlin'))
    equal(notes("current-time", "nowhere"), ("unknown-zone", 'there is no time zone "nowhere"; names are like `Europe/Berlin`'))
    equal([zone["name"] for zone in notes("list-zones", "new york")], ["America/New_York"])
    equal(notes("list-zones", "atlantis"), [])
    for text in ("", "tomorrow", "2026-02-29T12:00", "2026-13-01T12:00", "2026-01-01T24:00", "2026-01-01T12:60", "2026-01-01",
                 "2026-01-01T12:00Z", "2026-01-01T12:00+01:00", "2026-1-1T12:00", "2026-01-01T12:00:00:00", "２０26-01-01T12:00"):
        equal(notes("convert-time", text, "UTC", "UTC")[0], "invalid-time")
    for text in ("2019-12-31T23:59:59", "2100-01-01T00:00", "9999-12-31T00:00", "0000-01-01T00:00"):
        equal(notes("convert-time", text, "UTC", "UTC")[0], "out-of-range")
    return len(names)


check_files()
files = checks
zones = check_zones()
print(f"files: {files} checks; {zones} zones: {checks - files} checks; all passed")
