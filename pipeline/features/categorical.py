"""Categories → codes, for embeddings."""

from typing import ClassVar, Self

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features import Block

UNKNOWN, MISSING, RARE = 0, 1, 2
FIRST = 3


class CategoricalSettings(BaseModel):
    """A value seen fewer than `minimum_count` times in train, or past `maximum_size` values, is rare."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    minimum_count: int = Field(default=20, ge=1)
    maximum_size: int = Field(default=10_000, ge=1)


class CategoricalEncoder(Record):
    """Code 0 is a value that train never had, 1 missing, 2 a value that was rare in train, then the vocabulary.

    >>> rows = pl.LazyFrame({"x": ["a", "a", "b", None]})
    >>> encoder = CategoricalEncoder.fit("x", rows, CategoricalSettings(minimum_count=2))
    >>> encoder.encode(pl.Series(["a", "b", None, "new"])).tolist()
    [3, 2, 1, 0]
    """

    kind: ClassVar[Modality] = "categorical"
    block: ClassVar[Block] = "codes"
    settings: ClassVar[type[BaseModel]] = CategoricalSettings
    column: str
    vocabulary: list[str]
    rare: list[str]

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: CategoricalSettings) -> Self:
        """Learn the vocabulary, in the order of its text."""
        values = rows.select(value=pl.col(column).cast(pl.String)).drop_nulls()
        counted = values.group_by("value").agg(rows=pl.len()).collect(engine="streaming")
        ordered = counted.sort("rows", "value", descending=[True, False])
        often = ordered.filter(pl.col("rows") >= settings.minimum_count).head(settings.maximum_size)["value"].to_list()
        return cls(column=column, vocabulary=sorted(often), rare=sorted(set(ordered["value"]) - set(often)))

    @property
    def cardinality(self) -> int:
        return FIRST + len(self.vocabulary)

    @property
    def names(self) -> list[str]:
        """What each code stands for: `shop = north`."""
        specials = [f"{self.column} {what}" for what in ("unknown", "missing", "rare")]
        return specials + [f"{self.column} = {value}" for value in self.vocabulary]

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) values → (N,) int64 codes."""
        codes = {value: FIRST + place for place, value in enumerate(self.vocabulary)}
        codes |= dict.fromkeys(self.rare, RARE)
        text = values.cast(pl.String)
        known = text.replace_strict(codes, default=UNKNOWN, return_dtype=pl.Int64)
        return known.zip_with(text.is_not_null(), pl.Series([MISSING])).to_numpy()

    def decode(self, encoded: np.ndarray) -> pl.Series:
        """(N,) codes → text; unknown, missing and rare are null: which value they were is not kept."""
        place = pl.Series(encoded - FIRST)
        known = pl.Series([*self.vocabulary], dtype=pl.String)
        return known.gather(pl.select(pl.when(place >= 0).then(place)).to_series()).alias(self.column)


ENCODERS = (CategoricalEncoder,)
