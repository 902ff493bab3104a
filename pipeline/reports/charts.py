"""The report's charts: numbers in, SVG out; no clock, no disk, no randomness.

A chart that fills the page is drawn for the width that it gets, so that its words keep their size; the page
shows the wide or the narrow drawing. Colour never stands alone: a dash, a shape or a word says the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.reports import svg
from pipeline.reports.svg import GLYPH, Interval, Point, Scale, shortened, text
from pipeline.wording import number, share

NOTHING = Markup("")
LADDER = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)  # where a heat cell takes the next colour
NARROW = 500


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of a dot plot; `scaled` False: it may lie outside the scale, drawn as an arrow at its edge."""

    name: str
    interval: Interval
    style: str
    note: str
    tip: str
    shape: str = "circle"
    scaled: bool = True


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line; with a `shape` its points are marked, each with its own words on hover."""

    name: str
    points: Sequence[Point]
    style: str
    shape: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One heat cell: `value` in 0..1 or None, and whether it is marked."""

    value: float | None
    marked: bool
    tip: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One stage of the flow of rows, with what it let go."""

    name: str
    rows_in: int
    kept: int
    repaired: int
    lost: Sequence[tuple[str, int]]


def heat(value: float | None) -> str:
    """The style of a value in 0..1: `q0` to `q6`, or `none`."""
    return "none" if value is None else f"q{sum(value >= rung for rung in LADDER)}"


def dots(entries: Sequence[Entry], width: float, label: str, *, zero: bool = False, better: str = "") -> Markup:
    """A dot and its interval for each entry, on one scale; `zero`: with a line at 0, `better` names the good side."""
    left = min(max(len(entry.name) for entry in entries) * GLYPH + 14, width * 0.4)
    right = width - max(len(entry.note) for entry in entries) * GLYPH - 18
    top, height = 14.0, 27.0
    bottom = top + height * len(entries)
    shown = [entry.interval for entry in entries if entry.scaled]
    within = [end for interval in shown for end in (*interval.ends, interval.value)] or [0.0, 1.0]
    count = max(int((right - left) / 62), 2)
    x = Scale.over([*within, *([0.0] if zero else [])], left, right, ticks=count)
    parts = [svg.bottom_axis(x, top - 6, bottom, count=count)]
    if zero:
        parts.append(svg.rule(x(0.0), top - 6, x(0.0), bottom, "zero"))
    for at, entry in enumerate(entries):
        parts.append(_dot_row(entry, x, top + height * (at + 0.5), width))
    if better:
        middle = x(0.0) if zero else (left + right) / 2
        parts.append(text(middle, bottom + 34, better, anchor="middle", class_="axis name"))
    return svg.picture(width, bottom + (42 if better else 24), label, *parts)


def _dot_row(entry: Entry, x: Scale, y: float, width: float) -> Markup:
    """The name, the interval, the dot and the note of one entry."""
    value, (low, high) = entry.interval.value, entry.interval.ends
    name = text(x.start - 12, y + 4, shortened(entry.name, x.start - 8), anchor="end", class_=f"label {entry.style}")
    note = text(width - 2, y + 4, entry.note, anchor="end", class_=f"value {entry.style}")
    hit = svg.bar(0.0, y - 13, width, 26.0, "hit", tip=entry.tip)
    if not x.low <= value <= x.high:
        edge, way = (x.start + 5, "◂") if value < x.low else (x.end - 5, "▸")
        return name + text(edge, y + 4, way, anchor="middle", class_="axis") + note + hit
    ends = max(low, x.low), min(high, x.high)
    bar = svg.whisker(y, x(ends[0]), x(ends[1]), entry.style, across=True) if low != high else NOTHING
    return name + bar + svg.mark(entry.shape, x(value), y, entry.style, size=5) + note + hit


def lines(
    series: Sequence[Series],
    label: str,
    *,
    names: tuple[str, str],
    width: float = 330,
    square: float = 0.0,
    diagonal: bool = False,
    best: tuple[float, str] | None = None,
) -> Markup:
    """Lines over axes called `names`; `square`: both go from 0 to it, `best`: a marked place and its words."""
    right, top, bottom = width - 12, 26.0, 216.0
    xs, ys = ([point[i] for one in series for point in one.points] for i in (0, 1))
    y = Scale(0, square, bottom, top) if square else Scale.over(ys, bottom, top)
    left = svg.margin(y)
    x = Scale(0, square, left, right) if square else Scale(min(xs), max(*xs, min(xs) + 1), left, right)
    parts = [svg.left_axis(y, left, right), svg.bottom_axis(x, top, bottom, count=5)]
    if not square:
        parts[1] = _whole_axis(x, top, bottom)
    if diagonal:
        parts.append(svg.line([(x(0), y(0)), (x(square), y(square))], "guide"))
    if best is not None:
        parts.append(svg.rule(x(best[0]), top - 10, x(best[0]), bottom, "event"))
        end = "end" if x(best[0]) > (left + right) / 2 else "start"
        parts.append(text(x(best[0]) + (-6 if end == "end" else 6), top - 7, best[1], anchor=end, class_="axis strong"))
    parts += [_drawn(one, x, y, names) for one in series]
    parts.append(text((left + right) / 2, bottom + 34, names[0], anchor="middle", class_="axis name"))
    parts.append(text(0.0, 12.0, names[1], class_="axis name"))
    return svg.picture(width, bottom + 40, label, *parts)


def scatter(points: Sequence[Point], label: str, *, names: tuple[str, str], width: float = 330) -> Markup:
    """A dot for each point; both axes have the same scale, with the line on which both values are the same."""
    top, bottom = 26.0, 266.0
    y = Scale.over([value for point in points for value in point], bottom, top)
    label_width = max(map(len, svg.tick_labels(y.ticks()))) * GLYPH
    left, right = svg.margin(y), width - max(12.0, label_width / 2)
    x = Scale(y.low, y.high, left, right)
    room = int((right - left) / (label_width + 12))
    parts = [svg.left_axis(y, left, right), svg.bottom_axis(x, top, bottom, count=min(max(room, 2), 5))]
    parts.append(svg.line([(x(y.low), y(y.low)), (x(y.high), y(y.high))], "guide"))
    for a, b in points:
        tip = f"{names[0]} {number(a)}, {names[1]} {number(b)}"
        parts.append(svg.tag("circle", cx=x(a), cy=y(b), r=2.6, class_="mark own", opacity=".4", tip=tip))
    parts.append(text((left + right) / 2, bottom + 34, names[0], anchor="middle", class_="axis name"))
    parts.append(text(0.0, 12.0, names[1], class_="axis name"))
    return svg.picture(width, bottom + 40, label, *parts)


def _whole_axis(x: Scale, top: float, bottom: float) -> Markup:
    """A bottom axis of whole numbers, such as epochs."""
    ticks = [tick for tick in x.ticks(6) if tick == int(tick)]
    drawn = [text(x(tick), bottom + 16, f"{tick:,.0f}", anchor="middle", class_="axis") for tick in ticks]
    return NOTHING.join(drawn) + svg.rule(x.start, bottom, x.end, bottom, "gridline")


def _drawn(one: Series, x: Scale, y: Scale, names: tuple[str, str]) -> Markup:
    """A line with a broad invisible twin that is easy to hover, or with a mark on each point."""
    at = [(x(a), y(b)) for a, b in one.points]
    drawn = svg.line(at, one.style)
    if not one.shape:
        return drawn + svg.tag("g", svg.line(at, "hit"), tip=one.name)
    tips = [f"{one.name}: {names[0]} {number(a)}, {names[1]} {number(b)}" for a, b in one.points]
    marks = [svg.mark(one.shape, px, py, one.style, size=3.6, tip=tip) for (px, py), tip in zip(at, tips, strict=True)]
    return drawn + NOTHING.join(marks)


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str], width: float = 330) -> Markup:
    """Truth down, answer across: each cell its rows, and the share of the truth's rows by its shade."""
    left, top, size = 92.0, 52.0, len(classes)
    side = (width - left - 2) / size
    high = min(side, 84.0)
    parts = [text(left + side * size / 2, 14, "the model answers", anchor="middle", class_="axis name")]
    parts.append(text(0.0, top - 10, "in truth", class_="axis name"))
    for column, name in enumerate(classes):
        parts.append(
            text(left + side * (column + 0.5), top - 10, shortened(name, side), anchor="middle", class_="label")
        )
    for row, (name, cells) in enumerate(zip(classes, counts, strict=True)):
        y = top + high * row
        parts.append(text(left - 10, y + high / 2 + 4, shortened(name, left), anchor="end", class_="label"))
        for column, rows in enumerate(cells):
            part = rows / (sum(cells) or 1)
            tip = f"in truth {name}, answered {classes[column]}: {rows:,} rows, {share(part)} of {name}"
            parts.append(_counted(left + side * column, y, (side, high), (rows, part), tip))
    return svg.picture(width, top + high * size + 2, "Confusion matrix: truth against answers, in rows", *parts)


def _counted(x: float, y: float, size: tuple[float, float], what: tuple[int, float], tip: str) -> Markup:
    """One cell of the confusion matrix: `what` is its rows and their share."""
    side, high = size
    style = heat(what[1] * 0.6)  # the ladder ends at 0.5; a share goes to 1
    cell = svg.bar(x + 1, y + 1, side - 2, high - 2, f"cell {style}", tip=tip)
    if side < 60:
        return cell
    upper = text(x + side / 2, y + high / 2 - 2, f"{what[0]:,}", anchor="middle", class_=f"on {style} strong")
    return cell + upper + text(x + side / 2, y + high / 2 + 15, share(what[1]), anchor="middle", class_=f"on {style}")


def heatmap(rows: Sequence[tuple[str, Sequence[Cell]]], columns: Sequence[str], width: float, label: str) -> Markup:
    """A heat cell for each row and column; a marked cell has a frame and a corner."""
    wide = width > NARROW
    left = min(max(len(name) for name, _ in rows) * GLYPH + 14, 150.0 if wide else 104.0)
    side, high, top = min((width - left) / len(columns), 160.0), (24.0 if wide else 22.0), 22.0
    every = -(-int(max(len(name) for name in columns) * GLYPH + 8) // max(int(side), 1))
    parts = [
        text(left + side * (at + 0.5), 14, name, anchor="middle", class_="axis")
        for at, name in enumerate(columns)
        if at % every == 0
    ]
    for row, (name, cells) in enumerate(rows):
        y = top + high * row
        parts.append(
            text(left - 10, y + high / 2 + 4, shortened(name, left - 8), anchor="end", class_="label", tip=name)
        )
        parts += [_heat_cell(cell, left + side * at, y, (side, high)) for at, cell in enumerate(cells)]
    return svg.picture(left + side * len(columns), top + high * len(rows) + 2, label, *parts)


def _heat_cell(cell: Cell, x: float, y: float, size: tuple[float, float]) -> Markup:
    side, high = size
    style = heat(cell.value)
    drawn = svg.bar(x + 1, y + 1, side - 2, high - 2, f"cell {style}{' marked' if cell.marked else ''}", tip=cell.tip)
    if cell.marked:
        fold = min(side, high) * 0.36
        corner = f"M{x + side - 2:.1f},{y + 2:.1f}v{fold:.1f}l{-fold:.1f},{-fold:.1f}Z"
        drawn += svg.tag("path", d=corner, class_="corner")
    if side < 44 or cell.value is None:
        return drawn
    strong = " strong" if cell.marked else ""
    return drawn + text(
        x + side / 2, y + high / 2 + 4, f"{cell.value:.2f}", anchor="middle", class_=f"on {style}{strong}"
    )


def flow(steps: Sequence[Step], width: float, label: str) -> Markup:
    """The way of the rows from left to right; what a stage lets go bends away under it, in scale."""
    wide = width > NARROW
    top, full = 44.0, (110.0 if wide else 84.0)
    left, right = 6.0, width - (150.0 if wide else 8.0)
    total = max(steps[0].rows_in, 1)
    gap = (right - left) / (len(steps) + (0 if wide else 0.35))
    losses = [(at, *lost) for at, step in enumerate(steps) for lost in step.lost if lost[1]]
    parts = [_trunk(step, left + gap * at, gap, top, full / total) for at, step in enumerate(steps)]
    if not wide:
        parts[-1] = _trunk(steps[-1], left + gap * (len(steps) - 1), gap * 1.35, top, full / total)
    for at, step in enumerate(steps):
        parts.append(svg.bar(left + gap * at, top - 4, 4.0, full * step.rows_in / total + 8, "node"))
        parts.append(text(left + gap * at, top - 12, step.name, class_="label strong"))
    for order, (at, why, rows) in enumerate(losses):
        start = (left + gap * at + 4, top + full * steps[at].rows_in / total)
        parts.append(_branch(start, (gap, width), top + full + 26 + 30 * order, (why, rows, total), full / total))
    parts.append(_ends(steps, (left, right), (top, full), wide))
    height = top + full + (30 * len(losses) + 18 if losses else 10) + (0 if wide else 18)
    return svg.picture(width, height, label, *parts)


def _trunk(step: Step, x: float, length: float, top: float, scale: float) -> Markup:
    """The rows that a stage keeps, those that it repaired as a stripe at their foot."""
    tip = f"{step.name}: {step.rows_in:,} rows in, {step.kept:,} kept, {step.repaired:,} of them repaired"
    kept = svg.bar(x, top, length, step.kept * scale, "trunk", tip=tip)
    high = max(step.repaired * scale, 1.5) if step.repaired else 0.0
    return kept + svg.bar(x + 4, top + step.kept * scale - high, max(length - 4, 0), high, "repaired")


def _branch(
    start: tuple[float, float], room: tuple[float, float], y: float, what: tuple[str, int, int], scale: float
) -> Markup:
    """What a stage let go: `start` is its foot, `room` to the next stage and in all, `what` why, rows, of how many."""
    (x, foot), (why, rows, total) = start, what
    words = f"{why} {rows:,} ({share(rows / total)})"
    high = max(rows * scale, 2.0)
    end = min(x + room[0] * 0.42, room[1] - len(words) * GLYPH - 10)
    middle = (x + end) / 2
    d = (
        f"M{x:.1f},{foot - high:.1f}C{middle:.1f},{foot - high:.1f} {middle:.1f},{y:.1f} {end:.1f},{y:.1f}"
        f"v{high:.1f}C{middle:.1f},{y + high:.1f} {middle:.1f},{foot:.1f} {x:.1f},{foot:.1f}Z"
    )
    drawn = svg.tag("path", d=d, class_=f"branch {why}", tip=words)
    return drawn + text(end + 8, y + high / 2 + 4, words, class_="label")


def _ends(steps: Sequence[Step], across: tuple[float, float], down: tuple[float, float], wide: bool) -> Markup:
    """How many rows came in, and how many were kept, in words beside the flow."""
    (left, right), (top, full) = across, down
    first, last = steps[0], steps[-1]
    part = share(last.kept / max(first.rows_in, 1))
    repaired = f"{last.repaired:,} of them repaired" if last.repaired else "none of them repaired"
    inside = text(left + 14, top + 20, f"{first.rows_in:,} rows in", class_="inside strong")
    if not wide:
        return inside + text(right, top - 28, f"{last.kept:,} kept ({part})", anchor="end", class_="label strong")
    middle = top + full * last.kept / max(first.rows_in, 1) / 2
    lines_ = ((f"{last.kept:,} kept", "big strong"), (f"{part} of what came in", "axis"), (repaired, "axis"))
    drawn = [text(right + 12, middle - 8 + 18 * at, words, class_=style) for at, (words, style) in enumerate(lines_)]
    return inside + NOTHING.join(drawn)


def share_bar(value: float, style: str = "", width: float = 90) -> Markup:
    """A share of 0..1 as a short bar on its track."""
    filled = max(min(value, 1.0) * width, 1.5) if value > 0 else 0.0
    track = svg.bar(0.0, 0.0, width, 8.0, "track")
    return svg.picture(width, 8, share(value), track, svg.bar(0.0, 0.0, filled, 8.0, f"fill {style}"))


def span_bar(low: float, mean: float, high: float, width: float = 90) -> Markup:
    """Where the mean lies between the least and the largest value."""
    x = Scale(low, high, 4, width - 4)
    words = f"from {number(low)} to {number(high)}, mean {number(mean)}"
    track = svg.rule(4.0, 5.0, width - 4, 5.0, "span")
    return svg.picture(width, 10, words, track, svg.mark("circle", x(mean), 5.0, "own", size=3.5, tip=words))


def swatch(style: str, shape: str = "", *, whiskers: bool = False) -> Markup:
    """The key to a line's style, for legends."""
    parts = [svg.line([(1, 7), (27, 7)], style)]
    if whiskers:
        parts.append(svg.whisker(14, 1, 13, style))
    if shape:
        parts.append(svg.mark(shape, 14, 7, style, size=4))
    return svg.tag("svg", *parts, viewBox="0 0 28 14", width=28, height=14, aria_hidden="true", class_="swatch")
