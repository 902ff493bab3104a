"""Changes of windows: each does what its name says, and leaves the other values and the windows themselves alone."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Forecast, Quantity
from pipeline.judgement import stretches
from pipeline.judgement.stretches import ON_WINDOWS, Layout

LAYOUT = Layout(known=1, numbers=(0, 2))
RANDOM = np.random.default_rng(0)


def windows(rows: int = 50, steps: int = 8) -> np.ndarray:
    """A label, whether it is known, a number and an indicator."""
    made = RANDOM.normal(size=(rows, steps, 4)).astype(np.float32)
    made[:, :, 1] = 1.0
    made[:, :, 3] = made[:, :, 3] > 0
    return made


def test_a_forecast_has_its_label_before_the_values_and_other_windows_have_none() -> None:
    forecast = Forecast(
        column="y", horizon=1, season=1, grouped_by=[], groups={}, center=0.0, scale=1.0, naive_error=1.0
    )
    numbers = [False, True]

    found = [
        Layout.of(cast(Preprocessor, SimpleNamespace(target=target, numbers=numbers)))
        for target in (forecast, Quantity(column="y", center=0.0, scale=1.0))
    ]

    assert found == [Layout(known=1, numbers=(0, 3)), Layout(known=0, numbers=(2,))]


def test_noise_has_the_share_of_the_spread_of_each_number_and_touches_nothing_else() -> None:
    before = windows(400)

    moved = stretches.noise(0.1)(before, LAYOUT, RANDOM) - before

    assert moved[:, :, 0].std() == pytest.approx(0.1, rel=0.1)
    assert moved[:, :, 2].std() == pytest.approx(0.1, rel=0.1)
    assert not moved[:, :, [1, 3]].any()


def test_of_a_window_without_anything_known_nothing_is_left() -> None:
    assert not stretches.gap(0.0, 1.0)(windows(), LAYOUT, RANDOM).any()


def test_a_window_that_stands_still_is_its_last_step() -> None:
    before = windows()

    found = stretches.still(before, LAYOUT, RANDOM)

    assert (found == before[:, -1:]).all()


@pytest.mark.parametrize("ranges", [10.0, -10.0])
def test_the_last_step_is_far_from_all_others(ranges: float) -> None:
    before = windows()

    found = stretches.far(ranges)(before, LAYOUT, RANDOM)

    values = before[:, :, 0]
    assert (np.abs(found[:, -1, 0] - values.mean()) >= 10 * np.ptp(values)).all()
    assert np.sign(found[0, -1, 0]) == np.sign(ranges)
    np.testing.assert_array_equal(found[:, :-1], before[:, :-1])
    np.testing.assert_array_equal(found[:, :, [1, 3]], before[:, :, [1, 3]])


@pytest.mark.parametrize(("rows", "steps"), [(5, 8), (5, 1), (0, 8)])
@pytest.mark.parametrize("change", ON_WINDOWS, ids=[change.name for change in ON_WINDOWS])
def test_changed_windows_are_numbers_of_the_same_shape_and_the_windows_stay(
    change: stretches.Stretch, rows: int, steps: int
) -> None:
    made = windows(rows, steps)
    before = made.copy()

    found = change.made(made, LAYOUT, RANDOM)

    assert (found.shape, found.dtype) == (before.shape, before.dtype)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(made, before)
    assert any(one.size == "small" for one in ON_WINDOWS)
