"""Asking about changed columns: the answers are those of rows that were changed before they were encoded."""

import numpy as np
import polars as pl
import pytest

from pipeline import artefacts
from pipeline.judgement.probe import ANSWERS, FEWEST_ROWS, Probe, drawn
from pipeline.predictor import Predictor
from pipeline.workspace import Workspace

CHANGED: dict[str, pl.Expr] = {
    "distance": pl.lit(None, pl.Float64),
    "weight": pl.col("weight") * 2,
    "shop": pl.lit("nowhere"),
    "weekday": pl.lit(3, pl.Int64),
}


@pytest.fixture
def model(trained_once: Workspace) -> Predictor:
    return Predictor.load(trained_once.candidate, trained_once.media)


@pytest.fixture
def rows(trained_once: Workspace) -> pl.DataFrame:
    return artefacts.scan_parquet(trained_once.split / "test.parquet").head(40).collect()


def test_it_answers_as_the_model_does(model: Predictor, rows: pl.DataFrame) -> None:
    np.testing.assert_array_equal(Probe.of(model, rows).answers(), model.answers(rows))


@pytest.mark.parametrize("column", CHANGED)
def test_a_changed_column_is_as_if_the_rows_had_it(model: Predictor, rows: pl.DataFrame, column: str) -> None:
    probe, changed = Probe.of(model, rows), rows.with_columns(CHANGED[column].alias(column))

    found = probe.answers({column: probe.encoded(column, changed[column])})

    np.testing.assert_array_equal(found, model.answers(changed))
    np.testing.assert_array_equal(probe.answers(), model.answers(rows))  # the rows as they are stay as they are


def test_rows_of_several_can_be_put_together(model: Predictor, rows: pl.DataFrame) -> None:
    probe = Probe.of(model, rows)
    places = {column: np.array([0, 1, 5]) for column in probe.columns} | {"shop": np.array([7, 7, 2])}

    found = probe.asked(probe.gathered(places))

    mixed = rows[[0, 1, 5]].with_columns(rows[[7, 7, 2]]["shop"])
    np.testing.assert_array_equal(found, model.answers(mixed))


def test_rows_are_drawn_once_by_the_seed_and_in_their_order(model: Predictor) -> None:
    found = drawn(100, 30, 1, model.preprocessor)

    assert len(set(found)) == 30
    assert sorted(found) == list(found)
    assert list(found) == list(drawn(100, 30, 1, model.preprocessor)) != list(drawn(100, 30, 2, model.preprocessor))
    assert list(drawn(5, 30, 1, model.preprocessor)) == [0, 1, 2, 3, 4]


def test_fewer_rows_are_drawn_where_many_questions_are_asked(model: Predictor) -> None:
    few, many = (len(drawn(10**6, 10**5, 1, model.preprocessor, questions=each)) for each in (10**6, 10))

    assert few == FEWEST_ROWS
    assert many == ANSWERS // 10
