"""Slices by name: each model's scores on their rows, and what is wrong with a condition."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.errors import SettingsError
from pipeline.judgement.case import Case
from pipeline.judgement.slices import named
from pipeline.judgement.slices import slices as told_slices
from tests.judgement.made import two
from tests.judgement.parts import SHOPS, agreed, shop_case

WANTED = {"in_c": "shop = 'c'", "none": "size > 1000"}


@pytest.fixture(scope="module")
def case() -> Case:
    made = shop_case(pl.col("shop") == "c", rows=600)
    blurred = two(np.clip(made.own("test")[:, 1] * 0.5 + 0.25, 0, 1))
    better = np.where((made.rows["test"]["shop"] == "c").to_numpy(), made.truth["test"] * 0.8 + 0.1, blurred[:, 1])
    answers = {"candidate": made.own("test"), "champion": two(better)}
    return replace(made, answers={**made.answers, "test": answers})


def test_scores_are_those_of_the_rows_of_the_slice(case: Case) -> None:
    in_c, none = named.scored(case, WANTED)

    inside = (case.rows["test"]["shop"] == "c").to_numpy()
    expected = roc_auc_score(case.truth["test"][inside], case.own("test")[inside, 1])
    assert in_c.rows == inside.sum()
    assert in_c.scores["candidate"]["auc"].value == pytest.approx(expected)
    assert (none.rows, none.scores, none.paired) == (0, {}, [])


def test_pairs_are_differences_in_the_slice(case: Case) -> None:
    in_c = named.scored(case, WANTED)[0]

    pair = next(pair for pair in in_c.paired if pair.metric == "auc")
    own, other = (in_c.scores[model]["auc"].value for model in ("candidate", "champion"))
    assert pair.difference == pytest.approx(own - other)
    assert pair.high < 0


def test_who_is_better_in_a_slice_is_said(case: Case) -> None:
    told = told_slices(case, WANTED, None)

    assert {one.name for one in told.remarks} == {"worse_in_slice", "empty_slice"}
    assert any("in in_c" in one.message and "champion is surely better" in one.message for one in told.remarks)


def test_missing_values_are_in_no_slice() -> None:
    rows = pl.DataFrame({"size": [1.0, None, 9.0]})

    assert named.within("big", "size > 5", rows).tolist() == [False, False, True]
    assert named.within("unknown", "size IS NULL", rows).tolist() == [False, True, False]


@pytest.mark.parametrize("sql", ["size >", "sizes > 3", "size + 1", "shop > 3", "MAX(size) > 3"])
def test_what_is_no_condition_is_an_error_that_names_it(sql: str) -> None:
    with pytest.raises(SettingsError, match=r"params.yaml: evaluate.slices.big: .*condition in Polars SQL"):
        named.require({"big": sql}, agreed(*SHOPS))
