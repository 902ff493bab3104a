"""The page of `keepfit backtest`: what each policy would have brought, and cost; then batch by batch.

It is made of the published record alone, reads no clock, and has a bound on everything that grows with the batches.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from markupsafe import Markup

from pipeline.artefacts import Record
from pipeline.metrics import LOWER_IS_BETTER, Metric
from pipeline.metrics.verdict import signed
from pipeline.reports import charts, document, svg, words
from pipeline.reports.charts import NARROW, NOTHING, Entry
from pipeline.reports.figures import both, half
from pipeline.reports.svg import Interval, Scale, text
from pipeline.reports.words import Json, metric, short_names
from pipeline.wording import NOTHING as UNSAID
from pipeline.wording import count, number

BATCHES = 60
NEVER, OURS = "never", "this one"
STYLES: Mapping[str, tuple[str, str]] = {
    OURS: ("own", "circle"),
    NEVER: ("m-majority", "cross"),
    "every batch": ("m-trees", "square"),
    "monthly": ("m-linear", "up"),
    "on drift": ("m-champion", "diamond"),
}


def page(found: Record) -> str:
    """The page of a Backtest; pure."""
    told = found.model_dump(mode="json")
    runs, name = told["runs"], told["metric"]
    scored = any(run["mean"] for run in runs)
    return document.render(
        "backtest.html.j2",
        test=told,
        claim=_claim(told),
        lead=_lead(told),
        runs=runs,
        ours=next((run for run in runs if run["name"] == OURS), None),
        styles=STYLES,
        scored=scored,
        lower=name in LOWER_IS_BETTER,
        means={m: half(partial(_means, runs, m)) for m in told["metrics"]} if scored else {},
        gains={m: half(partial(_gains, runs, m)) for m in told["metrics"]} if scored else {},
        course=both(partial(_course, told)),
        cost=half(partial(_cost, runs, name)) if scored else NOTHING,
        shown=BATCHES,
        same=_same(runs),
        score=_score,
        gain=_gain,
    )


def _claim(told: Json) -> str:
    """What the workspace's own policy would have brought, in one line."""
    ours = next((run for run in told["runs"] if run["name"] == OURS), None)
    pair = (ours or {}).get("gain", {}).get(told["metric"])
    if ours is None or pair is None:
        return f"{count(len(told['runs']), 'policy', 'policies')} over {count(len(told['batches']), 'past batch')}"
    word = "better than" if pair["low"] > 0 else "worse than" if pair["high"] < 0 else "about as good as"
    return (
        f"This policy would have been {word} never retraining: {metric(told['metric'])} "
        f"{signed(told['metric'], pair['difference'])} "
        f"for {count(ours['trainings'], 'training')}"
    )


def _lead(told: Json) -> str:
    late = told["delay_days"]
    labels = (
        f"labels come {count(late, 'day') if late != 1 else 'a day'} after their batch"
        if late
        else "labels come with their batch"
    )
    return (
        f"{count(len(told['batches']), 'batch')} of {told['dataset']} replayed in the order of time: each is answered "
        f"by the model that was in use when it came, and decided on when its labels were there ({labels}). The first "
        f"model learnt from {count(told['first'], 'row')}; every candidate went through the gates of promote."
    )


def _style(name: str) -> tuple[str, str]:
    return STYLES.get(name, ("m-majority", "circle"))


def _means(runs: Sequence[Json], name: Metric, width: float) -> Markup:
    """Each policy's mean score, with its interval."""
    entries = []
    for run in runs:
        if (raw := run["mean"].get(name)) is not None:
            style, shape = _style(run["name"])
            tip = f"{run['name']}: mean {metric(name)} {_score(run, name)}"
            interval = Interval(raw["value"], raw["low"], raw["high"])
            entries.append(
                Entry(name=run["name"], interval=interval, style=style, note=number(raw["value"]), tip=tip, shape=shape)
            )
    better = "◂ lower is better" if name in LOWER_IS_BETTER else "higher is better ▸"
    return charts.dots(entries, width, f"Mean {metric(name)} under each policy", better=better) if entries else NOTHING


def _gains(runs: Sequence[Json], name: Metric, width: float) -> Markup:
    """Each policy less `never`, on the same rows; right of zero it is better."""
    entries = []
    for run in runs:
        pair = run["gain"].get(name)
        if pair is None or run["name"] == NEVER:
            continue
        style = "good" if pair["low"] > 0 else "bad" if pair["high"] < 0 else "even"
        shape = {"good": "up", "bad": "down"}.get(style, "diamond")
        tip = f"{run['name']}: {metric(name)} {_gain(run, name)} against never"
        interval = Interval(pair["difference"], pair["low"], pair["high"])
        note = signed(name, pair["difference"])
        entries.append(Entry(name=run["name"], interval=interval, style=style, note=note, tip=tip, shape=shape))
    if not entries:
        return NOTHING
    return charts.dots(entries, width, f"Gain in {metric(name)} over never", zero=True, better="◂ worse · better ▸")


def _cost(runs: Sequence[Json], name: str, width: float) -> Markup:
    """What each policy cost, in processor time, beside what it brought."""
    known = [(run, run["mean"][name]) for run in runs if name in run["mean"]]
    top, bottom = 26.0, 236.0
    y = Scale.over([end for _, raw in known for end in (raw["low"], raw["high"])], bottom, top)
    left, right = svg.margin(y), width - 16
    x = Scale.over([0.0, *(run["seconds"] for run, _ in known)], left + 8, right)
    parts = [svg.left_axis(y, left, right), svg.bottom_axis(x, top, bottom, count=5)]
    for same in _alike(run for run, _ in known):
        run, raw = same[0], same[0]["mean"][name]
        style, shape = _style(run["name"])
        px, py = x(run["seconds"]), y(raw["value"])
        called = ", ".join(each["name"] for each in same)
        parts.append(svg.whisker(px, y(raw["low"]), y(raw["high"]), style))
        tip = f"{called}: {run['seconds']:.0f} s, {metric(name)} {_score(run, name)}"
        parts.append(svg.mark(shape, px, py, style, size=5, tip=tip))
        end = "end" if px > (left + right) / 2 else "start"
        parts.append(text(px + (-9 if end == "end" else 9), py - 7, called, anchor=end, class_="label strong"))
    parts.append(
        text((left + right) / 2, bottom + 34, "seconds of processor time", anchor="middle", class_="axis name")
    )
    parts.append(text(0.0, 12.0, f"mean {metric(name)}", class_="axis name"))
    return svg.picture(width, bottom + 40, f"What each policy cost, and its mean {metric(name)}", *parts)


def _alike(runs: Iterable[Json]) -> list[list[Json]]:
    """The runs in groups that did the same: trained after the same batches, with the same outcomes; ours first."""
    groups: dict[str, list[Json]] = {}
    for run in sorted(runs, key=lambda run: run["name"] != OURS):
        done = [(m["batch"], m["version"], bool(m["outcome"]), bool(m["rollback"])) for m in run["moments"]]
        groups.setdefault(repr(done), []).append(run)
    return list(groups.values())


def _same(runs: Sequence[Json]) -> str:
    """Which policies did the same, in a sentence; empty where no two did."""
    pairs = [" and ".join(run["name"] for run in group) for group in _alike(runs) if len(group) > 1]
    return f"Here {'; '.join(pairs)} did the same." if pairs else ""


def _course(told: Json, width: float) -> Markup:
    """The live metric of each policy, batch by batch; under it a lane for each policy with what it did."""
    wide, name = width > NARROW, told["metric"]
    runs = told["runs"]
    names = short_names(told["batches"][-BATCHES:])
    values = {run["name"]: [_value(moment, name) for moment in run["moments"][-BATCHES:]] for run in runs}
    y = Scale.over(
        [v for line in values.values() for v in line if v is not None], 300.0 if wide else 230.0, 30.0, ticks=7
    )
    left, right = (120.0, width - 14) if wide else (78.0, width - 8)
    room = (right - left) / max(len(names), 1)
    xs = [left + room * (at + 0.5) for at in range(len(names))]
    parts = [svg.left_axis(y, left, right, count=7), text(left - 7, 16, metric(name), anchor="end", class_="axis name")]
    for run in runs:
        parts.append(_line(run["name"], values[run["name"]], xs, y, name))
    every = -(-int(max(map(len, names), default=1) * svg.GLYPH + 6) // max(int(room), 1))
    parts += [
        text(x, y.start + 18, n, anchor="middle", class_="axis")
        for at, (n, x) in enumerate(zip(names, xs, strict=True))
        if at % every == 0
    ]
    for at, run in enumerate(runs):
        parts.append(_lane(run, xs, (left, right), y.start + 44 + 24 * at))
    return svg.picture(
        width, y.start + 44 + 24 * len(runs) + 4, f"{metric(name)} on each batch under each policy", *parts
    )


def _value(moment: Json, name: str) -> float | None:
    return moment["scores"][name]["value"] if moment["scores"] and name in moment["scores"] else None


def _line(policy: str, values: Sequence[float | None], xs: Sequence[float], y: Scale, name: str) -> Markup:
    style, shape = _style(policy)
    points = [(x, y(value)) for x, value in zip(xs, values, strict=True) if value is not None]
    marks = [
        svg.mark(shape, x, y(value), style, size=4, tip=f"{policy}: {metric(name)} {number(value)}")
        for x, value in zip(xs, values, strict=True)
        if value is not None
    ]
    return svg.line(points, style) + NOTHING.join(marks)


def _lane(run: Json, xs: Sequence[float], ends: tuple[float, float], y: float) -> Markup:
    """What a policy did after each batch: ▲ a new version, ◆ a training whose candidate was refused, ↩ a rollback."""
    style, shape = _style(run["name"])
    drawn = svg.rule(ends[0], y, ends[1], y, "gridline") + svg.mark(shape, ends[0] - 8, y, style, size=4)
    drawn += text(ends[0] - 18, y + 4, run["name"], anchor="end", class_="label")
    half_room = (xs[1] - xs[0]) / 2 if len(xs) > 1 else 20.0
    for moment, x in zip(run["moments"][-BATCHES:], xs, strict=True):
        outcome, at = moment["outcome"], x + half_room * 0.9
        if moment["rollback"]:
            drawn += text(x, y + 4, "↩", anchor="middle", class_="label strong")
        if outcome:
            event = "promoted" if outcome["promoted"] else "kept"
            became = f"{outcome['version']} promoted" if outcome["promoted"] else "the candidate was refused"
            tip = f"{run['name']}, after {moment['batch']}: retrained, {became}; {moment['seconds']:.0f} s"
            drawn += svg.mark("up" if outcome["promoted"] else "diamond", at, y, f"event {event}", size=5, tip=tip)
    return drawn


def _score(run: Json, name: str) -> str:
    raw = run["mean"].get(name)
    return UNSAID if raw is None else words.interval(raw)


def _gain(run: Json, name: Metric) -> str:
    pair = run["gain"].get(name)
    if pair is None or run["name"] == NEVER:
        return UNSAID
    gain, low, high = (signed(name, pair[end]) for end in ("difference", "low", "high"))
    return f"{gain} ({low} to {high})"
