"""A label that is forecast: scaled by group as train is, told back in its unit, and MASE's denominator by hand."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.features.series import Series
from pipeline.features.target import TARGET
from pipeline.features.targets.forecast import Forecast


def rows(values: list[float | None], group: str = "a") -> pl.DataFrame:
    at = [datetime(2024, 1, 1) + hour * timedelta(hours=1) for hour in range(len(values))]
    return pl.DataFrame({"at": at, "g": group, "y": values}, schema_overrides={"y": pl.Float64})


def series(groups: list[str], season: int = 1) -> Series:
    return Series(
        column="y", time="at", groups=groups, step="1h", origin=0, window=4, horizon=2, season=season, past=4, dense=0
    )


BOTH = pl.concat([rows([1, 2, 3, 4]), rows([100, 300, 100, 300], "b")])


def test_each_group_is_scaled_by_its_own_training_rows() -> None:
    target = Forecast.fit(series(["g"]), BOTH)

    scaled = target.scaled(BOTH)

    assert target.groups["b"] == pytest.approx((200, 100))
    assert scaled[4:].tolist() == [-1, 1, -1, 1]
    assert float(scaled[:4].mean()) == pytest.approx(0, abs=1e-6)
    assert float(scaled[:4].std()) == pytest.approx(1, abs=1e-6)


def test_a_group_that_train_has_not_is_scaled_as_all_together() -> None:
    target = Forecast.fit(series(["g"]), BOTH)

    scaled = target.scaled(rows([BOTH["y"].mean()], "new"))  # type: ignore[list-item]

    assert scaled.tolist() == [0]


def test_answers_are_told_in_the_labels_unit_and_back() -> None:
    target = Forecast.fit(series(["g"]), BOTH)
    judged = np.array([[0.0, 1.0], [0.0, 1.0]])
    asked = BOTH[[0, 4]]

    told = target.in_unit(judged, asked)

    assert told[1].tolist() == [200, 300]
    assert told[0].tolist() == pytest.approx([2.5, 2.5 + np.std([1, 2, 3, 4])])
    assert np.allclose(target.of_unit(told, asked), judged)


def test_a_single_series_is_judged_in_the_labels_unit() -> None:
    train = rows([10, 20, 30, 40])
    target = Forecast.fit(series([]), train)

    assert target.groups == {}
    assert target.truth(target.scaled(train)[None]).tolist() == [pytest.approx([10, 20, 30, 40])]
    assert np.array_equal(target.in_unit(np.ones((4, 2)), train), np.ones((4, 2)))


def test_the_naive_error_is_the_mean_distance_from_a_season_before() -> None:
    train = rows([10, 20, 13, 26, None, 30])

    error = Forecast.fit(series([], season=2), train).naive_error

    assert error == pytest.approx(np.mean([13 - 10, 26 - 20, 30 - 26]))


def test_a_missing_label_or_one_without_an_end_is_not_known() -> None:
    train = rows([1, None, float("inf"), 3])
    target = Forecast.fit(series([]), train)

    assert np.isfinite(target.scaled(train)).tolist() == [True, False, False, True]
    assert np.isnan(target.scaled(train.drop("y"))).all()
    assert (target.center, target.scale) == (2, 1)


def test_predictions_have_a_column_each_step() -> None:
    target = Forecast.fit(series([]), rows([1, 2, 3, 4]))

    said = target.said(np.array([[1.0, 3.0], [np.nan, np.nan]]), 0.5)

    assert said.rows() == [(2, 1, 3), (None, None, None)]
    assert said.columns == ["answer", "step: 1", "step: 2"]


def test_it_is_the_same_as_json() -> None:
    target = Forecast.fit(series(["g"]), BOTH)

    assert TARGET.validate_json(target.model_dump_json()) == target
    with pytest.raises(ValidationError):
        TARGET.validate_python(target.model_dump() | {"horizon": 0})
