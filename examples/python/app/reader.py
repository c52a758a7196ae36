"""Reads tables: the names of the columns, and an iterator over the rows.

A cell is a `str`, or None where it is empty.
"""

import csv
import encodings.utf_8_sig  # noqa: F401  `open` looks it up by name, and a component has only what was imported when it was built
import io
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from problem import from_system, invalid_file, invalid_argument, too_large

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl")
LARGEST = 32 << 20
LARGEST_JSON = 16 << 20  # all of it is in memory at once
MOST_COLUMNS = 1000
DEEPEST = 100

# All of a JSON text but its brackets.
_NO_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[^][{}"]+', re.DOTALL)

Row = list[str | None]

csv.field_size_limit(1 << 20)


@contextmanager
def table(path: str) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """The columns and rows of a file. Every error of opening and reading it is one of the component's own."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in SUFFIXES:
        raise invalid_argument(f"{path}: the name of a table ends in one of {', '.join(SUFFIXES)}")
    try:
        info = os.stat(path)
        if not stat.S_ISREG(info.st_mode):
            raise invalid_argument(f"{path} is not a file")
        largest = LARGEST_JSON if suffix in (".json", ".jsonl") else LARGEST
        if info.st_size > largest:
            raise too_large(f"{path} has {info.st_size} bytes; at most {largest} are read")
        with open(path, encoding="utf-8-sig", newline="") as file:
            columns, rows = _separated(file, suffix) if suffix in (".csv", ".tsv") else _records(file, suffix)
            if len(columns) > MOST_COLUMNS:
                raise too_large(f"{path} has {len(columns)} columns; at most {MOST_COLUMNS} are read")
            yield columns, rows
    except OSError as error:
        raise from_system(error, path) from None
    except MemoryError:
        raise too_large(f"{path} needs more memory than there is") from None
    except UnicodeDecodeError:
        raise invalid_file(f"{path} is not UTF-8 text") from None


def _separated(file: io.TextIOBase, suffix: str) -> tuple[list[str], Iterator[Row]]:
    first = file.readline()
    file.seek(0)
    separator = "\t" if suffix == ".tsv" else max(",;\t", key=first.count)
    reader = csv.reader(file, delimiter=separator, strict=True)
    columns = next(_rows(reader), None)
    if columns is None:
        raise invalid_file("the file is empty; its first row names the columns")
    repeated = next((name for name in columns if columns.count(name) > 1), None) if len(set(columns)) < len(columns) else None
    if repeated is not None:
        raise invalid_file(f"two columns are named {repeated!r}")

    def rows() -> Iterator[Row]:
        for row in _rows(reader):
            if len(row) != len(columns):
                raise invalid_file(f"line {reader.line_num}: {len(row)} cells in a table of {len(columns)} columns")
            yield [cell if cell else None for cell in row]

    return columns, rows()


def _rows(reader) -> Iterator[list[str]]:
    try:
        for row in reader:
            if row:  # an empty line
                yield row
    except csv.Error as error:
        raise invalid_file(f"line {reader.line_num}: {error}") from None


def _records(file: io.TextIOBase, suffix: str) -> tuple[list[str], Iterator[Row]]:
    records = list(_json_lines(file)) if suffix == ".jsonl" else _json(file.read(), "")
    if not isinstance(records, list):
        raise invalid_file("expected an array of objects")
    columns: dict[str, None] = {}
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise invalid_file(f"record {number} is not an object")
        columns.update(dict.fromkeys(record))
    names = list(columns)
    return names, ([_cell(record.get(name)) for name in names] for record in records)


def _json_lines(file: io.TextIOBase) -> Iterator[object]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield _json(line, f"line {number}: ")


class _Numeral(str):
    """A number of a JSON document, with the digits that it has there."""


def _constant(text: str) -> object:
    raise invalid_file(f"{text} is not JSON")


def _json(text: str, where: str) -> object:
    _check_depth(text, where)
    try:
        return json.loads(text, parse_int=_Numeral, parse_float=_Numeral, parse_constant=_constant)
    except json.JSONDecodeError as error:
        place = where or f"line {error.lineno}, column {error.colno}: "
        raise invalid_file(f"{place}{error.msg}") from None


def _check_depth(text: str, where: str) -> None:
    """Refuses deep nesting, on which `json` would use up the stack of a component, and with it the call."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    brackets = _NO_BRACKET.sub("", text)
    for _ in range(DEEPEST):  # each round takes the innermost pairs away
        shorter = brackets.replace("[]", "").replace("{}", "")
        if len(shorter) == len(brackets):
            break
        brackets = shorter
    if brackets.count("[") + brackets.count("{") > DEEPEST:
        raise invalid_file(f"{where}nested more than {DEEPEST} deep")


def _cell(value: object) -> str | None:
    if value is None or value == "":
        return None
    return str(value) if isinstance(value, str) else _text(value)


def _text(value: object) -> str:
    """JSON text; `json.dumps` would put numbers, which are strings here, in quotes."""
    if isinstance(value, _Numeral):
        return str(value)
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(key, ensure_ascii=False)}:{_text(item)}' for key, item in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)
