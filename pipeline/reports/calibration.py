"""The report's section on whether probabilities mean what they say. Pure."""

from markupsafe import Markup

from pipeline.judgement.calibration import Calibration, Reliability
from pipeline.reports import charts, document, figures, words
from pipeline.reports.charts import Entry
from pipeline.reports.svg import Interval
from pipeline.wording import number


def section(told: Calibration) -> Markup:
    """The calibration error of each model beside what chance makes, what the temperature did, and told beside found."""
    entries = [_entry(one) for one in told.models]
    chart = figures.half(lambda width: charts.dots(entries, width, "Calibration error of each model", zero=True))
    return document.fragment("calibration.html.j2", told=told, chart=chart, tempered=tempered(told))


def _entry(one: Reliability) -> Entry:
    style = figures.STYLES.get(one.model, "m-majority")
    called = words.model(one.model)
    return Entry(
        name=called,
        interval=Interval(one.ece, 0.0, one.chance),
        style=style,
        note=f"{number(one.ece)} {one.word}",
        tip=f"{called}: {one.words}",
        shape=figures.SHAPES[style],
    )


def tempered(told: Calibration) -> str:
    """What the temperature did, in a sentence; empty where there is none."""
    if told.tempered is None:
        return ""
    made = told.tempered
    return (
        f"A temperature of {number(made.temperature)} was fitted on val and kept: on {made.rows:,} rows of test it "
        f"takes the calibration error from {number(made.ece_without)} to {number(made.ece_with)}, the log loss from "
        f"{number(made.log_loss_without)} to {number(made.log_loss_with)}."
    )
