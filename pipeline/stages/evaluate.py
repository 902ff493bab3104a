"""Stage 7: score the candidate on test, once, beside the baselines and the champion on the very same rows.

The baselines are fitted on train alone, with the candidate's own tensors. The threshold that turns a
probability into an answer is chosen on val for every model.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipeline import artefacts, metrics, registry
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.features.target import Quantity, Target
from pipeline.metrics import Kind, Metric, Paired, Scores, classification, drawn
from pipeline.metrics.drawn import Residuals
from pipeline.models import baselines, saved
from pipeline.predict import Predictor, aligned
from pipeline.stages.split import SPLITS, SplitName, SplitRecord
from pipeline.workspace import Section, Workspace

Tensors = Mapping[str, np.ndarray]
Answers = dict[str, np.ndarray]
COMPARED: tuple[SplitName, ...] = ("val", "test")  # the others choose their threshold on val, and are scored on test
OVERFIT_GAP = 0.05
UNDERFIT = 0.05  # above what a model scores that learnt nothing
GAPS: Mapping[Metric, str] = {"auc": "AUC", "r2": "R²"}


class EvaluateSettings(Section):
    """How the candidate is judged; `overfit_gap` is of the AUC of classes, of the R² of a quantity."""

    key: ClassVar[str] = "evaluate"
    resamples: int = Field(default=200, ge=50)
    overfit_gap: float = Field(default=OVERFIT_GAP, gt=0, lt=0.5)


class Fit(Record):
    """Whether the candidate fits, in a word, and why."""

    word: Literal["fits", "overfits", "underfits"]
    why: str


class Evaluation(Record):
    """How good the candidate is: reports/evaluation.json.

    Thresholds, curves, calibration and confusion are those of classes, `predicted` and `residuals` of a quantity.
    """

    label: str
    target: Kind = Field(default="classes", exclude_if=lambda kind: kind == "classes")
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
    predicted: list[tuple[float, float]] = Field(default_factory=list, exclude_if=lambda dots: not dots)
    residuals: list[Residuals] = Field(default_factory=list, exclude_if=lambda tenths: not tenths)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Every model's answers on a split, by model; N rows: y_N the truth, each answer (N, K) as `network.answers`."""

    y_N: np.ndarray
    answers: Answers


def run(workspace: Workspace) -> Evaluation:
    """Evaluate the candidate against the baselines, and against the champion if there is one."""
    settings, fitted = workspace.section(EvaluateSettings), Preprocessor.read(workspace.candidate)
    tensors = {n: artefacts.read_tensors(workspace.normalized / f"{n}.safetensors") for n in SPLITS}
    truth = {name: fitted.target.truth(part[LABEL]) for name, part in tensors.items()}
    answers = {name: candidate_answers(workspace.candidate, part, fitted.target) for name, part in tensors.items()}
    judged = {n: Judged(y_N=truth[n], answers={"candidate": answers[n]}) for n in SPLITS}
    others = baselines.fit(tensors["train"], truth["train"], fitted.target.kind, workspace.seed)
    for name in COMPARED:
        x = baselines.inputs(tensors[name])
        judged[name].answers.update({model: baselines.answers(other, x) for model, other in others.items()})
    champion = registry.champion_folder(workspace)
    if champion is not None:
        model = Predictor.load(champion, workspace.media)
        require_kind(model, fitted.target, workspace)
        for name in COMPARED:
            a_NK = model.answers(artefacts.scan_parquet(workspace.split / f"{name}.parquet").collect())
            judged[name].answers["champion"] = aligned(a_NK, model.preprocessor.classes, fitted.classes)
    record = evaluation(judged, fitted.target, settings, workspace.seed, _facts(workspace, fitted))
    _publish(workspace, record)
    return record


def require_kind(model: Predictor, target: Target, workspace: Workspace) -> None:
    """Raise WorkspaceError where the champion tells classes and the candidate a quantity, or the other way round."""
    then = model.preprocessor.target.kind
    if then != target.kind:
        raise WorkspaceError(
            f"the champion tells {target.column} as {then}, the candidate as {target.kind}: they cannot be compared",
            where=workspace.relative(model.folder),
            fix="begin anew: set models/champion.json and models/registry aside; or mend the label's modality",
        )


def _facts(workspace: Workspace, fitted: Preprocessor) -> dict[str, Any]:
    """What the record says beside the scores."""
    split = SplitRecord.read(workspace.split / "manifest.json")
    history = artefacts.read_json(workspace.candidate / saved.HISTORY)
    spans = sorted(split.span.values())
    return {
        "label": fitted.label,
        "target": fitted.target.kind,
        "classes": list(fitted.classes),
        "candidate": saved.verify(workspace.candidate).identity,
        "champion": registry.champion(workspace).version,
        "window": {"first": spans[0][0] if spans else None, "last": max(e for _, e in spans) if spans else None},
        "curves": {key: [epoch[key] for epoch in history["epochs"]] for key in history["epochs"][0]},
        "best_epoch": history["best_epoch"],
    }


def candidate_answers(folder: Path, part: Tensors, target: Target) -> np.ndarray:
    """(N, K) what the candidate answers on a split's tensors."""
    from pipeline.models import network

    return network.answers(saved.load(folder), network.tensors(part), target)


def evaluation(
    judged: Mapping[SplitName, Judged], target: Target, settings: EvaluateSettings, seed: int, facts: dict[str, Any]
) -> Evaluation:
    """Everything that is said of the candidate; pure."""
    test, measures = judged["test"], metrics.OF[target.kind]
    thresholds = thresholds_of(judged["val"], target)
    w_RN = metrics.resamples(len(test.y_N), seed, settings.resamples)
    held = {model: held_against(target, thresholds, model) for model in test.answers}
    found = {m: measures.values(test.y_N, a_NK, held[m], w_RN) for m, a_NK in test.answers.items()}
    scores = {model: {"test": metrics.scores(values)} for model, values in found.items()}
    for name in ("train", "val"):
        part = judged[name]
        values = measures.values(part.y_N, part.answers["candidate"], held["candidate"])
        scores["candidate"][name] = metrics.scores(values)
    return Evaluation(
        **facts,
        **(of_quantity(test) if isinstance(target, Quantity) else of_classes(judged, thresholds)),
        seed=seed,
        rows={name: len(part.y_N) for name, part in judged.items()},
        thresholds=thresholds,
        scores=scores,
        paired=[
            metrics.paired(model, metric, found["candidate"], values)
            for model, values in found.items()
            if model != "candidate"
            for metric in measures.paired
        ],
        fit=fit_word(scores["candidate"], settings.overfit_gap),
    )


def thresholds_of(val: Judged, target: Target) -> dict[str, float]:
    """From which probability each model says yes, chosen on val; a quantity has none."""
    if isinstance(target, Quantity):
        return {}
    return {model: classification.best_threshold(val.y_N, p_NK) for model, p_NK in val.answers.items()}


def held_against(target: Target, thresholds: Mapping[str, float], model: str) -> float:
    """What a model's answers are held against: its threshold, or the mean of the candidate's training rows."""
    return target.center if isinstance(target, Quantity) else thresholds[model]


def of_classes(judged: Mapping[SplitName, Judged], thresholds: Mapping[str, float]) -> dict[str, Any]:
    """Curves and calibration of every model on test, and the candidate's confusion."""
    test = judged["test"]
    own = test.answers["candidate"]
    said_N = classification.answers(own, thresholds["candidate"])
    return {
        "positive_share": {name: float((part.y_N == own.shape[1] - 1).mean()) for name, part in judged.items()},
        "roc": {model: drawn.roc(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        "precision_recall": {model: drawn.precision_recall(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        "calibration": {model: drawn.calibration(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        "confusion": drawn.confusion(test.y_N, said_N, own.shape[1]),
    }


def of_quantity(test: Judged) -> dict[str, Any]:
    """The candidate's answers beside the truth, and their residuals, on test."""
    own_N = test.answers["candidate"][:, 0]
    none: dict[str, Any] = {"positive_share": {}, "roc": {}, "precision_recall": {}, "calibration": {}, "confusion": []}
    return none | {"predicted": drawn.predicted(test.y_N, own_N), "residuals": drawn.residuals(test.y_N, own_N)}


def fit_word(scores: Mapping[str, Scores], overfit_gap: float) -> Fit:
    """One word on the gap between train and test in AUC or R², and on how far train is from having learnt nothing."""
    measures = metrics.measures_of(scores["train"])
    train, val, test = (scores[name][measures.gap].value for name in SPLITS)
    seen = f"{GAPS[measures.gap]} is {train:.3f} on train, {val:.3f} on val, {test:.3f} on test"
    least = measures.blind + UNDERFIT
    if train < least:
        return Fit(word="underfits", why=f"{seen}: train itself is below {least:g}")
    if train - max(val, test) > overfit_gap:
        return Fit(word="overfits", why=f"{seen}: train is more than {overfit_gap} above both others")
    return Fit(word="fits", why=f"{seen}: the gap is within {overfit_gap}")


def _publish(workspace: Workspace, record: Evaluation) -> None:
    """Write evaluation.json, the few flat numbers for `dvc metrics`, and the curves for `dvc plots`."""
    record.write(workspace.evaluation)
    flat = {n: {m: s.value for m, s in of_split.items()} for n, of_split in record.scores["candidate"].items()}
    main = metrics.OF[record.target].main
    gain = {pair.model: pair.difference for pair in record.paired if pair.metric == main}
    artefacts.write_json(workspace.metrics, {**flat, "gain": gain})
    with artefacts.replacing(workspace.plots) as folder:
        for name, points in _plots(record).items():
            artefacts.write_json(folder / f"{name}.json", {name: points})


def _plots(record: Evaluation) -> dict[str, list[dict[str, float]]]:
    """The candidate's points by the name of their file."""
    if record.target == "quantity":
        off = [{"answer": t.answer, "bias": t.answer - t.truth, "absolute": t.absolute} for t in record.residuals]
        return {"predicted": [{"truth": x, "answer": y} for x, y in record.predicted], "residuals": off}
    return {
        "roc": [{"fpr": x, "tpr": y} for x, y in record.roc["candidate"]],
        "precision_recall": [{"recall": x, "precision": y} for x, y in record.precision_recall["candidate"]],
    }
