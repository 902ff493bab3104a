"""What a model uses: of models that are known to use one column, two that say the same, or none."""

import numpy as np
import pytest
from torch import Tensor

from pipeline.judgement.importance import ALL_ALONE, Importance, ImportanceSettings, importance
from pipeline.workspace import Workspace
from tests.judgement.planted import NUMBER, planted

SETTINGS = ImportanceSettings()


def of_size(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
    return 3 * size


def by_name(found: Importance | None) -> dict[str, float]:
    assert found is not None
    return {one.column: one.lost for one in found.columns}


def test_a_model_of_one_column_loses_all_with_it_and_nothing_with_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importance(planted(monkeypatch, of_size), SETTINGS)

    assert found is not None
    size, *others = found.columns
    assert size.column == "size"
    assert size.alone == pytest.approx(1)
    assert size.low > 0.8
    assert [(one.lost, one.high) for one in others] == [(0, 0)] * 2
    assert {one.name: one.column for one in found.remarks} == {"carries_all": "size", "not_felt": None}
    assert "weight, shop" in next(one.message for one in found.remarks if one.name == "not_felt")


def test_columns_that_share_the_work_carry_a_part_each(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importance(planted(monkeypatch, lambda size, weight, shop: size + weight), SETTINGS)

    assert found is not None
    assert all(0.2 < one.lost < 0.8 for one in found.columns[:2])
    assert all(one.alone < ALL_ALONE for one in found.columns)
    assert [(one.name, one.column) for one in found.remarks] == [("not_felt", "shop")]


def test_of_a_number_the_loss_is_of_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importance(planted(monkeypatch, lambda size, weight, shop: size, NUMBER), SETTINGS)

    assert found is not None
    assert (found.metric, found.score < found.blind) == ("rmse", True)
    lost = by_name(found)
    assert lost["size"] > 0.9  # two rows' sizes are further apart than one is from the mean
    assert (lost["weight"], lost["shop"]) == (0, 0)


def test_a_model_that_knows_nothing_is_not_asked_what_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert importance(planted(monkeypatch, lambda size, weight, shop: 0 * size), SETTINGS) is None


def test_the_same_seed_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    case = planted(monkeypatch, of_size)

    assert importance(case, SETTINGS) == importance(case, SETTINGS)


def test_fewer_rows_are_drawn_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importance(planted(monkeypatch, of_size), ImportanceSettings(rows=50))

    assert found is not None
    assert found.rows == 50


def test_of_a_trained_model_what_made_the_label_is_felt_most(trained_once: Workspace) -> None:
    from pipeline.judgement.record import Diagnosis

    found = Diagnosis.read(trained_once.diagnosis).importance

    assert found is not None
    assert found.columns[0].column == "distance"
    assert np.isfinite([one.lost for one in found.columns]).all()
