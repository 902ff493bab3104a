"""How a column is counted: the bins that its past sets, and into which of them the cells of any rows fall.

Shapes: N rows, K bins, B blocks of rows. The first bin is for missing cells. Numbers have a bin up to each edge and one
above the last; categories one for each frequent value, then `BUCKETS` by a hash for the others, then one for values
that the past does not know.
"""

from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.drift import placing
from pipeline.profile.sketch import text_hashes

Counts: TypeAlias = placing.Counts
Values: TypeAlias = placing.Values
Kind: TypeAlias = Literal["numeric", "categorical"]

EDGES = 40  # quantile bins of numbers; where as few values differ, each has its own
FREQUENT = 32  # values of a category that may have a bin each
SURELY = 0.02  # of the rows: where more values differ, those that come so often have one. Those that come most often
# would not do: among many alike these are so by chance, and never again
BUCKETS = 16
KNOWN = 4096  # values of a category that are remembered: where more differ, what is new cannot be told
DRAWN = 100_000  # rows that quantiles are taken of


class Cut(Record):
    """The bins of one column.

    `known` has the values without a bin of their own; None where they are too many. `novel`: the share of rows that
    brings a value never seen, were nothing to change: that of values seen once (Good 1953).
    """

    kind: Kind
    edges: list[float] = Field(default_factory=list)
    values: list[str] = Field(default_factory=list)
    known: list[str] | None = None
    novel: float = Field(default=0.0, ge=0, le=1)

    @classmethod
    def of(cls, cells: pl.Series) -> "Cut":
        """The bins of a column of Float64 or String.

        >>> Cut.of(pl.Series([1.0, 2.0, 2.0, None])).edges
        [1.0, 2.0]
        >>> Cut.of(pl.Series(["a", "b", "a", None])).values
        ['a', 'b']
        """
        filled = cells.drop_nulls()
        if cells.dtype.is_numeric():
            return cls(kind="numeric", edges=_edges(filled.to_numpy()))
        counted = filled.alias("value").value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
        values = counted["value"].to_list()
        once = int((counted["rows"] == 1).sum())
        often = counted.filter(pl.col("rows") >= SURELY * len(filled)).height
        own = len(values) if len(values) <= FREQUENT else often
        return cls(
            kind="categorical",
            values=values[:own],
            known=values[own:] if len(values) <= KNOWN else None,
            novel=once / max(len(filled), 1),
        )

    @property
    def bins(self) -> int:
        """K."""
        return len(self.edges) + 2 if self.kind == "numeric" else len(self.values) + BUCKETS + 2

    def counts(self, cells: pl.Series, block_N: Counts, blocks: int) -> Counts:
        """(B, K) rows of each block in each bin; NaN is missing."""
        if self.kind == "numeric":
            return _tally(self._number_places(cells), block_N, blocks, self.bins)
        pairs = pl.DataFrame({"value": cells, "block": block_N}).group_by("value", "block").len()
        places = self._text_places(pairs["value"])
        flat = pairs["block"].to_numpy() * self.bins + places
        found = np.bincount(flat, weights=pairs["len"].to_numpy(), minlength=blocks * self.bins)
        return found.astype(np.int64).reshape(blocks, self.bins)

    def places(self, cells: pl.Series) -> Counts:
        """(N,) the bin of each cell."""
        return self._number_places(cells) if self.kind == "numeric" else self._text_places(cells)

    def _number_places(self, cells: pl.Series) -> Counts:
        values_N = cells.cast(pl.Float64).to_numpy()  # null is NaN
        missing_N = np.isnan(values_N)
        some = bool(missing_N.any())
        places_N = 1 + placing.below(np.array(self.edges), np.where(missing_N, 0.0, values_N) if some else values_N)
        return np.where(missing_N, 0, places_N) if some else places_N

    def _text_places(self, cells: pl.Series) -> Counts:
        own = {value: 1 + place for place, value in enumerate(self.values)}
        distinct = cells.unique().drop_nulls()
        known = None if self.known is None else set(self.known)
        hashed = 1 + len(self.values) + (text_hashes(distinct) % np.uint64(BUCKETS)).astype(np.int64)
        new = self.bins - 1
        texts = distinct.to_list()
        for text, bucket in zip(texts, hashed.tolist(), strict=True):
            if text not in own:
                own[text] = bucket if known is None or text in known else new
        places = pl.Series([own[text] for text in texts], dtype=pl.Int64)
        return cells.replace_strict(distinct, places, default=0, return_dtype=pl.Int64).to_numpy()


def _edges(values_N: np.ndarray[Any, np.dtype[np.float64]]) -> list[float]:
    """Least and largest value with the quantiles between, or all values where few differ."""
    known_N = values_N[np.isfinite(values_N)]
    if not known_N.size:
        return []
    drawn_N = known_N[:: max(1, known_N.size // DRAWN)]
    distinct = np.unique(drawn_N)
    inner = distinct if distinct.size <= EDGES else np.quantile(drawn_N, np.linspace(0, 1, EDGES), method="lower")
    return np.unique(np.concatenate([inner, [known_N.min(), known_N.max()]])).tolist()


def _tally(places_N: Counts, block_N: Counts, blocks: int, bins: int) -> Counts:
    return np.bincount(block_N * bins + places_N, minlength=blocks * bins).reshape(blocks, bins)
