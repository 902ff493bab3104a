"""Hostile tables: which there are, and which faults of an answer are seen."""

from collections.abc import Callable
from datetime import date

import numpy as np
import polars as pl
import pytest

from pipeline.errors import WorkspaceError
from pipeline.features.target import Classes, Quantity, Tags
from pipeline.judgement.hostile import edges, fault, tables

ROWS = pl.DataFrame({"x": [1, 2], "day": [date(2024, 1, 1)] * 2, "what": ["a", None], "photo": ["a.png", "b.png"]})
MODALITIES = {"x": "numeric", "day": "timestamp", "what": "text", "photo": "image"}
YES_NO = Classes(column="y", classes=["no", "yes"])
SURE = np.array([[0.5, 0.5]] * 2)


def test_no_table_changes_a_path_to_what_is_no_path() -> None:
    found = dict(tables(ROWS, MODALITIES))

    assert {value for table in found.values() for value in table["photo"]} == {"a.png", "b.png", None}


def test_every_modality_has_its_extremes_in_types_that_encoders_take() -> None:
    found = dict(tables(ROWS, MODALITIES))

    assert found["nothing but missing cells"].null_count().row(0) == (2, 2, 2, 2)
    assert found["moments: year 9999"]["day"].dtype == pl.Date
    assert found["numbers: infinite"]["x"].to_list() == [float("inf")] * 2
    assert found["no row"].schema == ROWS.schema


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda table: SURE, None),
        (lambda table: SURE[:1], "1 answers of 2 rows"),
        (lambda table: SURE * np.nan, "2 of 2 answers are no numbers"),
        (lambda table: SURE * 0.9, "probabilities do not sum to 1"),
        (lambda table: np.array([[1.5, -0.5]] * 2), "probabilities are not in 0 to 1"),
    ],
)
def test_a_fault_of_an_answer_is_seen(answer: Callable[[pl.DataFrame], np.ndarray], words: str | None) -> None:
    assert fault(ROWS, YES_NO, answer) == words


def test_a_number_may_be_anything_that_is_one_and_tags_need_not_sum_up() -> None:
    assert fault(ROWS, Quantity(column="y", center=0, scale=1), lambda table: np.array([[-1e9], [7.0]])) is None
    assert fault(ROWS, Tags(column="y", written=";", classes=["a", "b"], rare=[]), lambda table: SURE * 0.2) is None


def test_what_an_answer_raises_is_its_fault_in_one_line() -> None:
    def broken(table: pl.DataFrame) -> np.ndarray:
        raise WorkspaceError("lacks a column", where="here", fix="mend it")

    found = edges(ROWS, MODALITIES, YES_NO, broken)

    assert {edge.fault for edge in found} == {"WorkspaceError: here: lacks a column; mend it"}
    assert [edge.rows for edge in found[:3]] == [0, 1, 4]
