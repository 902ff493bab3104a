"""The primitives: escaping, scales and ticks."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from pipeline.reports import svg
from pipeline.reports.svg import Interval, Scale

FINITE = st.floats(-1e12, 1e12, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-6)


def test_text_and_attributes_are_escaped() -> None:
    hostile = '</style><script>alert("x")</script>'
    drawn = svg.picture(10, 10, hostile, svg.text(1, 2, hostile, class_=hostile, tip=hostile))
    assert "<script" not in drawn and "</style" not in drawn
    assert drawn.count("&lt;script&gt;") == 4


def test_braces_in_data_are_text() -> None:
    assert "{0.__class__}" in svg.text(0, 0, "{0.__class__}", tip="{}")


@given(st.lists(FINITE, min_size=1, max_size=6), st.integers(2, 9))
def test_scale_holds_its_values_between_few_nice_ticks(values: list[float], ticks: int) -> None:
    scale = Scale.over(values, 0, 100, ticks=ticks)
    room = (scale.high - scale.low) * 1e-6
    assert scale.low - room <= min(values) and max(values) <= scale.high + room
    assert 2 <= len(scale.ticks(ticks)) <= 3 * ticks + 3


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf]])
def test_scale_over_nothing_is_0_to_1(values: list[float]) -> None:
    scale = Scale.over(values, 0, 100)
    assert (scale.low, scale.high) == (0, 1)


def test_scale_over_one_value_has_room_around_it() -> None:
    scale = Scale.over([5.0], 0, 100)
    assert scale.low < 5 < scale.high


@given(st.floats(1e-9, 1e9), st.integers(1, 10))
def test_nice_step_is_1_2_or_5_times_a_power_of_ten(span: float, count: int) -> None:
    digits = f"{svg.nice_step(span, count):.6e}".split("e")[0]
    assert float(digits) in (1.0, 2.0, 5.0)


@given(st.lists(st.integers(-99_999, 99_999).map(lambda n: n / 1000), min_size=2, max_size=6, unique=True))
def test_tick_labels_tell_ticks_apart(ticks: list[float]) -> None:
    assert len(set(svg.tick_labels(ticks))) == len(ticks)


def test_interval_without_ends_ends_at_its_value() -> None:
    assert Interval(0.7).ends == (0.7, 0.7)
    assert Interval(0.7, 0.6, 0.8).ends == (0.6, 0.8)


@pytest.mark.parametrize("shape", ["circle", "square", "diamond", "up", "down", "cross"])
def test_every_shape_is_drawn(shape: str) -> None:
    assert re.match(r"<(circle|path) ", svg.mark(shape, 3, 4, "own"))


def test_too_few_points_draw_no_line() -> None:
    assert svg.line([(1, 2)], "own") == svg.band([(1, 2)], [(1, 3)], "own") == Markup("")


def test_long_words_are_cut_with_an_ellipsis() -> None:
    assert svg.shortened("manufacturer", 60) == "manufact…"
    assert svg.shortened("temp", 60) == "temp"
