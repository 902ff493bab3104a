"""What every registered encoder keeps to, whatever it encodes."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.features import Encoder, registered

START = datetime(2024, 1, 1)
SAMPLES: dict[str, list[Any]] = {
    "numeric": [1.0, 2.5, None, float("nan"), float("inf"), -3.0],
    "categorical": ["a", "b", None, "b", "", "ü"],
    "timestamp": [START, None, *(START + timedelta(days=200 * i, hours=i) for i in range(1, 5))],
}
DTYPES: dict[str, pl.DataType] = {
    "numeric": pl.Float64(),
    "categorical": pl.String(),
    "timestamp": pl.Datetime("us"),
}
UNSEEN: dict[str, list[Any]] = {
    "numeric": [1e308, -1e308, None, float("-inf")],
    "categorical": ["never", None, "A"],
    "timestamp": [datetime(1, 1, 1), datetime(9999, 12, 31), None],
}
KINDS = sorted(registered())


def column(kind: str, values: list[Any]) -> pl.Series:
    return pl.Series("x", values, dtype=DTYPES[kind])


def fitted(kind: str, values: list[Any]) -> Encoder:
    encoder = registered()[kind]
    return encoder.fit("x", column(kind, values).to_frame().lazy(), encoder.settings())


def check_shape(encoder: Encoder, found: np.ndarray, rows: int) -> None:
    if encoder.cardinality:
        assert found.shape == (rows,)
        assert found.dtype == np.int64
        assert ((found >= 0) & (found < encoder.cardinality)).all()
    else:
        assert found.shape == (rows, len(encoder.outputs))
        assert found.dtype == np.float32
        assert np.isfinite(found).all()


def test_every_modality_has_a_sample_here() -> None:
    assert set(SAMPLES) == set(registered())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [SAMPLES, UNSEEN], ids=["seen", "unseen"])
def test_outputs_have_the_shape_that_is_announced(kind: str, rows: dict[str, list[Any]]) -> None:
    encoder = fitted(kind, SAMPLES[kind])

    check_shape(encoder, encoder.encode(column(kind, rows[kind])), len(rows[kind]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 4])
def test_a_column_of_nulls_or_of_no_rows_can_be_fitted_and_encoded(kind: str, count: int) -> None:
    encoder = fitted(kind, [None] * count)

    check_shape(encoder, encoder.encode(column(kind, [None] * count)), count)
    check_shape(encoder, encoder.encode(column(kind, SAMPLES[kind])), len(SAMPLES[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_can_be_fitted_and_encoded(kind: str) -> None:
    values = [SAMPLES[kind][0]] * 3

    found = fitted(kind, values).encode(column(kind, values))

    assert len(np.unique(found, axis=0)) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_rows_encode_to_none(kind: str) -> None:
    encoder = fitted(kind, SAMPLES[kind])

    check_shape(encoder, encoder.encode(column(kind, [])), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_json_and_encodes_the_same(kind: str) -> None:
    encoder = fitted(kind, SAMPLES[kind])

    again = type(encoder).model_validate_json(encoder.model_dump_json())  # type: ignore[attr-defined]

    assert again == encoder
    rows = column(kind, SAMPLES[kind] + UNSEEN[kind])
    assert (again.encode(rows) == encoder.encode(rows)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_and_the_parts_of_the_training_rows_do_not_matter(kind: str) -> None:
    values = SAMPLES[kind]
    parts = pl.concat([column(kind, values[3:]).to_frame().lazy(), column(kind, values[:3]).to_frame().lazy()])
    encoder = registered()[kind]

    assert encoder.fit("x", parts, encoder.settings()) == fitted(kind, values)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_encoded_one_by_one_as_all_at_once(kind: str) -> None:
    encoder, values = fitted(kind, SAMPLES[kind]), SAMPLES[kind] + UNSEEN[kind]

    whole = encoder.encode(column(kind, values))

    single = [encoder.encode(column(kind, [value])) for value in values]
    assert (np.concatenate(single) == whole).all()
