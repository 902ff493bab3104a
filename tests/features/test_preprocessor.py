"""All encoders together: order, label, JSON, and the errors of a folder that does not hold one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.contract import Column, Contract
from pipeline.errors import WorkspaceError
from pipeline.features import preprocessor
from pipeline.features.preprocessor import FILE, Preprocessor
from pipeline.stages.normalize import NormalizeSettings

ROWS = pl.DataFrame(
    {
        "size": [1.0, 2.0, None, 4.0],
        "shop": ["a", "b", "a", None],
        "kind": ["x", "x", "y", "y"],
        "late": [True, False, False, True],
    }
)


def contract(*columns: Column) -> Contract:
    import pandera.polars as pa

    label = Column(name="late", dtype=pl.Boolean(), nullable=True, role="label", modality=None)
    return Contract(file=Path("made.py"), schema=pa.DataFrameSchema(), columns=(*columns, label), expectations=())


SHOP = Column(name="shop", dtype=pl.String(), nullable=True, role="feature", modality="categorical")
SIZE = Column(name="size", dtype=pl.Float64(), nullable=True, role="feature", modality="numeric")
KIND = Column(name="kind", dtype=pl.String(), nullable=True, role="feature", modality="categorical")


def fitted(*columns: Column) -> Preprocessor:
    settings = NormalizeSettings.model_validate({"categorical": {"minimum_count": 1}})
    return preprocessor.fit(ROWS.lazy(), contract(*columns), settings.by_modality())


def test_columns_come_in_the_order_of_the_contract() -> None:
    made = fitted(SHOP, SIZE, KIND)

    encoded = made.encode(ROWS)

    assert made.columns == ["shop", "size", "kind"]
    assert made.dense_outputs == ["size", "size was missing"]
    assert [*made.cardinalities.values()] == [5, 5]
    assert encoded.inputs["dense"].shape == (4, 2)
    assert encoded.inputs["codes"].tolist() == [[3, 3], [4, 3], [3, 4], [1, 4]]
    assert encoded.target is not None
    assert encoded.target.tolist() == [1, 0, 0, 1]
    assert made.classes == ("false", "true")


def test_without_dense_or_coded_columns_there_is_an_empty_tensor() -> None:
    assert fitted(SHOP).encode(ROWS).inputs["dense"].shape == (4, 0)
    assert fitted(SIZE).encode(ROWS).inputs["codes"].shape == (4, 0)


@pytest.mark.parametrize(
    "labels", [pl.Series([True, None, False, True]), pl.Series(["true", "perhaps", "false", "false"])]
)
def test_a_missing_or_unknown_label_gives_no_labels(labels: pl.Series) -> None:
    assert fitted(SIZE).encode(ROWS.with_columns(late=labels)).target is None


def test_rows_without_the_label_are_encoded() -> None:
    encoded = fitted(SIZE).encode(ROWS.drop("late"))

    assert encoded.target is None
    assert set(encoded.tensors()) == {"dense", "codes"}


def test_it_survives_its_folder(tmp_path: Path) -> None:
    made = fitted(SHOP, SIZE)

    made.write(tmp_path)

    assert Preprocessor.read(tmp_path) == made
    first = (tmp_path / FILE).read_bytes()
    Preprocessor.read(tmp_path).write(tmp_path)
    assert (tmp_path / FILE).read_bytes() == first


def test_encoding_keeps_the_order_of_the_rows() -> None:
    made = fitted(SHOP, SIZE)
    order = [2, 0, 3, 1]

    turned, straight = made.encode(ROWS[order]), made.encode(ROWS)

    assert (turned.inputs["codes"] == straight.inputs["codes"][order]).all()
    assert np.array_equal(turned.inputs["dense"], straight.inputs["dense"][order])


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "late"}',
        '{"label": "late", "classes": ["a"], "encoders": [{"kind": "numeric", "column": "x"}]}',
        '{"label": "late", "classes": ["a"], "encoders": [{"column": "x"}]}',
        '{"label": "late", "classes": ["a"], "encoders": [{"kind": "scent", "column": "x"}]}',
        "[]",
        "{",
    ],
)
def test_a_file_that_is_no_preprocessor_is_an_error_that_names_it(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)

    with pytest.raises(WorkspaceError, match=FILE):
        Preprocessor.read(tmp_path)


def test_what_is_watched_of_a_text_stands_beside_the_rows() -> None:
    made = fitted(SIZE, replace(SHOP, modality="text"))

    rows = made.watched(ROWS.lazy()).collect()

    assert made.watched_names == ["shop: letters", "shop: letters a token"]
    assert rows.columns == [*ROWS.columns, *made.watched_names]
    assert rows["shop: letters"].to_list() == [1, 1, 1, None]


def test_nothing_else_is_watched_by_other_numbers() -> None:
    made = fitted(SIZE, SHOP)

    assert made.watched_names == []
    assert made.watched(ROWS.lazy()).collect().equals(ROWS)
