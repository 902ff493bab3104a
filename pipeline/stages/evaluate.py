"""Stage 7: score the candidate on test, once, beside the baselines and the champion on the very same rows.

The baselines are fitted on train alone, with the candidate's own tensors. The threshold that turns a
probability into an answer is chosen on val for every model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipeline import artefacts, metrics, registry
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.features.target import Classes, Forecast, Ordinal, Quantiles, Tags, Target
from pipeline.features.windows import together
from pipeline.metrics import At, Kind, Metric, Paired, Scores, classification, drawn, forecasting, ordinal
from pipeline.metrics.drawn import Below, OneTag, Residuals
from pipeline.models import baselines, forecasts, saved
from pipeline.models.health.checkup import Health
from pipeline.models.health.symptom import Symptom
from pipeline.predict import Predictor, comparable
from pipeline.stages.samples import before, samples
from pipeline.stages.split import SPLITS, SplitName, SplitRecord
from pipeline.workspace import Section, Workspace

Tensors = Mapping[str, Any]  # arrays, and windows of some
Answers = dict[str, np.ndarray]
COMPARED: tuple[SplitName, ...] = ("val", "test")  # the others choose their threshold on val, and are scored on test
OVERFIT_GAP = 0.05
UNDERFIT = 0.05  # above what a model scores that learnt nothing
GAPS: Mapping[Metric, str] = {
    "auc": "AUC",
    "r2": "R²",
    "quadratic_weighted_kappa": "kappa",
    "mean_average_precision": "mean average precision",
}


class EvaluateSettings(Section):
    """How the candidate is judged; `overfit_gap` is of the AUC of classes, of the R² of a number.

    Of classes in an order it is of the kappa with squared weights, of tags of the mean average precision.
    """

    key: ClassVar[str] = "evaluate"
    resamples: int = Field(default=200, ge=50)
    overfit_gap: float = Field(default=OVERFIT_GAP, gt=0, lt=0.5)


class Fit(Record):
    """Whether the candidate fits, in a word, and why."""

    word: Literal["fits", "overfits", "underfits"]
    why: str


class Evaluation(Record):
    """How good the candidate is: reports/evaluation.json.

    Thresholds, curves, calibration and confusion are those of classes, `predicted` and `residuals` of a number, `below`
    of its quantiles, `tags` of tags, which have a threshold too. Of a forecast `steps` has each model's mean absolute
    error by step, and `naive_error` what MASE is a multiple of.
    """

    label: str
    target: Kind = Field(default="classes", exclude_if=lambda kind: kind == "classes")
    classes: list[str]
    seed: int
    candidate: str
    champion: str | None
    unseen: list[str] = Field(default_factory=list, exclude_if=lambda columns: not columns)  # by the baselines
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
    health: list[Symptom] | None = None
    predicted: list[tuple[float, float]] = Field(default_factory=list, exclude_if=lambda dots: not dots)
    residuals: list[Residuals] = Field(default_factory=list, exclude_if=lambda tenths: not tenths)
    below: list[Below] = Field(default_factory=list, exclude_if=lambda quantiles: not quantiles)
    tags: list[OneTag] = Field(default_factory=list, exclude_if=lambda tags: not tags)
    steps: dict[str, list[float]] = Field(default_factory=dict, exclude_if=lambda steps: not steps)
    naive_error: float | None = Field(default=None, exclude_if=lambda error: error is None)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Every model's answers on a split, by model; N rows: y_N the truth, each answer (N, K) as `network.answers`.

    Of tags the truth is (N, K).
    """

    y_N: np.ndarray
    answers: Answers


def run(workspace: Workspace) -> Evaluation:
    """Evaluate the candidate against the baselines, and against the champion if there is one."""
    settings, fitted = workspace.section(EvaluateSettings), Preprocessor.read(workspace.candidate)
    tensors = {n: together(artefacts.read_tensors(workspace.normalized / f"{n}.safetensors")) for n in SPLITS}
    truth = {name: fitted.target.truth(part[LABEL]) for name, part in tensors.items()}
    answers = {name: candidate_answers(workspace.candidate, part, fitted.target) for name, part in tensors.items()}
    judged = {n: Judged(y_N=truth[n], answers={"candidate": answers[n]}) for n in SPLITS}
    others = baseline_answers(tensors, truth["train"], fitted.target, workspace.seed)
    for name in others:
        judged[name].answers.update(others[name])
    champion = registry.champion_folder(workspace)
    if champion is not None:
        model = Predictor.load(champion, workspace.media)
        require_kind(model, fitted.target, workspace)
        for name in COMPARED:
            judged[name].answers["champion"] = champion_answers(workspace, model, fitted, name)
    record = evaluation(judged, fitted.target, settings, workspace.seed, _facts(workspace, fitted))
    _publish(workspace, record)
    return record


def baseline_answers(
    tensors: Mapping[SplitName, Tensors], y_N: np.ndarray, target: Target, seed: int
) -> dict[SplitName, Answers]:
    """What each baseline answers on val and test, of a forecast on train too; `y_N` is the truth of train."""
    if isinstance(target, Forecast):
        return forecasts.answers(tensors, target)
    quantiles = target.quantiles if isinstance(target, Quantiles) else ()
    fitted = baselines.fit(tensors["train"], y_N, target.kind, seed, quantiles=quantiles)
    seen = {name: baselines.inputs(tensors[name]) for name in COMPARED}
    return {n: {model: baselines.answers(other, x) for model, other in fitted.items()} for n, x in seen.items()}


def champion_answers(workspace: Workspace, model: Predictor, fitted: Preprocessor, name: SplitName) -> np.ndarray:
    """(N, K) what the champion answers on a split, of a forecast on the rows that the candidate forecasts from."""
    rows = artefacts.scan_parquet(workspace.split / f"{name}.parquet").collect()
    known, wanted = model.preprocessor.target, fitted.target
    a_NK = replace(model, past=before(workspace, model.preprocessor, name)).answers(rows)
    if not (isinstance(known, Forecast) and isinstance(wanted, Forecast)):
        return comparable(a_NK, known, wanted)
    chosen, _ = samples(workspace, fitted, name)
    return wanted.of_unit(known.in_unit(a_NK, rows), rows)[chosen]


def require_kind(model: Predictor, target: Target, workspace: Workspace) -> None:
    """Raise WorkspaceError where the champion tells classes and the candidate a number, or the like."""
    then, now = (_told_as(each) for each in (model.preprocessor.target, target))
    if then != now:
        raise WorkspaceError(
            f"the champion tells {target.column} as {then}, the candidate as {now}: they cannot be compared",
            where=workspace.relative(model.folder),
            fix="begin anew: set models/champion.json and models/registry aside; or mend the label's modality",
        )


def _told_as(target: Target) -> str:
    return f"a forecast of {target.horizon} steps" if isinstance(target, Forecast) else target.label_kind


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
        "unseen": list(fitted.own),
        "window": {"first": spans[0][0] if spans else None, "last": max(e for _, e in spans) if spans else None},
        "curves": {key: [epoch[key] for epoch in history["epochs"]] for key in history["epochs"][0]},
        "best_epoch": history["best_epoch"],
        "health": Health.read(workspace.candidate / saved.HEALTH).symptoms,
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
    w_RN = metrics.resamples(len(test.y_N), seed, settings.resamples, block_of(target, len(test.y_N)))
    held: dict[str, At] = {model: thresholds.get(model, target.at) for model in test.answers}
    found = {m: measures.values(test.y_N, a_NK, held[m], w_RN) for m, a_NK in test.answers.items()}
    scores = {model: {"test": metrics.scores(values)} for model, values in found.items()}
    for name in ("train", "val"):
        part = judged[name]
        values = measures.values(part.y_N, part.answers["candidate"], held["candidate"])
        scores["candidate"][name] = metrics.scores(values)
    return Evaluation(
        **facts,
        **_of_kind(judged, target, thresholds),
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
        fit=fit_of_forecast(judged, settings.overfit_gap)
        if isinstance(target, Forecast)
        else fit_word(scores["candidate"], settings.overfit_gap, target.kind),
    )


def block_of(target: Target, rows: int) -> int:
    """How many rows are drawn together in a resample: of a forecast, whose rows stand by time, those of a horizon."""
    return min(target.horizon * max(1, len(target.groups)), rows) if isinstance(target, Forecast) else 1


def thresholds_of(val: Judged, target: Target) -> dict[str, float]:
    """From which probability each model says yes, chosen on val: of two classes, and of tags one for all of them."""
    if isinstance(target, Tags):
        return {model: _threshold_of_tags(val.y_N, p_NK) for model, p_NK in val.answers.items()}
    if not isinstance(target, Classes):
        return {}
    return {model: classification.best_threshold(val.y_N, p_NK) for model, p_NK in val.answers.items()}


def _threshold_of_tags(y_NK: np.ndarray, p_NK: np.ndarray) -> float:
    """The one that gives the best micro F1: that of all pairs of a row and a tag."""
    p_P = p_NK.ravel()
    return classification.best_threshold(y_NK.ravel(), np.stack([1 - p_P, p_P], axis=1))


def _of_kind(judged: Mapping[SplitName, Judged], target: Target, thresholds: Mapping[str, float]) -> dict[str, Any]:
    """What is drawn and told beside the scores."""
    test = judged["test"]
    own = test.answers["candidate"]
    none: dict[str, Any] = {"positive_share": {}, "roc": {}, "precision_recall": {}, "calibration": {}, "confusion": []}
    match target:
        case Tags():
            return none | {"tags": drawn.tags(test.y_N, own, thresholds["candidate"], target.classes)}
        case Quantiles():
            told = drawn.below(test.y_N, own, target.quantiles)
            return none | of_quantity(test.y_N, target.watched(own)) | {"below": told}
        case Ordinal():
            return of_classes(judged, ordinal.middle(own))
        case Classes():
            return of_classes(judged, classification.answers(own, thresholds["candidate"]))
        case Forecast():
            steps = {model: forecasting.by_step(test.y_N, a_NH) for model, a_NH in test.answers.items()}
            return none | {"steps": steps, "naive_error": target.naive_error}
        case _:
            return none | of_quantity(test.y_N, own[:, 0])


def of_classes(judged: Mapping[SplitName, Judged], said_N: np.ndarray) -> dict[str, Any]:
    """Curves and calibration of every model on test, and the candidate's confusion; `said_N`: its answers."""
    test = judged["test"]
    own = test.answers["candidate"]
    return {
        "positive_share": {name: float((part.y_N == own.shape[1] - 1).mean()) for name, part in judged.items()},
        "roc": {model: drawn.roc(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        "precision_recall": {model: drawn.precision_recall(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        "calibration": {model: drawn.calibration(test.y_N, p_NK) for model, p_NK in test.answers.items()},
        "confusion": drawn.confusion(test.y_N, said_N, own.shape[1]),
    }


def of_quantity(y_N: np.ndarray, own_N: np.ndarray) -> dict[str, Any]:
    """The candidate's answers beside the truth, and their residuals, on test."""
    return {"predicted": drawn.predicted(y_N, own_N), "residuals": drawn.residuals(y_N, own_N)}


def fit_word(scores: Mapping[str, Scores], overfit_gap: float, kind: Kind = "classes") -> Fit:
    """One word on the gap between train and test in AUC or R², and on how far train is from having learnt nothing."""
    measures = metrics.OF[kind]
    values = [scores[name][measures.gap].value for name in SPLITS]
    return _fit(GAPS[measures.gap], values, overfit_gap, measures.blind + UNDERFIT)


def fit_of_forecast(judged: Mapping[SplitName, Judged], overfit_gap: float) -> Fit:
    """One word on the share of persistence's squared error that is gone: some times are harder than others."""
    left = []
    for part in (judged[name] for name in SPLITS):
        own, last = (((part.answers[model] - part.y_N) ** 2).sum() for model in ("candidate", "persistence"))
        left.append(float(own / last) if last else 1.0)
    return _fit(
        "the share of persistence's squared error that is gone", [1 - one for one in left], overfit_gap, UNDERFIT
    )


def _fit(called: str, values: Sequence[float], overfit_gap: float, least: float) -> Fit:
    """`values`: on train, val and test."""
    train, val, test = values
    seen = f"{called} is {train:.3f} on train, {val:.3f} on val, {test:.3f} on test"
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


def _plots(record: Evaluation) -> dict[str, list[dict[str, Any]]]:
    """The candidate's points by the name of their file."""
    if record.target == "tags":
        return {"tags": [tag.model_dump() for tag in record.tags]}
    if record.steps:
        own = record.steps["candidate"]
        return {"steps": [{"step": place + 1, "error": error} for place, error in enumerate(own)]}
    if record.residuals:
        off = [{"answer": t.answer, "bias": t.answer - t.truth, "absolute": t.absolute} for t in record.residuals]
        return {"predicted": [{"truth": x, "answer": y} for x, y in record.predicted], "residuals": off}
    return {
        "roc": [{"fpr": x, "tpr": y} for x, y in record.roc["candidate"]],
        "precision_recall": [{"recall": x, "precision": y} for x, y in record.precision_recall["candidate"]],
    }
