"""What was found out about one column: the counts over all rows, and what follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from pipeline.contract import Empty, Modality, Role


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Counts over all rows of one column; a value is a cell that is neither null nor a marker of a missing one.

    Of text: how many values read as `integers`, as `floats` (the whole ones too), as whole numbers with leading `zeros`
    or too `huge` for 64 bits, with a decimal comma (`commas`, whose thousands points may part; `groups`: it may as well
    part thousands itself), with commas between thousands (`grouped`; `surely_grouped`: and with a second comma or a
    point behind one), as ISO `moments` (`zoned` with a zone, `timed` with a time of day), as `booleans`, by which other
    `patterns` of dates, as numbers with which `units`; how many have no digit (`wordy`) or a space inside (`spaced`),
    words and characters of the mean value, the shortest and the longest.
    `signs` has the rows of each value that holds neither a letter nor a digit (`***`).
    `members` has the rows of each value where they are few, `spans` the lowest and highest number by the `format` that
    it is read with; `low` and `high` are of the plain ones.
    """

    dtype: pl.DataType
    rows: int
    values: int
    distinct: int
    low: float | None = None
    high: float | None = None
    integers: int = 0
    floats: int = 0
    zeros: int = 0
    huge: int = 0
    commas: int = 0
    groups: int = 0
    grouped: int = 0
    surely_grouped: int = 0
    moments: int = 0
    zoned: int = 0
    timed: int = 0
    booleans: int = 0
    wordy: int = 0
    padded: int = 0
    spaced: int = 0
    words: float = 0.0
    characters: float = 0.0
    shortest: int = 0
    longest: int = 0
    markers: Mapping[str, int] = field(default_factory=dict)
    signs: Mapping[str, int] = field(default_factory=dict)
    members: Mapping[str, int] = field(default_factory=dict)
    patterns: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[str, int] = field(default_factory=dict)
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def span(self, form: str | None) -> tuple[float | None, float | None]:
        """The lowest and the highest number, read as a contract's `format` says."""
        return (self.low, self.high) if form is None else self.spans.get(form, (None, None))

    def without_signs(self) -> "Evidence":
        """The same with its signs taken for markers."""
        rows, texts = sum(self.signs.values()), {sign.strip() for sign in self.signs}
        return replace(
            self,
            values=self.values - rows,
            distinct=max(self.distinct - len(texts), 0),
            wordy=self.wordy - rows,
            padded=self.padded - sum(count for sign, count in self.signs.items() if sign != sign.strip()),
            markers=dict(sorted({**self.markers, **self.signs}.items())),
            signs={},
            members={text: count for text, count in self.members.items() if text not in texts},
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """One column as inferred; `why` says it in one plain line, `rules` are those of a pandera Field that held.

    `unparsed`: how many values are not of the type. `order`: of an ordinal label the classes, from the lowest.
    `empty`: what an empty cell of a label of tags says. `low` and `high`: the ends of its numbers. `markers`: rows by
    text that stands for a missing value.
    """

    name: str
    dtype: pl.DataType
    role: Role
    modality: Modality | None
    nullable: bool
    why: str
    values: int
    distinct: int
    low: float | None = None
    high: float | None = None
    unparsed: int = 0
    format: str | None = None
    order: tuple[str, ...] = ()
    empty: Empty = "missing"
    markers: Mapping[str, int] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_regression(self) -> bool:
        """Whether this is a label to be estimated as a number, not a class to be told."""
        return self.role == "label" and self.modality == "numeric"
