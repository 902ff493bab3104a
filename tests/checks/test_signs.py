"""Lost signs: few numbers of one sign, of the sizes of the others."""

import math

import numpy as np
import pytest
from scipy.stats import ks_2samp

from pipeline.checks.impossible import ImpossibleValue
from pipeline.checks.signs import distance, lost_sign
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .conftest import made

ROWS = 2000
Floats = np.ndarray[tuple[int], np.dtype[np.float64]]


def drawn(seed: int = 0) -> Floats:
    """Sizes that begin at 0 and end far off."""
    return np.random.default_rng(seed).exponential(10, ROWS).round(2) + 0.01


def lost(sizes: Floats, rows: int, sign: int = 1) -> Table:
    """The sizes with this sign, but for the last rows."""
    return made({"x": (np.where(np.arange(len(sizes)) < len(sizes) - rows, sign, -sign) * sizes).tolist()})


@pytest.mark.parametrize("sign", [-1, 1])
def test_few_of_the_other_sign_and_of_all_sizes_are_told_and_repaired(sign: int) -> None:
    (hit,) = hits(ImpossibleValue(), lost(drawn(), 40, sign))

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == [f"rows#{row}" for row in range(ROWS - 40, ROWS)]
    assert hit.flags["suggested"].cast(float).to_list() == [sign * size for size in drawn()[-40:]]
    assert hit.rule is not None
    rows = lost(drawn(), 40, sign).rows.collect()
    where, after = hit.rule.mend()
    mended = rows.filter(where).select(after.cast(float)).to_series().to_list()
    assert mended == [sign * size for size in drawn()[-40:]]


def test_a_sign_that_another_column_means_is_worth_knowing_alone() -> None:
    rows = lost(drawn(), 40).rows.collect().drop("row_id")
    kind = ["sale"] * (ROWS - 40) + ["return"] * 40

    (hit,) = hits(ImpossibleValue(), made(rows.with_columns(kind=np.array(kind))))

    assert hit.severity == "info"
    assert hit.message.endswith("; kind tells most of these rows")


@pytest.mark.parametrize("rows", [0, 9, 101])
def test_nine_rows_do_not_show_sizes_and_more_than_one_in_twenty_is_a_way_of_writing(rows: int) -> None:
    assert hits(ImpossibleValue(), lost(drawn(), rows)) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", ["normal", "cauchy", "difference"])
def test_a_number_that_goes_through_zero_is_silent(shape: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = {
        "normal": rng.normal(2, 1, ROWS),
        "cauchy": rng.standard_cauchy(ROWS) + 10,
        "difference": rng.lognormal(3, 1, ROWS) - rng.lognormal(0, 1, ROWS),
    }[shape]
    assert 0.001 < (values < 0).mean() < 0.05

    assert hits(ImpossibleValue(), made({"x": values.tolist()})) == []


@pytest.mark.parametrize("markers", [[-1.0] * 60, [-1.0, -2.0, -8.0, -9.0] * 15, [-9.0] * 31 + [-2.0, -4, -7, -12] * 7])
def test_markers_are_no_lost_signs(markers: list[float]) -> None:
    assert hits(ImpossibleValue(), made({"x": [*drawn(), *markers]})) == []


def test_zeros_missing_and_infinite_numbers_are_of_no_sign() -> None:
    values = [*drawn(), *[0.0] * 50, None, math.nan, -math.inf, math.inf]

    assert hits(ImpossibleValue(), made({"x": values})) == []


def test_the_distance_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    negative, positive = rng.integers(1, 30, 40), rng.integers(5, 40, 300)
    values, counts = np.unique(np.concatenate([-negative, positive]).astype(np.float64), return_counts=True)

    assert distance(values, counts.astype(np.float64)) == pytest.approx(ks_2samp(negative, positive).statistic)


def test_nothing_has_no_sign() -> None:
    assert lost_sign(np.zeros(0), np.zeros(0)) == 0
