"""The loss on test by time."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from pipeline.judgement.case import Case
from pipeline.judgement.over_time import PARTS, over_time
from tests.judgement.parts import YES_OR_NO, agreed, column, of_answers, shops

DAY = (column("day", pl.Datetime("us"), "time"), column("size", pl.Float64(), modality="numeric"))


def timed(spoilt: slice, rows: int = 1000) -> Case:
    """Rows in a mixed order, of which some by time have shuffled labels."""
    frame, y_N, p_NK = shops(rows, seed=0)
    day_N = np.random.default_rng(1).permutation(rows)
    by_time = np.argsort(day_N)[spoilt]
    y_N[by_time] = np.random.default_rng(2).permutation(y_N[by_time])
    days = frame.select("size", day=pl.datetime(2024, 1, 1) + pl.duration(days=pl.lit(pl.Series(day_N))))
    part = (days, y_N, p_NK)
    return of_answers(YES_OR_NO, DAY, {"val": part, "test": part})


def test_stretches_follow_each_other_and_hold_all_rows() -> None:
    case = timed(slice(0, 0))
    told = over_time(case)

    assert told is not None
    assert [one.rows for one in told.stretches] == [1000 // PARTS] * PARTS
    spans = [(one.first, one.last) for one in told.stretches]
    assert spans == sorted(spans)
    loss_N = -np.log(case.own("test")[np.arange(1000), case.truth["test"]])
    assert np.mean([one.loss["candidate"] for one in told.stretches]) == pytest.approx(loss_N.mean())
    assert not told.changed
    assert not told.remarks


@pytest.mark.parametrize(("spoilt", "word"), [(slice(500, 1000), "worse"), (slice(0, 500), "better")])
def test_a_change_in_the_later_half_is_said(spoilt: slice, word: str) -> None:
    told = over_time(timed(spoilt))

    assert told is not None
    assert f"surely {word} in the later half" in told.words
    assert bool(told.remarks) == (word == "worse")
    assert (told.stretches[-1].told < told.stretches[0].told) == (word == "worse")


def test_without_a_time_axis_or_with_few_rows_there_is_nothing_to_say() -> None:
    case = timed(slice(0, 0))

    assert over_time(replace(case, contract=agreed(DAY[1]))) is None
    assert over_time(timed(slice(0, 0), rows=30)) is None


def test_rows_without_a_time_are_left_out() -> None:
    case = timed(slice(0, 0))
    rows = case.rows["test"].with_columns(day=pl.when(pl.int_range(pl.len()) >= 500).then("day"))

    told = over_time(replace(case, rows={**case.rows, "test": rows}))

    assert told is not None
    assert sum(one.rows for one in told.stretches) == 500
