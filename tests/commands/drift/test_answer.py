"""`keepfit drift` on files: planted changes are named, draws are silent, seasons are no drift where time is known."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline import cli
from pipeline.commands.drift.answer import Asked, Compared, compare

ROWS = 1500
KEYS = {"column", "method", "statistic", "effect", "p_value", "threshold", "drift"}


def rows(seed: int, count: int = ROWS, **changes: Any) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    data = {
        "size": random.normal(10, 2, count).round(3),
        "town": random.choice(["north", "south", "harbour"], count),
        "weight": random.exponential(size=count).round(3),
    }
    data["late"] = random.random(count) < 1 / (1 + np.exp(-(data["size"] - 11)))
    return pl.DataFrame({**data, **changes})


def compared(folder: Path, now: pl.DataFrame, then: pl.DataFrame | None = None, **asked: Any) -> Compared:
    paths = [folder / "then.csv", folder / "now.csv"]
    for path, frame in zip(paths, (rows(0) if then is None else then, now), strict=True):
        frame.write_csv(path)
    return compare(Asked(reference=str(paths[0]), current=str(paths[1]), **asked), folder / "scratch")


def test_draws_are_silent_and_a_planted_change_is_named(tmp_path: Path) -> None:
    silent = compared(tmp_path, rows(1))
    moved = pl.Series(np.where(np.arange(ROWS) % 5 == 0, "harbor", rows(2)["town"]))
    (tmp_path / "loud").mkdir()
    loud = compared(tmp_path / "loud", rows(2, town=moved))

    assert not silent.answer.drift and silent.alarms == []
    assert loud.answer.drift
    assert [alarm.column for alarm in loud.alarms] == ["town"]
    assert {"jensen_shannon", "new_categories"} == set(loud.alarms[0].methods)
    assert loud.alarms[0].examples[0] == "0: harbor"
    assert list(loud.answer.multivariate["c2st"]["columns"])[:1] == ["town"]


def test_an_absent_column_and_cells_that_do_not_parse_are_drift_of_their_own_kind(tmp_path: Path) -> None:
    size = pl.Series(["big" if place % 9 == 0 else "10.5" for place in range(ROWS)])

    told = compared(tmp_path, rows(1, size=size).drop("weight"), together=False)

    found = {(one.column, one.method): one for one in told.answer.columns if one.drift}
    assert found["weight", "schema"].statistic == 1
    assert found["size", "contract"].statistic == pytest.approx(1 / 9, abs=0.001)


def test_labels_that_are_still_to_come_are_no_drift(tmp_path: Path) -> None:
    told = compared(tmp_path, rows(1).drop("late"), roles={"late": "label"}, together=False)

    assert not told.answer.drift
    assert told.answer.estimated_metric["live"] is None


def test_a_column_without_a_finite_number_may_be_missing_more_often(tmp_path: Path) -> None:
    endless = pl.Series([float("inf")] * ROWS)
    fewer = pl.Series([None if place % 3 else float("inf") for place in range(ROWS)])

    told = compared(tmp_path, rows(1, weight=fewer), rows(0, weight=endless), together=False)

    assert [(alarm.column, alarm.moved) for alarm in told.alarms] == [("weight", "missing: 0% → 66.7%")]


@pytest.mark.parametrize("asked", [{}, {"in_order": True}])
def test_a_file_does_not_differ_from_itself(tmp_path: Path, asked: dict[str, Any]) -> None:
    told = compared(tmp_path, rows(0), **asked)

    assert not told.answer.drift
    assert {whole["statistic"] >= 0 for whole in told.answer.multivariate.values()} == {True}


def test_what_is_not_compared_or_hardly_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    born = pl.datetime_range(pl.date(1950, 1, 1), pl.date(1990, 1, 1), "1d", eager=True).dt.strftime("%Y-%m-%d")
    dates: dict[str, Any] = {"born": born[:ROWS], "since": born[ROWS : 2 * ROWS]}
    told = compared(tmp_path, rows(1, **dates, note=pl.Series(["x"] * ROWS)), rows(0, **dates))

    assert (told.moving, told.unknown) == (["born", "since"], ["note"])

    rows(1, **dates).head(12).write_csv(tmp_path / "few.csv")
    cli.main(["drift", str(tmp_path / "then.csv"), str(tmp_path / "few.csv"), "--columns-alone"])
    said = capsys.readouterr().out
    assert "not compared, as moments and ids move on by nature: born, since\n" in said
    assert "of 12 new rows only large changes can be told from chance\n" in said


def test_a_later_batch_is_judged_by_how_the_past_varied_and_one_of_the_same_time_by_drawing(tmp_path: Path) -> None:
    days = pl.datetime_range(pl.datetime(2020, 1, 1), pl.datetime(2023, 12, 31), "1d", eager=True).alias("day")
    warm = np.sin(np.arange(days.len()) / 365 * 2 * np.pi) * 10 + np.random.default_rng(0).normal(size=days.len())
    year = pl.DataFrame({"day": days, "warm": warm.round(2)})
    parts = year[:1140], year[1140:1230]
    assert np.ptp([part["warm"].to_numpy().mean() for part in parts]) > 5

    later = compared(tmp_path, parts[1], parts[0])
    (tmp_path / "same").mkdir()
    same = compared(tmp_path / "same", year.sample(300, seed=1), year)

    assert not later.answer.drift and later.ordered
    assert not same.answer.drift and not same.ordered


def test_what_it_may_cost_is_told_where_there_is_a_label(tmp_path: Path) -> None:
    told = compared(tmp_path, rows(1), roles={"late": "label"}, together=False).answer.estimated_metric

    assert told["metric"] == "auc"
    assert told["low"] <= told["live"] <= told["high"]
    assert compared_without_label(tmp_path) == {}


def compared_without_label(folder: Path) -> dict[str, Any]:
    (folder / "bare").mkdir()
    return compared(folder / "bare", rows(1).drop("late"), rows(0).drop("late"), together=False).answer.estimated_metric


def test_the_command_writes_the_published_shape_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    then, now, told, page = (tmp_path / name for name in ("a.csv", "b.csv", "o.json", "o.html"))
    rows(0).write_csv(then)
    rows(1, weight=pl.Series([None] * ROWS, dtype=pl.Float64)).write_csv(now)

    code = cli.main(["drift", str(then), str(now), "--json", str(told), "--html", str(page), "--fail-on-drift"])

    answer = json.loads(told.read_text())
    assert code == 1
    assert set(answer) == {"drift", "columns", "multivariate", "estimated_metric"}
    assert all(set(one) == KEYS for one in answer["columns"])
    assert {one["column"] for one in answer["columns"] if one["drift"]} == {"weight"}
    assert "missing: 0% → 100%" in capsys.readouterr().out
    assert "1 column drifted" in page.read_text() and "weight" in page.read_text()


def test_a_file_without_rows_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows(0).write_csv(tmp_path / "a.csv")
    rows(0).clear().write_csv(tmp_path / "b.csv")

    assert cli.main(["drift", str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]) == 2
    assert "has no rows" in capsys.readouterr().err
