"""Predict: rows in their order, classes that are asked for, and the errors of a model that does not fit."""

import shutil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.features.target import Classes
from pipeline.models import saved
from pipeline.models.network import answers
from pipeline.models.network import tensors as network_inputs
from pipeline.predictor import PREDICTION, Predictor, aligned, prediction_frame
from pipeline.workspace import Workspace

CLASSES = ("a", "b", "c", "d")


def rows(workspace: Workspace) -> pl.DataFrame:
    return pl.read_parquet(workspace.split / "test.parquet")


def test_typed_rows_are_answered_like_their_tensors(trained_once: Workspace) -> None:
    tensors = artefacts.read_tensors(trained_once.normalized / "test.safetensors")
    network = saved.load(trained_once.candidate)

    model = Predictor.load(trained_once.candidate)
    p_NK = model.answers(rows(trained_once))

    assert np.array_equal(p_NK, answers(network, network_inputs(tensors), model.preprocessor.target))
    assert p_NK.sum(axis=1) == pytest.approx(np.ones(len(p_NK)))


def test_the_order_of_rows_and_columns_and_the_label_do_not_matter(trained_once: Workspace) -> None:
    model, some = Predictor.load(trained_once.candidate), rows(trained_once)
    order = np.random.default_rng(0).permutation(some.height)

    turned = model.answers(some[order].select(*reversed(some.columns)).drop("slow", "row_id"))

    assert turned == pytest.approx(model.answers(some)[order], abs=1e-6)


def test_no_rows_have_no_answers(trained_once: Workspace) -> None:
    p_NK = Predictor.load(trained_once.candidate).answers(rows(trained_once).clear())

    assert p_NK.shape == (0, 2)


def test_wild_rows_have_answers(trained_once: Workspace) -> None:
    wild = rows(trained_once).with_columns(
        distance=pl.lit(1e308), weight=pl.lit(float("nan")), shop=pl.lit("moon"), weekday=pl.lit(None, pl.String)
    )

    p_NK = Predictor.load(trained_once.candidate).answers(wild)

    assert np.isfinite(p_NK).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [(pl.exclude("shop"), "shop"), (pl.col("*").exclude("distance"), "distance")],
)
def test_rows_without_a_column_that_the_model_reads_are_an_error(
    change: pl.Expr, words: str, trained_once: Workspace
) -> None:
    with pytest.raises(WorkspaceError, match=rf"the model reads .*{words}.*contract"):
        Predictor.load(trained_once.candidate).answers(rows(trained_once).select(change))


def test_a_column_that_has_become_text_is_an_error(trained_once: Workspace) -> None:
    changed = rows(trained_once).with_columns(distance=pl.lit("far"))

    with pytest.raises(WorkspaceError, match="contract says otherwise"):
        Predictor.load(trained_once.candidate).answers(changed)


def test_a_model_that_is_altered_after_loading_is_refused(trained: Workspace) -> None:
    model = Predictor.load(trained.candidate)
    shutil.copyfile(trained.candidate / saved.HISTORY, trained.candidate / saved.WEIGHTS)

    with pytest.raises(WorkspaceError, match="is not the file that was written"):
        model.answers(rows(trained))


def test_an_absent_model_is_an_error(tiny: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="is absent"):
        Predictor.load(tiny.candidate)


def test_the_frame_holds_the_probability_of_the_last_class() -> None:
    frame = prediction_frame(np.array([[0.9, 0.1], [0.2, 0.8]]), Classes(column="y", classes=["no", "yes"])).collect()

    assert frame[PREDICTION].to_list() == [0.1, 0.8]


@given(
    known=st.lists(st.sampled_from(CLASSES), min_size=2, unique=True),
    wanted=st.lists(st.sampled_from(CLASSES), min_size=2, unique=True),
    seed=st.integers(0, 99),
)
def test_aligned_probabilities_are_probabilities_in_the_order_asked_for(
    known: list[str], wanted: list[str], seed: int
) -> None:
    p_NK = np.random.default_rng(seed).dirichlet(np.ones(len(known)), 4)

    found = aligned(p_NK, known, wanted)

    assert found.shape == (4, len(wanted))
    assert found.sum(axis=1) == pytest.approx(np.ones(4))
    shared = [name for name in wanted if name in known]
    before, after = (p[:, [names.index(n) for n in shared]] for p, names in ((p_NK, known), (found, wanted)))
    if shared:
        assert after * before.sum(axis=1, keepdims=True) == pytest.approx(before)


def test_the_same_classes_are_left_as_they_are() -> None:
    p_NK = np.array([[0.3, 0.7]])

    assert aligned(p_NK, ("false", "true"), ("false", "true")) is p_NK
