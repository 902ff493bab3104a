"""Where the table of a sheet begins, and what its columns are called: titles above it, names in one line or in two.

Merged cells come as one cell with gaps behind it: `Order, , ` over `date, amount, qty` names `Order.date` and so on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.readers.sniffing import distinct_names, is_value, vote

TITLED = 3  # columns from which on a line with one cell is a title, and not names of which most are left out

Row = Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Heading:
    """The lines before the first row of data, a name for each column, and what was found out."""

    lines: int
    names: list[str]
    why: dict[str, str]


def heading(rows: Sequence[Row]) -> Heading:
    """The heading of a sheet by its first rows, all as long; a cell with nothing in it is an empty text.

    >>> heading([["Sales 2024", "", ""], ["Order", "", "Result"], ["id", "date", ""], ["7", "2024-01-02", "ok"]]).names
    ['Order.id', 'Order.date', 'Result']
    >>> heading([["a", "", "a"], ["7", "x", "y"]]).names
    ['a', 'column_2', 'a_2']
    """
    start = _titles(rows)
    upper, below = rows[start], list(rows[start + 1 :])
    two = bool(below) and _is_group(upper, below[0], below[1:])
    names, renamed = distinct_names(_joined(upper, below[0]) if two else upper, header=True)
    found = {
        "header": "two lines (the upper one has gaps where the lower one has names)" if two else "",
        "names": "; ".join(renamed),
        "skipped": f"{start} line{'s' * (start != 1)} before the table" if start else "",
    }
    return Heading(lines=start + 1 + two, names=names, why={key: text for key, text in found.items() if text})


def _titles(rows: Sequence[Row]) -> int:
    """How many lines before the names are blank or a title: one cell alone, over a line of names."""
    filled = [sum(map(bool, row)) for row in rows]
    titled = len(rows[0]) >= TITLED
    start = next((i for i, count in enumerate(filled) if count > titled), 0)
    named = not any(map(is_value, rows[start]))
    return start if named or not any(filled[:start]) else 0


def _is_group(upper: Row, lower: Row, rows: Sequence[Row]) -> bool:
    """Whether two lines hold names: each column has one, the upper line has gaps, and below the lower come values."""
    gaps = any(not cell and lower[i] and any(upper[:i]) for i, cell in enumerate(upper))
    named = all(map("".join, zip(upper, lower, strict=True))) and not any(map(is_value, [*upper, *lower]))
    return gaps and named and any(vote(cell, [row[i] for row in rows]) > 0 for i, cell in enumerate(lower) if cell)


def _joined(upper: Row, lower: Row) -> list[str]:
    names, group = [], ""
    for above, below in zip(upper, lower, strict=True):
        group = above or group
        names.append(".".join(dict.fromkeys(filter(None, (group, below)))))
    return names
