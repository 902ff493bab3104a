"""The label as a tensor: classes by their text, a quantity scaled by train alone, and what has no label."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from pipeline.contract import Column
from pipeline.errors import ContractError
from pipeline.features import target
from pipeline.features.target import TARGET, Classes, Quantity

PRICES = [3.0, 5.0, 10.0, 22.0]


def label(modality: Any) -> Column:
    return Column(name="y", dtype=pl.Float64(), nullable=True, role="label", modality=modality)


def frame(*values: float | None) -> pl.DataFrame:
    return pl.DataFrame({"y": pl.Series(values, dtype=pl.Float64)})


@pytest.mark.parametrize(("modality", "kind"), [("numeric", "quantity"), ("categorical", "classes"), (None, "classes")])
def test_the_modality_says_what_the_label_is(modality: Any, kind: str) -> None:
    assert target.fit(label(modality), frame(1.0, 2.0).lazy()).kind == kind


def test_centre_and_scale_are_mean_and_deviation_of_what_is_finite() -> None:
    fitted = Quantity.fit("y", frame(*PRICES, None, float("nan"), float("inf")).lazy())

    assert fitted.center == pytest.approx(np.mean(PRICES))
    assert fitted.scale == pytest.approx(np.std(PRICES))


@pytest.mark.parametrize("values", [[], [None], [7.0, 7.0]])
def test_without_a_spread_the_scale_is_one(values: list[float | None]) -> None:
    assert Quantity.fit("y", frame(*values).lazy()).scale == 1.0


def test_a_quantity_comes_back_in_its_unit() -> None:
    fitted = Quantity.fit("y", frame(*PRICES).lazy())

    encoded = fitted.encode(frame(*PRICES))

    assert encoded is not None
    assert encoded.dtype == np.float32
    assert encoded.shape == (4,)
    assert encoded.mean() == pytest.approx(0, abs=1e-6)
    assert fitted.truth(encoded) == pytest.approx(PRICES, rel=1e-6)
    assert fitted.decode(np.zeros((2, 1))).tolist() == [[fitted.center], [fitted.center]]


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_a_missing_quantity_leaves_the_rows_without_a_target(missing: float | None) -> None:
    fitted = Quantity.fit("y", frame(*PRICES).lazy())

    assert fitted.encode(frame(1.0, missing)) is None
    assert fitted.encode(frame(1.0).drop("y")) is None


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt8, pl.Boolean, pl.Float32])
def test_any_number_can_be_a_quantity(dtype: Any) -> None:
    rows = pl.DataFrame({"y": pl.Series([0, 1, 1, 0], dtype=dtype, strict=False)})
    fitted = Quantity.fit("y", rows.lazy())

    encoded = fitted.encode(rows)

    assert encoded is not None
    assert encoded.tolist() == [-1.0, 1.0, 1.0, -1.0]


@pytest.mark.parametrize("made", [Classes(column="y", classes=["a", "b"]), Quantity(column="y", center=2.5, scale=0.1)])
def test_a_target_survives_json(made: Any) -> None:
    assert TARGET.validate_json(made.model_dump_json()) == made


def test_what_is_no_target_is_refused() -> None:
    with pytest.raises(ValidationError, match="luck"):
        TARGET.validate_python({"kind": "luck", "column": "y"})
    with pytest.raises(ValidationError, match="scale"):
        TARGET.validate_python({"kind": "quantity", "column": "y", "center": 0, "scale": 0})


def test_the_class_that_counts_as_yes_is_the_last_and_must_be_there() -> None:
    rows = pl.LazyFrame({"y": ["on time", "late", None]})

    assert Classes.fit("y", rows).classes == ["late", "on time"]
    assert Classes.fit("y", rows, "late").classes == ["on time", "late"]
    with pytest.raises(ContractError, match=r"no training row has the class 'soon'.*there are late, on time"):
        Classes.fit("y", rows, "soon")
