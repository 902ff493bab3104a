"""The chart that the report is for: the live metric per batch, of the maintained model and of the first one, frozen.

Under it, on the same axis: which version was in use, and how many columns drifted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markupsafe import Markup

from pipeline.reports import svg
from pipeline.reports.charts import NARROW, NOTHING
from pipeline.reports.svg import GLYPH, Interval, Point, Scale, text
from pipeline.wording import number

Event = Literal["", "asked", "kept", "promoted"]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One batch: what both models scored on it, what was promised, how much drifted, and what was done."""

    name: str
    version: str
    maintained: Interval | None
    frozen: Interval | None
    promised: float | None
    drifted: int
    columns: int
    event: Event
    became: str
    tip: str


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Where things are: each batch's place on the x axis and its room, the metric's scale."""

    xs: Sequence[float]
    room: float
    y: Scale
    left: float
    right: float

    @property
    def bottom(self) -> float:
        """The foot of the metric's scale."""
        return self.y.start


def timeline(moments: Sequence[Moment], metric: str, width: float) -> Markup:
    """The whole drawing for batches in their order."""
    wide = width > NARROW
    known = [end for m in moments for i in (m.maintained, m.frozen) if i is not None for end in i.ends]
    promised = [m.promised for m in moments if m.promised is not None]
    y = Scale.over([*known, *promised], 310.0 if wide else 240.0, 44.0, ticks=7)
    left, right = (110.0, width - 118) if wide else (svg.margin(y), width - 8)
    room = (right - left) / len(moments)
    xs = [left + room * (at + 0.5) for at in range(len(moments))]
    frame = Frame(xs=xs, room=room, y=y, left=left, right=right)
    parts = [svg.left_axis(y, left, right, count=7), text(left - 7, 20, metric, anchor="end", class_="axis name")]
    parts += [_promises(moments, frame), _events(moments, frame)]
    parts.append(_scored([m.frozen for m in moments], frame, "frozen", "square"))
    parts.append(_scored([m.maintained for m in moments], frame, "maintained", "circle"))
    if wide:
        parts.append(_end_labels(moments, frame))
    parts += [
        _names(moments, frame),
        _versions(moments, frame, wide),
        _drift(moments, frame, wide),
        _hits(moments, frame),
    ]
    label = f"{metric} on each batch, of the maintained model and of the first model, frozen"
    return svg.picture(width, frame.bottom + 118, label, *parts)


def _promises(moments: Sequence[Moment], frame: Frame) -> Markup:
    """What each batch's model scored on test when it was promoted."""
    half = frame.room * 0.42
    drawn = [
        svg.rule(x - half, frame.y(m.promised), x + half, frame.y(m.promised), "promise")
        for m, x in zip(moments, frame.xs, strict=True)
        if m.promised is not None
    ]
    return NOTHING.join(drawn)


def _events(moments: Sequence[Moment], frame: Frame) -> Markup:
    """After which batches there was a retraining, and what it came to."""
    drawn = NOTHING
    top = frame.y.end
    for moment, x in zip(moments, frame.xs, strict=True):
        if not moment.event:
            continue
        at = x + frame.room / 2
        drawn += svg.rule(at, top - 10, at, frame.bottom, f"event {moment.event}")
        drawn += svg.mark(
            "up" if moment.event == "promoted" else "diamond", at, top - 14, f"event {moment.event}", size=5
        )
        if moment.became and frame.room >= 22:
            end = "end" if at > frame.right - 8 else "middle"
            drawn += text(at + (6 if end == "end" else 0), top - 25, moment.became, anchor=end, class_="axis strong")
    return drawn


def _scored(scores: Sequence[Interval | None], frame: Frame, style: str, shape: str) -> Markup:
    """One model's line, its band and its points; a batch without labels interrupts it."""
    aside = min(7.0, frame.room * 0.13) * (1 if style == "frozen" else -1)
    known = [(x + aside, score) for x, score in zip(frame.xs, scores, strict=True)]
    drawn = NOTHING
    for there, run in groupby(known, key=lambda pair: pair[1] is not None):
        points = [(x, score) for x, score in run if score is not None]
        if not there:
            continue
        lower: list[Point] = [(x, frame.y(score.ends[0])) for x, score in points]
        upper: list[Point] = [(x, frame.y(score.ends[1])) for x, score in points]
        drawn += svg.band(lower, upper, style) + svg.line([(x, frame.y(score.value)) for x, score in points], style)
        if frame.room >= 16:
            ends = zip(lower, upper, strict=True)
            drawn += NOTHING.join(svg.whisker(x, low, high, style) for (x, low), (_, high) in ends)
        size = 5.0 if frame.room >= 16 else 2.5
        drawn += NOTHING.join(svg.mark(shape, x, frame.y(score.value), style, size=size) for x, score in points)
    return drawn


def _end_labels(moments: Sequence[Moment], frame: Frame) -> Markup:
    """The two names with their last values at the right, pushed apart where they would meet."""
    last = next((m for m in reversed(moments) if m.maintained is not None and m.frozen is not None), None)
    if last is None or last.maintained is None or last.frozen is None:
        return NOTHING
    own, first = frame.y(last.maintained.value), frame.y(last.frozen.value)
    apart = max(0.0, 34 - abs(own - first)) / 2
    own, first = (own - apart, first + apart) if own <= first else (own + apart, first - apart)
    drawn = NOTHING
    for y, name, style, value in (
        (own, "maintained", "maintained", last.maintained.value),
        (first, "first, frozen", "frozen", last.frozen.value),
    ):
        drawn += text(frame.right + 14, y, name, class_=f"label strong ink-{style}")
        drawn += text(frame.right + 14, y + 15, number(value), class_="label")
    return drawn


def _names(moments: Sequence[Moment], frame: Frame) -> Markup:
    """The batches' names under the axis, as many as there is room for."""
    every = -(-int(max(len(m.name) for m in moments) * GLYPH + 6) // max(int(frame.room), 1))
    drawn = [
        text(x, frame.bottom + 18, m.name, anchor="middle", class_="axis")
        for at, (m, x) in enumerate(zip(moments, frame.xs, strict=True))
        if at % every == 0
    ]
    return NOTHING.join(drawn)


def _versions(moments: Sequence[Moment], frame: Frame, wide: bool) -> Markup:
    """The lane of the versions in use."""
    y = frame.bottom + 34
    drawn = text(frame.left - 7, y + 13, "in use" if wide else "use", anchor="end", class_="axis")
    for turn, (version, run) in enumerate(
        groupby(zip(moments, frame.xs, strict=True), key=lambda pair: pair[0].version)
    ):
        xs = [x for _, x in run]
        start, length = xs[0] - frame.room / 2 + 1.5, frame.room * len(xs) - 3
        drawn += svg.bar(start, y, length, 19.0, f"lane lane{turn % 2}", tip=f"{version} in use for {len(xs)} batches")
        drawn += text(
            start + length / 2, y + 13.5, svg.shortened(version, length), anchor="middle", class_="label strong"
        )
    return drawn


def _drift(moments: Sequence[Moment], frame: Frame, wide: bool) -> Markup:
    """The lane of the drifted columns: a bar for their share, and how many of how many."""
    foot, full = frame.bottom + 96, 26.0
    drawn = text(frame.left - 7, foot - 4, "drifted columns" if wide else "drift", anchor="end", class_="axis")
    drawn += svg.rule(frame.left, foot, frame.right, foot, "gridline")
    side = min(frame.room * 0.6, 44.0)
    for moment, x in zip(moments, frame.xs, strict=True):
        high = full * moment.drifted / max(moment.columns, 1)
        drawn += svg.bar(x - side / 2, foot - full, side, full, "track")
        drawn += svg.bar(x - side / 2, foot - high, side, high, "fill drift")
        if frame.room >= 20:
            words = f"{moment.drifted} of {moment.columns}" if frame.room >= 64 else str(moment.drifted)
            drawn += text(x, foot + 15, words, anchor="middle", class_="axis")
    return drawn


def _hits(moments: Sequence[Moment], frame: Frame) -> Markup:
    """A column over each batch that shows its numbers."""
    top = frame.y.end - 6
    drawn = [
        svg.bar(x - frame.room / 2, top, frame.room, frame.bottom + 114 - top, "hit", tip=moment.tip)
        for moment, x in zip(moments, frame.xs, strict=True)
    ]
    return NOTHING.join(drawn)
