"""How columns are cut: parts, runs and their conditions say the same rows."""

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.judgement.case import Case
from pipeline.judgement.slices.cuts import PARTS, Cut, cuts
from tests.judgement.parts import agreed, column, shop_case, with_rows

RANDOM = np.random.default_rng(0)
START = dt.datetime(2024, 1, 1)
ROWS = pl.DataFrame(
    {
        "whole": RANDOM.integers(0, 4, 400),
        "real": np.where(RANDOM.uniform(size=400) < 0.1, np.nan, RANDOM.normal(size=400)),
        "name": RANDOM.choice(["it's", "b", "rare"], 400, p=[0.5, 0.45, 0.05]),
        "known": [(True, False, None)[place] for place in RANDOM.integers(0, 3, 400)],
        "at": [START + dt.timedelta(hours=int(hour)) for hour in RANDOM.integers(0, 4000, 400)],
        "said": ["x" * int(length) for length in RANDOM.integers(0, 50, 400)],
    }
)
COLUMNS = (
    column("whole", pl.Int64(), modality="numeric"),
    column("real", pl.Float64(), modality="numeric"),
    column("name", pl.String(), modality="categorical"),
    column("known", pl.Boolean(), modality="categorical"),
    column("at", pl.Datetime("us"), "time", "timestamp"),
    column("said", pl.String(), modality="text"),
    column("file", pl.String(), modality="image"),
    column("label", pl.Boolean(), "label"),
)


@pytest.fixture(scope="module")
def case() -> Case:
    made = with_rows(shop_case(rows=10), COLUMNS, ROWS, ROWS)
    made.model.preprocessor.columns.append("at")
    return made


def of(case: Case, least: int = 40) -> dict[str, Cut]:
    return {cut.name: cut for cut in cuts(case, case.rows["val"], [], least)}


def test_features_are_cut_by_what_they_are(case: Case) -> None:
    assert list(of(case)) == ["whole", "real", "name", "known", "hour of at", "day of the week of at", "length of said"]


def test_a_run_is_the_rows_that_its_condition_says(case: Case) -> None:
    rows = case.rows["val"].with_columns(pl.col("real").fill_nan(None))  # as ingest leaves it
    for cut in of(case).values():
        part_N = cut.parts(rows)
        for run, of_parts in enumerate(cut.runs):
            said = rows.select(pl.sql_expr(cut.piece(run).sql)).to_series().fill_null(value=False)
            assert said.to_list() == (of_parts[part_N] > 0).tolist(), cut.piece(run)


def test_numbers_are_cut_at_tenths_and_few_values_between(case: Case) -> None:
    found: Any = of(case)

    assert found["whole"].edges == (1, 2, 3)
    assert len(found["real"].edges) == PARTS - 1
    share = np.bincount(found["real"].parts(case.rows["val"]))[:PARTS] / (~np.isnan(ROWS["real"].to_numpy())).sum()
    assert share == pytest.approx(np.full(PARTS, 0.1), abs=0.02)


def test_rare_values_are_no_run_and_new_ones_neither(case: Case) -> None:
    cut: Any = of(case)["name"]

    assert cut.values == ("it's", "b")
    new = pl.DataFrame({"name": ["new", None]})
    assert cut.parts(new).tolist() == [3, 2]
    assert not cut.runs[:, 3].any()


def test_groups_are_cut_though_they_are_no_features(case: Case) -> None:
    grouped = replace(case, contract=agreed(column("name", pl.String(), "group"), COLUMNS[7]))

    assert list(of(grouped)) == ["name"]


def test_a_closed_set_of_texts_is_cut_as_texts_are(case: Case) -> None:
    kind = pl.Enum(["it's", "b", "rare"])
    closed = replace(case, contract=agreed(column("name", kind, modality="categorical"), COLUMNS[7]))
    rows = case.rows["val"].cast({"name": kind})

    (found,) = cuts(closed, rows, [], 40)

    said = rows.select(pl.sql_expr(found.piece(0).sql)).to_series()
    assert said.to_list() == (found.parts(rows) == 0).tolist()
    assert said.any()


def test_a_constant_column_is_no_cut(case: Case) -> None:
    rows = ROWS.with_columns(name=pl.lit("b"), real=pl.lit(1.0))
    found = cuts(case, rows, [], 40)

    assert [len(cut.runs) for cut in found if cut.name == "name"] == [2]  # b, and what is missing
    assert "real" not in [cut.name for cut in found]
