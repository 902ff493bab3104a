"""Which rows of test are drawn together in a resample: those that are alike make intervals too narrow one by one.

Of flights on ten days, whose delays come with the weather, the error of a difference in AUC between two models is
0.0024 by rows, 0.0102 by stretches of half a day, and 0.0135 by days.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import Contract
from pipeline.errors import SettingsError

Resampling: TypeAlias = Literal["auto", "rows", "groups", "time"]
RESAMPLING = (
    "what is drawn for intervals: auto takes whole groups where a column has the role `group`, stretches of time where "
    "the splits follow each other in time, and single rows where neither says that rows are alike"
)
STRETCHES = 20  # of a test period: enough for an interval, and each as long as can be
FEWEST = 5  # with fewer units an interval says nothing, and rows are drawn one by one


class Resampled(Record):
    """What was drawn to make the intervals: `units` of rows that belong together, by these columns."""

    by: Literal["rows", "groups", "time"]
    units: int = Field(ge=1)
    columns: list[str] = Field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Units:
    """`unit_N` (N,): the number of the unit that each row is drawn with."""

    record: Resampled
    unit_N: np.ndarray


def units_of(rows: pl.DataFrame, agreed: Contract, how: Resampling, *, in_time: bool) -> Units:
    """The units of these rows; `in_time`: whether the splits follow each other. Falls back on rows for too few."""
    grouped = bool(agreed.groups) and how in ("auto", "groups")
    timed = agreed.time is not None and (how == "time" or (how == "auto" and in_time and not grouped))
    if grouped:
        return _or_rows(_groups(rows, agreed.groups), "groups", agreed.groups)
    if timed and agreed.time is not None:
        return _or_rows(_stretches(rows[agreed.time]), "time", [agreed.time])
    return _or_rows(np.arange(rows.height), "rows", [])


def require(how: Resampling, agreed: Contract) -> None:
    """Raise SettingsError where a contract has no column for what is to be drawn."""
    lacking = {"groups": "group" if not agreed.groups else "", "time": "time" if agreed.time is None else ""}
    if role := lacking.get(how, ""):
        raise SettingsError(
            f"no column has the role `{role}`",
            where="params.yaml: evaluate.resample",
            fix=f"give it to one in {agreed.file.name}, or use auto or rows",
        )


def blocks(rows: int, block: int) -> Units:
    """Rows in the order of time, so many of them a unit."""
    unit_N = np.arange(rows) // block
    return Units(record=Resampled(by="time", units=int(unit_N.max(initial=0)) + 1), unit_N=unit_N)


def _or_rows(unit_N: np.ndarray, by: Literal["rows", "groups", "time"], columns: list[str]) -> Units:
    units = int(unit_N.max(initial=0)) + 1
    if by != "rows" and units < FEWEST:
        return _or_rows(np.arange(len(unit_N)), "rows", [])
    return Units(record=Resampled(by=by, units=units, columns=columns), unit_N=unit_N)


def _groups(rows: pl.DataFrame, columns: list[str]) -> np.ndarray:
    """A row whose group columns are all null is in no group: it is a unit of its own."""
    group = rows.select(value=pl.struct(by_name(*columns)).rank("dense"))["value"].to_numpy().astype(np.int64)
    alone = rows.select(value=pl.all_horizontal(by_name(*columns).is_null()))["value"].to_numpy()
    own = np.where(alone, len(group) + np.arange(len(group)), group)
    return np.unique(own, return_inverse=True)[1]


def _stretches(time: pl.Series) -> np.ndarray:
    """Stretches of as many rows each, whatever the time they take; rows of one moment stay together, null is last."""
    order = time.rank("min").fill_null(len(time)).to_numpy() - 1
    return np.unique((order * STRETCHES // max(len(time), 1)).astype(np.int64), return_inverse=True)[1]
