"""What an alarm says of a column: how much moved, since when, and rows that show it."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import polars as pl

from pipeline.artefacts import Record
from pipeline.contract import ROW_ID
from pipeline.drift.cuts import Cut, Values
from pipeline.drift.families import shares
from pipeline.drift.past import column
from pipeline.drift.univariate import ColumnVerdict, Tested
from pipeline.wording import clip, number, share

EXAMPLES = 5
SURE = 0.05  # of one block alone: all that follow must be beyond it too


class Alarm(Record):
    """One column that drifted; `methods` by falling effect.

    `moved` says how much, in words. `since`: the first block of the batch from which on all are beyond chance, and None
    where they come and go; `examples` are rows of what there is most more of, by their position or row_id.
    """

    column: str
    methods: list[str]
    effect: float
    moved: str
    since: int | None
    examples: list[str]


def alarms(
    tested: Sequence[Tested],
    verdicts: Sequence[ColumnVerdict],
    rows: pl.LazyFrame,
    private: Collection[str] = (),
) -> list[Alarm]:
    """An alarm for each column that drifted, the largest effect first; `rows` are the batch's, with row_id.

    Of `private` columns no value is shown.
    """
    found: dict[str, list[tuple[Tested, ColumnVerdict]]] = {}
    for test, verdict in sorted(zip(tested, verdicts, strict=True), key=lambda pair: -pair[1].effect):
        if verdict.drift:
            found.setdefault(verdict.column, []).append((test, verdict))
    return [_alarm(name, pairs, rows, hidden=name in private) for name, pairs in found.items()]


def _alarm(name: str, pairs: Sequence[tuple[Tested, ColumnVerdict]], rows: pl.LazyFrame, *, hidden: bool) -> Alarm:
    test, verdict = pairs[0]
    return Alarm(
        column=name,
        methods=[verdict.method for _, verdict in pairs],
        effect=verdict.effect,
        moved="its values are private" if hidden else moved(test.cut, test.past_1K[0], test.now_BK.sum(axis=0)),
        since=since(test),
        examples=[each.partition(":")[0] if hidden else each for each in examples(test, rows)],
    )


def moved(cut: Cut, past_K: Values, now_K: Values) -> str:
    """How the counts moved, in words: what is missing, then the median, or the value whose share changed most.

    >>> moved(Cut(kind="categorical", values=["a", "b"], known=[]), np.array([0, 90, 10, 0]), np.array([0, 50, 50, 0]))
    'a: 90% → 50%'
    >>> moved(Cut(kind="numeric", edges=[1.0, 2.0]), np.array([0, 9, 90, 1]), np.array([100, 9, 90, 1]))
    'missing: 0% → 50%'
    """
    both = np.stack([shares(past_K), shares(now_K)])
    told = [f"missing: {share(both[0, 0])} → {share(both[1, 0])}"] if abs(both[1, 0] - both[0, 0]) > 0.005 else []
    if not (past_K[1:].sum() and now_K[1:].sum()):
        return ", ".join(told) or "no value is left"
    if cut.kind == "numeric":
        before, after = _median(cut, past_K), _median(cut, now_K)
        return ", ".join([*told, *[f"median: {before} → {after}"] * (before != after or not told)])
    filled = np.stack([shares(past_K[1:]), shares(now_K[1:])])
    most = int(np.abs(filled[1] - filled[0]).argmax())
    return ", ".join([*told, f"{_name(cut, most)}: {share(filled[0, most])} → {share(filled[1, most])}"])


def _median(cut: Cut, counts_K: Values) -> str:
    """The edge up to which half of the rows lie; there is none where the past has no finite number."""
    below_K = np.cumsum(counts_K[1:])
    place = int(np.searchsorted(below_K, below_K[-1] / 2))
    if place < len(cut.edges):
        return number(cut.edges[place])
    return f"above {number(cut.edges[-1])}" if cut.edges else "unknown"


def _name(cut: Cut, place: int) -> str:
    if place < len(cut.values):
        return clip(cut.values[place], 40)
    return "values never seen" if place == cut.bins - 2 and cut.known is not None else "rare values"


def since(test: Tested) -> int | None:
    """The first block from which on all of the batch's blocks are beyond chance."""
    sizes_B = test.family.seen(test.cut, test.now_BK).sum(axis=-1)
    seen = test.family.seen(test.cut, test.past_1K)
    first = None
    for place in reversed(np.flatnonzero(sizes_B)):
        now = test.family.seen(test.cut, test.now_BK[place : place + 1])
        if test.null(int(sizes_B[place])).p(float(test.family.measure(test.cut, seen, now)[0])) >= SURE:
            break
        first = int(place)
    return first


def examples(test: Tested, rows: pl.LazyFrame) -> list[str]:
    """Rows of the bin that gained most, as `row: cell`."""
    gain_K = shares(test.now_BK.sum(axis=0)) - shares(test.past_1K[0])
    cells = column(rows, test.column, test.cut.kind)
    chosen = np.flatnonzero(test.cut.places(cells) == int(gain_K.argmax()))[:EXAMPLES]
    named = rows.select(ROW_ID).collect().to_series()[chosen].to_list()
    values = cells[chosen].to_list()
    return [
        f"{row}: {clip('missing' if value is None else number(value), 60)}"
        for row, value in zip(named, values, strict=True)
    ]


def starts(alarm: Alarm, moments: Mapping[int, str]) -> str:
    """Since when, in words; `moments`: the time or row at which each block of the batch starts."""
    if alarm.since is None:
        return "now and then"
    return "from its start" if alarm.since == 0 else f"since {moments[alarm.since]}"
