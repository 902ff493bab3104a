"""The grid says what a search says, bit by bit."""

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.drift import placing

NUMBERS = st.floats(allow_nan=False, width=64)


@settings(deadline=None)
@given(edges=st.lists(NUMBERS, max_size=12, unique=True), values=st.lists(NUMBERS, min_size=1, max_size=50))
def test_as_many_edges_lie_below_a_value_as_a_search_finds(edges: list[float], values: list[float]) -> None:
    edges_E = np.array(sorted(edges), np.float64)
    values_N = np.resize(np.array([*values, *edges], np.float64), placing.FEW + 1)

    assert (placing.below(edges_E, values_N) == np.searchsorted(edges_E, values_N, side="left")).all()


@pytest.mark.parametrize("draw", ["normal", "standard_cauchy", "exponential"])
def test_of_real_shapes_too_whose_edges_are_values(draw: str) -> None:
    values_N = getattr(np.random.default_rng(0), draw)(size=50_000)
    edges_E = np.unique(np.quantile(values_N, np.linspace(0, 1, 41), method="lower"))

    assert (placing.below(edges_E, values_N) == np.searchsorted(edges_E, values_N, side="left")).all()


def test_edges_that_lie_apart_are_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[int] = []
    search = np.searchsorted

    def noted(a: np.ndarray, v: np.ndarray, side: Literal["left", "right"] = "left") -> np.ndarray:
        searched.append(len(v))
        return search(a, v, side)

    monkeypatch.setattr(np, "searchsorted", noted)

    placing.below(np.linspace(0, 1, 40), np.random.default_rng(0).random(50_000))

    assert searched == [placing.CELLS]
