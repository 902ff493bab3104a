"""Sums without rounding."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.profile import exact


def exactly(values: list[float]) -> tuple[Fraction, Fraction]:
    return sum(map(Fraction, values), Fraction(0)), sum((Fraction(value) ** 2 for value in values), Fraction(0))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_sums_are_those_of_fractions(values: list[float]) -> None:
    assert exact.sums(np.array(values, dtype=np.float64)) == exactly(values)


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), max_size=50))
def test_sums_of_common_numbers_are_those_of_fractions(values: list[float]) -> None:
    assert exact.sums(np.array(values)) == exactly(values)


@pytest.mark.parametrize("low", [1.0, 1e-300, 1e300, 2.0**-480, 2.0**479])
def test_a_full_block_of_the_largest_slices_does_not_round(low: float) -> None:
    values = np.linspace(low, low * (2 - 2**-52), 2 * exact.BLOCK + 1)

    assert exact.sums(values) == exactly(values.tolist())
