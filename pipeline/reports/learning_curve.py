"""The report's section on whether more data would help. Pure."""

from markupsafe import Markup

from pipeline.judgement.learning_curve import LearningCurve, Point
from pipeline.reports import charts, document, figures, words
from pipeline.reports.charts import Entry
from pipeline.reports.svg import Interval
from pipeline.wording import count, number


def section(told: LearningCurve) -> Markup:
    """The score on val by the number of rows that were trained on."""
    label = f"{words.title_case(words.metric(told.metric))} on val by rows of train"
    entries = [_entry(point, told.metric) for point in told.points]
    chart = figures.half(lambda width: charts.dots(entries, width, label))
    return document.fragment("learning_curve.html.j2", told=told, chart=chart, title=label)


def _entry(point: Point, metric: str) -> Entry:
    name, score = count(point.rows, "row"), point.score
    tip = f"{name}: {words.metric(metric)} {words.interval(score.model_dump())}"
    interval = Interval(score.value, score.low, score.high)
    return Entry(name=name, interval=interval, style="own", note=number(score.value), tip=tip)
