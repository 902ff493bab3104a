"""The report's section on how steady the answers are. Pure."""

from markupsafe import Markup

from pipeline.judgement.steadiness import Moved, Steadiness
from pipeline.reports import charts, document, figures
from pipeline.reports.charts import Entry
from pipeline.reports.svg import Interval
from pipeline.wording import number

SHOWN = 14


def section(told: Steadiness) -> Markup:
    """How far which change moves the answers, and what hostile rows do."""
    return document.fragment(
        "steadiness.html.j2",
        told=told,
        chart=_chart(told) if told.moved else "",
        broken=[edge for edge in told.edges if edge.fault],
        flips=any(one.changed is not None for one in told.moved),
    )


def _chart(told: Steadiness) -> Markup:
    """The small changes, then the rough ones that move answers most."""
    small = [one for one in told.moved if one.size == "small"]
    rough = sorted((one for one in told.moved if one.size == "rough"), key=lambda one: -one.most)
    entries = [_entry(one, told.unit) for one in [*small, *rough][:SHOWN]]
    return figures.both(lambda width: charts.dots(entries, width, "How far answers move by change", zero=True))


def _entry(one: Moved, unit: str) -> Entry:
    name = one.change if one.column is None else f"{one.column}: {one.change}"
    small = one.size == "small"
    tip = f"{name}\nmean {number(one.mean)}, 99 of 100 within {number(one.most)} {unit}"
    style, shape = ("own", "circle") if small else ("m-champion", "square")
    interval = Interval(one.mean, 0.0, one.most)
    return Entry(name=name, interval=interval, style=style, note=number(one.most), tip=tip, shape=shape)
