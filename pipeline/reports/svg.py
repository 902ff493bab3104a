"""The primitives that every chart is drawn with: numbers in, SVG out. Colours and fonts are the style sheet's.

Text is escaped in one place, `tag`. Lengths are SVG units, one pixel at full size.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup, escape

GLYPH = 6.4  # mean width of a glyph of the style sheet's 12 px chart text, rounded up
Point = tuple[float, float]


class Interval(NamedTuple):
    """A value and its interval; ends that are None were not computed."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """The interval's ends, the value itself where there are none."""
        return (self.value if self.low is None else self.low, self.value if self.high is None else self.high)


@dataclass(frozen=True)
class Scale:
    """A linear map from data `low`..`high` to pixels `start`..`end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float, *, ticks: int = 5) -> "Scale":
        """The scale that holds all `values`, its ends on nice ticks; no value at all gives 0..1."""
        known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(known), max(known)
        pad = (abs(low) or 1.0) * 0.05 if low == high else 0.0
        step = nice_step(high - low + 2 * pad, ticks)
        bottom, top = math.floor((low - pad) / step + 1e-9) * step, math.ceil((high + pad) / step - 1e-9) * step
        return cls(bottom, top, start, end)

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / ((self.high - self.low) or 1.0) * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values inside the scale, about `count` of them, two at least.

        >>> Scale(0, 1, 0, 100).ticks()
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
        """
        found: list[float] = []
        for parts in (count, 2 * count, 4 * count):
            step = nice_step(self.high - self.low, parts)
            first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
            found = [round(i * step, 12) + 0.0 for i in range(first, last + 1)]
            if len(found) > 1:
                break
        return found


def nice_step(span: float, count: int) -> float:
    """The step of 1, 2 or 5 times a power of ten that cuts `span` in about `count` parts.

    >>> nice_step(0.043, 5), nice_step(7, 5)
    (0.01, 2.0)
    """
    rough = (span or 1.0) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m for m in (1, 2, 5, 10) if rough / power <= m + 1e-9)
    return round(float(step * power), 15) or step * power


def tag(name: str, *children: str, tip: str | None = None, **attributes: object) -> Markup:
    """One element; what is not Markup is escaped. `tip` becomes its <title>; `class_` is `class`, `_` is `-`.

    >>> tag("text", "<b>", class_="axis", text_anchor="end", x=1.25)
    Markup('<text class="axis" text-anchor="end" x="1.2">&lt;b&gt;</text>')
    """
    given = ((key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items() if value is not None)
    written = Markup("").join(Markup(' {}="{}"').format(key, _short(value)) for key, value in given)
    title = Markup("<title>{}</title>").format(tip) if tip else Markup("")
    inside = title + Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, written, inside)


def _short(value: object) -> object:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def picture(width: float, height: float, label: str, *children: str) -> Markup:
    """The whole drawing; `label` says in words what it shows."""
    box = f"0 0 {width:g} {height:g}"
    return tag("svg", *children, viewBox=box, width=width, height=height, role="img", aria_label=label)


def text(x: float, y: float, words: str, *, anchor: str = "start", class_: str = "", tip: str | None = None) -> Markup:
    """Words on one line, `y` the base line."""
    return tag("text", words, x=x, y=y, text_anchor=anchor, class_=class_ or None, tip=tip)


def line(points: Sequence[Point], class_: str) -> Markup:
    """A line through points; fewer than two draw nothing."""
    if len(points) < 2:
        return Markup("")
    return tag("path", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points), class_=f"line {class_}")


def band(lower: Sequence[Point], upper: Sequence[Point], class_: str) -> Markup:
    """The area between two lines."""
    if len(lower) < 2:
        return Markup("")
    outline = [*lower, *reversed(upper)]
    return tag("path", d="M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in outline) + "Z", class_=f"band {class_}")


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def bar(x: float, y: float, width: float, height: float, class_: str, *, tip: str | None = None) -> Markup:
    """A rectangle; a width below nothing is nothing."""
    return tag("rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_, tip=tip)


def mark(shape: str, x: float, y: float, class_: str, *, size: float = 4.5, tip: str | None = None) -> Markup:
    """A point: `circle`, `square`, `diamond`, `up` or `down` (triangles), `cross`."""
    if shape == "circle":
        return tag("circle", cx=x, cy=y, r=size, class_=f"mark {class_}", tip=tip)
    s = size * 1.1
    outlines = {
        "square": f"M{x - s * 0.85:.1f},{y - s * 0.85:.1f}h{s * 1.7:.1f}v{s * 1.7:.1f}h{-s * 1.7:.1f}Z",
        "diamond": f"M{x:.1f},{y - s * 1.2:.1f}l{s:.1f},{s * 1.2:.1f}l{-s:.1f},{s * 1.2:.1f}l{-s:.1f},{-s * 1.2:.1f}Z",
        "up": f"M{x:.1f},{y - s:.1f}L{x + s:.1f},{y + s * 0.8:.1f}H{x - s:.1f}Z",
        "down": f"M{x:.1f},{y + s:.1f}L{x + s:.1f},{y - s * 0.8:.1f}H{x - s:.1f}Z",
        "cross": f"M{x - s:.1f},{y - s:.1f}l{2 * s:.1f},{2 * s:.1f}m0,{-2 * s:.1f}l{-2 * s:.1f},{2 * s:.1f}",
    }
    return tag("path", d=outlines[shape], class_=f"mark {class_}", tip=tip)


def whisker(x: float, low: float, high: float, class_: str, *, cap: float = 3.5, across: bool = False) -> Markup:
    """An interval as a line with caps, upright at `x`; `across`: lying, at the height `x`."""
    if across:
        d = f"M{low:.1f},{x - cap:.1f}v{2 * cap:g}M{low:.1f},{x:.1f}H{high:.1f}M{high:.1f},{x - cap:.1f}v{2 * cap:g}"
    else:
        d = f"M{x - cap:.1f},{low:.1f}h{2 * cap:g}M{x:.1f},{low:.1f}V{high:.1f}M{x - cap:.1f},{high:.1f}h{2 * cap:g}"
    return tag("path", d=d, class_=f"whisker {class_}")


def left_axis(scale: Scale, left: float, right: float, *, count: int = 5) -> Markup:
    """Tick labels at the left of `left`, with grid lines to `right`."""
    ticks = scale.ticks(count)
    drawn = [
        rule(left, scale(t), right, scale(t), "gridline")
        + text(left - 7, scale(t) + 4, tick, anchor="end", class_="axis")
        for t, tick in zip(ticks, tick_labels(ticks), strict=True)
    ]
    return Markup("").join(drawn)


def margin(scale: Scale, *, least: float = 46.0) -> float:
    """How far right of the edge an axis must stand for its tick labels."""
    return max(least, max(map(len, tick_labels(scale.ticks()))) * GLYPH + 7)


def bottom_axis(scale: Scale, top: float, bottom: float, *, count: int = 5) -> Markup:
    """Tick labels under `bottom`, with grid lines up to `top`."""
    ticks = scale.ticks(count)
    drawn = [
        rule(scale(t), top, scale(t), bottom, "gridline")
        + text(scale(t), bottom + 16, tick, anchor="middle", class_="axis")
        for t, tick in zip(ticks, tick_labels(ticks), strict=True)
    ]
    return Markup("").join(drawn)


def tick_labels(ticks: Sequence[float]) -> list[str]:
    """The ticks with one number of decimals, the fewest that tell them apart, and thousands separators.

    >>> tick_labels([0.68, 0.7, 0.72]), tick_labels([0, 1000, 2000])
    (['0.68', '0.70', '0.72'], ['0', '1,000', '2,000'])
    """
    for decimals in range(9):
        if all(abs(round(t, decimals) - t) < 1e-9 for t in ticks):
            break
    return [f"{t:,.{decimals}f}" for t in ticks]


def shortened(words: str, room: float) -> str:
    """`words` cut to `room` pixels, with an ellipsis where something was cut."""
    most = max(int(room / GLYPH), 2)
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
