"""The evidence of a file that says its types, whose columns are summarised in the same pass.

Only text is looked into: in it dates and markers of missing values may hide.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import polars as pl
from polars.selectors import by_name

from pipeline import profile
from pipeline.contract import ROW_ID
from pipeline.infer.decide import MANY
from pipeline.infer.evidence import KEPT, Reading, first_look, recounted
from pipeline.infer.found import Evidence
from pipeline.profile import Categorical, Numeric, Profile
from pipeline.profile.tally import CategoricalTally, NumericTally, Tally
from pipeline.tables.frames import compact


class Typed(NamedTuple):
    """The evidence of every column but row_id, the summary of the plain ones as the file has them, the rows drawn.

    `lacking`: the most cells that one row lacks.
    """

    evidence: dict[str, Evidence]
    summarised: Profile
    drawn: pl.DataFrame | None
    lacking: int


def gather_typed(frame: pl.LazyFrame, draw: pl.Expr | None = None) -> Typed:
    """Read the file once; of its rows those are kept of which `draw` is true."""
    schema = {name: dtype for name, dtype in frame.collect_schema().items() if name != ROW_ID}
    tallies = {name: made for name, dtype in schema.items() if (made := _tally(dtype)) is not None}
    drawn, lacking = [frame.clear().collect()], [0]

    def keep(batch: pl.DataFrame) -> None:
        lacking.append(_most_lacking(batch))
        if draw is not None:
            drawn.append(compact(batch.filter(draw)))

    rows = profile.count(frame, tallies, also=keep)
    kept = {name: each.summary() for name, each in sorted(tallies.items())}
    seen = first_look(frame, {name: dtype for name, dtype in schema.items() if name not in tallies})
    for name, summary in kept.items():
        each = tallies[name]
        own = _evidence(schema[name], summary)
        seen[name] = each.evidence(own) if isinstance(each, TextTally) else own
    seen = {name: seen[name] for name in schema}
    seen |= {**recounted(frame, seen), **_few_moments(frame, seen)}
    return Typed(seen, Profile(rows=rows, columns=kept), None if draw is None else pl.concat(drawn), max(lacking))


def _most_lacking(batch: pl.DataFrame) -> int:
    """The most cells that one row of the batch lacks: null, or NaN."""
    lacks = [by_name(name).is_null() for name in batch.columns if batch[name].null_count()]
    lacks += [by_name(name).is_nan() for name, dtype in batch.schema.items() if dtype.is_float()]
    return batch.select(pl.sum_horizontal(lack.cast(pl.UInt16) for lack in lacks).max()).item() or 0 if lacks else 0


class TextTally:
    """The summary of a column of text, and what is read of it once it has more values than its summary counts."""

    kind = CategoricalTally.kind

    def __init__(self) -> None:
        self.tally = CategoricalTally()
        self.reading: Reading | None = None

    def add(self, values: pl.Series) -> None:
        """Take in one batch, a series called `value`."""
        before = dict(self.tally.counts)
        for texts, rows in self.tally.counted(values):
            if self.reading is None and self.tally.limit is not None:
                self.reading = Reading()
                self.reading.add(_table(before))
            if self.reading is None:
                before = dict(self.tally.counts)
            else:
                self.reading.add(_ordered(pl.DataFrame({"cell": texts, "rows": rows})))

    def summary(self) -> Categorical:
        """The summary of all batches so far."""
        return self.tally.summary()

    def evidence(self, first: Evidence) -> Evidence:
        """What the texts read as, added to what their summary says."""
        if self.reading is None:
            self.reading = Reading()
            self.reading.add(_table(self.tally.counts))
        return self.reading.evidence(first) if first.values else first


def _tally(dtype: pl.DataType) -> Tally | None:
    """None for what is seldom, and costly to put as text."""
    if dtype == pl.String:
        return TextTally()
    if dtype in (pl.Boolean, pl.Categorical, pl.Enum):
        return CategoricalTally()
    if dtype in (pl.Date, pl.Datetime):
        return NumericTally("timestamp")
    return NumericTally("numeric") if dtype.is_numeric() else None


def _evidence(dtype: pl.DataType, summary: Numeric | Categorical) -> Evidence:
    found = Evidence(dtype=dtype, rows=summary.rows, values=summary.rows - summary.missing, distinct=summary.distinct)
    if isinstance(summary, Categorical) or summary.kind == "timestamp":
        return found
    low = -math.inf if summary.negative_infinite else summary.min
    high = math.inf if summary.positive_infinite else summary.max
    return replace(found, low=low, high=high)


def _few_moments(frame: pl.LazyFrame, seen: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Moments are summarised as whole seconds: where these are few, the moments themselves are counted."""
    few = [name for name, each in seen.items() if each.dtype == pl.Datetime and each.distinct < MANY]
    if not few:
        return {}
    counts = frame.select(by_name(name).drop_nulls().n_unique() for name in few).collect(engine="streaming").row(0)
    return {name: replace(seen[name], distinct=count) for name, count in zip(few, counts, strict=True)}


def _table(counts: Mapping[str, int]) -> pl.DataFrame:
    """Texts (cell), the most frequent first, and how often each stands (rows)."""
    return _ordered(pl.DataFrame(list(counts.items()), schema={"cell": pl.String, "rows": pl.Int64}, orient="row"))


def _ordered(counted: pl.DataFrame) -> pl.DataFrame:
    """The most frequent first, whatever order they were counted in; not so where they are too many to be told."""
    return counted if counted.height > KEPT else counted.sort(-pl.col("rows"), "cell")
