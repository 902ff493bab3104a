"""Steadiness: a smooth model does not jump, one with a cliff does, and one that breaks is found out."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from pipeline.judgement.changes import Scale
from pipeline.judgement.record import Diagnosis
from pipeline.judgement.steadiness import Moved, Steadiness, SteadinessSettings, steadiness
from pipeline.workspace import Workspace
from tests.judgement.planted import NUMBER, planted

SETTINGS = SteadinessSettings()


def of(found: Steadiness, change: str, column: str | None) -> Moved:
    return next(one for one in found.moved if (one.change, one.column) == (change, column))


def smooth(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
    return 2 * size


def cliff(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
    return 20 * torch.sign(torch.sin(50 * size))


def test_a_smooth_model_does_not_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steadiness(planted(monkeypatch, smooth, candidate=0.5), SETTINGS)

    assert found.jump is not None
    assert 0 < found.jump < SETTINGS.jump
    assert "they do not jump" in found.words
    assert [one.name for one in found.remarks if one.severity != "info"] == []


def test_a_model_with_a_cliff_jumps_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steadiness(planted(monkeypatch, cliff, candidate=0.5), SETTINGS)

    assert found.jump == pytest.approx(1, abs=1e-6)  # from one end to the other
    assert of(found, "noise of 1% of the spread", None).most == found.jump
    remark = next(one for one in found.remarks if one.name == "jumps")
    assert "they jump" in remark.message


def test_a_change_of_what_the_model_does_not_look_at_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = steadiness(planted(monkeypatch, smooth, candidate=0.5), SETTINGS)

    for change, column in (("no value", "weight"), ("a category that train never had", "shop")):
        moved = of(found, change, column)
        assert (moved.mean, moved.most, moved.changed, moved.score) == (0, 0, 0, found.score)
    assert of(found, "far above all of train", "size").changed is not None
    assert of(found, "far above all of train", "size").score == found.blind == 0.5  # all rows alike


def test_of_a_number_the_way_is_in_deviations_of_the_label(monkeypatch: pytest.MonkeyPatch) -> None:
    case = planted(monkeypatch, lambda size, weight, shop: size, NUMBER)

    found = steadiness(case, SteadinessSettings(rows=300))

    far, size = of(found, "far above all of train", "size"), case.rows["test"]["size"]
    encoded = case.model.preprocessor.encoders[0].encode(size)[:, 0]
    way = np.abs(10 - encoded).mean() / case.truth["train"].std()  # scaled values end at 10
    assert far.mean == pytest.approx(way, rel=1e-3)
    assert far.changed is None
    assert found.unit == "of the label's spread"


def test_answers_that_are_no_numbers_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    case = planted(monkeypatch, lambda size, weight, shop: torch.where(shop == 0, torch.nan, size), candidate=0.5)

    found = steadiness(case, SETTINGS)

    unseen = of(found, "a category that train never had", "shop")
    assert (unseen.broken, unseen.score) == (found.rows, None)
    faults = {edge.case: edge.fault for edge in found.edges if edge.fault}
    assert "texts and categories: none of train's" in faults
    assert [one.name for one in found.remarks if one.severity == "error"] == ["no_answer"]
    assert Steadiness.model_validate_json(found.model_dump_json()) == found


def test_a_model_that_raises_is_caught_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def picky(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
        if len(size) == 1:
            raise IndexError("one row is none")
        return size

    found = steadiness(planted(monkeypatch, picky, candidate=0.5), SETTINGS)

    assert {edge.case: edge.fault for edge in found.edges if edge.fault} == {"one row": "IndexError: one row is none"}


def test_the_spread_of_a_column_is_not_widened_by_outliers() -> None:
    values = np.random.default_rng(0).normal(5, 2, 10_000)
    wild = np.append(values, [1e9, np.nan, np.inf])

    found = Scale.of(pl.Series(wild))

    assert found.spread == pytest.approx(2, rel=0.05)
    assert (found.low, found.high) == (values.min(), 1e9)
    assert Scale.of(pl.Series([None, None], dtype=pl.Float64)) == Scale()


def test_a_trained_model_survives_every_hostile_table(trained_once: Workspace) -> None:
    found = Diagnosis.read(trained_once.diagnosis).steadiness

    assert found is not None
    assert len(found.edges) > 10
    assert [edge for edge in found.edges if edge.fault] == []


def test_columns_that_take_all_with_them_are_told_in_one_remark_the_worst_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = planted(monkeypatch, lambda size, weight, shop: size + 0.5 * weight, NUMBER)

    found = steadiness(case, SETTINGS)

    (remark,) = [one for one in found.remarks if one.name == "breaks_down"]
    assert remark.column is None
    assert remark.message.index("size with far") < remark.message.index("weight with far")
    assert "shop" not in remark.message
