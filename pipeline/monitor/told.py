"""What a batch's drift means: which columns, how much, since when, what the model uses, and rows (used by monitor).

Drift of its own kind is what the checks find in a batch and did not find in what the champion was trained on.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record, read_json
from pipeline.contract import ROW_ID
from pipeline.drift.alarms import Alarm, alarms, starts
from pipeline.drift.columns import DriftReport, use_of
from pipeline.drift.univariate import ColumnVerdict, Tested
from pipeline.drift.watch import Held, Watch
from pipeline.drift.whole import WholeVerdict
from pipeline.judgement.record import Diagnosis
from pipeline.labels.confident import one_thread
from pipeline.quality.findings import Finding
from pipeline.wording import share

BLOCKS, LEAST_ROWS = 16, 50  # of the batch, by which is told since when
QUALITY = "quality"
DIAGNOSIS, QUALITY_FILE = "diagnosis.json", "quality.json"  # as they are kept with a version


class ColumnAlarm(Alarm):
    """A column that drifted: since which moment, and `used`, the share of what the model knows that is lost without it.

    Both are null where they are not known.
    """

    start: str | None = None
    used: float | None = None

    @property
    def words(self) -> str:
        """In a sentence."""
        use = "" if self.used is None else f"; without it the model loses {share(max(self.used, 0.0))} of what it knows"
        begun = f", {self.start}" if self.start else ""
        rows = f"; rows: {'; '.join(self.examples)}" if self.examples else ""
        return f"{self.column}: {self.moved} (effect {self.effect:.2f}){begun}{use}{rows}"


class Told(Record):
    """All that is said of a batch beside the columns' numbers.

    `together`: tests of all columns at once; `changed`: since when each detector tells that the errors are others, by
    the labels that came.
    """

    alarms: list[ColumnAlarm] = Field(default_factory=list)
    together: list[WholeVerdict] = Field(default_factory=list)
    changed: dict[str, str] = Field(default_factory=dict)


def uses(folder: Path) -> dict[str, float]:
    """How much of what the model in `folder` knows is lost without each column; empty where it was not asked."""
    path = folder / DIAGNOSIS
    found = Diagnosis.read(path).importance if path.is_file() else None
    return {use.column: use.lost for use in found.columns} if found else {}


def blocks_of(rows: int) -> int:
    """Into how many blocks a batch of so many rows is cut."""
    return max(min(BLOCKS, rows // LEAST_ROWS), 1)


def drifted(
    tested: Sequence[Tested],
    report: DriftReport,
    rows: pl.LazyFrame,
    *,
    time: str | None,
    uses: Mapping[str, float],
    private: frozenset[str] = frozenset(),
) -> list[ColumnAlarm]:
    """Of each column that drifted by the report: what the model loses most by, first; then by effect."""
    named = {each.column: each for each in (*report.columns, report.prediction, report.label) if each is not None}
    judged = [
        ColumnVerdict(
            column=test.column,
            method=test.family.name,
            statistic=test.told(test.measure),
            effect=named[test.column].effect,
            p_value=test.p,
            threshold=named[test.column].threshold or 0.0,
            drift=named[test.column].drifted,
        )
        for test in tested
    ]
    moments = _moments(rows, time, tested)
    found = [
        ColumnAlarm(
            **alarm.model_dump(),
            start=starts(alarm, moments) if moments else None,
            used=use_of(alarm.column, uses) if uses else None,
        )
        for alarm in alarms(tested, judged, rows, private)
    ]
    return sorted(found, key=lambda alarm: (-(alarm.used or 0.0) * alarm.effect, -alarm.effect))


def _moments(rows: pl.LazyFrame, time: str | None, tested: Sequence[Tested]) -> dict[int, str]:
    """When each block of the batch begins; nothing where no column is the time."""
    if time is None or not tested:
        return {}
    moments = rows.select(by_name(time).forward_fill().sort()).collect().to_series()
    blocks = len(tested[0].now_BK)
    return {block: str(moments[-(-block * len(moments) // blocks)]) for block in range(blocks)}


def broken(findings: Sequence[Finding], folder: Path) -> list[ColumnAlarm]:
    """What the checks find in the batch and did not in the data of the model in `folder`: drift of contract or quality.

    None of a version that was kept without its findings.
    """
    path = folder / QUALITY_FILE
    if not path.is_file():
        return []
    known = {(each["check"], each["column"]) for each in read_json(path)["findings"]}
    return [
        ColumnAlarm(
            column=found.column or "all columns",
            methods=[f"{QUALITY}: {found.check}"],
            effect=found.fraction,
            moved=found.message,
            since=None,
            examples=found.examples[:3],
        )
        for found in findings
        if (found.check, found.column) not in known and found.policy != "off"
    ]


def together(kept: Watch, rows: pl.LazyFrame, *, alpha: float, least_effect: float) -> list[WholeVerdict]:
    """The tests of all columns at once, each at a share of `alpha`; none of a model that was kept without."""
    if kept.joint is None:
        return []
    with one_thread():
        tests = kept.joint.tests(kept.past, rows)
    return [test.judged(alpha / len(tests), least_effect) for test in tests]


def changed(
    kept: Watch, truth: np.ndarray, answers: np.ndarray, rows: pl.DataFrame, time: str | None
) -> dict[str, str]:
    """Since when each detector tells that the errors of labelled rows are others than of those held at training."""
    found = kept.changed(Held(truth, answers, rows.lazy(), time))
    return {} if time is None else {name: f"{rows[time][row]} ({rows[ROW_ID][row]})" for name, row in found.items()}
