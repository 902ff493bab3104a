"""Small charts for tables and cards: stacked counts, a value against its threshold, the shape of a column."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.reports import svg
from pipeline.reports.svg import GLYPH, shortened, text

ROW = 26.0
FEW = 4  # one finding alone does not fill the width


@dataclass(frozen=True, kw_only=True)
class Stack:
    """One row of a stacked chart: how many of each style, and the same in words."""

    name: str
    parts: Sequence[tuple[str, int]]
    note: str


def stacks(rows: Sequence[Stack], width: float, label: str) -> Markup:
    """A bar for each row, its parts side by side, on one scale from 0; one row at least."""
    left = min(max(len(row.name) for row in rows) * GLYPH + 14, width * 0.4)
    right = width - max(len(row.note) for row in rows) * GLYPH - 12
    most = max(*(sum(amount for _, amount in row.parts) for row in rows), FEW)
    scale = max(right - left, 20.0) / most
    drawn = [_stack(row, left, ROW * at, scale, width) for at, row in enumerate(rows)]
    return svg.picture(width, ROW * len(rows) + 2, label, *drawn)


def _stack(row: Stack, left: float, y: float, scale: float, width: float) -> Markup:
    drawn = text(left - 10, y + 17, shortened(row.name, left - 8), anchor="end", class_="label")
    x = left
    for style, amount in row.parts:
        drawn += svg.bar(x, y + 6, max(amount * scale - 1, 1.0) if amount else 0.0, 15.0, f"fill {style}")
        x += amount * scale
    drawn += text(x + 8, y + 17, row.note, class_="axis")
    return drawn + svg.bar(0.0, y, width, ROW, "hit", tip=f"{row.name}: {row.note}")


def gauge(value: float, style: str, words: str, *, tick: float | None, full: float, width: float = 170) -> Markup:
    """A value of 0 to `full` as a bar on its track, with a tick where its threshold is."""
    scale = width / (full or 1.0)
    filled = max(value * scale, 1.5) if value > 0 else 0.0
    drawn = svg.bar(0.0, 3.0, width, 8.0, "track") + svg.bar(0.0, 3.0, filled, 8.0, f"fill {style}")
    if tick is not None:
        drawn += svg.rule(tick * scale, 0.0, tick * scale, 14.0, "tick")
    return svg.picture(width, 14, words, drawn)


def columns(rows: Sequence[int], words: str, width: float = 120, height: float = 34) -> Markup:
    """A histogram: one upright bar for each number of rows, one of few rows still to be seen; `words` on hover."""
    step, most = width / max(len(rows), 1), max([*rows, 1])
    gap = 1.0 if step > 3 else 0.0
    bars = [
        f"M{at * step:.1f},{height - 1:g}v{-max(amount / most * (height - 3), 1.5):.1f}"
        f"h{step - gap:.1f}V{height - 1:g}Z"
        for at, amount in enumerate(rows)
        if amount
    ]
    base = svg.rule(0.0, height - 0.5, width, height - 0.5, "gridline")
    hover = svg.bar(0.0, 0.0, width, height, "hit", tip=words)
    return svg.picture(width, height, words, svg.tag("path", d="".join(bars), class_="histogram"), base, hover)
