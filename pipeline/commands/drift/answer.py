"""`keepfit drift`: does what came differ from what was, in what, by how much and since when; without a workspace.

The way of the data: both files as typed tables, the new one by the types of the old → counts in the bins of the old →
each column by each statistic, all columns together → drift or not, with alarms. What the old rows tell is a `Past`; see
pipeline.drift.calibration for what is chance.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.checks.privacy import PiiPresent, SecretPresent
from pipeline.commands.drift.expected import expected
from pipeline.commands.drift.watched import Watched, is_moment, watched
from pipeline.commands.reading import Question, agreed_by, read
from pipeline.contract import Role
from pipeline.drift import classifier, mmd, past, univariate
from pipeline.drift.alarms import Alarm, alarms
from pipeline.drift.past import Past
from pipeline.drift.sample import draw
from pipeline.drift.univariate import ColumnVerdict
from pipeline.drift.whole import Whole
from pipeline.errors import DataError
from pipeline.quality.findings import Table
from pipeline.quality.inspection import inspect

BLOCKS = 16  # of the new rows, by which is told since when
LEAST_ROWS = 50
OF_ONE_TIME = "drawing alone: both files are of the same time"
NO_TIME = "drawing alone: no column is the time, and nobody said that rows stand in its order (--time, --in-order)"


class Answer(Record):
    """The answer, in the shape of `--json`: stable, tools read it."""

    drift: bool
    columns: list[ColumnVerdict]
    multivariate: dict[str, Any] = Field(default_factory=dict)
    estimated_metric: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is asked: two sources, the roles of their columns, and how often a false alarm may be.

    `in_order`: rows stand in the order of time, though no column says so.
    """

    reference: str
    current: str
    contract: Path | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)
    in_order: bool = False
    false_alarms: float = univariate.FALSE_ALARMS
    least_effect: float = univariate.LEAST_EFFECT
    methods: Sequence[str] = univariate.USUAL
    together: bool = True


class Compared(Record):
    """The answer, and what a person wants to know beside it.

    `starts` has where each block of the new rows begins, where they are `ordered` by time; `by` says what tells chance.
    Not compared are columns that are `moving` on by nature, and those that are `unknown` to the reference.
    """

    answer: Answer
    alarms: list[Alarm]
    starts: dict[int, str]
    ordered: bool
    rows: tuple[int, int]
    by: str
    moving: list[str] = Field(default_factory=list)
    unknown: list[str] = Field(default_factory=list)


def compare(asked: Asked, scratch: Path) -> Compared:
    """Compare the two; `scratch` is an empty folder. Raises DataError for what cannot be read or compared."""
    question = Question(paths=[asked.reference], contract=asked.contract, roles=asked.roles)
    agreed, settings = agreed_by(question)
    then = read([asked.reference], question, agreed, settings, scratch / "reference").table
    now = read([asked.current], question, agreed or then.contract, settings, scratch / "current").table
    for table, name in ((then, asked.reference), (now, asked.current)):
        if not table.height:
            raise DataError("has no rows", where=name, fix="name a file with rows")
    before, after = watched(then), watched(now)
    ordered, by = _order(before, after, in_order=asked.in_order)
    learnt = past.learn(before.rows, before.kinds, time=before.time, in_order=asked.in_order, batch_rows=now.height)
    learnt = learnt.model_copy(update={"ordered": ordered})
    return _judged(asked, learnt, (before, after), (then, now), by)


def _judged(
    asked: Asked, learnt: Past, sides: tuple[Watched, Watched], tables: tuple[Table, Table], by: str
) -> Compared:
    (before, after), (then, now) = sides, tables
    blocks = max(min(BLOCKS, now.height // LEAST_ROWS), 1)
    named = {column.name for column in now.columns}
    present = set(now.header or named) | (set(after.kinds) - named)
    known = learnt.only(present)
    tested = univariate.tests(known, past.count(known, after.rows, blocks=blocks, time=after.time), asked.methods)
    together = _together(learnt, (before, after), [test.column for test in tested]) if asked.together else []
    ps = [*(test.p for test in tested), *(test.p for test in together)]
    upto = univariate.level(ps, asked.false_alarms)
    verdicts = univariate.judge(tested, upto, asked.least_effect)
    wholes = [test.judged(upto, asked.least_effect) for test in together]
    broken = [*_absent(then, present), *_unparsed(then, now)]
    answer = Answer(
        drift=any([one.drift for one in (*broken, *verdicts)] + [one.drift for one in wholes]),
        columns=[*broken, *verdicts],
        multivariate={whole.method: whole.model_dump(exclude={"method"}) for whole in wholes},
        estimated_metric=_expected(learnt, sides, tables),
    )
    told = [_broken(verdict) for verdict in broken if verdict.drift]
    return Compared(
        answer=answer,
        alarms=[*told, *alarms(tested, verdicts, after.rows, _private(then, verdicts))],
        ordered=learnt.ordered,
        starts=_starts(after, now.height, blocks),
        rows=(then.height, now.height),
        by=by,
        moving=[column.name for column in then.columns if column.role == "id" or is_moment(column)],
        unknown=[name for name in now.header or () if name not in (then.header or ())],
    )


def _private(then: Table, verdicts: Sequence[ColumnVerdict]) -> frozenset[str]:
    """The columns whose values no report may show; asked only where there is something to show."""
    if not any(verdict.drift for verdict in verdicts):
        return frozenset()
    return inspect(then, [PiiPresent(), SecretPresent()], flagged=False).private


def _together(learnt: Past, sides: tuple[Watched, Watched], tested: Sequence[str]) -> list[Whole]:
    """The tests of all columns together; none of a single one, which it would tell no better."""
    names = list(dict.fromkeys(tested))
    if len(names) < 2:
        return []
    then, now = (draw(learnt, each.rows, time=each.time, names=names) for each in sides)
    return [classifier.test(then, now), mmd.test(then, now)]


def _expected(learnt: Past, sides: tuple[Watched, Watched], tables: tuple[Table, Table]) -> dict[str, Any]:
    """The score to be expected, where a column is the label."""
    if tables[0].label is None:
        return {}
    found = expected(learnt, tables[0].contract.column(tables[0].label), *sides)
    return found.model_dump() if found else {}


def _order(before: Watched, after: Watched, *, in_order: bool) -> tuple[bool, str]:
    """Whether the past's blocks tell what is chance, and what does in words.

    A batch whose time is that of the past is no later one: then it differs by drawing alone.
    """
    if before.time is None:
        return in_order, f"blocks of the reference, in the order of its rows, {DRAWN}" if in_order else NO_TIME
    last = before.rows.select(by_name(before.time).max()).collect().item()
    middle = after.rows.select(by_name(before.time).sort()).collect().to_series().drop_nulls()
    if last is None or middle.is_empty() or middle[len(middle) // 2] <= last:
        return False, OF_ONE_TIME
    return True, f"blocks of the reference by {before.time}, {DRAWN}"


DRAWN = "each as many rows as are new where it has so many"


def _absent(then: Table, present: set[str]) -> list[ColumnVerdict]:
    """The columns that new rows lack; their labels may still come."""
    return [
        _sure(column.name, "schema", 1.0)
        for column in then.columns
        if column.role not in ("ignore", "label") and column.name not in present
    ]


def _unparsed(then: Table, now: Table) -> list[ColumnVerdict]:
    """Columns whose cells are not all of the type that the past has: the share that is not."""
    counted = now.unparsed.group_by("column").len().collect()
    parsed = set(then.unparsed.select("column").unique().collect().to_series().to_list())
    return [_sure(str(name), "contract", rows / now.height) for name, rows in counted.rows() if name not in parsed]


def _sure(column: str, method: str, effect: float) -> ColumnVerdict:
    return ColumnVerdict(
        column=column, method=method, statistic=effect, effect=effect, p_value=0.0, threshold=0.0, drift=True
    )


def _broken(verdict: ColumnVerdict) -> Alarm:
    absent = verdict.method == "schema"
    moved = "absent" if absent else f"{verdict.effect:.2%} of its cells do not parse as the reference's do"
    return Alarm(
        column=verdict.column, methods=[verdict.method], effect=verdict.effect, moved=moved, since=0, examples=[]
    )


def _starts(after: Watched, rows: int, blocks: int) -> dict[int, str]:
    """Where each block begins: the moment of its first row, or which row that is."""
    places = [-(-block * rows // blocks) for block in range(blocks)]
    if after.time is None:
        return {block: f"row {place:,}" for block, place in enumerate(places)}
    moments = after.rows.select(by_name(after.time).forward_fill().sort()).collect().to_series()
    return {block: str(moments[place]) for block, place in enumerate(places)}
