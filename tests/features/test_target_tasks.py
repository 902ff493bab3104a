"""Labels with an order, of quantiles and of tags as tensors and back; what is answered, and what of it is watched."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.contract import Column
from pipeline.errors import SettingsError
from pipeline.features import target
from pipeline.features.target import TARGET, Classes, Ordinal, Quantiles, Quantity, Tags, with_quantiles

PRICE = Quantity(column="y", center=10.0, scale=2.0)
TOLD = Quantiles(column="y", center=10.0, scale=2.0, quantiles=[0.1, 0.5, 0.9])


def label(modality: Any, dtype: pl.DataType, **others: Any) -> Column:
    return Column(name="y", dtype=dtype, nullable=True, role="label", modality=modality, **others)


def test_ranks_of_numbers_go_by_number_and_of_text_by_the_contract() -> None:
    numbers = target.fit(label("ordinal", pl.Int64()), pl.LazyFrame({"y": [10, 9, 9, None]}))
    words = target.fit(label("ordinal", pl.String(), order=("lo", "mid", "hi")), pl.LazyFrame({"y": ["hi", "lo"]}))

    assert isinstance(numbers, Ordinal) and isinstance(words, Ordinal)
    assert numbers.classes == ["9", "10"]
    assert numbers.shares == pytest.approx([2 / 3, 1 / 3])
    assert words.classes == ["lo", "hi"]
    assert words.encode(pl.DataFrame({"y": ["mid"]})) is None


def test_the_answer_of_ranks_is_the_middle_and_their_mean_is_watched() -> None:
    grades = Ordinal(column="y", classes=["a", "b", "c"], shares=[0.2, 0.3, 0.5])
    p_NK = np.array([[0.4, 0.2, 0.4], [0.1, 0.1, 0.8], [np.nan] * 3])

    assert grades.said(p_NK, 0.5)["answer"].to_list() == ["b", "c", None]
    assert grades.watched(p_NK)[:2].tolist() == pytest.approx([1.0, 1.7])


def test_tags_too_rare_to_learn_are_left_out_and_told() -> None:
    rows = pl.DataFrame({"y": ["a;b"] * 10 + ["c; a"]})
    found = target.fit(label("set", pl.String(), format=";"), rows.lazy())

    assert isinstance(found, Tags)
    assert (found.classes, found.rare) == (["a", "b"], ["c"])
    encoded = found.encode(pl.DataFrame({"y": ["c;b", "new"]}))
    assert encoded is not None and encoded.tolist() == [[0.0, 1.0], [0.0, 0.0]]
    assert found.encode(pl.DataFrame({"y": ["a", None]})) is None


def test_tags_are_said_as_the_label_is_written() -> None:
    p_NK = np.array([[0.9, 0.6], [0.1, 0.2], [np.nan, np.nan]])
    made = {"column": "y", "classes": ["a", "b"], "rare": []}

    assert Tags(written=";", **made).said(p_NK, 0.5)["answer"].to_list() == ["a;b", "[]", None]
    assert Tags(written="json", **made).said(p_NK, 0.7)["answer"].to_list() == ['["a"]', "[]", None]
    assert Tags(written=";", **made).watched(p_NK)[:2].tolist() == pytest.approx([1.5, 0.3])


def test_classes_are_said_from_the_threshold_on() -> None:
    said = Classes(column="y", classes=["no", "yes"]).said(np.array([[0.7, 0.3], [0.8, 0.2]]), 0.25)

    assert said.rows() == [("yes", 0.7, 0.3), ("no", 0.8, 0.2)]


def test_quantiles_never_cross_and_the_median_is_the_answer() -> None:
    a_NK = TOLD.decode(np.random.default_rng(0).normal(size=(50, 3)))

    assert (np.diff(a_NK, axis=1) >= 0).all()
    said = TOLD.said(a_NK, 0.5)
    assert said.columns == ["answer", "q: 0.1", "q: 0.5", "q: 0.9"]
    assert said["answer"].to_list() == said["q: 0.5"].to_list() == TOLD.watched(a_NK).tolist()


@pytest.mark.parametrize("spread", [0.2, 5.0])
def test_quantiles_that_are_too_wide_or_too_narrow_are_put_right_by_other_rows(spread: float) -> None:
    random = np.random.default_rng(1)
    scale_N = random.uniform(1, 9, 6_000)
    y_N = scale_N * random.normal(size=6_000)
    own_NK = scale_N[:, None] * np.array([-spread, 0.0, spread])
    val, test = slice(0, 3_000), slice(3_000, None)

    settled = TOLD.stretched(own_NK[val], y_N[val])

    a_NK = settled.decode((own_NK[test] - settled.center) / settled.scale)
    assert (y_N[test, None] <= a_NK).mean(axis=0) == pytest.approx(TOLD.quantiles, abs=0.02)
    assert TARGET.validate_json(settled.model_dump_json()) == settled


def test_quantiles_are_of_a_quantity() -> None:
    assert with_quantiles(PRICE, (0.1, 0.5, 0.9)) == TOLD
    assert with_quantiles(PRICE, ()) is PRICE
    with pytest.raises(SettingsError, match=r"loss\.quantiles: quantiles are of a number, and y is told as classes"):
        with_quantiles(Classes(column="y", classes=["a", "b"]), (0.5,))


@pytest.mark.parametrize(
    "made",
    [
        Ordinal(column="y", classes=["a", "b"], shares=[0.5, 0.5]),
        TOLD,
        Tags(column="y", written="|", classes=["a"], rare=["z"]),
    ],
)
def test_they_survive_json(made: Any) -> None:
    assert TARGET.validate_json(made.model_dump_json()) == made
