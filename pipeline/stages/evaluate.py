"""Stage 7: score the candidate on test, once, beside the baselines and the champion on the very same rows.

The baselines are fitted on train alone, with the candidate's own tensors. The threshold that turns a
probability into an answer is chosen on val for every model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from pipeline import artefacts, contract, judgement, metrics, progress
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.features import windows
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.features.target import Classes, Forecast, Ordinal, Quantiles, Tags, Target
from pipeline.judgement.case import Case
from pipeline.judgement.fit import Fit, fit_of_forecast, fit_word
from pipeline.judgement.settings import EvaluateSettings
from pipeline.judgement.thresholds import chosen
from pipeline.judgement.units import Resampled
from pipeline.metrics import At, Kind, Paired, Scores, classification, drawn, forecasting, ordinal
from pipeline.metrics.drawn import Below, OneTag, Residuals
from pipeline.metrics.verdict import Verdict, verdicts
from pipeline.models import baselines, forecasts, rules, saved
from pipeline.models.health.checkup import Gradients, Health
from pipeline.models.health.symptom import Symptom
from pipeline.models.rules import Told
from pipeline.predictor import Predictor, comparable
from pipeline.stages import again, together
from pipeline.stages.samples import before, samples
from pipeline.stages.split import SPLITS, SplitName, SplitRecord
from pipeline.versions import registry, sealed
from pipeline.workspace import Workspace

Tensors = Mapping[str, Any]  # arrays, and windows of some
Answers = dict[str, np.ndarray]
COMPARED: tuple[SplitName, ...] = ("val", "test")  # the others choose their threshold on val, and are scored on test


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
    verdicts: list[Verdict] = Field(default_factory=list)
    resampled: Resampled | None = None
    fit: Fit
    roc: dict[str, list[tuple[float, float]]]
    precision_recall: dict[str, list[tuple[float, float]]]
    calibration: dict[str, list[tuple[float, float, int]]]
    confusion: list[list[int]]
    curves: dict[str, list[float]]
    best_epoch: int
    health: list[Symptom] | None = None
    gradients: Gradients | None = None
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
    tensors = {n: windows.together(artefacts.read_tensors(workspace.normalized / f"{n}.safetensors")) for n in SPLITS}
    truth = {name: fitted.target.truth(part[LABEL]) for name, part in tensors.items()}
    answers = {name: candidate_answers(workspace.candidate, part, fitted.target) for name, part in tensors.items()}
    judged = {n: Judged(y_N=truth[n], answers={"candidate": answers[n]}) for n in SPLITS}
    others = baseline_answers(tensors, truth["train"], fitted.target, workspace.seed)
    ruled = rule_answers(workspace, settings, truth["train"], fitted.target)
    for name in others:
        judged[name].answers.update(others[name])
    for name in COMPARED:
        judged[name].answers.update({rule: told.answers[name] for rule, told in ruled.items()})
    champion = registry.champion_folder(workspace)
    if champion is not None:
        model = Predictor.load(champion, workspace.media)
        require_kind(model, fitted.target, workspace)
        for name in COMPARED:
            judged[name].answers["champion"] = champion_answers(workspace, model, fitted, name)
    alike = together.units_of_test(workspace, fitted.target, settings, len(truth["test"]))
    w_RN = metrics.resamples(len(truth["test"]), workspace.seed, settings.resamples, unit_N=alike.unit_N)
    facts = {**_facts(workspace, fitted), "resampled": alike.record, "decided": _decided(ruled)}
    record = evaluation(judged, w_RN, fitted.target, settings, facts)
    _open_test(workspace, record)
    _publish(workspace, record)
    retrain = again.on_fewer(workspace, tensors) if settings.learning_curve else None
    judgement.diagnose(case_of(workspace, judged, record, w_RN), settings, retrain).write(workspace.diagnosis)
    return record


def rule_answers(workspace: Workspace, settings: EvaluateSettings, y_N: np.ndarray, target: Target) -> dict[str, Told]:
    """What each of the settings' own baselines answers; `y_N` is the truth of train."""
    if not settings.baselines:
        return {}
    rows: dict[str, pl.DataFrame] = {
        name: artefacts.scan_parquet(workspace.split / f"{name}.parquet").collect() for name in SPLITS
    }
    return {name: rules.told(name, text, rows, y_N, target) for name, text in settings.baselines.items()}


def _decided(ruled: Mapping[str, Told]) -> list[str]:
    return [name for name, told in ruled.items() if told.decided]


def case_of(workspace: Workspace, judged: Mapping[SplitName, Judged], record: Evaluation, w_RN: np.ndarray) -> Case:
    """The candidate with its rows, for what is said beside the scores."""
    model = Predictor.load(workspace.candidate, workspace.media)
    return Case(
        model=model,
        contract=contract.load(workspace.contract_file),
        rows={name: _judged_rows(workspace, model.preprocessor, name) for name in SPLITS},
        past={name: before(workspace, model.preprocessor, name) for name in SPLITS},
        truth={name: part.y_N for name, part in judged.items()},
        answers={name: part.answers for name, part in judged.items()},
        thresholds=record.thresholds,
        w_RN=w_RN,
        seed=workspace.seed,
    )


def _judged_rows(workspace: Workspace, fitted: Preprocessor, name: SplitName) -> pl.DataFrame:
    """The rows of a split in the order of the answers: of a forecast those that it is from."""
    rows = artefacts.scan_parquet(workspace.split / f"{name}.parquet").collect()
    return rows[samples(workspace, fitted, name)[0]] if isinstance(fitted.target, Forecast) else rows


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
    health = Health.read(workspace.candidate / saved.HEALTH)
    spans = sorted(split.span.values())
    return {
        "label": fitted.label,
        "seed": workspace.seed,
        "target": fitted.target.kind,
        "classes": list(fitted.classes),
        "candidate": saved.verify(workspace.candidate).identity,
        "champion": registry.champion(workspace).version,
        "unseen": list(fitted.own),
        "window": {"first": spans[0][0] if spans else None, "last": max(e for _, e in spans) if spans else None},
        "curves": {key: [epoch[key] for epoch in history["epochs"]] for key in history["epochs"][0]},
        "best_epoch": history["best_epoch"],
        "health": health.symptoms,
        "gradients": Gradients.of(health),
    }


def candidate_answers(folder: Path, part: Tensors, target: Target) -> np.ndarray:
    """(N, K) what the candidate answers on a split's tensors."""
    from pipeline.models import network

    return network.answers(saved.load(folder), network.tensors(part), target)


def evaluation(
    judged: Mapping[SplitName, Judged],
    w_RN: np.ndarray,
    target: Target,
    settings: EvaluateSettings,
    facts: dict[str, Any],
) -> Evaluation:
    """How good the candidate is; `w_RN` how often each row of test is drawn in each resample; pure."""
    test, measures = judged["test"], metrics.OF[target.kind]
    val, decided = judged["val"], facts.pop("decided", [])
    thresholds = chosen(val.y_N, val.answers, target, settings.cost, decided)
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
        rows={name: len(part.y_N) for name, part in judged.items()},
        thresholds=thresholds,
        scores=scores,
        paired=[
            metrics.paired(model, metric, found["candidate"], values)
            for model, values in found.items()
            if model != "candidate"
            for metric in measures.paired
        ],
        verdicts=verdicts(measures.main, found["candidate"], {m: v for m, v in found.items() if m != "candidate"}),
        fit=fit_of_forecast([_beside_persistence(judged[name]) for name in SPLITS], settings.overfit_gap)
        if isinstance(target, Forecast)
        else fit_word(scores["candidate"], settings.overfit_gap, target.kind),
    )


def _beside_persistence(part: Judged) -> tuple[float, float]:
    """The squared errors of the candidate and of persistence, added up."""
    own, last = (float(((part.answers[model] - part.y_N) ** 2).sum()) for model in ("candidate", "persistence"))
    return own, last


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


def _open_test(workspace: Workspace, record: Evaluation) -> None:
    """Write down that the sealed test set was opened for this candidate."""
    test = artefacts.scan_parquet(workspace.split / "test.parquet").select(contract.ROW_ID, record.label).collect()
    opened = sealed.open_test(workspace, test, record.label, candidate=record.candidate, champion=record.champion)
    told = [f"candidate {record.candidate} is judged", sealed.words(opened), *(one.words for one in record.verdicts)]
    progress.report(1.0, "\n  ".join(told))


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
