"""What a forecast must beat, on series of which the answer is known."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from pipeline.features.targets.forecast import Forecast
from pipeline.features.windows import Windows
from pipeline.models import forecasts

WINDOW, HORIZON, SEASON = 12, 5, 4


def target(**change: object) -> Forecast:
    known = {"column": "y", "horizon": HORIZON, "season": SEASON, "grouped_by": [], "groups": {}}
    return Forecast.model_validate({**known, "center": 0.0, "scale": 1.0, **change})


def part(values: np.ndarray) -> dict[str, Windows]:
    places = np.arange(WINDOW - 1, len(values) - HORIZON)
    known = np.stack([values, np.ones_like(values)], axis=1)
    return {
        "series:y": Windows(values=known, place_N=places, step_W=np.arange(1 - WINDOW, 1)),
        "label": Windows(values=values, place_N=places, step_W=np.arange(1, HORIZON + 1)),
    }


def parts(values: np.ndarray) -> dict[str, dict[str, Windows]]:
    whole = part(values)
    return {"train": whole, "test": whole}


def test_persistence_tells_the_last_value() -> None:
    values = np.random.default_rng(0).normal(size=60)

    told = forecasts.answers(parts(values), target())["test"]["persistence"]

    assert np.array_equal(told, np.repeat(values[WINDOW - 1 : -HORIZON, None], HORIZON, axis=1))


def test_the_seasonal_one_is_right_where_seasons_come_again() -> None:
    values = np.tile(np.array([3.0, 1.0, 4.0, 1.5]), 20)
    known = parts(values)

    told = forecasts.answers(known, target())["test"]

    assert np.array_equal(told["seasonal_naive"], np.asarray(known["test"]["label"]))
    assert not np.array_equal(told["persistence"], np.asarray(known["test"]["label"]))


def test_the_linear_one_is_ridge_regression_of_changes() -> None:
    values = np.cumsum(np.random.default_rng(1).normal(size=300))
    known = part(values)
    x, y = np.asarray(known["series:y"])[:, :, 0], np.asarray(known["label"])

    told = forecasts.answers({"train": known, "test": known}, target())["test"]["ridge"]

    other = Ridge().fit(x - x[:, -1:], y - x[:, -1:])
    assert np.allclose(told, other.predict(x - x[:, -1:]) + x[:, -1:], atol=1e-5)


def test_it_is_the_same_in_however_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    known = parts(np.cumsum(np.random.default_rng(2).normal(size=200)))
    whole = forecasts.answers(known, target())["test"]["ridge"]

    monkeypatch.setattr(forecasts, "ROWS_AT_ONCE", 17)

    assert np.allclose(forecasts.answers(known, target())["test"]["ridge"], whole)


def test_a_single_series_is_told_in_its_unit() -> None:
    values = np.random.default_rng(3).normal(size=60)

    told = forecasts.answers(parts(values), target(center=100.0, scale=10.0))["test"]["persistence"]

    assert np.allclose(told[:, 0], values[WINDOW - 1 : -HORIZON] * 10 + 100)
