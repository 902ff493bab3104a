"""Thresholds keep the rate of false alarms that was asked, on rows that are drawn and on rows with seasons."""

import numpy as np
import polars as pl
import pytest

from pipeline.drift import past, univariate
from pipeline.drift.calibration import MANY, Calibration, Null
from pipeline.drift.cuts import Kind

RANDOM = np.random.default_rng(0)


def seasonal(rows: int, start: int, shift: float = 0.0) -> pl.LazyFrame:
    """A year of 100 rows goes up and down by a whole deviation."""
    place = start + np.arange(rows)
    mean = np.sin(place / 100 * 2 * np.pi) + shift
    town = np.where(RANDOM.random(rows) < 0.5 + 0.3 * np.sin(place / 100 * 2 * np.pi), "x", "y")
    return pl.LazyFrame({"warm": RANDOM.normal(mean), "town": town})


def alarm(known: past.Past, rows: pl.LazyFrame, rate: float = 0.05, least_effect: float = 0.0) -> bool:
    tested = univariate.tests(known, past.count(known, rows))
    upto = univariate.level([test.p for test in tested], rate)
    return any(verdict.drift for verdict in univariate.judge(tested, upto, least_effect))


def test_seasons_are_no_drift_where_the_order_is_known_and_are_where_it_is_not() -> None:
    kinds: dict[str, Kind] = {"warm": "numeric", "town": "categorical"}
    rows = seasonal(8000, 0)
    batches = [seasonal(50, 8000 + start) for start in range(0, 2000, 50)]

    with_order = past.learn(rows, kinds, in_order=True, batch_rows=50)
    without = with_order.model_copy(update={"ordered": False})

    assert np.mean([alarm(with_order, batch) for batch in batches]) <= 0.1
    assert np.mean([alarm(without, batch) for batch in batches]) > 0.5


def test_what_no_season_did_is_drift() -> None:
    known = past.learn(seasonal(8000, 0), {"warm": "numeric", "town": "categorical"}, in_order=True, batch_rows=50)

    assert all(alarm(known, seasonal(50, 8000 + start, shift=3.0), least_effect=0.1) for start in range(0, 500, 50))


@pytest.mark.parametrize("in_order", [True, False])
def test_draws_of_one_population_raise_alarms_as_seldom_as_asked(in_order: bool) -> None:
    def drawn(rows: int) -> pl.LazyFrame:
        numbers = RANDOM.exponential(size=rows).round(1)
        return pl.LazyFrame({"a": numbers, "b": RANDOM.integers(0, 400, rows).astype(str)})

    known = past.learn(drawn(5000), {"a": "numeric", "b": "categorical"}, in_order=in_order)

    assert np.mean([alarm(known, drawn(400), rate=0.1) for _ in range(60)]) <= 0.2


def test_threshold_is_where_p_is() -> None:
    null = Null(mean=0.3, freedom=4.0, values=12)

    assert null.p(null.beyond(0.01)) == pytest.approx(0.01)
    assert null.p(0.0) == 1


def test_more_variation_among_blocks_makes_a_measure_less_surprising() -> None:
    calm = Calibration(drawing=(1.0, 2.0), between=(0.0, 0.0), blocks=0).null(100, 1000)
    restless = Calibration(drawing=(1.0, 2.0), between=(0.05, 0.002), blocks=20).null(100, 1000)

    assert calm.values == MANY
    assert calm.p(0.1) < restless.p(0.1)


def test_a_missing_share_that_never_was_is_found() -> None:
    known = past.learn(pl.LazyFrame({"x": RANDOM.normal(size=6000)}), {"x": "numeric"}, in_order=True)
    rows = pl.LazyFrame({"x": [None, *RANDOM.normal(size=9)] * 36})

    assert alarm(known, rows, rate=0.01, least_effect=0.1)


def test_a_constant_column_has_nothing_to_compare_until_it_moves() -> None:
    known = past.learn(pl.LazyFrame({"x": [1.0] * 1000}), {"x": "numeric"})

    assert univariate.tests(known, past.count(known, pl.LazyFrame({"x": [1.0] * 100}))) == []
    assert alarm(known, pl.LazyFrame({"x": [2.0] * 100}), least_effect=0.1)


@pytest.mark.parametrize("cells", [[], [None] * 100])
def test_no_cells_raise_no_error(cells: list[None]) -> None:
    known = past.learn(pl.LazyFrame({"x": RANDOM.normal(size=500)}), {"x": "numeric"})
    rows = pl.LazyFrame({"x": pl.Series(cells, dtype=pl.Float64)})

    assert alarm(known, rows, least_effect=0.1) is bool(cells)  # all missing is drift, no row is nothing


def test_the_past_reads_back_and_counts_the_same() -> None:
    known = past.learn(seasonal(2000, 0), {"warm": "numeric", "town": "categorical"}, in_order=True)

    assert past.Past.model_validate_json(known.model_dump_json()) == known


def test_blocks_follow_the_time_and_not_the_file() -> None:
    rows = pl.DataFrame({"x": [0.0] * 500 + [1.0] * 500, "day": list(range(1000))})
    rows = rows.sample(fraction=1, shuffle=True, seed=1)

    known = past.learn(rows.lazy(), {"x": "numeric"}, time="day")

    assert known.ordered
    assert known.columns["x"].blocks[[0, -1], [2, 1]].tolist() == [0, 0]
