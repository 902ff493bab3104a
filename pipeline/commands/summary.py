"""Short tables for the screen: models against baselines, batches with their drift and decision, versions."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline import metrics, monitor
from pipeline.commands.check import listing
from pipeline.metrics import Kind, Metric, Score
from pipeline.monitor import MonitoringRecord
from pipeline.quality.findings import Finding, Severity
from pipeline.stages.evaluate import Evaluation
from pipeline.versions import registry
from pipeline.wording import clip, count, number
from pipeline.workspace import Workspace

SHOWN: Mapping[Kind, tuple[Metric, ...]] = {
    "classes": ("auc", "average_precision", "log_loss", "f1", "brier"),
    "quantity": ("rmse", "mae", "median_absolute_error", "r2", "skill"),
    "ordinal": ("quadratic_weighted_kappa", "rank_mae", "accuracy", "auc", "log_loss"),
    "quantiles": ("pinball", "coverage_gap", "interval_width", "rmse", "mae"),
    "tags": ("mean_average_precision", "micro_f1", "macro_f1", "subset_accuracy", "hamming_loss"),
    "forecast": ("rmse", "mae", "mse", "mase", "r2"),
}
TITLES: Mapping[Metric, str] = {"auc": "AUC", "rmse": "RMSE"}
COUNTED: tuple[Severity, ...] = ("error", "warning")


def show_scores(workspace: Workspace) -> None:
    """Each registered model, and the newest evaluation's baselines, on the test rows of its own evaluation."""
    rows, shown = [], _shown(workspace)
    for version in registry.versions(workspace):
        evaluation = Evaluation.read(registry.folder(workspace, version) / registry.EVALUATION)
        rows += [
            _scores(version if name == "candidate" else f"  {name}", evaluation, name, shown)
            for name in _ordered(evaluation)
        ]
    show_table("Models on their test rows (95% interval)", ["model", "rows", *shown], rows)


def show_batches(workspace: Workspace) -> None:
    """Each batch: findings, the main live metric of the first and the maintained model, drift, decision and outcome."""
    rows, main = [], _shown(workspace)[0]
    for record in monitor.records(workspace):
        live = [record.live.first.get(main), record.live.champion.get(main)] if record.live else [None, None]
        drifted = sum(column.drifted for column in record.drift.columns)
        outcome = "" if record.outcome is None else f" → {record.outcome.version or 'champion stays'}"
        decision = ("retrain" if record.decision.retrain else "keep") + outcome
        first, maintained = (_interval(main, score) for score in live)
        why = record.decision.reasons[0]
        live_then = f"{maintained} ({record.champion})"
        found = _counted(record.findings)
        rows.append([record.batch, f"{record.rows:,}", found, first, live_then, str(drifted), decision, why])
    scored = [f"{TITLES.get(main, main)} of v1, frozen", f"{TITLES.get(main, main)} of the champion then"]
    show_table("Batches", ["batch", "rows", "findings", *scored, "drifted", "decision", "because"], rows)


def show_errors(records: Sequence[MonitoringRecord]) -> None:
    """One line for each error that the checks found in these batches, with its first example."""
    for record in records:
        for finding in record.findings:
            if finding.severity == "error":
                example = f" (e.g. {clip(finding.examples[0], listing.EXAMPLE)})" if finding.examples else ""
                listing.say(f"{record.batch}: error {finding.check}: {finding.message}{example}")


def _counted(findings: Sequence[Finding]) -> str:
    """How many findings want a look, in words; `-` where none does."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(count(counts[severity], severity) for severity in COUNTED if counts[severity]) or "-"


def show_models(workspace: Workspace) -> None:
    """Every version with its test scores; the champion is marked."""
    champion = registry.champion(workspace)
    rows, shown = [], _shown(workspace)
    for version in registry.versions(workspace):
        evaluation = Evaluation.read(registry.folder(workspace, version) / registry.EVALUATION)
        mark = f"champion since {(champion.promoted_at or '')[:10]}" if version == champion.version else ""
        trained = f"{evaluation.rows['train']:,}"
        rows.append([version, mark, trained, *_scores(version, evaluation, "candidate", shown)[1:]])
    names = ["version", "standing", "trained on", "test rows", *shown]
    show_table("Models, each by the test rows of its time", names, rows)


def _shown(workspace: Workspace) -> tuple[Metric, ...]:
    """The metrics of the newest version's kind of label, the main one first."""
    known = registry.versions(workspace)
    if not known:
        return SHOWN["classes"]
    return SHOWN[Evaluation.read(registry.folder(workspace, known[-1]) / registry.EVALUATION).target]


def _ordered(evaluation: Evaluation) -> list[str]:
    return ["candidate", *(name for name in evaluation.scores if name != "candidate")]


def _scores(title: str, evaluation: Evaluation, name: str, shown: Sequence[Metric]) -> list[str]:
    scores = evaluation.scores[name]["test"]
    return [title, f"{evaluation.rows['test']:,}", *(_interval(metric, scores.get(metric)) for metric in shown)]


def _interval(metric: Metric, score: Score | None) -> str:
    if score is None:
        return "-"
    said = number if metric in metrics.IN_UNIT else "{:.3f}".format
    around = "" if score.low is None or score.high is None else f" ±{said((score.high - score.low) / 2)}"
    return f"{said(score.value)}{around}"


def show_table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on the screen, as wide as that, or 160 letters wide in a file."""
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console = Console()
    console.print(table) if console.is_terminal else Console(width=160).print(table)
