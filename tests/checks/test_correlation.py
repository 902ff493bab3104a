"""Correlation: features that say the same, and pairs that changed since the reference."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from pipeline.checks.correlation import CorrelationChange, FeatureFeatureCorrelation, rank_correlations
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
RANDOM = np.random.default_rng(9)
A, B = RANDOM.normal(0, 1, 400), RANDOM.normal(0, 1, 400)
PLANTED: dict[str, Callable[[int], Table]] = {
    "feature_feature_correlation": lambda parts: made(pl.DataFrame({"a": A, "b": np.exp(A)}), parts=parts),
    "correlation_change": lambda parts: changed({"a": A, "b": A + B}, parts),
}


def changed(now: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]], parts: int = 1) -> Table:
    """These columns, with a reference in which a and b have nothing in common."""
    return dataclasses.replace(
        made(pl.DataFrame(now), parts=parts), reference=made(pl.DataFrame({"a": A, "b": B, "c": A - B}))
    )


def test_features_that_say_the_same_are_one_cluster(make: Make) -> None:
    columns = {"a": A, "b": B, "falling": -(A**3), "double": 2 * B, "ex": np.exp(A), "label": A + B, "y": A}

    found = hits(FeatureFeatureCorrelation(), make(columns, parts=3))

    assert [hit.column for hit in found] == ["a", "b"]
    assert "a, falling, ex rise and fall together" in found[0].message
    assert all(hit.severity == "info" for hit in found)


def test_features_that_are_merely_alike_are_not_told(make: Make) -> None:
    assert hits(FeatureFeatureCorrelation(), make({"a": A, "b": A + B / 5, "flag": [0, 1] * 200})) == []


def test_few_columns_and_few_rows_with_both_tell_nothing(make: Make) -> None:
    assert [type(said) for said in FeatureFeatureCorrelation().hits(make({"a": A}))] == [Skipped]
    assert hits(FeatureFeatureCorrelation(), make({"a": [1.0, 2, 3, 4], "b": [1.0, 2, 3, 4]})) == []


def test_the_correlation_is_spearmans() -> None:
    frame = pl.DataFrame({"a": A.round(1), "b": A + B})

    rho, rows = rank_correlations(frame, ["a", "b"])

    assert rho[0, 1] == pytest.approx(spearmanr(A.round(1), A + B).statistic)
    assert rows.tolist() == [[400, 400], [400, 400]]


def test_missing_numbers_leave_their_pairs_out() -> None:
    """Against pearsonr of the ranks of the pairs that are left."""
    a = np.where(A > 1, np.nan, A)

    rho, rows = rank_correlations(pl.DataFrame({"a": a, "b": B, "none": [math.inf] * 400}), ["a", "b", "none"])

    known = np.isfinite(a)
    ranks = pl.DataFrame({"a": a, "b": B}).select(pl.col("a").fill_nan(None).rank(), pl.col("b").rank()).to_numpy()
    assert rows[0, 1] == known.sum()
    assert rho[0, 1] == pytest.approx(np.corrcoef(ranks[known].T.astype(float))[0, 1])
    assert rho[2].tolist() == [0, 0, 0]


def test_a_pair_that_goes_together_otherwise_is_told() -> None:
    (hit,) = hits(CorrelationChange(), changed({"a": A, "b": A + B}))

    assert hit.column == "a"
    assert "a and b go together otherwise" in hit.message and "correlation is 0.7" in hit.message


def test_the_same_and_what_may_be_chance_are_not_told() -> None:
    assert hits(CorrelationChange(), changed({"a": RANDOM.normal(0, 1, 300), "b": RANDOM.normal(0, 1, 300)})) == []
    assert hits(CorrelationChange(), changed({"a": A[:35], "b": (B + A / 3)[-35:]})) == []


def test_without_a_reference_or_numbers_it_is_skipped(make: Make) -> None:
    alone = dataclasses.replace(make({"a": A, "shop": ["x"] * 400}), reference=make({"a": A}))

    for table in (make({"a": A, "b": B}), alone):
        assert [type(said) for said in CorrelationChange().hits(table)] == [Skipped]
