"""Numbers: the four scalings beside scikit-learn's, what is missing, what is wild, and the way back."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import preprocessing

from pipeline.features.numeric import CLIP, Method, NumericEncoder, NumericSettings

METHODS: tuple[Method, ...] = ("standard", "minmax", "robust", "quantile")
VALUES = [3.0, -1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.5]


def fitted(values: Sequence[float | None], method: Method) -> NumericEncoder:
    rows = pl.LazyFrame({"x": pl.Series(values, dtype=pl.Float64)})
    return NumericEncoder.fit("x", rows, NumericSettings(method=method))


def encoded(encoder: NumericEncoder, values: Sequence[float | None]) -> np.ndarray:
    return encoder.encode(pl.Series(values, dtype=pl.Float64))


@pytest.mark.parametrize(
    ("method", "scaler"),
    [("standard", preprocessing.StandardScaler()), ("minmax", preprocessing.MinMaxScaler())],
)
def test_scaling_is_that_of_scikit_learn(method: Method, scaler: preprocessing.StandardScaler) -> None:
    expected = scaler.fit_transform(np.array(VALUES)[:, None])

    assert encoded(fitted(VALUES, method), VALUES) == pytest.approx(expected, abs=1e-6)


def test_robust_scaling_is_by_median_and_quartiles() -> None:
    values = [float(i) for i in range(1, 10)]
    expected = preprocessing.RobustScaler().fit_transform(np.array(values)[:, None])

    assert encoded(fitted(values, "robust"), values) == pytest.approx(expected, rel=0.02, abs=1e-6)


def test_quantile_scaling_makes_any_shape_even() -> None:
    values = np.random.default_rng(0).lognormal(size=20_000)

    scaled = encoded(fitted(values.tolist(), "quantile"), values.tolist())[:, 0]

    assert np.histogram(scaled, bins=10, range=(0, 1))[0] == pytest.approx(np.full(10, 2000), rel=0.05)


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_decoding_gives_the_training_values_back(method: Method, values: list[float]) -> None:
    encoder = fitted(values, method)

    back = encoder.decode(encoded(encoder, values)).to_numpy()

    clipped = {"robust": encoder.center + CLIP * encoder.scale}.get(method, np.inf)
    low = {"robust": encoder.center - CLIP * encoder.scale}.get(method, -np.inf)
    spread = max(values) - min(values)
    assert back == pytest.approx(np.clip(values, low, clipped), abs=1e-6 + 0.03 * spread, rel=0.02)


@pytest.mark.parametrize("method", ["standard", "minmax"])
@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.integers(-1000, 1000), min_size=2, max_size=30))
def test_what_is_linear_comes_back_to_six_digits(method: Method, values: list[int]) -> None:
    encoder = fitted([float(v) for v in values], method)

    back = encoder.decode(encoded(encoder, [float(v) for v in values])).to_numpy()

    assert back == pytest.approx(np.array(values), abs=1e-5 * (1 + max(values) - min(values)))


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("method", METHODS)
def test_what_is_missing_becomes_the_median_and_is_marked(method: Method, missing: float | None) -> None:
    encoder = fitted([1.0, 2.0, 3.0, missing], method)

    found = encoded(encoder, [missing, 2.0])

    assert found[0, 0] == found[1, 0]
    assert found[:, 1].tolist() == [1, 0]
    assert encoder.outputs == ["x", "x was missing"]
    assert encoder.decode(found).to_list() == [None, pytest.approx(2.0)]


@pytest.mark.parametrize("method", METHODS)
def test_a_column_that_train_has_whole_has_no_mark(method: Method) -> None:
    encoder = fitted([1.0, 2.0, 3.0], method)

    assert encoded(encoder, [None, 2.0]).shape == (2, 1)
    assert encoder.outputs == ["x"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wild", [1e9, -1e9, 1e308, -1.7e308])
def test_a_wild_value_is_held(method: Method, wild: float) -> None:
    found = encoded(fitted([1.0, 2.0, 3.0], method), [wild])

    assert np.abs(found).max() <= CLIP


@pytest.mark.parametrize("method", METHODS)
@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=12),
    later=st.lists(st.none() | st.floats(allow_nan=True, allow_infinity=True), max_size=5),
)
def test_any_numbers_give_finite_outputs_and_survive_json(
    method: Method, values: list[float | None], later: list[float | None]
) -> None:
    encoder = fitted(values, method)

    found = encoded(encoder, values + later)

    assert np.isfinite(found).all()
    assert found.shape == (len(values + later), len(encoder.outputs))
    assert NumericEncoder.model_validate_json(encoder.model_dump_json()) == encoder


@pytest.mark.parametrize("method", METHODS)
def test_a_constant_says_nothing(method: Method) -> None:
    encoder = fitted([0.1] * 50, method)

    assert np.unique(encoded(encoder, [0.1] * 3)).size == 1
    assert encoder.scale == 1


def test_robust_falls_back_to_the_deviation_where_the_middle_half_is_one_value() -> None:
    encoder = fitted([0.0, 0.0, 0.0, 0.0, 100.0], "robust")

    assert encoded(encoder, [0.0, 100.0])[:, 0].tolist() == [0, pytest.approx(100 / 40)]


def test_equal_knots_are_at_the_middle_of_their_shares() -> None:
    values = [0.0] * 800 + [float(i) for i in range(1, 201)]

    found = encoded(fitted(values, "quantile"), [0.0, 200.0, -5.0, 500.0])[:, 0]

    assert found.tolist() == pytest.approx([0.4, 1.0, 0.4, 1.0], abs=0.01)


def test_a_column_may_have_a_method_of_its_own() -> None:
    rows = pl.LazyFrame({"x": [1.0, 3.0]})

    encoder = NumericEncoder.fit("x", rows, NumericSettings(method="standard", columns={"x": "minmax"}))

    assert encoder.method == "minmax"


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Boolean])
def test_any_number_type_will_do(dtype: type[pl.DataType]) -> None:
    rows = pl.LazyFrame({"x": pl.Series([0, 1, None]).cast(dtype)})

    encoder = NumericEncoder.fit("x", rows, NumericSettings(method="minmax"))

    assert encoder.encode(rows.collect()["x"])[:, 0].tolist() == [0, 1, 0]
