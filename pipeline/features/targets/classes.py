"""A label of classes."""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.contract import LabelKind
from pipeline.errors import ContractError
from pipeline.metrics import At

MOST = 5


class Classes(Record):
    """The classes of a label, in the order of their text, but for the one that counts as yes: it is the last.

    `temperature`: what the network's logits are divided by, settled on val (see pipeline.models.temperature).

    >>> Classes.fit("y", pl.LazyFrame({"y": ["b", "a", None]})).encode(pl.DataFrame({"y": ["b", "a"]})).tolist()
    [1, 0]
    """

    kind: Literal["classes"] = "classes"
    label_kind: ClassVar[LabelKind] = "classes"
    column: str
    classes: list[str]
    temperature: float = Field(default=1.0, gt=0, exclude_if=lambda value: value == 1.0)

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, positive: str | None = None) -> "Classes":
        """The classes of the training rows; raises ContractError for a `positive` that is none of them."""
        found = rows.select(value=by_name(column).cast(pl.String)).drop_nulls().unique().collect()
        classes = found["value"].sort().to_list()
        if positive is not None and positive not in classes:
            raise ContractError(
                f"no training row has the class {positive!r}, to count as yes; there are {', '.join(classes[:MOST])}",
                where=f"the contract: {column}",
                fix="mend `positive` in the field's metadata",
            )
        return cls(column=column, classes=sorted(classes, key=lambda name: name == positive))

    @property
    def outputs(self) -> int:
        """How many outputs the network has: one logit a class."""
        return len(self.classes)

    @property
    def at(self) -> At:
        """What answers are held against, without a threshold that was chosen on val."""
        return 0.5

    def encode(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N,) int64: the class of each row, or None where a label is missing or of another class."""
        return places(rows, self.column, self.classes)

    def truth(self, encoded_N: np.ndarray) -> np.ndarray:
        """(N,) what answers are judged by: the class as its place."""
        return encoded_N

    def watched(self, a_NK: np.ndarray) -> np.ndarray:
        """(N,) the one number of each answer whose drift is watched: the probability of the last class."""
        last_N: np.ndarray = a_NK[:, -1]
        return last_N

    def said(self, a_NK: np.ndarray, threshold: float) -> pl.DataFrame:
        """The class that is answered, of two the second from `threshold` on, and the probability of each class."""
        likeliest_N = (a_NK[:, 1] >= threshold).astype(np.int64) if len(self.classes) == 2 else a_NK.argmax(axis=1)
        return of_classes(likeliest_N, a_NK, self.classes)


def places(rows: pl.DataFrame, column: str, classes: list[str]) -> np.ndarray | None:
    """(N,) int64: the place of each row's class, or None where a label is missing or of another class."""
    if column not in rows.columns:
        return None
    known = {value: place for place, value in enumerate(classes)}
    codes = rows[column].cast(pl.String).replace_strict(known, default=None, return_dtype=pl.Int64)
    return None if codes.has_nulls() else codes.to_numpy()


def of_classes(told_N: np.ndarray, p_NK: np.ndarray, classes: list[str]) -> pl.DataFrame:
    """(N,) places and (N, K) probabilities → `answer` and a column `p: <class>` each; null where there is no answer."""
    known = pl.Series(np.isfinite(p_NK).all(axis=1))
    answer = (
        pl.Series("answer", classes, dtype=pl.String).gather(told_N).zip_with(known, pl.Series([None]).cast(pl.String))
    )
    shares = {f"p: {name}": p_NK[:, place] for place, name in enumerate(classes)}
    return pl.DataFrame({"answer": answer, **shares}).with_columns(pl.exclude("answer").fill_nan(None))
