"""The report's section on what answers cost. Pure."""

from markupsafe import Markup

from pipeline.judgement.cost import Cost, ModelCost
from pipeline.reports import charts, document, figures, words
from pipeline.reports.charts import Entry, Series
from pipeline.reports.svg import Interval
from pipeline.wording import number


def section(told: Cost) -> Markup:
    """The mean cost of each model, and of the candidate by its threshold."""
    unit = told.unit or "cost"
    entries = [_entry(one, unit) for one in told.models]
    chart = figures.half(lambda width: charts.dots(entries, width, f"Mean {unit} a row of test"))
    return document.fragment(
        "cost.html.j2", told=told, chart=chart, curve=_curve(told, unit) if told.curve else "", unit=unit
    )


def _entry(one: ModelCost, unit: str) -> Entry:
    style, called = figures.STYLES.get(one.model, "m-majority"), words.model(one.model)
    interval = Interval(one.mean.value, one.mean.low, one.mean.high)
    tip = f"{called}: {words.interval(one.mean.model_dump())} {unit} a row"
    return Entry(
        name=called,
        interval=interval,
        style=style,
        note=number(one.mean.value),
        tip=tip,
        shape=figures.SHAPES[style],
    )


def _curve(told: Cost, unit: str) -> Markup:
    """Cost by threshold, on val and test, and where it was set."""
    names = ("threshold", f"{unit} a row")
    series = [
        Series(name=name, points=[(point[0], point[place]) for point in told.curve], style=style)
        for place, name, style in ((1, "val", "m-majority"), (2, "test", "own"))
    ]
    set_at = told.models[0].threshold
    best = None if set_at is None or not 0 <= set_at <= 1 else (set_at, f"set at {number(set_at)}")
    return figures.half(
        lambda width: charts.lines(series, f"{names[1]} by threshold", names=names, width=width, best=best)
    )
