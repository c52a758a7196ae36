"""The functions of wit/world.wit. componentize-py looks for a class with the name of the interface."""

import heapq  # also for Counter.most_common, which imports it only when called: see reader.py
import math
import os
import re
import statistics
from collections import Counter

from cells import number, order_key, position, row_test
from problem import answered, from_system, invalid_argument, too_large
from reader import SUFFIXES, table
from wit_world import exports
from wit_world.exports import analysis
from wit_world.exports.analysis import Calculation, ColumnKind

MOST_FILES = 1000
DEEPEST = 16
MOST_GROUPS = 10_000
MOST_DISTINCT = 10_000
MOST_MEASURES = 20
SHOWN = 100

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*\Z")
_DATE = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?:\Z|[T ])")


class Analysis(exports.Analysis):
    @answered
    def list_tables(self, folder: str) -> list[analysis.TableFile]:
        found: list[analysis.TableFile] = []
        folders = [(folder, 0)]
        while folders:
            here, depth = folders.pop()
            try:
                with os.scandir(here) as entries:
                    entries = sorted(entries, key=lambda entry: entry.name)
            except OSError as error:
                if depth > 0:
                    continue  # one that may not be read, among others
                raise from_system(error, here) from None
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                    folders.append((entry.path, depth + 1))
                elif entry.name.lower().endswith(SUFFIXES) and entry.is_file(follow_symlinks=False):
                    found.append(analysis.TableFile(entry.path, entry.stat(follow_symlinks=False).st_size))
        found.sort(key=lambda file: file.path)
        return found[:MOST_FILES]

    @answered
    def describe(self, path: str) -> analysis.Description:
        with table(path) as (names, rows):
            columns = [_Column(name) for name in names]
            count = 0
            for row in rows:
                count += 1
                for column, cell in zip(columns, row):
                    column.add(cell)
            return analysis.Description(count, [column.told(count) for column in columns])

    @answered
    def select_rows(self, path, conditions, columns, order, limit, offset) -> analysis.Selection:
        most = 50 if limit is None else limit
        if not 1 <= most <= 1000:
            raise invalid_argument("limit must be 1 to 1000")
        first = offset or 0
        with table(path) as (names, rows):
            wanted = list(names) if columns is None else columns
            places = [position(names, name) for name in wanted]
            meets = row_test(names, conditions)
            if order is None:
                total, kept = 0, []
                for row in rows:
                    if meets(row):
                        if first <= total < first + most:
                            kept.append(row)
                        total += 1
            else:
                total = 0
                by = position(names, order.column)
                pick = heapq.nlargest if order.descending else heapq.nsmallest

                def meeting():
                    nonlocal total
                    for row in rows:
                        if meets(row):
                            total += 1
                            yield row

                # Empty cells come last in either order, and only as many rows are kept as are asked for.
                kept = pick(first + most, meeting(), key=lambda row: order_key(row[by], bool(order.descending)))[first:]
            return analysis.Selection(wanted, [[row[at] for at in places] for row in kept], total)

    @answered
    def aggregate(self, path, measures, group_by, conditions) -> analysis.Aggregation:
        if not 1 <= len(measures) <= MOST_MEASURES:
            raise invalid_argument(f"measures: give 1 to {MOST_MEASURES}")
        for measure in measures:
            if measure.column is None and measure.calculation is not Calculation.COUNT:
                raise invalid_argument(f"{measure.calculation.name.lower()} needs a column")
        with table(path) as (names, rows):
            keys = [position(names, name) for name in group_by]
            places = [None if measure.column is None else position(names, measure.column) for measure in measures]
            meets = row_test(names, conditions)
            groups: dict[tuple, list[_Figure]] = {}
            count = skipped = 0
            for row in rows:
                if not meets(row):
                    continue
                count += 1
                key = tuple(row[at] for at in keys)
                figures = groups.get(key)
                if figures is None:
                    if len(groups) == MOST_GROUPS:
                        raise too_large(f"there are more than {MOST_GROUPS} groups")
                    figures = groups[key] = [_Figure(measure.calculation) for measure in measures]
                for figure, at in zip(figures, places):
                    skipped += figure.add("row" if at is None else row[at])
        if not groups and not keys:
            groups[()] = [_Figure(measure.calculation) for measure in measures]
        ordered = sorted(groups.items(), key=lambda item: [order_key(cell) for cell in item[0]])
        told = [analysis.Group(list(key), [figure.told() for figure in figures]) for key, figures in ordered]
        return analysis.Aggregation(told, count, skipped)


class _Column:
    """What `describe` gathers about a column while it reads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.empty = self.seen = 0
        self.kinds = {ColumnKind.INTEGER, ColumnKind.NUMBER, ColumnKind.BOOLEAN, ColumnKind.DATE}
        self.counts: Counter[str] | None = Counter()
        self.sum = 0.0
        self.texts: tuple[str, str] | None = None
        self.numbers: tuple[tuple[float, str], tuple[float, str]] | None = None

    def add(self, cell: str | None) -> None:
        if cell is None:
            self.empty += 1
            return
        self.seen += 1
        if self.kinds:
            self._narrow(cell)
        if self.texts is None:
            self.texts = (cell, cell)
        elif cell < self.texts[0]:
            self.texts = (cell, self.texts[1])
        elif cell > self.texts[1]:
            self.texts = (self.texts[0], cell)
        if self.counts is not None:
            self.counts[cell] += 1
            if len(self.counts) > MOST_DISTINCT:
                self.counts = None

    def _narrow(self, cell: str) -> None:
        if ColumnKind.NUMBER in self.kinds:
            value = number(cell)
            if value is None:
                self.kinds -= {ColumnKind.NUMBER, ColumnKind.INTEGER}
            else:
                self.sum += value
                least, most = self.numbers or ((value, cell), (value, cell))
                self.numbers = (min(least, (value, cell)), max(most, (value, cell)))
        if ColumnKind.INTEGER in self.kinds and not _INTEGER.match(cell):
            self.kinds.discard(ColumnKind.INTEGER)
        if ColumnKind.BOOLEAN in self.kinds and cell.lower() not in ("true", "false"):
            self.kinds.discard(ColumnKind.BOOLEAN)
        if ColumnKind.DATE in self.kinds and not _DATE.match(cell):
            self.kinds.discard(ColumnKind.DATE)

    def told(self, rows: int) -> analysis.Column:
        order = (ColumnKind.INTEGER, ColumnKind.NUMBER, ColumnKind.BOOLEAN, ColumnKind.DATE)
        kind = next((kind for kind in order if kind in self.kinds), ColumnKind.TEXT) if self.seen else ColumnKind.EMPTY
        numeric = kind in (ColumnKind.INTEGER, ColumnKind.NUMBER)
        ends = (self.numbers[0][1], self.numbers[1][1]) if numeric and self.numbers else self.texts or (None, None)
        repeated = self.counts is not None and len(self.counts) < self.seen
        return analysis.Column(
            name=self.name,
            kind=kind,
            empty=self.empty,
            distinct=None if self.counts is None else len(self.counts),
            minimum=_shown(ends[0]),
            maximum=_shown(ends[1]),
            mean=_finite(self.sum / self.seen) if numeric else None,
            frequent=[_shown(cell) for cell, _ in self.counts.most_common(5)] if repeated else [],
        )


class _Figure:
    """One measure over one group."""

    def __init__(self, calculation: Calculation) -> None:
        self.calculation = calculation
        self.count = 0
        self.cells: set[str] = set()
        self.values: list[float] = []

    def add(self, cell: str | None) -> int:
        """Takes a cell; 1 where it was passed over."""
        if cell is None:
            return 0
        self.count += 1
        if self.calculation is Calculation.COUNT:
            return 0
        if self.calculation is Calculation.DISTINCT:
            self.cells.add(cell)
            return 0
        value = number(cell)
        if value is None:
            return 1
        self.values.append(value)
        return 0

    def told(self) -> float | None:
        values = self.values
        match self.calculation:
            case Calculation.COUNT:
                return float(self.count)
            case Calculation.DISTINCT:
                return float(len(self.cells))
            case Calculation.DEVIATION:
                return _finite(statistics.stdev(values)) if len(values) > 1 else None
        if not values:
            return None
        match self.calculation:
            case Calculation.SUM:
                return _finite(_sum(values))
            case Calculation.MEAN:
                return _finite(_sum(values) / len(values))
            case Calculation.MEDIAN:
                return _finite(statistics.median(values))
            case Calculation.MINIMUM:
                return min(values)
            case _:
                return max(values)


def _sum(values: list[float]) -> float:
    """Exact, so that a column of prices sums up to cents."""
    try:
        return math.fsum(values)
    except OverflowError:
        return math.inf


def _finite(value: float) -> float | None:
    return value if abs(value) != float("inf") and value == value else None


def _shown(cell: str | None) -> str | None:
    return cell if cell is None or len(cell) <= SHOWN else cell[:SHOWN] + "…"
