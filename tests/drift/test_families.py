from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency, ks_2samp, mannwhitneyu, norm, wasserstein_distance

from pipeline.drift.calibration import Null, measured
from pipeline.drift.cuts import Cut
from pipeline.drift.families import opened, shares
from pipeline.drift.univariate import FAMILIES

OLD = np.random.default_rng(0).integers(0, 9, 900)  # few values: each has its bin, so that nothing is rounded
NEW = np.random.default_rng(1).integers(1, 10, 300)
CUT = Cut.of(pl.Series(OLD, dtype=pl.Float64))


def counts(values: Any, cut: Cut = CUT) -> np.ndarray:
    cells = pl.Series(values, dtype=pl.Float64 if cut.kind == "numeric" else pl.String)
    return cut.counts(cells, np.zeros(len(cells), np.int64), 1).astype(np.float64)


def told(method: str, old: np.ndarray = OLD, new: np.ndarray = NEW) -> float:
    family = FAMILIES[method]
    return family.told(float(measured(family, CUT, counts(old), counts(new))[0][0]), len(new), len(old))


def test_statistics_are_scipys() -> None:
    both = [counts(side)[0, 1:] for side in (OLD, NEW)]
    past, now = (shares(side) for side in both)
    filled = np.stack(both)[:, np.stack(both).sum(axis=0) > 0]

    assert told("ks") == pytest.approx(ks_2samp(OLD, NEW).statistic)
    assert told("jensen_shannon") == pytest.approx(jensenshannon(past, now, base=2))
    assert told("chi_square") == pytest.approx(chi2_contingency(filled, correction=False).statistic, rel=0.3)
    assert told("hellinger") == pytest.approx(np.linalg.norm(np.sqrt(past) - np.sqrt(now)) / 2**0.5)


def test_wasserstein_is_scipys_over_the_spread() -> None:
    within = NEW[OLD.max() >= NEW]
    spread = np.diff(np.quantile(CUT.edges, [0.25, 0.75], method="lower"))[0]
    steps = wasserstein_distance(OLD, within)

    assert told("wasserstein", new=within) == pytest.approx(steps / spread, rel=0.15)  # by straight lines, not by steps


@pytest.mark.parametrize("method", sorted(name for name, family in FAMILIES.items() if "numeric" in family.kinds))
def test_the_same_rows_are_no_distance(method: str) -> None:
    assert told(method, new=OLD) == pytest.approx(0)


def test_new_categories_are_counted_and_known_ones_are_not() -> None:
    cut = Cut.of(pl.Series(["a"] * 50 + ["b"] * 50))
    family = FAMILIES["new_categories"]

    measure = measured(family, cut, counts(["a", "b"] * 50, cut), counts(["a", "c", "d", None], cut))[0]

    assert family.told(float(measure[0]), 4, 100) == pytest.approx(2 / 3)


def test_of_too_many_categories_none_is_called_new() -> None:
    cut = Cut.of(pl.Series([f"v{i}" for i in range(5000)]))

    assert counts(["never seen"], cut)[0, -1] == 0


def test_missing_is_null_and_nan() -> None:
    family = FAMILIES["missing_share"]
    now = counts([1.0, None, float("nan"), 2.0])

    assert family.told(float(measured(family, CUT, counts(OLD), now)[0][0]), 4, 900) == pytest.approx(0.5)


def test_a_bin_for_what_is_beyond_all_that_was_seen() -> None:
    places = CUT.places(pl.Series([None, -5.0, 0.0, 8.0, 900.0, float("inf")], dtype=pl.Float64))

    assert places.tolist() == [0, 1, 1, 9, 10, 10]


def test_mann_whitney_is_scipys() -> None:
    above = mannwhitneyu(NEW, OLD).statistic / (len(NEW) * len(OLD))

    assert told("mann_whitney") == pytest.approx(abs(2 * above - 1))


def test_no_threshold_is_beyond_what_a_bounded_distance_can_reach() -> None:
    far = Null(mean=0.3, freedom=1.0, values=8).beyond(1e-3)

    assert far > 1
    assert FAMILIES["ks"].told(far, 100, 100) < 1


def test_a_normal_that_moves_twice_as_far_is_twice_as_far_away() -> None:
    def ks(moved: float) -> float:
        return float(opened(np.array([(2 * norm.cdf(moved / 2) - 1) ** 2]))[0]) ** 0.5

    assert ks(3.0) == pytest.approx(2 * ks(1.5), rel=0.03)
