"""Stage 8, after the DAG: the candidate becomes champion only if it is proven good enough.

It must beat the required baseline, and must not be worse than the champion, both by the interval of the
paired difference on the same test rows. Otherwise the champion stays and the reasons are said.
"""

from typing import ClassVar

from pydantic import Field

from pipeline import git, registry, versioning
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.metrics import Metric, Paired
from pipeline.models import saved
from pipeline.stages.evaluate import Baseline, Evaluation
from pipeline.workspace import Section, Workspace


class PromoteSettings(Section):
    """The gate: the baseline to beat, the metric, how much worse than the champion is still not worse.

    `commit`: whether a promotion is committed to git (dvc.lock and the pointer) with a tag.
    """

    key: ClassVar[str] = "promote"
    metric: Metric = "auc"
    baseline: Baseline = "logistic_regression"
    minimum_gain: float = Field(default=0.0, ge=0)
    tolerated_loss: float = Field(default=0.005, ge=0)
    commit: bool = False


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
    if evaluation.candidate != candidate:
        raise WorkspaceError(
            f"judges the model {evaluation.candidate}, the candidate is {candidate}",
            where=workspace.relative(workspace.evaluation),
            fix="run `dvc repro` or `keepfit run`",
        )
    champion = registry.champion(workspace)
    if champion.identity == candidate:
        return Promotion(promoted=False, version=champion.version, reasons=["the candidate is the champion already"])
    promoted, reasons = decide(evaluation, settings)
    if not promoted:
        return Promotion(promoted=False, version=champion.version, reasons=reasons)
    with versioning.judgement(workspace.root, "evaluate"):
        version = registry.register(workspace)
        registry.point(workspace, version)
    tag = _commit(workspace, version, reasons) if settings.commit else None
    return Promotion(promoted=True, version=version, reasons=reasons, tag=tag)


def decide(evaluation: Evaluation, settings: PromoteSettings) -> tuple[bool, list[str]]:
    """Whether the candidate may become champion, with a reason for each gate; pure."""
    against = {pair.model: pair for pair in evaluation.paired if pair.metric == settings.metric}
    gates = [_beats(against[settings.baseline], settings.minimum_gain)]
    if "champion" in against:
        gates.append(_not_worse(against["champion"], settings.tolerated_loss))
    return all(passed for passed, _ in gates), [reason for _, reason in gates]


def _beats(pair: Paired, gain: float) -> tuple[bool, str]:
    passed = pair.low > gain
    return (
        passed,
        f"{'beats' if passed else 'does not surely beat'} {pair.model}: {_difference(pair)}, gain asked {gain:g}",
    )


def _not_worse(pair: Paired, loss: float) -> tuple[bool, str]:
    passed = pair.low > -loss
    return (
        passed,
        f"{'is not worse than' if passed else 'may be worse than'} {pair.model}: {_difference(pair)}, loss tolerated {loss:g}",
    )


def _difference(pair: Paired) -> str:
    return f"{pair.metric} {pair.difference:+.4f} (95% interval {pair.low:+.4f} to {pair.high:+.4f}, same test rows)"


def _commit(workspace: Workspace, version: str, reasons: list[str]) -> str:
    """Commit the lock, the pointer and the numbers, with the version's tag and the champion's."""
    paths = [workspace.root / "dvc.lock", workspace.champion, workspace.metrics, workspace.evaluation]
    message = f"Promote {workspace.dataset} {version}\n\n" + "\n".join(f"- {reason}" for reason in reasons)
    return git.commit_promotion(workspace.root, workspace.dataset, version, paths, message)
