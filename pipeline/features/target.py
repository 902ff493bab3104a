"""The label → the tensor that the network is to tell."""

from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline.artefacts import Record


class Classes(Record):
    """The classes of a label, in the order of their text.

    >>> Classes.fit("y", pl.LazyFrame({"y": ["b", "a", None]})).encode(pl.DataFrame({"y": ["b", "a"]})).tolist()
    [1, 0]
    """

    kind: Literal["classes"] = "classes"
    column: str
    classes: list[str]

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame) -> "Classes":
        """The classes of the training rows."""
        found = rows.select(value=by_name(column).cast(pl.String)).drop_nulls().unique().collect()
        return cls(column=column, classes=found["value"].sort().to_list())

    @property
    def outputs(self) -> int:
        """How many outputs the network has: one logit a class."""
        return len(self.classes)

    def encode(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N,) int64: the class of each row, or None where a label is missing or of another class."""
        if self.column not in rows.columns:
            return None
        places = {value: place for place, value in enumerate(self.classes)}
        codes = rows[self.column].cast(pl.String).replace_strict(places, default=None, return_dtype=pl.Int64)
        return None if codes.has_nulls() else codes.to_numpy()


Target: TypeAlias = Classes
