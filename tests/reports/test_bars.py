"""The small charts: in scale, well-formed at their edges, and saying in words what they show."""

import re
from xml.etree import ElementTree

import pytest

from pipeline.reports import bars
from pipeline.reports.bars import Stack


def tree(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


@pytest.mark.parametrize("width", [340.0, 480.0])
def test_a_stack_is_in_scale_and_inside_the_picture(width: float) -> None:
    rows = [
        Stack(name="outliers", parts=[("error", 2), ("warning", 6)], note="2 errors, 6 warnings"),
        Stack(name="a name that is far too long for the room that it gets", parts=[("error", 1)], note="1 error"),
    ]

    drawn = tree(bars.stacks(rows, width, "Findings"))

    error, warning, other = (bar for bar in drawn.iter("rect") if bar.attrib["class"].startswith("fill"))
    assert float(warning.attrib["width"]) + 1 == pytest.approx(3 * (float(error.attrib["width"]) + 1), abs=0.2)
    assert float(other.attrib["width"]) == pytest.approx((float(error.attrib["width"]) + 1) / 2 - 1, abs=0.2)
    assert all(float(bar.attrib["x"]) + float(bar.attrib["width"]) <= width for bar in drawn.iter("rect"))


def test_a_stack_of_nothing_is_its_words() -> None:
    assert "35 info" in bars.stacks([Stack(name="35 more", parts=[], note="35 info")], 340, "Findings")


def test_a_gauge_has_its_tick_where_the_threshold_is() -> None:
    drawn = tree(bars.gauge(0.5, "error", "half", tick=0.25, full=1.0, width=200))

    assert [bar.attrib["width"] for bar in drawn.iter("rect")] == ["200", "100"]
    assert [rule.attrib["x1"] for rule in drawn.iter("line")] == ["50"]
    assert drawn.attrib["aria-label"] == "half"


def test_a_gauge_shows_the_least_share_and_no_bar_for_none() -> None:
    widths = [
        [bar.attrib["width"] for bar in tree(bars.gauge(value, "info", "", tick=None, full=1.0)).iter("rect")][1]
        for value in (1e-9, 0.0)
    ]

    assert widths == ["1.5", "0"]


def test_columns_draw_one_bar_for_each_bin_with_rows() -> None:
    drawn = tree(bars.columns([4, 0, 1], "three bins", width=120, height=34))

    path = next(drawn.iter("path")).attrib["d"]
    assert re.findall(r"M([\d.]+),", path) == ["0.0", "80.0"]
    assert re.findall(r"v-([\d.]+)h", path) == ["31.0", "7.8"]


def test_columns_without_rows_are_drawn_too() -> None:
    assert next(tree(bars.columns([], "nothing")).iter("path")).attrib["d"] == ""
