"""Calibration: silent on probabilities that are right, by chance or not, and a word for each way to be wrong."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.features.target import Classes, Ordinal, Quantity, Tags
from pipeline.judgement.calibration import BINS, Reliability, calibration, reliability, told
from pipeline.judgement.case import Case
from pipeline.models import temperature
from pipeline.predictor import Predictor
from pipeline.workspace import Workspace
from tests.judgement.made import case, two

ROWS = 5000
YES_NO = Classes(column="late", classes=["false", "true"])


def drawn(seed: int = 0, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and what came of them."""
    random = np.random.default_rng(seed)
    p_N = random.beta(1, 3, rows)
    return p_N, random.random(rows) < p_N


def bent(p_N: np.ndarray, slope: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """The same with other log odds."""
    told_N: np.ndarray = 1 / (1 + np.exp(-(slope * np.log(p_N / (1 - p_N)) + shift)))
    return told_N


@pytest.mark.parametrize("rows", [100, 1000, ROWS])
def test_probabilities_that_are_right_are_calibrated_but_for_chance(rows: int) -> None:
    words = [reliability("candidate", *drawn(seed, rows), seed=0).word for seed in range(100)]

    assert words.count("calibrated") >= 90  # chance exceeds what it has at most in 5 of 100


@pytest.mark.parametrize(
    ("slope", "shift", "word"),
    [(2.5, 0.0, "too sure"), (0.4, -0.6, "not sure enough"), (1.0, 0.5, "too high"), (1.0, -0.5, "too low")],
)
def test_what_is_wrong_has_a_word(slope: float, shift: float, word: str) -> None:
    p_N, hit_N = drawn()

    found = reliability("candidate", bent(p_N, slope, shift), hit_N, seed=0)

    assert found.word == word
    assert found.words.startswith(f"{word}: calibration error 0.")
    assert (found.temperature > 1) == (slope > 1) or slope == 1
    assert found.shift == pytest.approx(-shift, abs=0.15) or slope != 1


def test_of_very_many_answers_all_tags_are_looked_at_for_what_would_mend_them(monkeypatch: pytest.MonkeyPatch) -> None:
    p_N, hit_N = drawn()
    wrong_N = np.arange(ROWS) % 2 == 1  # of two tags the second is told too sure
    p_N = np.where(wrong_N, bent(p_N, 3.0), p_N)
    whole = reliability("candidate", p_N, hit_N, seed=0)
    monkeypatch.setattr(temperature, "CELLS", ROWS)  # half of the answers are looked at

    found = reliability("candidate", p_N, hit_N, seed=0)

    assert found.temperature != whole.temperature
    assert found.temperature == pytest.approx(whole.temperature, rel=0.1)


def test_the_error_is_the_mean_distance_of_told_and_found() -> None:
    p_N = np.repeat([0.2, 0.8], 50)
    hit_N = np.concatenate([np.arange(50) < 20, np.arange(50) < 45])  # 0.4 and 0.9

    found = reliability("candidate", p_N, hit_N, seed=0)

    assert found.ece == pytest.approx((0.2 + 0.1) / 2)
    assert [(one.rows, one.found) for one in found.bins] == [(50, 0.4), (50, 0.9)]
    assert [one.told for one in found.bins] == pytest.approx([0.2, 0.8])
    assert found.bins[0].low < 0.2 < found.bins[0].high < 0.4


def test_bins_are_of_like_rows() -> None:
    found = reliability("candidate", *drawn(), seed=0)

    assert len(found.bins) == BINS
    assert {one.rows for one in found.bins} <= {ROWS // BINS, ROWS // BINS + 1}
    assert [one.told for one in found.bins] == sorted(one.told for one in found.bins)


@pytest.mark.parametrize("same", [0.0, 0.5, 1.0])
def test_answers_that_are_all_alike_are_one_bin(same: float) -> None:
    found = reliability("majority", np.full(40, same), np.arange(40) < 20, seed=0)

    assert len(found.bins) == 1
    assert found.ece == pytest.approx(abs(same - 0.5))
    assert np.isfinite([found.chance, found.temperature]).all()


def test_one_row_is_no_crash() -> None:
    assert reliability("candidate", np.array([0.3]), np.array([True]), seed=0).ece == pytest.approx(0.7)


def test_of_more_classes_it_is_of_the_likeliest() -> None:
    p_NK = np.array([[0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    three = Ordinal(column="y", classes=["a", "b", "c"], shares=[0.3, 0.3, 0.4])

    p_N, hit_N = told(three, np.array([1, 1]), p_NK)

    assert (p_N.tolist(), hit_N.tolist()) == ([0.5, 0.7], [True, False])


def test_of_tags_it_is_of_every_one() -> None:
    tags = Tags(column="y", written=";", classes=["a", "b"], rare=[])
    y_NK, p_NK = np.array([[True, False]]), np.array([[0.9, 0.3]])

    assert [part.tolist() for part in told(tags, y_NK, p_NK)] == [[0.9, 0.3], [True, False]]


def test_every_model_is_judged_and_a_number_has_no_probabilities() -> None:
    p_N, hit_N = drawn()
    y_N, answers = hit_N.astype(int), {"candidate": two(p_N), "champion": two(bent(p_N, 3.0))}

    found = calibration(case(YES_NO, y_N, answers))

    assert found is not None
    assert [one.model for one in found.models] == ["candidate", "champion"]
    assert found.candidate.ece < found.models[1].ece
    assert (found.of, found.rows, found.tempered) == ("the class that counts as yes", ROWS, None)
    assert calibration(case(Quantity(column="y", center=0, scale=1), y_N, {"candidate": p_N[:, None]})) is None


def test_what_the_temperature_did_is_measured_on_the_models_own_answers(trained_once: Workspace) -> None:
    """The model of the workspace has none; given one, without it the answers are those that it had."""
    import polars as pl

    model = Predictor.load(trained_once.candidate)
    target = model.preprocessor.target
    assert isinstance(target, Classes)
    warm = replace(model, preprocessor=replace(model.preprocessor, target=target.model_copy(update={"temperature": 5})))
    rows = pl.read_parquet(trained_once.split / "test.parquet")
    y_N = rows["slow"].cast(pl.Int64).to_numpy()
    answers = {"candidate": warm.answers(rows)}
    made = replace(case(target, y_N, answers), model=warm, rows={"test": rows}, past={"test": None})

    found = calibration(made)

    assert found is not None and found.tempered is not None
    assert (found.tempered.temperature, found.tempered.rows) == (5, rows.height)
    plain: Reliability = reliability("", *told(target, y_N, model.answers(rows)), seed=0)
    assert found.tempered.ece_without == pytest.approx(plain.ece)
    assert found.tempered.ece_with == pytest.approx(found.candidate.ece)
    assert isinstance(made, Case)
