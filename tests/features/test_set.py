"""Sets of tags as features: the tags of train, what is rare or unknown, what is missing, and drift by two numbers."""

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from pipeline.features.set import SetEncoder, SetSettings


def fitted(cells: Sequence[str | None], minimum: int = 2, maximum: int = 100, written: str = ";") -> SetEncoder:
    settings = SetSettings(minimum_count=minimum, maximum_size=maximum, formats={"x": written})
    return SetEncoder.fit("x", pl.LazyFrame({"x": pl.Series(cells, dtype=pl.String)}), settings)


def encoded(encoder: SetEncoder, *cells: str | None) -> dict[str, list[float]]:
    found = encoder.encode(pl.Series(cells, dtype=pl.String))
    return dict(zip(encoder.outputs, found.T.round(4).tolist(), strict=True))


CELLS = ["a;b", "a", "b;a", "rare", None, ""]


def test_each_tag_of_train_has_its_place_and_others_are_counted() -> None:
    found = encoded(fitted(CELLS), "b;a", "a;rare;new;newer", "", None)

    assert found == {
        "x: a": [1, 1, 0, 0],
        "x: b": [1, 0, 0, 0],
        "x (rare)": [0, pytest.approx(math.log(2), abs=1e-4), 0, 0],
        "x (unknown)": [0, pytest.approx(math.log(3), abs=1e-4), 0, 0],
        "x (missing)": [0, 0, 0, 1],
    }


def test_order_spaces_and_repeats_say_nothing() -> None:
    encoder = fitted(CELLS)

    assert encoded(encoder, " b ; a;;a") == encoded(encoder, "a;b")


def test_past_the_maximum_size_tags_are_rare_and_ties_go_by_text() -> None:
    encoder = fitted(["a", "c", "b", "b"], minimum=1, maximum=2)

    assert ([*encoder.often], [*encoder.rare]) == (["b", "a"], ["c"])


def test_json_lists_are_read_and_what_is_none_is_missing() -> None:
    encoder = fitted(['["a", "b"]', '["a"]', '["a;b"]'], minimum=1, written="json")

    assert encoder.outputs[:3] == ["x: a", "x: a;b", "x: b"]
    assert encoded(encoder, '["b"]', "a")["x (missing)"] == [0, 1]


def test_drift_is_seen_by_how_many_tags_and_how_common_they_are() -> None:
    encoder = fitted(["a;b", "a", "a", "a;c"], minimum=1)
    rows = pl.DataFrame({"x": ["a", "a;b", "", None, "new"]})

    found = rows.select(encoder.watched())

    assert found["x: tags"].to_list() == [1, 2, 0, None, 1]
    expected = [0, math.log(1 / 4) / 2, None, None, math.log(0.5 / 4)]
    assert found["x: how common"].to_list() == [e if e is None else pytest.approx(e) for e in expected]


def test_a_table_of_many_tags_takes_few_columns() -> None:
    cells = [f"t{i % 500};t{i % 7}" for i in range(5_000)]

    encoder = fitted(cells, minimum=1, maximum=64)

    assert encoder.encode(pl.Series(cells)).shape == (5_000, 64 + 3)
    assert np.isfinite(encoder.encode(pl.Series(cells))).all()
