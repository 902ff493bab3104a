"""Groups beside each other: rates that are planted are found, and what the column alone does."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from torch import Tensor

from pipeline.errors import SettingsError
from pipeline.features.target import Classes
from pipeline.judgement.fairness import Fairness, FairnessSettings, Measure, fairness, groups, require
from pipeline.judgement.settings import EvaluateSettings
from pipeline.reports import fairness as fairness_section
from tests.judgement.made import case, two
from tests.judgement.parts import agreed, column, with_rows
from tests.judgement.planted import NUMBER, planted

MILL = 3  # its code
ASKED = FairnessSettings(columns=["shop"], minimum_rows=2)


def of_groups(group: Sequence[str | None], y: list[int], said: list[int], asked: FairnessSettings = ASKED) -> Fairness:
    """What is said of decisions beside the truth, where the model does not read the group."""
    made = case(Classes(column="y", classes=["no", "yes"]), np.array(y), {"candidate": two(np.array(said) * 1.0)})
    rows = pl.DataFrame({"shop": group}, schema={"shop": pl.String})
    told = with_rows(made, (column("shop", pl.String(), role="ignore"),), rows, rows)
    found = fairness(told.__class__(**{**vars(told), "rows": {**told.rows, "train": rows}}), asked)
    assert found is not None
    return found


def rate(found: Fairness, group: str, measure: Measure) -> float:
    return next(one for one in found.columns[0].groups if one.name == group).measures[measure].value


def test_rates_are_those_of_each_group() -> None:
    found = of_groups(["a"] * 5 + ["b"] * 4, [1, 1, 0, 0, 0, 1, 1, 0, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0])

    told = {name: [rate(found, name, m) for m in found.columns[0].groups[0].measures] for name in ("a", "b")}
    assert told == {"a": pytest.approx([0.6, 1.0, 1 / 3]), "b": pytest.approx([0.25, 0.5, 0.0])}
    widest = found.columns[0].between[0]
    assert (widest.largest, widest.smallest) == ("a", "b")
    assert widest.gap.value == pytest.approx(0.35)
    assert widest.ratio == pytest.approx(0.25 / 0.6)
    assert "selection rate 60% of a, 25% of b" in found.words


def test_a_group_without_such_rows_has_no_such_rate() -> None:
    found = of_groups(["a", "a", "b", "b"], [1, 1, 0, 1], [1, 0, 1, 1])

    assert "false_positive_rate" not in found.columns[0].groups[0].measures
    assert [one.measure for one in found.columns[0].between] == ["selection_rate", "true_positive_rate"]


def test_small_groups_are_counted_and_not_compared() -> None:
    found = of_groups(["a"] * 4 + [None] + ["b"] * 3, [0, 1] * 4, [0, 1] * 4)

    assert [one.name for one in found.columns[0].groups] == ["a", "b"]
    assert found.columns[0].small == 1
    assert "1 rows are of smaller groups" in fairness_section.section(found)


def test_missing_is_a_group_of_its_own() -> None:
    found = of_groups([None] * 3 + ["b"] * 3, [0, 1, 1] * 2, [0, 1, 0] * 2)

    assert [one.name for one in found.columns[0].groups] == ["b", "missing"]


def test_an_interval_holds_the_gap_of_groups_that_are_alike() -> None:
    random = np.random.default_rng(1)
    group, y = random.choice(["a", "b"], 2000).tolist(), random.integers(0, 2, 2000).tolist()

    gap = of_groups(group, y, random.integers(0, 2, 2000).tolist()).columns[0].between[0].gap

    assert gap.low is not None and gap.high is not None
    assert gap.low < 0.02 and gap.high < 0.15


def test_a_model_that_looks_at_the_group_is_told_by_another_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_shop(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
        return 10.0 * (shop == MILL) - 5.0

    def by_size(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
        return size

    told = [fairness(planted(monkeypatch, formula, candidate=0.5), ASKED) for formula in (by_shop, by_size)]

    moved = [found.columns[0].swapped.moved for found in told if found and found.columns[0].swapped]
    assert moved == [1, 0]


def test_of_a_number_it_is_the_error_that_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def dearer(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
        return size + 3.0 * (shop == MILL)

    found = fairness(planted(monkeypatch, dearer, NUMBER), ASKED)

    assert found is not None
    assert found.columns[0].between[0].measure == "mean_error"
    assert found.columns[0].between[0].gap.value == pytest.approx(3, abs=0.4)
    assert found.columns[0].swapped is not None
    assert found.columns[0].swapped.moved == pytest.approx(3, abs=0.01)


def test_a_number_of_many_values_is_cut_at_trains_quartiles() -> None:
    found, order = groups(pl.Series(range(101)), pl.Series([0, 25, 74, 75, 1000, None]))

    assert order == ["under 25", "25 to under 50", "50 to under 75", "75 or more", "missing"]
    assert found.tolist() == ["under 25", "25 to under 50", "50 to under 75", "75 or more", "75 or more", "missing"]


@pytest.mark.parametrize("chosen", ["maybe", None])
def test_the_class_that_is_good_must_be_known(chosen: str | None) -> None:
    three = Classes(column="y", classes=["a", "b", "c"])
    made = case(three, np.array([0, 1]), {"candidate": np.eye(3)[:2]})

    with pytest.raises(SettingsError, match=r"fairness\.chosen.*a, b"):
        fairness(made, FairnessSettings(columns=["shop"], chosen=chosen))


def test_a_column_that_there_is_not_is_said() -> None:
    with pytest.raises(SettingsError, match="'sex' is no column"):
        require(FairnessSettings(columns=["sex"]), agreed(column("shop", pl.String())))


def test_names_from_data_are_escaped() -> None:
    page = fairness_section.section(of_groups(["<b>a"] * 2 + ["b"] * 2, [0, 1] * 2, [0, 1, 1, 1]))

    assert "<b>" not in page and "&lt;b&gt;a" in page


def test_it_is_off_unless_it_is_set() -> None:
    assert EvaluateSettings().fairness is None
