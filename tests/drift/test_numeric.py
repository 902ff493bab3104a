import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon

from pipeline.drift.homogeneity import Comparison, noise
from pipeline.drift.numeric import Quantiles
from pipeline.profile import Numeric, profile


def column(values: Any) -> Numeric:
    made = profile(pl.LazyFrame({"x": pl.Series(values, dtype=pl.Float64)}), {"x": "numeric"}).columns["x"]
    assert isinstance(made, Numeric)
    return made


def compare(reference: Any, batch: Any) -> Comparison:
    return Quantiles().compare(column(reference), column(batch))


def draw(rows: int, shift: float = 0.0, seed: int | tuple[int, int] = 0) -> Any:
    return np.random.default_rng(seed).normal(shift, size=rows)


def test_effect_is_scipys_over_the_references_deciles() -> None:
    reference, batch = np.arange(1000.0), np.arange(200.0, 1000.0)
    counts = [np.histogram(x, np.linspace(0, 1000, 11))[0] for x in (reference, batch)]
    raw = jensenshannon(*counts, base=2)

    assert compare(reference, batch).effect == pytest.approx(math.sqrt(raw**2 - noise(np.array(counts, float))))


def test_clean_batches_raise_alarms_as_often_as_p_says() -> None:
    ps = [compare(draw(5000, seed=(1, turn)), draw(500, seed=(2, turn))).p for turn in range(400)]

    assert np.mean(np.array(ps) < 0.05) <= 0.08  # 400 draws of 0.05: 0.08 is 2.8 standard errors above
    assert np.mean(np.array(ps) < 0.01) <= 0.03
    assert np.mean(ps) == pytest.approx(0.5, abs=0.05)


def test_trivial_shift_of_many_rows_is_sure_but_small() -> None:
    made = compare(draw(300_000), draw(300_000, shift=0.02, seed=1))

    assert made.p < 0.001
    assert made.effect < 0.02


def test_planted_shift_is_found_in_few_rows() -> None:
    made = compare(draw(20_000), draw(500, shift=0.7, seed=1))

    assert made.p < 1e-9
    assert made.effect > 0.2


def test_spread_that_grows_is_found() -> None:
    assert compare(draw(20_000), 2 * draw(2000, seed=1)).effect > 0.2


@pytest.mark.parametrize("missing", [None, math.nan])
def test_missing_rows_are_a_bin(missing: Any) -> None:
    made = compare([1.0, 2.0] * 500, [1.0, 2.0, missing, missing] * 100)

    assert made.p < 1e-9
    assert made.effect > 0.5


def test_null_and_nan_are_the_same_missing() -> None:
    assert compare([1.0, None] * 100, [1.0, math.nan] * 100).effect == 0


@pytest.mark.parametrize("batch", [7.0, 3.0, math.inf, -math.inf])
def test_other_value_than_a_constants_is_drift(batch: Any) -> None:
    assert compare([5.0] * 1000, [batch] * 1000).effect > 0.99


def test_new_value_between_known_ones_is_drift() -> None:
    assert compare([0.0, 10.0] * 500, [5.0] * 1000).effect > 0.99


def test_values_between_continuous_bins_are_no_drift() -> None:
    assert compare(draw(300), draw(300, seed=1)).p > 0.01


@pytest.mark.parametrize("reference", [[], [None], [math.nan] * 100])
def test_reference_without_values_is_handled(reference: Any) -> None:
    made = compare(reference, [1.0] * 100)

    assert made.effect == (0 if len(reference) < 100 else pytest.approx(1, abs=0.02))


def test_comparison_across_levels_of_the_sketch_is_the_same_distance() -> None:
    exact, coarse = column(draw(1500)), column(draw(100_000, seed=1))

    assert exact.sketch.level < coarse.sketch.level
    assert Quantiles().compare(exact, coarse).p > 0.01
    assert Quantiles().compare(coarse, exact).p > 0.01
