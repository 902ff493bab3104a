"""Sets of tags → one value a tag."""

from typing import ClassVar, Self

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features import Block
from pipeline.features.targets.tags import multi_hot
from pipeline.tables import tags

DELIMITER = ";"  # where nobody says another
LEAST_ROWS = 0.5  # a tag that train had not counts, in how common a set's tags are, as one of half a row


class SetSettings(BaseModel):
    """A tag of fewer than `minimum_count` training rows, or past `maximum_size` tags, is counted with all such."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    minimum_count: int = Field(default=20, ge=1)
    maximum_size: int = Field(default=256, ge=1)
    formats: dict[str, str] = Field(default_factory=dict)  # of each column that of the contract; not for params.yaml


class SetEncoder(Record):
    """A set → 1 for each of the frequent tags that it has, how many others it has, and whether there is none at all.

    The others are counted as log(1 + count): those that were rare in train, and those that it never had.

    >>> rows = pl.LazyFrame({"x": ["a;b", "a", "a;c", "", None]})
    >>> encoder = SetEncoder.fit("x", rows, SetSettings(minimum_count=2))
    >>> encoder.outputs
    ['x: a', 'x (rare)', 'x (unknown)', 'x (missing)']
    >>> encoder.encode(pl.Series(["a", "b;new", None])).round().tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
    """

    kind: ClassVar[Modality] = "set"
    block: ClassVar[Block] = "dense"
    settings: ClassVar[type[BaseModel]] = SetSettings
    column: str
    written: str
    rows: int
    often: dict[str, int]
    rare: dict[str, int]

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: SetSettings) -> Self:
        """Learn which tags are frequent."""
        written = settings.formats.get(column, DELIMITER)
        counted = tags.counted(rows, by_name(column), written)
        known = [tag for tag, count in counted.items() if count >= settings.minimum_count][: settings.maximum_size]
        return cls(
            column=column,
            written=written,
            rows=rows.select(by_name(column).count()).collect().item(),
            often={tag: counted[tag] for tag in known},
            rare={tag: count for tag, count in counted.items() if tag not in set(known)},
        )

    @property
    def outputs(self) -> list[str]:
        """The tags, most frequent first, then what stands for all others and for a missing set."""
        own = [f"{self.column}: {tag}" for tag in self.often]
        return [*own, *(f"{self.column} ({what})" for what in ("rare", "unknown", "missing"))]

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) sets as text → (N, D) float32."""
        held = self._held(values)
        own_NK = multi_hot(held, [*self.often])
        rare = pl.Series([*self.rare], dtype=pl.String).implode()
        rare_N = held.list.eval(pl.element().is_in(rare)).list.sum().fill_null(0).to_numpy().astype(np.float32)
        all_N = held.list.len().fill_null(0).to_numpy().astype(np.float32)
        unknown_N = all_N - own_NK.sum(axis=1) - rare_N
        missing_N = held.is_null().to_numpy().astype(np.float32)
        others_N2 = np.log1p(np.stack([rare_N, unknown_N], axis=1))
        return np.concatenate([own_NK, others_N2, missing_N[:, None]], axis=1, dtype=np.float32)

    def watched(self) -> list[pl.Expr]:
        """The numbers by which drift of the sets is seen: how many tags, and how common they are on the mean.

        The second is the mean logarithm of the share of train's sets that have a tag; null of an empty set.
        """
        cell = by_name(self.column)
        common = cell.map_batches(self._common, return_dtype=pl.Float64, is_elementwise=True)
        size = tags.parted(cell, self.written).list.len().cast(pl.Float64)
        return [size.alias(f"{self.column}: tags"), common.alias(f"{self.column}: how common")]

    def _held(self, values: pl.Series) -> pl.Series:
        return pl.DataFrame({"x": values.cast(pl.String)}).select(tags.parted(pl.col("x"), self.written)).to_series()

    def _common(self, values: pl.Series) -> pl.Series:
        shares = {tag: np.log(count / self.rows) for tag, count in {**self.often, **self.rare}.items()}
        least = float(np.log(LEAST_ROWS / max(self.rows, 1)))
        long = pl.DataFrame({"row": np.arange(len(values)), "tag": self._held(values)})
        each = long.explode("tag", empty_as_null=True, keep_nulls=True).drop_nulls("tag")
        share = pl.col("tag").replace_strict(shares, default=least, return_dtype=pl.Float64)
        means = each.group_by("row").agg(common=share.mean())
        return long.join(means, on="row", how="left", maintain_order="left")["common"]


ENCODERS = (SetEncoder,)
