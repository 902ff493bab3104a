"""A label of several tags a row."""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import LabelKind
from pipeline.metrics import At
from pipeline.tables import tags

FEWEST_ROWS = 10  # of a tag in train: with fewer nothing is learnt of it


class Tags(Record):
    """The tags that are told, the most frequent of train first; `rare` ones have too few rows to learn from.

    `written` is the contract's `format`. A tag that train had not, or hardly, cannot be told and is no part of the
    truth. `temperature`: what the network's logits are divided by, settled on val (see pipeline.models.temperature).

    >>> rows = pl.DataFrame({"y": ["a;b", "b", ""] * 10})
    >>> Tags.fit("y", rows.lazy(), written=";").encode(rows.head(3)).tolist()
    [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]]
    """

    kind: Literal["tags"] = "tags"
    label_kind: ClassVar[LabelKind] = "tags"
    column: str
    written: str
    classes: list[str]
    rare: list[str]
    temperature: float = Field(default=1.0, gt=0, exclude_if=lambda value: value == 1.0)

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, written: str) -> "Tags":
        """The tags of the training rows."""
        found = tags.counted(rows, by_name(column), written)
        often = [tag for tag, count in found.items() if count >= FEWEST_ROWS]
        return cls(column=column, written=written, classes=often, rare=sorted(set(found) - set(often)))

    @property
    def outputs(self) -> int:
        """How many outputs the network has: one logit a tag."""
        return len(self.classes)

    @property
    def at(self) -> At:
        """What answers are held against, without a threshold that was chosen on val."""
        return 0.5

    def encode(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N, K) float32: 1 for each tag of a row, or None where a label is missing."""
        if self.column not in rows.columns or rows[self.column].has_nulls():
            return None
        held = rows.select(held=tags.parted(by_name(self.column), self.written))["held"]
        if held.has_nulls():
            return None
        return multi_hot(held, self.classes)

    def truth(self, encoded_NK: np.ndarray) -> np.ndarray:
        """(N, K) bool what answers are judged by: the tags of each row."""
        return encoded_NK > 0.5

    def watched(self, a_NK: np.ndarray) -> np.ndarray:
        """(N,) the one number of each answer whose drift is watched: how many tags are to be expected."""
        return a_NK.sum(axis=1)

    def said(self, a_NK: np.ndarray, threshold: float) -> pl.DataFrame:
        """The tags from `threshold` on as one text, as the label is written, and the probability of each tag."""
        shares = pl.DataFrame({f"p: {name}": a_NK[:, place] for place, name in enumerate(self.classes)}).fill_nan(None)
        own = [[self.classes[place] for place in np.flatnonzero(row)] for row in a_NK >= threshold]
        answer = pl.Series("answer", [tags.written(each, self.written) for each in own], dtype=pl.String)
        known = pl.Series(np.isfinite(a_NK).all(axis=1))
        return pl.DataFrame([answer.zip_with(known, pl.Series([None]).cast(pl.String)), *shares])


def multi_hot(held: pl.Series, names: list[str]) -> np.ndarray:
    """(N,) lists of tags → (N, K) float32: 1 for each of `names` that a row has; a null list has none."""
    places = {name: place for place, name in enumerate(names)}
    long = pl.DataFrame({"row": np.arange(len(held)), "tag": held}).explode("tag", empty_as_null=True, keep_nulls=True)
    found = long.with_columns(place=pl.col("tag").replace_strict(places, default=None, return_dtype=pl.Int64))
    row_H, place_H = found.drop_nulls("place").select("row", "place").to_numpy().T
    hot_NK = np.zeros((len(held), len(names)), dtype=np.float32)
    hot_NK[row_H, place_H] = 1.0
    return hot_NK
