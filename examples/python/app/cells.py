"""What cells are, and how they compare."""

import re
from collections.abc import Callable

from problem import invalid_argument
from reader import Row
from wit_world.exports import analysis
from wit_world.exports.analysis import Comparison

# `float` alone would take "nan", "infinity", "1_000" and digits of other scripts for numbers.
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\s*\Z")


def number(cell: str | None) -> float | None:
    """The number that a cell is, if it is one that a float can tell from infinity."""
    if cell is None or not _NUMBER.match(cell):
        return None
    value = float(cell)
    return value if abs(value) != float("inf") else None


def position(columns: list[str], name: str) -> int:
    """Where a column stands."""
    try:
        return columns.index(name)
    except ValueError:
        known = ", ".join(columns[:30]) + (" …" if len(columns) > 30 else "")
        raise invalid_argument(f"there is no column {name!r}; there are {known}") from None


def order_key(cell: str | None, descending: bool = False) -> tuple:
    """Numbers by value, then texts; what is empty is last, also where the largest come first."""
    if cell is None:
        return (-1,) if descending else (2,)
    value = number(cell)
    return (1, cell) if value is None else (0, value)


def row_test(columns: list[str], conditions: list[analysis.Condition]) -> Callable[[Row], bool]:
    """Whether a row meets all conditions."""
    tests = [(position(columns, condition.column), _cell_test(condition)) for condition in conditions]
    return lambda row: all(test(row[at]) for at, test in tests)


_ORDERED = {
    Comparison.EQUALS: lambda cell, value: cell == value,
    Comparison.LESS: lambda cell, value: cell < value,
    Comparison.AT_MOST: lambda cell, value: cell <= value,
    Comparison.GREATER: lambda cell, value: cell > value,
    Comparison.AT_LEAST: lambda cell, value: cell >= value,
}


def _cell_test(condition: analysis.Condition) -> Callable[[str | None], bool]:
    kind, value = condition.test, condition.value
    if kind in (Comparison.EMPTY, Comparison.PRESENT):
        if value is not None:
            raise invalid_argument(f"the condition on {condition.column!r} takes no value")
        return (lambda cell: cell is None) if kind is Comparison.EMPTY else (lambda cell: cell is not None)
    if value is None:
        raise invalid_argument(f"the condition on {condition.column!r} needs a value")
    if kind is Comparison.CONTAINS:
        folded = value.casefold()
        return lambda cell: cell is not None and folded in cell.casefold()
    compare = _ORDERED[Comparison.EQUALS if kind is Comparison.DIFFERS else kind]
    as_number = number(value)

    def test(cell: str | None) -> bool:
        if cell is None:
            return False
        here = number(cell) if as_number is not None else None
        return compare(cell, value) if here is None else compare(here, as_number)

    return test if kind is not Comparison.DIFFERS else lambda cell: not test(cell)
