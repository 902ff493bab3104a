"""Rows that nobody expects: whatever comes, a model answers with numbers, or says in words why it does not."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from pipeline.artefacts import Record
from pipeline.errors import KeepfitError
from pipeline.features import FILES
from pipeline.features.target import Classes, Ordinal, Tags, Target
from pipeline.judgement.changes import UNSEEN

ROWS = 4
LONG = 20_000
SIGNS = "\u202e\u200b\x00\x1b[31m \N{PILE OF POO}\N{COMBINING ACUTE ACCENT} \N{HEBREW LETTER ALEF} ' OR 1=1; --"
NUMBERS: Mapping[str, float] = {
    "the largest number": sys.float_info.max,
    "the lowest number": -sys.float_info.max,
    "the smallest number": 5e-324,
    "infinite": float("inf"),
    "not a number": float("nan"),
}
TEXTS: Mapping[str, str] = {
    "no letter": "",
    "one letter": "x",
    f"{LONG:,} letters": "x " * (LONG // 2),
    "signs that are not seen": SIGNS,
    "none of train's": UNSEEN,
}
MOMENTS: Mapping[str, datetime] = {"year 1": datetime(1, 1, 1), "year 9999": datetime(9999, 12, 31, 23, 59, 59)}
BREAKS = (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError, pl.exceptions.PolarsError, KeepfitError)
Answer = Callable[[pl.DataFrame], np.ndarray]


class Edge(Record):
    """What was asked of a hostile table of so many rows; `fault`: what was wrong with the answer, None if nothing."""

    case: str
    rows: int
    fault: str | None = None


def edges(rows: pl.DataFrame, modalities: Mapping[str, str], target: Target, answer: Answer) -> list[Edge]:
    """Ask about each hostile table; `modalities`: of each column that the model reads."""
    return [
        Edge(case=case, rows=table.height, fault=fault(table, target, answer))
        for case, table in tables(rows, modalities)
    ]


def fault(table: pl.DataFrame, target: Target, answer: Answer) -> str | None:
    """What is wrong with the answer; None if nothing is."""
    try:
        a_NK = answer(table)
    except BREAKS as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no words'}"
    if len(a_NK) != table.height:
        return f"{len(a_NK)} answers of {table.height} rows"
    if not np.isfinite(a_NK).all():
        return f"{int((~np.isfinite(a_NK)).any(axis=1).sum())} of {table.height} answers are no numbers"
    return _no_probability(a_NK, target)


def _no_probability(a_NK: np.ndarray, target: Target) -> str | None:
    if isinstance(target, Classes | Ordinal) and not np.allclose(a_NK.sum(axis=1), 1):
        return "probabilities do not sum to 1"
    if isinstance(target, Classes | Ordinal | Tags) and not ((a_NK >= 0) & (a_NK <= 1)).all():
        return "probabilities are not in 0 to 1"
    return None


def tables(rows: pl.DataFrame, modalities: Mapping[str, str]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Each hostile table, by what it is; all are of the rows' columns."""
    few = rows.head(ROWS)
    yield "no row", few.clear()
    yield "one row", few.head(1)
    yield "the same row many times", few.head(1)[np.zeros(ROWS, dtype=np.int64)]
    yield "nothing but missing cells", _filled(few, [*modalities], None)
    kinds: tuple[tuple[Sequence[str], str, Mapping[str, Any]], ...] = (
        (("numeric",), "numbers", NUMBERS),
        (("text", "categorical", "set"), "texts and categories", TEXTS),
        (("timestamp",), "moments", MOMENTS),
    )
    for of, words, values in kinds:
        columns = [name for name, modality in modalities.items() if modality in of and modality not in FILES]
        if columns:
            yield from ((f"{words}: {name}", _filled(few, columns, value)) for name, value in values.items())


def _filled(rows: pl.DataFrame, columns: Sequence[str], value: Any) -> pl.DataFrame:
    """The rows with one value in all cells of these columns, as the column's type where it can hold that."""
    return rows.with_columns(_cell(value, rows.schema[name]).alias(name) for name in columns)


def _cell(value: Any, dtype: pl.DataType) -> pl.Expr:
    if value is None:
        return pl.lit(None, dtype)
    if isinstance(value, datetime):
        return pl.lit(date(value.year, value.month, value.day) if dtype == pl.Date else value)
    return pl.lit(value)
