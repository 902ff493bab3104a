"""The page of `keepfit drift --html`: what drifted, since when and in which rows, what it may cost, and every test.

It is made of the record of the comparison alone, reads no clock, and bounds all that grows with the data.
"""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from pipeline.artefacts import Record
from pipeline.reports import bars, charts, document, figures
from pipeline.reports.charts import Entry
from pipeline.reports.svg import Interval
from pipeline.reports.words import Json
from pipeline.wording import count, number

ALARMS, TESTS = 60, 400


def page(compared: Record) -> str:
    """The page of a comparison; pure."""
    told = compared.model_dump(mode="json")
    answer, alarms = told["answer"], told["alarms"]
    tests = sorted(answer["columns"], key=lambda one: (-one["drift"], -one["effect"], one["column"]))
    return document.render(
        "drifting.html.j2",
        told=told,
        claim=_claim(answer, len(alarms)),
        columns=len({one["column"] for one in answer["columns"]}),
        alarms=[{**alarm, "start": _start(alarm, told)} for alarm in alarms[:ALARMS]],
        tests=[{**one, "gauge": _gauge(one)} for one in tests[:TESTS]],
        whole=[{**one, "method": name, "gauge": _gauge(one)} for name, one in answer["multivariate"].items()],
        expected=answer["estimated_metric"],
        score=_score(answer["estimated_metric"]),
    )


def _claim(answer: Json, alarms: int) -> str:
    """What a reader must know, in one line."""
    if alarms:
        return f"{count(alarms, 'column')} drifted"
    return "The columns drifted together, and none alone" if answer["drift"] else "Nothing drifted"


def _start(alarm: Json, told: Json) -> str:
    """Since when, where rows are ordered by time."""
    if not told["ordered"]:
        return ""
    if alarm["since"] is None:
        return "now and then"
    return "from its start" if alarm["since"] == 0 else f"since {told['starts'][str(alarm['since'])]}"


def _gauge(one: Mapping[str, Any]) -> Markup:
    """The statistic against its threshold."""
    value, threshold = abs(one["statistic"]), one["threshold"] or 0.0
    words = f"{number(float(value))}, beyond chance from {number(float(threshold))} on"
    full = 1.03 * (max(value, threshold) or 1.0)
    return bars.gauge(value, "warning" if one["drift"] else "info", words, tick=threshold, full=full)


def _score(expected: Json) -> Markup:
    """The score to be expected beside that of the old rows, and the measured one where there are labels."""
    if not expected:
        return Markup("")
    span = Interval(expected["value"], expected["low"], expected["high"])
    rows = [_entry("reference", Interval(expected["reference"])), _entry("to be expected", span)]
    if expected["live"] is not None:
        rows.append(_entry("measured", Interval(expected["live"])))
    return figures.half(lambda width: charts.dots(rows, width, f"{expected['metric']} of old and new rows"))


def _entry(name: str, interval: Interval) -> Entry:
    said = number(interval.value)
    return Entry(name=name, interval=interval, note=said, tip=f"{name}: {said}", style="own", shape="circle")
