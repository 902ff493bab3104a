"""The report: one HTML file that works offline, made from the JSON files and the history of the batches alone.

No clock is read: the same files give the same bytes. What is absent is said in one line, with
the command that makes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
from markupsafe import Markup

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.judgement.record import Diagnosis
from pipeline.metrics import LOWER_IS_BETTER
from pipeline.reports import card, diagnosis, document, figures, history, words
from pipeline.reports.words import Json
from pipeline.versions import sealed
from pipeline.versions.sealed import Seal
from pipeline.workspace import Workspace

FINDINGS, REASONS = 60, 20
BESIDE = {  # the scores that are shown on train, val and test, by the kind of label
    "classes": ("auc", "log_loss"),
    "ordinal": ("quadratic_weighted_kappa", "log_loss"),
    "quantiles": ("pinball", "coverage_gap"),
    "tags": ("mean_average_precision", "log_loss"),
}
SEVERITIES = ("error", "warning", "info")
SHAPES = {
    "quality": {"rows", "columns", "findings", "profile", "batches"},
    "ledger": {"rows_in", "kept", "repaired", "merged", "quarantined", "stages"},
    "evaluation": {
        "label",
        "classes",
        "seed",
        "rows",
        "window",
        "scores",
        "paired",
        "fit",
        "roc",
        "precision_recall",
        "calibration",
        "confusion",
        "curves",
        "best_epoch",
    },
    "champion": {"version"},
    "times": {"identity", "laps"},
    "monitoring": {
        "batch",
        "rows",
        "labelled",
        "champion",
        "findings",
        "ledger",
        "drift",
        "live",
        "reference",
        "decision",
    },
}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the report is made of; None where a file is absent.

    `manifest` is that of the champion, `times` are those of the last training on this machine, `seal` says how often
    the test set was opened.
    """

    dataset: str
    quality: Json | None = None
    ledger: Json | None = None
    evaluation: Json | None = None
    diagnosis: Diagnosis | None = None
    champion: Json | None = None
    manifest: Json | None = None
    batches: tuple[Json, ...] = ()
    times: Json | None = None
    history: pl.DataFrame | None = None
    seal: Seal | None = None


def write(workspace: Workspace) -> Path:
    """Write the report and the model card of a workspace; raises WorkspaceError for a JSON file of another shape."""
    artefacts.write_text(workspace.report, render(read(workspace)))
    card.write(workspace)
    return workspace.report


def read(workspace: Workspace) -> Sources:
    """Read every JSON file that is there."""
    champion = _read(workspace, workspace.champion, "champion")
    version = (champion or {}).get("version")
    manifest = workspace.registry / str(version) / "manifest.json"
    return Sources(
        dataset=workspace.dataset,
        quality=_read(workspace, workspace.quality, "quality"),
        ledger=_read(workspace, workspace.ledger, "ledger"),
        evaluation=_read(workspace, workspace.evaluation, "evaluation"),
        diagnosis=Diagnosis.read(workspace.diagnosis) if workspace.diagnosis.is_file() else None,
        champion=champion if version else None,
        manifest=_read(workspace, manifest, "manifest") if version else None,
        times=_read(workspace, workspace.times, "times"),
        history=_history(workspace),
        seal=sealed.seal(workspace),
        batches=tuple(
            record
            for path in sorted(workspace.monitoring.glob("*.json"))
            if (record := _read(workspace, path, "monitoring")) is not None
        ),
    )


def _history(workspace: Workspace) -> pl.DataFrame | None:
    """All that was ever watched, in numbers."""
    files = sorted(workspace.history.glob("*.parquet"))
    return artefacts.scan_parquet(workspace.history).collect() if files else None


def _read(workspace: Workspace, path: Path, kind: str) -> Json | None:
    if not path.is_file():
        return None
    value = artefacts.read_json(path)
    missing = SHAPES.get(kind, set()) - set(value) if isinstance(value, Mapping) else {"{...}"}
    if missing:
        raise WorkspaceError(
            f"lacks {', '.join(sorted(missing))}",
            where=workspace.relative(path),
            fix="delete it and run the stage that writes it again",
        )
    known: Json = value
    return known


def render(sources: Sources) -> str:
    """The page; pure."""
    return document.render(
        "report.html.j2",
        filters={"page": _page},
        source=sources,
        **_headline(sources),
        **_timeline(sources),
        **_evaluation(sources),
        sections=_diagnosed(sources),
        **_data(sources),
    )


def _diagnosed(sources: Sources) -> list[Markup]:
    """The sections on what is said of the candidate beside its scores; none where the two are of different ones."""
    told, judged = sources.diagnosis, (sources.evaluation or {}).get("candidate")
    return diagnosis.sections(told) if told is not None and told.candidate == judged else []


def _page(page: str) -> str:
    """The link from the report to a page of the Data Docs beside it."""
    return f"data_docs/{quote(page)}"


def _headline(sources: Sources) -> dict[str, Any]:
    evaluation, champion = sources.evaluation, sources.champion
    claim, spread = words.verdict(evaluation, champion) if evaluation else ("No model has been judged yet", "")
    return {"claim": claim, "spread": spread, "standing": words.standing(evaluation, champion)}


def _timeline(sources: Sources) -> dict[str, Any]:
    batches = sources.batches
    if not batches:
        return {"timeline": None, "heatmap": None}
    metric = figures.watched_metric(batches)
    return {
        "metric": metric,
        "lower_is_better": metric in LOWER_IS_BETTER,
        "timeline": figures.timeline_of(batches),
        "others": figures.other_metrics(batches),
        "retrainings": words.retrainings(batches),
        "maintenance": words.maintenance(batches, metric),
        "drifted": figures.drifted_columns,
        "heatmap": figures.heatmap(batches),
        "drift_words": words.drift_words(batches),
        "history": history.drawn(sources.history) if sources.history is not None else [],
        "shown": batches[-figures.BATCHES :],
    }


def _evaluation(sources: Sources) -> dict[str, Any]:
    evaluation = sources.evaluation
    if evaluation is None:
        return {"names": {}}
    names, main = figures.names_of(evaluation, sources.champion), words.main_metric(evaluation)
    beside = BESIDE.get(evaluation.get("target", "classes"), ("rmse", "r2"))
    measured = [name for name in words.METRICS if name in evaluation["scores"]["candidate"]["test"]]
    return {
        "names": names,
        "main": main,
        "measured": measured,
        "forests": {name: figures.forest(evaluation, names, name, 340) for name in measured if name != main},
        "first_forest": figures.half(lambda width: figures.forest(evaluation, names, main, width)),
        "first_pair": figures.half(lambda width: figures.paired(evaluation, names, main, width)),
        "pairs": {
            name: figures.paired(evaluation, names, name, 340)
            for name in measured
            if name != main and any(pair["metric"] == name for pair in evaluation["paired"])
        },
        "splits": {name: figures.splits(evaluation, name) for name in beside if name in measured},
        "curves": figures.curves(evaluation),
        "gradients": figures.gradients(evaluation),
        "took": words.took(evaluation, sources.times),
        "coverage": words.coverage(evaluation),
        "seal": sealed.words(sources.seal) if sources.seal else "",
        **_of_kind(evaluation, names),
        "unseen": words.unseen(evaluation),
        "correction": words.correction(evaluation, main),
        "verdicts": [words.answer(one) for one in evaluation.get("verdicts", ())],
        "resampled": words.resampled(evaluation),
    }


def _of_kind(evaluation: Json, names: Mapping[str, str]) -> dict[str, Any]:
    if evaluation.get("steps"):
        return _of_forecast(evaluation, names)
    if evaluation.get("tags"):
        return {"multiples": [], "confusion": None}
    classes = evaluation.get("target", "classes") in ("classes", "ordinal")
    return _of_classes(evaluation, names) if classes else _of_quantity(evaluation)


def _of_forecast(evaluation: Json, names: Mapping[str, str]) -> dict[str, Any]:
    by_step = [("Mean absolute error by step", figures.by_step(evaluation, names))]
    return {"multiples": by_step, "legend": figures.legend(names), "confusion": None}


def _of_classes(evaluation: Json, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "multiples": figures.multiples(evaluation, names),
        "legend": figures.legend(names),
        "confusion": figures.confusion(evaluation),
        "confusion_words": words.confusion(evaluation),
    }


def _of_quantity(evaluation: Json) -> dict[str, Any]:
    return {
        "multiples": [],
        "answers": figures.half(lambda width: figures.answers(evaluation, width)),
        "residuals": figures.half(lambda width: figures.residuals(evaluation, width)),
    }


def _data(sources: Sources) -> dict[str, Any]:
    quality, ledger = sources.quality, sources.ledger
    found = sorted(
        quality["findings"] if quality else [],
        key=lambda one: (SEVERITIES.index(one["severity"]), -one["rows"], one["check"], one["column"] or ""),
    )
    reasons = [
        (stage["stage"], why, rows)
        for stage in (ledger["stages"] if ledger else [])
        for why, rows in sorted(stage["reasons"].items(), key=lambda item: -item[1])
    ]
    return {
        "findings": found[:FINDINGS],
        "more_findings": max(len(found) - FINDINGS, 0),
        "tally": {name: sum(one["severity"] == name for one in found) for name in SEVERITIES},
        "reasons": reasons[:REASONS],
        "more_reasons": max(len(reasons) - REASONS, 0),
        "flow": figures.flow(ledger) if ledger else None,
        "profile": figures.profile_rows(quality)[: 2 * figures.COLUMNS] if quality else [],
    }
