"""The search for weak slices: what was planted is found first, and nothing where nothing is."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from pipeline.errors import SettingsError
from pipeline.features.target import Quantity, Tags
from pipeline.judgement.case import Split
from pipeline.judgement.slices import slices as told_slices
from pipeline.judgement.slices import weak
from pipeline.judgement.slices.weak import WeakSlicesSettings, holm, weakest
from tests.judgement.parts import SHOPS, agreed, column, of_answers, shop_case

SETTINGS = WeakSlicesSettings()
SPLITS: tuple[Split, ...] = ("val", "test")
shop, size = pl.col("shop"), pl.col("size")


@pytest.mark.parametrize(
    ("where", "columns"),
    [(shop == "c", {"shop"}), (size.is_between(40, 60), {"size"}), ((shop == "c") & (size < 50), {"shop", "size"})],
)
def test_a_planted_slice_is_found_first(where: pl.Expr, columns: set[str]) -> None:
    case = shop_case(where)

    found, searched = weakest(case, SETTINGS)

    planted = case.rows["test"].select(where).to_series().to_numpy()
    within = case.rows["test"].select(pl.sql_expr(found[0].sql)).to_series().to_numpy()
    assert {name for name in ("shop", "size") if name in found[0].sql} == columns
    assert (planted & within).sum() > 0.8 * max(planted.sum(), within.sum())
    assert found[0].p < weak.LEVEL
    assert found[0].told < 0 < found[0].told_elsewhere
    assert found[0].score < 0.6 < found[0].score_elsewhere
    assert searched.columns == ["shop", "size"]


def test_nothing_is_found_where_nothing_is_planted() -> None:
    found, searched = weakest(shop_case(), SETTINGS)

    assert not found
    assert searched.rows == 3000


def test_a_harder_slice_is_no_weak_one() -> None:
    """In shop c half of the rows are yes, elsewhere few: the model loses more there, and is as good as can be."""
    random = np.random.default_rng(3)
    parts: dict[Split, Any] = {}
    for name in SPLITS:
        frame = pl.DataFrame({"shop": random.choice(list("abcde"), 4000), "size": random.uniform(0, 100, 4000)})
        hard = (frame["shop"] == "c").to_numpy()
        p_N = np.where(hard, random.choice([0.2, 0.8], 4000), random.choice([0.01, 0.3], 4000))
        y_N = (random.uniform(size=4000) < p_N).astype(np.int64)
        parts[name] = (frame, y_N, np.stack([1 - p_N, p_N], axis=1))
    case = of_answers(shop_case().target, SHOPS, parts)

    found, _ = weakest(case, SETTINGS)

    loss = -np.log(parts["test"][2][np.arange(4000), parts["test"][1]])
    in_c = (parts["test"][0]["shop"] == "c").to_numpy()
    assert loss[in_c].mean() > 1.3 * loss[~in_c].mean()
    assert not [one for one in found if one.words == "shop c"]


def test_what_is_weak_on_val_alone_does_not_hold() -> None:
    bad, good = shop_case(shop == "c"), shop_case()
    case = replace(bad, truth={"val": bad.truth["val"], "test": good.truth["test"]})

    found, searched = weakest(case, SETTINGS)

    assert searched.proposed > 0
    assert not found


def test_its_rows_are_those_of_the_largest_loss() -> None:
    case = shop_case(shop == "c")

    (first, *_), _ = weakest(case, SETTINGS)

    p_N = case.own("test")[np.arange(3000), case.truth["test"]]
    inside = (case.rows["test"]["shop"] == "c").to_numpy()
    order = np.argsort(np.where(inside, p_N, 2.0), kind="stable")[: len(first.worst)]
    assert first.worst == [str(place) for place in order]
    assert first.rows == inside.sum()
    assert first.loss["candidate"] == pytest.approx(-np.log(p_N[inside]).mean())


def test_a_number_and_tags_have_weak_slices_too() -> None:
    random = np.random.default_rng(5)

    def quantity(rows: int) -> Any:
        frame = pl.DataFrame({"shop": random.choice(list("abcde"), rows), "size": random.uniform(0, 100, rows)})
        a_N = random.normal(50, 20, rows)
        off = np.where((frame["shop"] == "b").to_numpy(), 20, 5)
        return frame, a_N + random.normal(0, off), a_N[:, None]

    def tags(rows: int) -> Any:
        frame, _, _ = quantity(rows)
        p_NK = random.beta(0.5, 0.5, (rows, 3))
        y_NK = random.uniform(size=(rows, 3)) < p_NK
        bad = (frame["shop"] == "b").to_numpy()
        y_NK[bad] = random.permutation(y_NK[bad])
        return frame, y_NK, p_NK

    number = Quantity(column="y", center=50.0, scale=20.0)
    several = Tags(column="y", classes=["i", "j", "k"], written=";", rare=[])
    for target, drawn in ((number, quantity), (several, tags)):
        case = of_answers(target, SHOPS, {"val": drawn(2000), "test": drawn(2000)})
        found, _ = weakest(case, SETTINGS)
        assert found[0].words == "shop b"


def test_it_is_the_same_twice_and_of_the_rows_it_is_asked_about() -> None:
    case, few = shop_case(shop == "c"), WeakSlicesSettings(rows=1500, most=1, paired=0)

    assert weakest(case, few) == weakest(case, few)
    assert weakest(case, few)[1].rows == 1500


def test_tiny_val_and_test_say_nothing_and_do_not_fail() -> None:
    case = shop_case(rows=10)

    assert weakest(case, SETTINGS)[0] == []


def test_columns_that_are_ignored_are_looked_at_when_named() -> None:
    columns = (column("shop", pl.String(), "ignore", "categorical"), SHOPS[1])
    made = shop_case(shop == "c")
    case = replace(made, contract=agreed(*columns))
    case.model.preprocessor.columns.remove("shop")

    assert not weakest(case, SETTINGS)[0]
    assert weakest(case, WeakSlicesSettings(columns=("shop",)))[0][0].words == "shop c"


def test_a_column_that_there_is_not_is_an_error() -> None:
    with pytest.raises(SettingsError, match=r"no such column: shops; did you mean `shop`"):
        weak.require(WeakSlicesSettings(columns=("shops",)), agreed(*SHOPS))


def test_holm_is_that_of_its_paper() -> None:
    """Of p-values 0.01, 0.04, 0.03, 0.005 the corrected ones are 0.03, 0.06, 0.06, 0.02 (R: p.adjust, `holm`)."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_what_is_found_is_said() -> None:
    told = told_slices(shop_case(shop == "c"), {}, SETTINGS)

    assert told.words.startswith("It fails in shop c")
    assert [one.name for one in told.remarks] == ["weak_slice"] * len(told.weak)
    assert "no better than one answer" in told.remarks[0].message
    assert "\"shop\" = 'c'" in told.remarks[0].suggestion
    assert "weak_slices: false" in told_slices(shop_case(), {}, None).words
