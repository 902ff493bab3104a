from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import false_discovery_control

from pipeline.contract import Modality
from pipeline.drift.columns import ABSENT, UNKNOWN, DriftReport, adjust, compare
from pipeline.profile import Profile, profile

FEATURES: dict[str, Modality] = {"age": "numeric", "town": "categorical", "since": "timestamp"}
COLUMNS: dict[str, Modality] = {**FEATURES, "prediction": "numeric", "late": "categorical"}


def rows(count: int, seed: int = 0, **changes: Any) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    return {
        "age": random.normal(40, 10, count),
        "town": random.choice(["x", "y", "z"], count),
        "since": pl.from_epoch(pl.Series(random.integers(10**9, 10**9 + 10**7, count))),
        "prediction": random.beta(2, 5, count),
        "late": random.random(count) < 0.24,
        **changes,
    }


def profiled(data: dict[str, Any]) -> Profile:
    return profile(pl.LazyFrame(data), COLUMNS)


REFERENCE = profiled(rows(20_000))


def report(**changes: Any) -> DriftReport:
    return compare(REFERENCE, profiled(rows(2000, seed=1, **changes)), label="late")


def test_clean_batch_is_silent() -> None:
    made = report()

    assert [c.column for c in made.columns] == ["age", "since", "town"]
    assert not any(c.drifted for c in made.columns)
    assert made.drifted_share == 0
    assert made.prediction is not None and not made.prediction.drifted
    assert made.label is not None and not made.label.drifted


def test_planted_shift_is_named_and_the_others_are_silent() -> None:
    made = report(age=np.random.default_rng(5).normal(50, 10, 2000))

    assert [c.column for c in made.columns if c.drifted] == ["age"]
    assert made.drifted_share == pytest.approx(1 / 3)


def test_predictions_and_label_stand_apart_with_their_own_least_effect() -> None:
    random = np.random.default_rng(5)
    made = report(prediction=random.beta(3, 5, 2000), late=random.random(2000) < 0.12)

    assert made.drifted_share == 0
    assert made.prediction is not None and made.prediction.drifted
    assert made.label is not None and made.label.drifted
    assert 0.1 <= made.label.effect < 0.2


def test_many_rows_with_a_trivial_shift_are_silent() -> None:
    batch = profiled(rows(300_000, seed=2, age=np.random.default_rng(3).normal(40.3, 10, 300_000)))

    made = compare(profiled(rows(300_000)), batch, label="late").columns[0]

    assert made.p_adjusted < 1e-6
    assert not made.drifted


def test_clean_small_batches_raise_few_false_alarms() -> None:
    alarms = [
        any(c.drifted for c in compare(REFERENCE, profiled(rows(500, seed=seed)), minimum_effect=0).columns)
        for seed in range(1, 301)
    ]

    assert np.mean(alarms) <= 0.03  # alpha 0.01 and the chance of 300 draws


def test_missing_labels_are_no_drift_and_no_label_gives_none() -> None:
    late = [True, None, None, None, False, False, None, False] * 250

    assert report(late=pl.Series([None] * 2000, dtype=pl.Boolean)).label is None
    made = report(late=late).label
    assert made is not None and not made.drifted
    assert (made.reference_missing, made.batch_missing) == (0, 0.5)


def test_a_label_without_a_name_is_compared_too() -> None:
    before, now = (profile(pl.LazyFrame({"": row}), {"": "categorical"}) for row in (["a", "b"] * 300, ["a"] * 600))

    found = compare(before, now, label="")

    assert found.label is not None
    assert found.label.drifted


def test_without_outcome_columns_there_is_none() -> None:
    made = compare(Profile(), Profile(), label="late")

    assert made == DriftReport(columns=[], drifted_share=0.0, prediction=None, label=None)


def test_changed_columns_are_results() -> None:
    data = rows(2000, seed=1, new=[1.0] * 2000, age=["old"] * 2000)
    del data["town"]
    batch = profile(pl.LazyFrame(data), {**COLUMNS, "new": "numeric"})

    made = {c.column: c for c in compare(REFERENCE, batch, label="late").columns}

    assert (made["age"].statistic, made["age"].drifted) == ("was numeric, is categorical", True)
    assert (made["town"].statistic, made["town"].drifted) == (ABSENT, True)
    assert (made["new"].statistic, made["new"].drifted) == (UNKNOWN, False)
    assert compare(REFERENCE, batch, label="late").drifted_share == pytest.approx(2 / 3)


def test_empty_batch_is_silent() -> None:
    empty = profiled({name: values[:0] for name, values in rows(10).items()})

    made = compare(REFERENCE, empty, label="late")

    assert {(c.effect, c.p, c.drifted) for c in made.columns} == {(0.0, 1.0, False)}


def test_missing_shares_are_reported() -> None:
    made = report(age=[None, 40.0] * 1000).columns[0]

    assert (made.reference_missing, made.batch_missing, made.drifted) == (0, 0.5, True)


def test_corrections_are_scipys_and_bonferronis() -> None:
    ps = [0.001, 0.04, 0.03, 0.9]

    assert adjust(ps, "benjamini_hochberg") == pytest.approx(false_discovery_control(ps))
    assert adjust(ps, "bonferroni") == pytest.approx([0.004, 0.16, 0.12, 1.0])
    assert adjust([], "benjamini_hochberg") == []


def test_report_reads_back_and_is_the_same_each_time(tmp_path: Path) -> None:
    made = report()
    made.write(tmp_path / "drift.json")

    assert DriftReport.read(tmp_path / "drift.json") == made == report()
