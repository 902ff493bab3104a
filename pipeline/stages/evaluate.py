"""Stage 7: score the candidate on test, once, beside the baselines and the champion on the very same rows.

The baselines are fitted on train alone, with the candidate's own tensors. The threshold that turns a
probability into an answer is chosen on val for every model.
"""

import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field

from pipeline import artefacts, metrics, registry
from pipeline.artefacts import Record
from pipeline.features.preprocessor import Preprocessor
from pipeline.metrics import Paired, Scores
from pipeline.models import saved
from pipeline.predict import Predictor, aligned
from pipeline.stages.split import SPLITS, SplitName, SplitRecord
from pipeline.workspace import Section, Workspace

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin

Tensors = Mapping[str, np.ndarray]
Answers = dict[str, np.ndarray]
Baseline = Literal["majority", "logistic_regression", "hist_gradient_boosting"]
PairedMetric = Literal["auc", "average_precision", "log_loss"]  # those that hang on no threshold
PAIRED: tuple[PairedMetric, ...] = get_args(PairedMetric)
COMPARED: tuple[SplitName, ...] = ("val", "test")  # the others choose their threshold on val, and are scored on test
CURVE_POINTS = 200
CALIBRATION_BINS = 10
OVERFIT_GAP = 0.05
UNDERFIT_AUC = 0.55
LINEAR_STEPS = 1000
log = logging.getLogger(__name__)


class EvaluateSettings(Section):
    """How the candidate is judged."""

    key: ClassVar[str] = "evaluate"
    resamples: int = Field(default=200, ge=50)
    overfit_gap: float = Field(default=OVERFIT_GAP, gt=0, lt=0.5)


class Fit(Record):
    """Whether the candidate fits, in a word, and why."""

    word: Literal["fits", "overfits", "underfits"]
    why: str


class Evaluation(Record):
    """How good the candidate is: reports/evaluation.json."""

    label: str
    classes: list[str]
    seed: int
    candidate: str
    champion: str | None
    rows: dict[str, int]
    positive_share: dict[str, float]
    window: dict[str, str | None]
    thresholds: dict[str, float]
    scores: dict[str, dict[str, Scores]]
    paired: list[Paired]
    fit: Fit
    roc: dict[str, list[tuple[float, float]]]
    precision_recall: dict[str, list[tuple[float, float]]]
    calibration: dict[str, list[tuple[float, float, int]]]
    confusion: list[list[int]]
    curves: dict[str, list[float]]
    best_epoch: int


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Every model's probabilities on a split, by model; N rows, K classes: y_N int, each answer (N, K)."""

    y_N: np.ndarray
    answers: Answers


def run(workspace: Workspace) -> Evaluation:
    """Evaluate the candidate against the baselines, and against the champion if there is one."""
    settings = workspace.section(EvaluateSettings)
    tensors = {n: artefacts.read_tensors(workspace.normalized / f"{n}.safetensors") for n in SPLITS}
    answers = {name: candidate_answers(workspace.candidate, part) for name, part in tensors.items()}
    baselines = fit_baselines(tensors["train"], workspace.seed)
    judged = {n: Judged(y_N=tensors[n]["label"], answers={"candidate": answers[n]}) for n in SPLITS}
    for name in COMPARED:
        judged[name].answers.update({m: b.predict_proba(inputs(tensors[name])) for m, b in baselines.items()})
    champion = registry.champion_folder(workspace)
    if champion is not None:
        model, classes = Predictor.load(champion), Preprocessor.read(workspace.candidate).classes
        for name in COMPARED:
            p_NK = model.probabilities(artefacts.scan_parquet(workspace.split / f"{name}.parquet").collect())
            judged[name].answers["champion"] = aligned(p_NK, model.preprocessor.classes, classes)
    record = evaluation(judged, settings, workspace.seed, _facts(workspace))
    _publish(workspace, record)
    return record


def _facts(workspace: Workspace) -> dict[str, Any]:
    """What the record says beside the scores."""
    split = SplitRecord.read(workspace.split / "manifest.json")
    history = artefacts.read_json(workspace.candidate / saved.HISTORY)
    fitted = Preprocessor.read(workspace.candidate)
    spans = sorted(split.span.values())
    return {
        "label": fitted.label,
        "classes": list(fitted.classes),
        "candidate": saved.verify(workspace.candidate).identity,
        "champion": registry.champion(workspace).version,
        "window": {"first": spans[0][0] if spans else None, "last": max(e for _, e in spans) if spans else None},
        "curves": {key: [epoch[key] for epoch in history["epochs"]] for key in history["epochs"][0]},
        "best_epoch": history["best_epoch"],
    }


def candidate_answers(folder: Path, part: Tensors) -> np.ndarray:
    """(N, K) what the candidate answers on a split's tensors."""
    from pipeline.models.network import probabilities, tensors

    answers: np.ndarray = probabilities(saved.load(folder), tensors(part)).numpy()
    return answers


def inputs(part: Tensors) -> np.ndarray:
    """(N, D + C) float32: dense values, then codes, as the baselines take them."""
    return np.concatenate([part["dense"], part["codes"].astype(np.float32)], axis=1)


def fit_baselines(train: Tensors, seed: int) -> "dict[Baseline, ClassifierMixin]":
    """Fit each baseline on the training rows: the share of each class, a linear model, and boosted trees."""
    from sklearn.dummy import DummyClassifier
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.exceptions import ConvergenceWarning

    dense = train["dense"].shape[1]
    codes = range(dense, dense + train["codes"].shape[1])
    # scikit-learn takes at most 255 categories a column; a column with more is taken as ordered codes
    few = [column for column in codes if train["codes"][:, column - dense].max() < 255]
    x, y = inputs(train), train["label"]
    models: dict[Baseline, ClassifierMixin] = {
        "majority": DummyClassifier(strategy="prior"),
        "logistic_regression": _linear(list(codes)),
        "hist_gradient_boosting": HistGradientBoostingClassifier(categorical_features=few, random_state=seed),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is said below, and counts as it is
        fitted = {name: model.fit(x, y) for name, model in models.items()}
    if fitted["logistic_regression"][-1].n_iter_.max() >= LINEAR_STEPS:
        log.warning("logistic_regression had not converged after %d steps: it may be a little better", LINEAR_STEPS)
    return fitted


def _linear(codes: list[int]) -> "ClassifierMixin":
    """Logistic regression over scaled dense values and one-hot codes."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    one_hot = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    encode = ColumnTransformer([("codes", one_hot, codes)], remainder="passthrough")
    return make_pipeline(encode, LogisticRegression(max_iter=LINEAR_STEPS))


def evaluation(
    judged: Mapping[SplitName, Judged], settings: EvaluateSettings, seed: int, facts: dict[str, Any]
) -> Evaluation:
    """Everything that is said of the candidate; pure."""
    test, val = judged["test"], judged["val"]
    w_RN = metrics.resamples(len(test.y_N), seed, settings.resamples)
    thresholds = {model: metrics.best_threshold(val.y_N, p_NK) for model, p_NK in val.answers.items()}
    found = {m: metrics.values(test.y_N, p, thresholds[m], w_RN) for m, p in test.answers.items()}
    scores = {model: {"test": metrics.scores(values)} for model, values in found.items()}
    for name in ("train", "val"):
        part = judged[name]
        values = metrics.values(part.y_N, part.answers["candidate"], thresholds["candidate"])
        scores["candidate"][name] = metrics.scores(values)
    own = test.answers["candidate"]
    return Evaluation(
        **facts,
        seed=seed,
        rows={name: len(part.y_N) for name, part in judged.items()},
        positive_share={name: float((part.y_N == own.shape[1] - 1).mean()) for name, part in judged.items()},
        thresholds=thresholds,
        scores=scores,
        paired=[
            metrics.paired(model, metric, found["candidate"], values)
            for model, values in found.items()
            if model != "candidate"
            for metric in PAIRED
        ],
        fit=fit_word(scores["candidate"], settings.overfit_gap),
        roc={model: roc(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        precision_recall={model: precision_recall(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        calibration={model: calibration(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        confusion=confusion(test.y_N, metrics.answers(own, thresholds["candidate"]), own.shape[1]),
    )


def fit_word(scores: Mapping[str, Scores], overfit_gap: float) -> Fit:
    """One word on the gap between train and test AUC, and on how far train itself is from a coin's 0.5."""
    train, val, test = (scores[name]["auc"].value for name in SPLITS)
    seen = f"AUC is {train:.3f} on train, {val:.3f} on val, {test:.3f} on test"
    if train < UNDERFIT_AUC:
        return Fit(word="underfits", why=f"{seen}: train itself is below {UNDERFIT_AUC}")
    if train - max(val, test) > overfit_gap:
        return Fit(word="overfits", why=f"{seen}: train is more than {overfit_gap} above both others")
    return Fit(word="fits", why=f"{seen}: the gap is within {overfit_gap}")


def roc(y_N: np.ndarray, p_NK: np.ndarray) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) of the last class, at most CURVE_POINTS points."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(y_N == p_NK.shape[1] - 1, p_NK[:, -1])
    return _thinned(fpr, tpr)


def precision_recall(y_N: np.ndarray, p_NK: np.ndarray) -> list[tuple[float, float]]:
    """(recall, precision) of the last class, at most CURVE_POINTS points."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(y_N == p_NK.shape[1] - 1, p_NK[:, -1])
    return _thinned(recall[::-1], precision[::-1])


def _thinned(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """The curve read off at even steps along its way, so that steep parts keep their points; ends included."""
    way = np.append(0.0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y))))
    places = np.searchsorted(way, np.linspace(0.0, way[-1], CURVE_POINTS)).clip(0, len(x) - 1)
    chosen = sorted({0, *places.tolist(), len(x) - 1})
    return [(round(float(x[i]), 5), round(float(y[i]), 5)) for i in chosen]


def calibration(y_N: np.ndarray, p_NK: np.ndarray) -> list[tuple[float, float, int]]:
    """(mean predicted, observed share, rows) of the last class in ten bins of equal rows."""
    order = np.argsort(p_NK[:, -1], kind="stable")
    bins = [part for part in np.array_split(order, CALIBRATION_BINS) if len(part)]
    hit = y_N == p_NK.shape[1] - 1
    return [(float(p_NK[part, -1].mean()), float(hit[part].mean()), len(part)) for part in bins]


def confusion(y_N: np.ndarray, said_N: np.ndarray, classes: int) -> list[list[int]]:
    """Rows by truth (down) and answer (across)."""
    counted: list[list[int]] = np.bincount(y_N * classes + said_N, minlength=classes**2).reshape(classes, -1).tolist()
    return counted


def _publish(workspace: Workspace, record: Evaluation) -> None:
    """Write evaluation.json, the few flat numbers for `dvc metrics`, and the curves for `dvc plots`."""
    record.write(workspace.evaluation)
    flat = {n: {m: s.value for m, s in of_split.items()} for n, of_split in record.scores["candidate"].items()}
    artefacts.write_json(
        workspace.metrics, {**flat, "gain": {p.model: p.difference for p in record.paired if p.metric == "auc"}}
    )
    with artefacts.replacing(workspace.plots) as folder:
        roc_points = [{"fpr": x, "tpr": y} for x, y in record.roc["candidate"]]
        artefacts.write_json(folder / "roc.json", {"roc": roc_points})
        recall_points = [{"recall": x, "precision": y} for x, y in record.precision_recall["candidate"]]
        artefacts.write_json(folder / "precision_recall.json", {"precision_recall": recall_points})
