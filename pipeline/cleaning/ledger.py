"""Where every row went: kept, repaired, merged into another, or quarantined, and why. It always adds up."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator

from pipeline.artefacts import Record

TOLD = 5  # reasons that are told by themselves


class Counts(Record):
    """Rows in = kept + merged + quarantined; repaired rows are among the kept.

    >>> Counts(rows_in=3, kept=2, merged=1).quarantined
    0
    """

    rows_in: int = Field(ge=0)
    kept: int = Field(ge=0)
    repaired: int = Field(default=0, ge=0)
    merged: int = Field(default=0, ge=0)
    quarantined: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        out = self.kept + self.merged + self.quarantined
        if out != self.rows_in:
            raise ValueError(f"rows in must equal kept + merged + quarantined, got {self.rows_in} and {out}")
        if self.repaired > self.kept:
            raise ValueError(f"repaired rows must be among the {self.kept} kept, got {self.repaired}")
        return self


class Entry(Counts):
    """What one stage did with its rows: by reason those merged and quarantined, by rule the cells that were repaired.

    `amended`: rows that came in as a person has mended them. `unlabelled`: of the quarantined those that lack nothing
    but their label; data/quarantine/unlabelled.parquet keeps them for a pre-training.
    """

    stage: str
    reasons: dict[str, int] = Field(default_factory=dict)
    repairs: dict[str, int] = Field(default_factory=dict)
    amended: int = Field(default=0, ge=0)
    unlabelled: int = Field(default=0, ge=0, exclude_if=lambda rows: not rows)

    @model_validator(mode="after")
    def _are_quarantined(self) -> Self:
        if self.unlabelled > self.quarantined:
            raise ValueError(f"unlabelled rows must be among the {self.quarantined} quarantined, got {self.unlabelled}")
        return self


class Ledger(Counts):
    """The way of all rows through the stages."""

    stages: list[Entry]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> "Ledger":
        """Chain the entries of successive stages; raises ValueError where one takes in other than was kept."""
        for before, after in pairwise(entries):
            if after.rows_in != before.kept:
                raise ValueError(f"{after.stage} took in {after.rows_in} rows, {before.stage} kept {before.kept}")
        return cls(
            rows_in=entries[0].rows_in,
            kept=entries[-1].kept,
            repaired=max(entry.repaired for entry in entries),
            merged=sum(entry.merged for entry in entries),
            quarantined=sum(entry.quarantined for entry in entries),
            stages=list(entries),
        )

    @property
    def words(self) -> str:
        """What became of the rows on a line, and below it the reasons of those that left, most rows first."""
        kept = f"{self.kept:,} kept ({self.repaired:,} repaired)"
        out = f"{kept}, {self.merged:,} merged, {self.quarantined:,} quarantined"
        left: Counter[str] = Counter()
        for stage in self.stages:
            left.update(stage.reasons)
        why = [f"  {rows:,} row{'s' * (rows != 1)} {reason}" for reason, rows in reasons(left).items()]
        more = [f"  and {len(why) - TOLD:,} more reasons: keepfit ledger"] if len(why) > TOLD else []
        return "\n".join([f"{self.rows_in:,} rows in = {out}", *why[:TOLD], *more])


def reasons(counted: Mapping[str, int]) -> dict[str, int]:
    """Reasons by falling count, then name, without those of no row."""
    return dict(sorted(((k, v) for k, v in counted.items() if v), key=lambda item: (-item[1], item[0])))
