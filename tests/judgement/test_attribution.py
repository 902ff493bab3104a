"""Why a row was answered so: parts that add up, of models whose parts are known, and of a trained one."""

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.features.target import Classes, Tags
from pipeline.judgement.attribution import Cause, explain, explained, largest
from pipeline.predictor import Predictor
from pipeline.workspace import Workspace
from tests.judgement.planted import NUMBER, planted, rows


def linear(size: Tensor, weight: Tensor, shop: Tensor) -> Tensor:
    return 3 * size - weight


def test_of_a_linear_model_each_part_is_what_its_term_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = planted(monkeypatch, linear, NUMBER).model
    size, weight = (encoder.encode(rows()[encoder.column])[:, 0] for encoder in model.preprocessor.encoders[:2])

    (found,) = explain(model, rows()[:1], rows(), seed=0)

    added = {cause.column: cause.added for cause in found.causes}
    assert found.answer == pytest.approx(3 * size[0] - weight[0], rel=1e-5)
    assert added["shop"] == 0
    assert added["size"] + added["weight"] == pytest.approx(found.answer - found.usual, rel=1e-5)
    other = explain(model, rows()[1:2], rows(), seed=0)[0]
    change = next(cause.added for cause in other.causes if cause.column == "size") - added["size"]
    assert change == pytest.approx(3 * (size[1] - size[0]), rel=1e-5)


def test_columns_that_work_together_share_what_they_add(monkeypatch: pytest.MonkeyPatch) -> None:
    model = planted(monkeypatch, lambda size, weight, shop: (size > 0).float() * (weight > 0).float(), NUMBER).model
    both = rows().filter(pl.col("size") > 1, pl.col("weight") > 1)[:1]
    neither = rows().filter(pl.col("size") < -1, pl.col("weight") < -1)

    (found,) = explain(model, both, neither, seed=0)

    added = {cause.column: (cause.added, cause.error) for cause in found.causes}
    assert (found.answer, found.usual) == (1, 0)
    for column in ("size", "weight"):
        value, error = added[column]
        assert value == pytest.approx(0.5, abs=4 * error)
        assert 0 < error < 0.2


def test_the_number_that_is_explained_is_that_of_the_answer() -> None:
    two, three = Classes(column="y", classes=["no", "yes"]), Classes(column="y", classes=["a", "b", "c"])
    tags = Tags(column="y", written=";", classes=["a", "b"], rare=[])
    p_NK = np.array([[0.2, 0.1, 0.7]])

    assert explained(two, np.array([0.9, 0.1]))[0] == "p: yes"
    name, number = explained(three, p_NK[0])
    assert (name, number(p_NK).tolist()) == ("p: c", [0.7])
    assert explained(tags, np.array([0.6, 0.1]))[0] == "p: a"


def test_the_same_seed_explains_the_same_and_leaves_the_random_state(monkeypatch: pytest.MonkeyPatch) -> None:
    model = planted(monkeypatch, lambda size, weight, shop: size * weight).model
    torch.manual_seed(3)
    expected = torch.rand(1)

    torch.manual_seed(3)
    first, second = (explain(model, rows()[:2], rows(), seed=1) for _ in range(2))

    assert first == second
    assert torch.rand(1) == expected


def test_a_trained_model_is_explained_on_top_of_what_it_answers(trained_once: Workspace) -> None:
    model = Predictor.load(trained_once.candidate, trained_once.media)
    test, train = (
        artefacts.scan_parquet(trained_once.split / f"{name}.parquet").collect() for name in ("test", "train")
    )

    found = explain(model, test[:3], train, seed=0)

    answers = model.answers(test[:3])[:, 1]
    for one, answer in zip(found, answers, strict=True):
        assert one.answer == pytest.approx(answer, abs=1e-6)
        assert sum(cause.added for cause in one.causes) == pytest.approx(answer - one.usual, abs=1e-5)
    assert found[0].causes[0].value == test[found[0].causes[0].column][0]


def test_rows_of_series_are_not_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    model = planted(monkeypatch, linear, NUMBER).model
    object.__setattr__(model.preprocessor, "series", "anything")

    with pytest.raises(WorkspaceError, match="no row can be explained by itself"):
        explain(model, rows()[:1], rows(), seed=0)


def test_what_is_not_shown_is_added_up() -> None:
    causes = [
        Cause(column=name, value=1, added=added, error=0.0) for name, added in (("a", 3.0), ("b", 2.0), ("c", -0.5))
    ]

    assert largest(causes, 1) == (causes[:1], 1.5)
