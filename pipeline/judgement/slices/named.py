"""Slices that the settings name: each model's scores on their rows of test, and how much better the candidate is."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.contract import Contract
from pipeline.errors import SettingsError
from pipeline.judgement.case import CANDIDATE, Case
from pipeline.metrics import Paired, Scores

ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
FEWEST = 2  # rows to score


class Named(Record):
    """A slice of test by its name; without scores where it has fewer than two rows."""

    name: str
    sql: str
    rows: int
    share: float
    scores: dict[str, Scores]
    paired: list[Paired]


def require(slices: Mapping[str, str], agreed: Contract) -> None:
    """Raise SettingsError for a slice that is no condition over the contract's columns, before there is any row."""
    empty = pl.DataFrame(schema={column.name: column.dtype for column in agreed.columns})
    for name, sql in slices.items():
        within(name, sql, empty)


def within(name: str, sql: str, rows: pl.DataFrame) -> np.ndarray:
    """(N,) bool: the rows for which the condition is true; raises SettingsError where it does not work on them."""
    try:
        inside = rows.lazy().select(inside=pl.sql_expr(sql)).collect()["inside"]
    except ERRORS as error:
        why = str(error).splitlines()[0]
        raise _wrong(name, f"`{sql:.80}` does not work: {why:.200}") from error
    if inside.dtype != pl.Boolean or len(inside) != rows.height:
        raise _wrong(name, f"`{sql:.80}` is not true or false of each row")
    return inside.fill_null(value=False).to_numpy()


def _wrong(name: str, what: str) -> SettingsError:
    fix = "write a condition in Polars SQL over the contract's columns, such as distance > 1000"
    return SettingsError(what, where=f"params.yaml: evaluate.slices.{name}", fix=fix)


def scored(case: Case, slices: Mapping[str, str]) -> list[Named]:
    """Every slice in the order of the settings."""
    return [_scored(name, sql, case) for name, sql in slices.items()]


def _scored(name: str, sql: str, case: Case) -> Named:
    inside_N = within(name, sql, case.rows["test"])
    rows = int(inside_N.sum())
    known = {"name": name, "sql": sql, "rows": rows, "share": rows / max(len(inside_N), 1)}
    if rows < FEWEST:
        return Named(**known, scores={}, paired=[])
    measures = metrics.OF[case.target.kind]
    w_RM = case.w_RN[:, inside_N]
    w_RM = w_RM[w_RM.any(axis=1)]  # a resample without a row of the slice says nothing of it
    y_M, at = case.truth["test"][inside_N], case.target.at
    found = {
        model: measures.values(y_M, a_NK[inside_N], case.thresholds.get(model, at), w_RM)
        for model, a_NK in case.answers["test"].items()
    }
    pairs = [
        metrics.paired(model, metric, found[CANDIDATE], values)
        for model, values in found.items()
        if model != CANDIDATE and len(w_RM) > 1
        for metric in measures.paired
    ]
    return Named(**known, scores={model: metrics.scores(values) for model, values in found.items()}, paired=pairs)
