"""Does an exported file say what the model says? Asked of real rows, and of each column's edges in a real row.

Shapes: N rows, K values that are told of a row.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.artefacts import Record
from pipeline.errors import GateFailed
from pipeline.export.columns import Input
from pipeline.features.target import Forecast, Quantiles, Quantity, Tags, Target
from pipeline.tables import tags

TOLERANCE = 1e-4  # networks of 32 bits that are computed in another order differ by some 1e-6
WILD = (float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1e-300, -1e300, 1e300)
FAR = (datetime(1900, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999_999), datetime(2000, 2, 29), datetime(2100, 12, 31))
UNSEEN = ("never seen in train", " ", "é", "0")


class Fidelity(Record):
    """How far what a file tells is from what the model tells: the farthest, and the mean, of `rows` and `edges`.

    In the `unit`, as `distance` has it. `otherwise`: how many answers do not follow from
    what the file tells beside them as the model's do.
    """

    unit: str
    tolerance: float
    rows: int
    edges: int
    farthest: float
    mean: float
    otherwise: int

    @property
    def near(self) -> bool:
        """Whether it is near enough, and every answer follows."""
        return not self.otherwise and self.farthest <= self.tolerance


def distance(told_NK: np.ndarray, wanted_NK: np.ndarray, target: Target) -> tuple[np.ndarray, str]:
    """(N, K) how far the one is from the other, and in which unit; what is no number is as far as can be.

    Of a number it is a share of the label's deviation in train, or of how far from its mean the answer is, where that
    is more: 32 bits have 7 digits.
    """
    center, scale, unit = _unit(target)
    apart_NK = np.abs(told_NK - wanted_NK) / (np.abs(wanted_NK - center).clip(scale) if scale else 1.0)
    return np.where(np.isfinite(apart_NK), apart_NK, np.finfo(np.float64).max), unit


def otherwise(answer: np.ndarray, told_NK: np.ndarray, target: Target, threshold: float) -> int:
    """How many answers of a file are not those of `target.said` of what it tells."""
    wanted = target.said(told_NK, threshold)["answer"]
    if wanted.dtype.is_float():
        return int((~np.isclose(answer, wanted.to_numpy(), rtol=1e-9, atol=0.0)).sum())
    said = _written(answer, target) if isinstance(target, Tags) else answer.tolist()
    return sum(one != other for one, other in zip(said, wanted.to_list(), strict=True))


def require(found: Fidelity, file: str) -> None:
    """Raise GateFailed where the file is farther off than is tolerated, or its answers do not follow."""
    if found.otherwise:
        raise GateFailed(
            f"{found.otherwise:,} of {found.rows + found.edges:,} answers do not follow from what is told beside them",
            where=file,
            fix="nothing was written; this is a fault of keepfit, please report it",
        )
    if not found.farthest <= found.tolerance:
        raise GateFailed(
            f"is up to {found.farthest:.2g} ({found.unit}) from the model, and {found.tolerance:g} is tolerated",
            where=file,
            fix="nothing was written; where that is near enough, name it with --tolerance",
        )


def edges(sample: pl.DataFrame, inputs: Sequence[Input]) -> pl.DataFrame:
    """Rows as the first one, but for one cell each: missing, never seen, far, wild; and one where all are missing.

    Categories that go in as text are text in what comes out.
    """
    columns = [one.name for one in inputs if one.kind != "tensor"]
    texts = [one.name for one in inputs if one.dtype == "string"]
    first = sample.head(1).with_columns(by_name(*texts).cast(pl.String))
    made = [
        first.with_columns(pl.lit(value, dtype=first.schema[name]).alias(name))
        for name in columns
        for value in _values(first.schema[name])
    ]
    nothing = first.with_columns(pl.lit(None, dtype=first.schema[name]).alias(name) for name in columns)
    return pl.concat([*made, nothing]) if columns else first.clear()


def _values(dtype: pl.DataType) -> Iterator[object]:
    """The edges of what a column of that type can hold."""
    yield None
    if dtype.is_float():
        yield from WILD
    elif dtype.is_integer():
        limits = np.iinfo(pl.Series(dtype=dtype).to_numpy().dtype)
        yield from (0, 1, limits.min, limits.max)
    elif dtype == pl.Boolean:
        yield from (False, True)
    elif dtype == pl.String:
        yield from UNSEEN
    elif dtype.is_temporal():
        yield from FAR


def _written(answer_NK: np.ndarray, target: Tags) -> list[str]:
    """(N, K) whether each tag is there → tags as text, as the label is written."""
    own = ([target.classes[place] for place in np.flatnonzero(row)] for row in answer_NK)
    return [tags.written(each, target.written) for each in own]


def _unit(target: Target) -> tuple[float, float, str]:
    """Centre and deviation of a number, 0 of probabilities, and the unit in words."""
    if isinstance(target, Quantity | Quantiles) or (isinstance(target, Forecast) and not target.groups):
        return target.center, target.scale, "deviations of the label"
    if isinstance(target, Forecast):
        return 0.0, 1.0, "deviations of the label in its group"
    return 0.0, 0.0, "probability"
