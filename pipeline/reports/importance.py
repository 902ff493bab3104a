"""The report's section on what the candidate uses. Pure."""

from markupsafe import Markup

from pipeline.judgement.importance import Importance, Use
from pipeline.reports import charts, document, figures
from pipeline.reports.charts import Entry
from pipeline.reports.svg import Interval
from pipeline.wording import share

SHOWN = 20


def section(told: Importance) -> Markup:
    """What the loss of each column costs, and what each alone carries."""
    entries = [_entry(one) for one in told.columns[:SHOWN]]
    label = "What is lost without a column"
    chart = figures.both(lambda width: charts.dots(entries, width, label, zero=True))
    return document.fragment("importance.html.j2", told=told, chart=chart)


def _entry(one: Use) -> Entry:
    said = f"{share(one.lost)} lost without it (95% interval {share(one.low)} to {share(one.high)})"
    tip = f"{one.column}\n{said}\n{share(one.alone)} left with it alone"
    interval = Interval(one.lost, one.low, one.high)
    return Entry(name=one.column, interval=interval, style="own", note=share(one.lost), tip=tip)
