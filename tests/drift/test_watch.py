"""What is kept with a model: how far its columns go where nothing changed, and its metric while no label has come."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.drift import past, watch
from pipeline.drift.columns import compare
from pipeline.drift.cuts import Kind
from pipeline.drift.joint import Joint
from pipeline.drift.watch import Held, Watch
from pipeline.profile import profile

KINDS: dict[str, Kind] = {"x": "numeric", "prediction": "numeric", "y": "categorical"}


def rows(count: int, seed: int, mean: float = 0.0) -> tuple[pl.LazyFrame, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x_N = random.normal(mean, 1, count) + np.sin(np.arange(count) / 100 * 2 * np.pi)
    p_N = 1 / (1 + np.exp(-2 * x_N))
    y_N = (random.random(count) < p_N).astype(np.int64)
    frame = watch.frame(pl.LazyFrame({"x": x_N, "y": y_N.astype(str)}), {"prediction": p_N})
    return frame, y_N, np.stack([1 - p_N, p_N], axis=1)


def learnt() -> Watch:
    frame, y_N, p_NK = rows(1500, 1)
    known = past.learn(rows(4000, 0)[0], KINDS, in_order=True)
    return Watch.learn(known, "y", "classes", Held(y_N, p_NK, frame))


def test_the_estimate_holds_the_metric_and_looks_at_no_label(tmp_path: Path) -> None:
    learnt().write(tmp_path / watch.FILE)
    kept = Watch.of(tmp_path)
    frame, y_N, p_NK = rows(1000, 2, mean=1.0)
    assert kept is not None

    made = kept.estimate("log_loss", p_NK, frame.drop("y"))

    assert made is not None
    assert made.low <= -np.log(p_NK[np.arange(1000), y_N]).mean() <= made.high
    assert kept.estimate("accuracy", p_NK, frame) is None
    assert "y" not in kept.past.columns


def test_a_row_without_an_answer_is_left_out() -> None:
    frame, _, p_NK = rows(300, 2)
    holed = p_NK.copy()
    holed[:10] = np.nan

    assert learnt().estimate("auc", holed, frame) is not None
    assert learnt().estimate("auc", np.full_like(p_NK, np.nan), frame) is None


def test_of_a_number_the_loss_is_estimated_from_the_columns() -> None:
    frame, _, _ = rows(2000, 1)
    noise_N = np.random.default_rng(0).normal(size=2000) * (
        1 + np.abs(frame.select("x").collect().to_series().to_numpy())
    )
    known = past.learn(frame, {"x": "numeric", "y": "categorical"})

    kept = Watch.learn(known, "y", "quantity", Held(noise_N, np.zeros((2000, 1)), frame))
    far = kept.estimate("mae", np.zeros((500, 1)), rows(500, 3, mean=2.0)[0])

    assert far is not None and far.low > far.reference
    assert kept.estimate("r2", np.zeros((500, 1)), frame) is None


def test_what_a_season_does_is_no_surprise_to_the_report() -> None:
    kept = learnt()
    season = rows(4000, 5)[0].slice(0, 50)  # half of one: higher than the mean of all
    kinds = {"x": "numeric"}
    sides = [profile(frame.select("x"), kinds) for frame in (rows(4000, 0)[0], season)]  # type: ignore[arg-type]

    alone = compare(*sides).columns[0]
    held = compare(*sides, chances=watch.chances(kept.tests(season))).columns[0]

    assert alone.threshold is None and held.threshold is not None
    assert held.p >= alone.p
    assert held.effect == pytest.approx(alone.effect)


def test_a_model_without_is_none(tmp_path: Path) -> None:
    assert Watch.of(tmp_path) is None


def test_errors_that_grow_are_told_with_the_row_from_which_on() -> None:
    random = np.random.default_rng(0)
    day = pl.LazyFrame({"day": np.arange(3000)})
    truth_N = np.zeros(3000)
    old, new = (random.normal(0, 1, (3000, 1)) for _ in range(2))
    new[1500:] *= 6
    known = past.learn(rows(3000, 0)[0], {"x": "numeric", "y": "categorical"})
    frame = rows(3000, 0)[0].with_columns(day=pl.int_range(pl.len()))
    kept = Watch.learn(known, "y", "quantity", Held(truth_N, old, frame, "day"))

    turned = day.collect()[::-1]
    told = kept.changed(Held(truth_N, new[::-1].copy(), turned.lazy(), "day"))

    assert 1500 <= turned["day"][told["adwin"]] < 1800
    assert "adwin" not in kept.changed(Held(truth_N, old, day, "day"))
    assert kept.changed(Held(truth_N, new, day)) == {}


def test_all_columns_together_are_kept_and_tell_what_no_column_shows() -> None:
    def pairs(sign: float, seed: int) -> pl.LazyFrame:
        random = np.random.default_rng(seed)
        a_N = random.normal(size=2000)
        return pl.LazyFrame({"a": a_N, "b": sign * a_N + 0.5 * random.normal(size=2000)})

    known = past.learn(pairs(1, 0), {"a": "numeric", "b": "numeric"}, in_order=True)
    joint = Joint.learn(known, pairs(1, 0))
    assert joint is not None
    kept = Joint.model_validate_json(joint.model_dump_json())

    turned, same = ({t.method: t.p for t in kept.tests(known, pairs(sign, 1))} for sign in (-1, 1))

    assert max(turned.values()) < 1e-4
    assert min(same.values()) > 0.01
    assert kept.tests(known, pairs(1, 1).drop("b")) == []
    assert Joint.learn(known.only(["a"]), pairs(1, 0)) is None
