"""Outliers: what stands apart by a gap, and rows whose numbers do not go together."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.checks.outliers import MultivariateOutlier, ZScoreOutlier, hill, joint_distances, normal_scores
from pipeline.profile.sketch import Floats
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
SHARED = Path(__file__).parents[3] / "shared" / "data"
RANDOM = np.random.default_rng(7)
NORMAL = RANDOM.normal(50, 5, 400)
SUM = RANDOM.normal(0, 1, 500)
JOINT = {"a": SUM, "b": SUM + RANDOM.normal(0, 0.05, 500), "c": RANDOM.normal(0, 1, 500)}


def parted() -> dict[str, list[float]]:
    """Row 7 has a large a and a small b: each is usual, the two together are not."""
    rows = {name: values.tolist() for name, values in JOINT.items()}
    rows["a"][7], rows["b"][7] = 2.0, -2.0
    return rows


PLANTED: dict[str, Callable[[int], Table]] = {
    "z_score_outlier": lambda parts: made({"x": [*NORMAL.tolist(), 500.0, 600.0]}, parts=parts),
    "multivariate_outlier": lambda parts: made(parted(), parts=parts),
}


def rows(table: Table) -> dict[str | None, list[str]]:
    """The rows that are warned of, by column."""
    warned = [hit for hit in hits(ZScoreOutlier(), table) if hit.severity != "info"]
    return {hit.column: hit.flags["row_id"].to_list() for hit in warned if hit.flags is not None}


def test_a_number_beyond_a_gap_is_told(make: Make) -> None:
    (hit,) = hits(ZScoreOutlier(), make({"x": [*NORMAL, 500.0]}, parts=4))

    assert hit.flags is not None
    assert (hit.rows, hit.observed, hit.flags["row_id"].to_list()) == (1, 500.0, ["rows#400"])
    assert "is 500 or more in 1 row" in hit.message
    assert 0 < hit.flags["score"][0] < 1


def test_both_sides_are_told(make: Make) -> None:
    found = [hit.message for hit in hits(ZScoreOutlier(), make({"x": [*NORMAL, 500.0, -400.0]}))]

    assert ["or more" in found[0], "or less" in found[1]] == [True, True]


@pytest.mark.parametrize("seed", range(5))
def test_long_tails_are_no_outliers(make: Make, seed: int) -> None:
    random = np.random.default_rng(seed)
    tails = {
        "pareto": random.pareto(1, 2000),
        "lognormal": random.lognormal(0, 2, 2000),
        "cauchy": random.standard_cauchy(2000),
        "exponential": random.exponential(1, 2000),
        "normal": random.normal(0, 1, 2000),
        "uniform": random.uniform(0, 1, 2000),
        "rare": random.poisson(0.01, 2000) * random.lognormal(0, 1, 2000),
        "counts": random.poisson(1, 2000),
    }

    assert rows(make(tails)) == {}


def test_a_few_levels_or_few_rows_are_not_judged(make: Make) -> None:
    assert rows(make({"flag": [0] * 99 + [1], "x": [1] * 100})) == {}
    assert rows(make({"x": [1.0, 2.0, 3.0, 900.0]})) == {}


SKEWED = np.random.default_rng(11).lognormal(7, 0.7, 4000)


def lifted(values: Floats, share: float) -> list[float]:
    """The first rows eight standard deviations further, which in a skewed column is where its tail lies."""
    wrong = round(share * len(values))
    return [*(values[:wrong] + 8 * values.std()).tolist(), *values[wrong:].tolist()]


@pytest.mark.parametrize("values", [np.random.default_rng(3).normal(50, 5, 4000), SKEWED], ids=["normal", "skewed"])
def test_a_hump_in_the_tail_is_told_though_no_gap_lies_before_it(make: Make, values: Floats) -> None:
    (hit,) = hits(ZScoreOutlier(), make({"x": lifted(values, 0.05)}, parts=3))

    assert hit.flags is not None
    wrong = {f"rows#{place}" for place in range(200)}
    told = set(hit.flags["row_id"])
    assert len(told & wrong) > 0.9 * len(wrong)
    assert len(told & wrong) > 0.9 * len(told)
    assert (hit.severity, "a hump of its own" in hit.message) == ("warning", True)


def test_a_hump_that_another_column_tells_is_worth_knowing_alone(make: Make) -> None:
    rows = {"minutes": lifted(SKEWED, 0.05), "to": ["HNL"] * 200 + ["BOS", "ATL"] * 1900, "y": [0, 1] * 2000}

    (hit,) = hits(ZScoreOutlier(), make(rows))

    assert hit.severity == "info"
    assert hit.message.endswith("; to tells these rows")


def test_a_hump_of_many_rows_is_no_error(make: Make) -> None:
    assert rows(make({"x": lifted(np.random.default_rng(3).normal(50, 5, 4000), 0.15)})) == {}


def test_missing_and_infinite_numbers_are_no_outliers(make: Make) -> None:
    assert rows(make({"x": [*NORMAL, None, math.nan, math.inf, -math.inf]})) == {}


def test_ids_and_categories_are_not_asked(make: Make) -> None:
    said = list(ZScoreOutlier().hits(make({"id": [*range(99), 10**9], "shop": ["a"] * 100})))

    assert [type(each) for each in said] == [Skipped]


def test_any_column_name_is_a_name(make: Make) -> None:
    for name in ("[1]", "a b", "len"):
        assert rows(make({name: [*NORMAL, 500.0], "x": [*NORMAL.tolist(), 50.0]})) == {name: ["rows#400"]}


def test_the_weight_of_a_tail_is_hills() -> None:
    """Of a Pareto distribution with index 2 it is 1/2; of values e^0..e^3 above 1, the mean of their logs."""
    pareto = np.sort(np.random.default_rng(1).pareto(2, 100_000) + 1)

    assert hill(pareto, np.ones(100_000)) == pytest.approx(0.5, abs=0.02)
    assert hill(np.exp(np.arange(4.0)), np.ones(4)) == pytest.approx((1 + 2 + 3) / 3)


def test_a_row_whose_numbers_do_not_go_together_is_told(make: Make) -> None:
    (hit,) = hits(MultivariateOutlier(), make(parted(), parts=3))

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == ["rows#7"]
    assert hit.flags["value"][0] in ("a=2.0", "b=-2.0")


def test_rows_that_go_together_are_not_told(make: Make) -> None:
    assert hits(MultivariateOutlier(), make(JOINT)) == []
    assert hits(MultivariateOutlier(), make({name: np.exp(3 * values) for name, values in JOINT.items()})) == []


def test_few_rows_or_columns_are_skipped(make: Make) -> None:
    for table in (make({"a": NORMAL}), make({"a": NORMAL[:50], "b": NORMAL[50:100]}), make({"a": ["x"] * 400})):
        assert [type(each) for each in MultivariateOutlier().hits(table)] == [Skipped]


def test_the_distance_is_that_of_mahalanobis() -> None:
    """Against scipy's, of which it is the same but for the small ridge."""
    from scipy.spatial.distance import mahalanobis

    scores = np.column_stack(list(JOINT.values()))
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    inverse = np.linalg.inv(np.cov(scores.T, bias=True) + 1e-3 * np.eye(3))

    distances, _ = joint_distances(scores)

    assert distances[:9] == pytest.approx([mahalanobis(row, np.zeros(3), inverse) for row in scores[:9]])


def test_normal_scores_are_of_ranks_and_missing_is_the_median() -> None:
    scores = normal_scores(pl.Series([1.0, 100.0, None, 5.0]))

    assert scores is not None
    assert scores == pytest.approx([-0.9674, 0.9674, 0, 0], abs=1e-4)  # qnorm(1/6), qnorm(5/6)
    assert normal_scores(pl.Series([0.0, 0.0, 0.0, 1.0])) is None
    assert normal_scores(pl.Series([None, None], dtype=pl.Float64)) is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is absent")
@pytest.mark.parametrize(
    ("file", "truth"),
    [
        ("demos/diamonds.csv.gz", {"z": 1, "width": 2}),
        ("series/metro_traffic.csv.gz", {"rain_1h": 1}),
        ("series/ETTh1.csv", {}),
        ("tables/california/housing.csv", {}),
        ("flights/2013-01.csv.gz", {}),
    ],
)
def test_known_errors_of_real_tables_are_told_and_their_tails_are_not(
    make: Make, file: str, truth: dict[str, int]
) -> None:
    frame = pl.read_csv(SHARED / file, null_values="NA", infer_schema_length=None)
    found = rows(make(frame.rename({"y": "width"}, strict=False)))

    assert {name: len(ids) for name, ids in found.items()} == truth


@pytest.mark.skipif(not SHARED.is_dir(), reason="shared/data is absent")
def test_diamonds_told_by_their_numbers_together_are_of_no_possible_density(make: Make) -> None:
    frame = pl.read_csv(SHARED / "demos" / "diamonds.csv.gz").rename({"y": "width"}).head(49_000)

    (hit,) = hits(MultivariateOutlier(), make(frame))

    assert hit.flags is not None
    odd = frame[[int(row.removeprefix("rows#")) for row in hit.flags["row_id"]]]
    grams_per_volume = odd["carat"] / (odd["x"] * odd["width"] * odd["z"])  # 0.006 for a round stone of diamond
    assert odd.height > 20
    assert not grams_per_volume.is_between(0.005, 0.0075).any()
