"""Counts, numbers, shares and lists as people read them."""

import math

from hypothesis import given
from hypothesis import strategies as st

from pipeline import wording


@given(st.floats(allow_nan=True, allow_infinity=True) | st.integers() | st.none() | st.text())
def test_any_value_has_words(value: object) -> None:
    assert isinstance(wording.number(value), str)


@given(st.floats(0, 1))
def test_only_nothing_is_0_and_only_all_is_100_percent(value: float) -> None:
    said = wording.share(value)
    assert (said == "0%") == (value == 0) and (said == "100%") == (value == 1)


@given(st.floats(1e-4, 99, allow_nan=False))
def test_numbers_keep_three_digits(value: float) -> None:
    assert math.isclose(float(wording.number(value)), value, rel_tol=0.006)
