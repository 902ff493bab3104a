"""What goes into an export: types, what is missing, and the codes of categories."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import polars as pl
import pytest

from pipeline.export import loader
from pipeline.export.columns import Input, fed, inputs
from pipeline.features import registered
from pipeline.features.categorical import CategoricalSettings
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Quantity

ALL = CategoricalSettings(minimum_count=1)
TARGET = Quantity(column="y", center=0.0, scale=1.0)


def category(values: pl.Series, null_values: tuple[str, ...] = ("NA", "")) -> tuple[Input, np.ndarray, np.ndarray]:
    """The input of a column, its cells, and the codes that its encoder has for them."""
    rows = values.to_frame("x")
    encoder = registered()["categorical"].fit("x", rows.lazy(), ALL)
    fitted = Preprocessor(encoders=(encoder,), target=TARGET)
    encoded = fitted.encode(rows)
    (one,) = inputs(fitted, rows, encoded, null_values, {})
    return one, fed([one], fitted, rows, encoded)["x"], encoded.inputs["codes"][:, 0]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pl.Series(["a", "b", None]), "string"),
        (pl.Series(["a", "b", None], dtype=pl.Categorical), "string"),
        (pl.Series(["", "NA", None]), "string"),
        (pl.Series([True, False, None]), "float64"),
        (pl.Series([3, -1, None]), "float64"),
        (pl.Series([0.5, -1.0, None]), "float64"),
        (pl.Series([2**60, 2**60 + 1, None]), "string"),  # which float64 cannot tell apart
    ],
)
def test_cells_of_a_category_have_the_codes_that_its_encoder_gives(values: pl.Series, dtype: str) -> None:
    one, cells, codes = category(values)

    assert one.dtype == dtype
    assert loader.tensor_of(one.model_dump(), cells).tolist() == codes.tolist()


def test_texts_that_stand_for_nothing_are_missing() -> None:
    one, _, _ = category(pl.Series(["a", None]))

    assert loader.tensor_of(one.model_dump(), ["NA", "", "a", "new"]).tolist() == [1, 1, 3, 0]


@pytest.mark.parametrize(
    ("one", "texts", "cells"),
    [
        ({"kind": "number", "dtype": "float64"}, ["1.5", " -2 ", "true", "1e3"], [1.5, -2.0, 1.0, 1000.0]),
        ({"kind": "category", "dtype": "string", "missing": ""}, ["a", "NA", ""], ["a", "", ""]),
        (
            {"kind": "moment", "dtype": "int64", "missing": "-5"},
            ["1970-01-02", "1970-01-01T01:00:00+01:00", "NA"],
            [86_400_000_000, 0, -5],
        ),
    ],
)
def test_texts_of_a_table_become_cells(one: dict[str, str], texts: list[str], cells: list[object]) -> None:
    assert loader.read_cells(one, texts, ["", "NA"]) == cells


def test_a_table_without_a_column_that_the_model_reads_is_an_error() -> None:
    model = SimpleNamespace(inputs=[{"name": "x", "kind": "number"}, {"name": "y", "kind": "number"}])

    with pytest.raises(ValueError, match="the table lacks what the model reads: y"):
        list(loader.table(cast(loader.Model, model), [{"x": "1"}]))


def test_a_cell_of_a_table_that_is_no_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="far"):
        loader.read_cells({"kind": "number", "dtype": "float64"}, ["far"], [""])
