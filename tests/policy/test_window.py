"""Which rows a retraining learns from: by time, by age, and what is replayed."""

import shutil
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from pipeline.contract import ROW_ID
from pipeline.errors import DataError
from pipeline.policy import window
from pipeline.policy.window import Window
from pipeline.stages import split
from pipeline.workspace import Workspace

START = datetime(2024, 1, 1)
DAYS = 100


def rows() -> pl.DataFrame:
    """Twenty rows a day for a hundred days."""
    stamps = [START + timedelta(days=day) for day in range(DAYS) for _ in range(20)]
    return pl.DataFrame({ROW_ID: [f"a.csv#{i}" for i in range(len(stamps))], "t": stamps})


def share(of: Window, day: int) -> float:
    """The share of the rows of ten days from `day` on that are kept."""
    kept = window.kept(rows(), "t", of, 0)
    return float(kept[20 * day : 20 * (day + 10)].mean())


def test_the_window_that_nobody_set_keeps_all() -> None:
    assert Window().holds_all
    assert window.kept(rows(), "t", Window(), 0).all()


def test_rows_before_the_window_go_but_for_those_that_are_replayed() -> None:
    since = (START + timedelta(days=50)).isoformat()

    assert (share(Window(since=since), 40), share(Window(since=since), 50)) == (0, 1)
    assert share(Window(since=since, replay=0.3), 0) == pytest.approx(0.3, abs=0.1)
    assert share(Window(since=since, replay=0.3), 50) == 1


def test_of_older_rows_fewer_are_kept_and_half_of_those_of_the_half_life() -> None:
    aged = Window(half_life_days=50)

    assert share(aged, 90) > 0.85
    assert share(aged, 45) == pytest.approx(0.5, abs=0.1)
    assert share(aged, 0) == pytest.approx(0.27, abs=0.1)


def test_a_row_keeps_its_fate_when_others_come() -> None:
    some = Window(since=(START + timedelta(days=200)).isoformat(), replay=0.4)
    alone, more = rows()[:100], rows()

    assert np.array_equal(window.kept(alone, "t", some, 3), window.kept(more, "t", some, 3)[:100])
    assert not np.array_equal(window.kept(alone, "t", some, 3), window.kept(alone, "t", some, 4))


def test_a_row_without_a_time_is_kept() -> None:
    some = pl.DataFrame({ROW_ID: ["a", "b"], "t": [None, START]})

    assert window.kept(some, "t", Window(since="2030-01-01", half_life_days=1), 0).tolist() == [True, False]


def test_split_leaves_out_what_is_before_the_window_and_counts_it(trained_once: Workspace, tiny: Workspace) -> None:
    for name in ("clean", "quarantine"):
        shutil.copytree(getattr(trained_once, name), getattr(tiny, name))
    whole = split.run(tiny)
    Window(since="2024-02-01").write(tiny.window)

    record = split.run(tiny)

    assert whole.outside == 0
    assert record.outside == whole.sources["train"]["2024-01.csv.gz"]
    assert record.rows["train"] + record.outside == whole.rows["train"]
    assert set(record.sources["train"]) == {"2024-02.csv", "2024-03.csv.gz"}
    assert {name: record.rows[name] for name in ("val", "test")} == {n: whole.rows[n] for n in ("val", "test")}


def test_a_window_needs_a_time() -> None:
    marked = rows().select(ROW_ID).with_columns(split=pl.lit("train"))

    with pytest.raises(DataError, match="a window needs a column of role `time`"):
        window.within(marked, None, Window(half_life_days=1), 0)
