"""Stage 8, after the DAG: the candidate becomes champion only if it is proven good enough.

It must beat the required baseline, and must not be worse than the champion, both by the interval of the
paired difference on the same test rows. Otherwise the champion stays and the reasons are said.
"""

from typing import ClassVar, Literal

from pydantic import Field

from pipeline import git, registry, versioning
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.metrics import Paired
from pipeline.models import saved
from pipeline.stages.evaluate import Baseline, Evaluation, PairedMetric
from pipeline.workspace import Section, Workspace


class PromoteSettings(Section):
    """The gate: the baseline to beat, the metric, how much worse than the champion is still not worse.

    `commit`: whether a promotion is committed to git (dvc.lock and the pointer) with a tag.
    """

    key: ClassVar[str] = "promote"
    metric: PairedMetric = "auc"
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
    with versioning.judgement(workspace.root, "evaluate"):
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
    against = {pair.model: pair for pair in evaluation.paired if pair.metric == settings.metric}
    gates = [_beats(against[settings.baseline], settings.minimum_gain)]
    if "champion" in against:
        gates.append(_not_worse(against["champion"], settings.tolerated_loss))
    return all(passed for passed, _ in gates), [reason for _, reason in gates]


def _beats(pair: Paired, gain: float) -> tuple[bool, str]:
    passed = pair.low > gain
    words = "beats" if passed else "does not surely beat"
    return passed, f"{words} {pair.model}: {_difference(pair)}, gain asked {gain:g}"


def _not_worse(pair: Paired, loss: float) -> tuple[bool, str]:
    passed = pair.low >= -loss
    words = "is not worse than" if passed else "may be worse than"
    return passed, f"{words} {pair.model}: {_difference(pair)}, loss tolerated {loss:g}"


def _difference(pair: Paired) -> str:
    return f"{pair.metric} {pair.difference:+.4f} (95% interval {pair.low:+.4f} to {pair.high:+.4f}, same test rows)"


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
