"""Stage 8, after the DAG: the candidate becomes champion only if it is proven good enough.

It must beat the required baseline, and must not be worse than the champion, both by the interval of the
paired difference on the same test rows. Otherwise the champion stays and the reasons are said.
"""

from typing import ClassVar, Literal

from pydantic import Field

from pipeline import git, metrics, registry, versioning
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.metrics import Kind, Metric, Paired
from pipeline.models import baselines, saved
from pipeline.models.baselines import Baseline
from pipeline.stages.evaluate import Evaluation
from pipeline.wording import number
from pipeline.workspace import Section, Workspace

PairedMetric = Literal[
    "auc",
    "average_precision",
    "log_loss",
    "rmse",
    "mae",
    "r2",
    "quadratic_weighted_kappa",
    "rank_mae",
    "pinball",
    "mean_average_precision",
]


class PromoteSettings(Section):
    """The gate: the baseline to beat, the metric, how much worse than the champion is still not worse.

    `auto` are the AUC and logistic regression for classes, the RMSE and ridge for a quantity, pinball and ridge with
    the quantiles of its misses for quantiles; for classes in an order the kappa with squared weights, for tags the mean
    average precision, both against logistic regression. Of a metric in the label's unit (rmse, mae, pinball) gain and
    loss are shares of what the other model has. `commit`: whether a promotion is committed to git (dvc.lock and the
    pointer) with a tag.
    """

    key: ClassVar[str] = "promote"
    metric: Literal["auto", PairedMetric] = "auto"
    baseline: Literal["auto", Baseline] = "auto"
    minimum_gain: float = Field(default=0.0, ge=0)
    tolerated_loss: float = Field(default=0.005, ge=0)
    commit: bool = False

    def chosen(self, kind: Kind) -> tuple[Metric, Baseline]:
        """Metric and baseline for this kind of label; raises SettingsError for one that is not of it."""
        measures, known = metrics.OF[kind], baselines.OF[kind]
        return (
            metrics.chosen(self.metric, measures.paired, measures.main, "promote.metric"),
            metrics.chosen(self.baseline, known, baselines.LINEAR[kind], "promote.baseline"),
        )


class Promotion(Record):
    """What was decided on the candidate, and why; `version` is the champion's afterwards."""

    promoted: bool
    version: str | None
    reasons: list[str]
    tag: str | None = None


def run(workspace: Workspace) -> Promotion:
    """Decide on the candidate and, if it is good enough, make it the champion; a second run changes nothing."""
    settings = workspace.section(PromoteSettings)
    evaluation = Evaluation.read(workspace.evaluation)
    candidate = saved.verify(workspace.candidate).identity
    champion = registry.champion(workspace)
    if champion.version is not None and champion.identity == candidate:
        reasons = ["the candidate is the champion already"]
        tag = _commit_left(workspace, champion.version, evaluation, settings) if settings.commit else None
        return Promotion(promoted=False, version=champion.version, reasons=reasons, tag=tag)
    _require_of(evaluation, "candidate", candidate, workspace)
    _require_of(evaluation, "champion", champion.version, workspace)
    known = registry.version_of_candidate(workspace)
    if known is not None and known == champion.rolled_back_from:
        reasons = [
            f"the champion was rolled back from {known}, which is this candidate: `keepfit models promote {known}`"
        ]
        return Promotion(promoted=False, version=champion.version, reasons=reasons)
    promoted, reasons = decide(evaluation, settings)
    if not promoted:
        return Promotion(promoted=False, version=champion.version, reasons=reasons)
    with versioning.judgement(workspace.root, "evaluate", moves=workspace.relative(workspace.champion)):
        version = registry.register(workspace)
        registry.point(workspace, version)
    tag = _commit(workspace, version, reasons) if settings.commit else None
    return Promotion(promoted=True, version=version, reasons=reasons, tag=tag)


def _require_of(
    evaluation: Evaluation, role: Literal["candidate", "champion"], now: str | None, workspace: Workspace
) -> None:
    """Raise WorkspaceError when the evaluation is of another candidate, or against another champion, than now."""
    then = getattr(evaluation, role)
    if then != now:
        raise WorkspaceError(
            f"is of the {role} {then or 'none'}, which is {now or 'none'} by now",
            where=workspace.relative(workspace.evaluation),
            fix="run `dvc repro` or `keepfit run`",
        )


def decide(evaluation: Evaluation, settings: PromoteSettings) -> tuple[bool, list[str]]:
    """Whether the candidate may become champion, with a reason for each gate; pure."""
    metric, baseline = settings.chosen(evaluation.target)
    against = {pair.model: pair for pair in evaluation.paired if pair.metric == metric}
    gates = [_beats(against[baseline], settings.minimum_gain, _unit(evaluation, baseline, metric))]
    if "champion" in against:
        unit = _unit(evaluation, "champion", metric)
        gates.append(_not_worse(against["champion"], settings.tolerated_loss, unit))
    return all(passed for passed, _ in gates), [reason for _, reason in gates]


def _unit(evaluation: Evaluation, model: str, metric: Metric) -> float:
    """What a gain of 1 is of: the other model's own score where that is in the label's unit, else 1."""
    return evaluation.scores[model]["test"][metric].value if metric in metrics.IN_UNIT else 1.0


def _beats(pair: Paired, gain: float, unit: float) -> tuple[bool, str]:
    passed = pair.low > gain * unit
    words = "beats" if passed else "does not surely beat"
    return passed, f"{words} {pair.model}: {_difference(pair)}, gain asked {_asked(pair, gain, unit)}"


def _not_worse(pair: Paired, loss: float, unit: float) -> tuple[bool, str]:
    passed = pair.low >= -loss * unit
    words = "is not worse than" if passed else "may be worse than"
    return passed, f"{words} {pair.model}: {_difference(pair)}, loss tolerated {_asked(pair, loss, unit)}"


def _asked(pair: Paired, amount: float, unit: float) -> str:
    return f"{amount:g} of its {number(unit)}" if pair.metric in metrics.IN_UNIT else f"{amount:g}"


def _difference(pair: Paired) -> str:
    """How much better, and in words where the metric's own way might mislead: a `+` is in the candidate's favour."""
    difference, low, high = (_signed(pair.metric, value) for value in (pair.difference, pair.low, pair.high))
    better = " better" if pair.metric in metrics.IN_UNIT else ""
    return f"{pair.metric} {difference}{better} (95% interval {low} to {high}, same test rows)"


def _signed(metric: Metric, value: float) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value))}" if metric in metrics.IN_UNIT else f"{value:+.4f}"


def _commit_left(workspace: Workspace, version: str, evaluation: Evaluation, settings: PromoteSettings) -> str | None:
    """Commit the champion's promotion if that was killed before it had its tag."""
    if git.git(workspace.root, "tag", "--list", f"{workspace.dataset}@{version}.*"):
        return None
    return _commit(workspace, version, decide(evaluation, settings)[1])


def _commit(workspace: Workspace, version: str, reasons: list[str]) -> str:
    """Commit the lock, the pointer, the numbers and raw data that git keeps, with the version's tags."""
    numbers = [workspace.quality, workspace.ledger, workspace.evaluation, workspace.metrics]
    paths = [workspace.root / "dvc.lock", workspace.champion, *numbers]
    if git.is_tracked(workspace.root, workspace.raw):
        paths.append(workspace.raw)
    message = f"Promote {workspace.dataset} {version}\n\n" + "\n".join(f"- {reason}" for reason in reasons)
    return git.commit_promotion(workspace.root, workspace.dataset, version, paths, message)
