"""Stage 8, after the DAG: the candidate becomes champion only if it is proven good enough.

It must pass every gate (pipeline.stages.gates): beat the required baseline, and not be worse than the champion, both
by the interval of the paired difference on the same test rows, and what else the settings ask. One that is surely
better than the champion need only not be surely worse than the baseline. Otherwise the champion stays and the reasons
are said.
"""

from collections.abc import Collection
from typing import ClassVar, Literal

from pydantic import Field

from pipeline import contract, metrics
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.features.preprocessor import Preprocessor
from pipeline.judgement.record import Diagnosis
from pipeline.metrics import Kind, Metric
from pipeline.models import baselines, saved
from pipeline.reports import report
from pipeline.stages import gates
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.gates import AgainstChampion, Asked, Gate, GateSettings, Standing
from pipeline.versions import dvc, git, lineage, registry, sealed, trainings
from pipeline.versions.registry import Champion
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
    loss are shares of what the other model has. `commit`: whether a promotion is committed to git (settings, contract,
    dvc.lock and the pointer) with a tag.
    """

    key: ClassVar[str] = "promote"
    metric: Literal["auto", PairedMetric] = "auto"
    baseline: str = Field(
        default="auto",
        description="what must surely be beaten: a baseline, or one of `evaluate.baselines` by its name; waived of a "
        "candidate that is surely better than the champion and not surely worse than the baseline",
    )
    minimum_gain: float = Field(default=0.0, ge=0)
    tolerated_loss: float = Field(default=0.005, ge=0)
    champion: AgainstChampion = Field(
        default="auto",
        description="what is asked against the champion: surely better, or not worse by more than `tolerated_loss`; "
        "auto asks the latter of a candidate that learnt from rows that are new to the champion (1% of them), and the "
        "former of all others, by more than `tolerated_loss`, so that a training with another seed is no new champion",
    )
    gates: GateSettings = Field(default_factory=GateSettings)
    commit: bool = False
    trainings: int = Field(
        default=20,
        ge=0,
        description="how many of the last trainings that were judged `dvc exp show` tells, as experiments of DVC",
    )

    def chosen(self, kind: Kind, rules: Collection[str] = ()) -> tuple[Metric, str]:
        """Metric and baseline for this kind of label, or one of the `rules`; raises SettingsError for any other."""
        measures, known = metrics.OF[kind], (*baselines.OF[kind], *rules)
        return (
            metrics.chosen(self.metric, measures.paired, measures.main, "promote.metric"),
            metrics.chosen(self.baseline, known, baselines.LINEAR[kind], "promote.baseline"),
        )

    def judged(self, evaluation: Evaluation, standing: Standing, diagnosis: Diagnosis | None) -> list[Gate]:
        """Every gate with its verdict."""
        rivals = [model for model in evaluation.scores if model not in ("candidate", "champion")]
        metric, baseline = self.chosen(evaluation.target, rivals)
        asked = Asked(
            metric=metric,
            baseline=baseline,
            gain=self.minimum_gain,
            loss=self.tolerated_loss,
            champion=self.champion,
        )
        return gates.gates(evaluation, asked, self.gates, standing, diagnosis)


class Promotion(Record):
    """What was decided on the candidate, and why; `version` is the champion's afterwards."""

    promoted: bool
    version: str | None
    reasons: list[str]
    tag: str | None = None
    gates: list[Gate] = Field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """What is printed: the verdict; below it the table of the gates, and what no gate says."""
        told = {gate.words for gate in self.gates}
        stays = f"the champion stays {self.version}" if self.version else "not promoted, and no model is champion"
        below = [*(gates.table(self.gates) if self.gates else []), *(why for why in self.reasons if why not in told)]
        return [f"promoted {self.version}" if self.promoted else stays, *(f"  {line}" for line in below)]


def run(workspace: Workspace) -> Promotion:
    """Decide on the candidate and, if it is good enough, make it the champion; a second run changes nothing."""
    settings = workspace.section(PromoteSettings)
    evaluation = Evaluation.read(workspace.evaluation)
    candidate = saved.verify(workspace.candidate).identity
    champion = registry.champion(workspace)
    if champion.version is not None and champion.identity == candidate:
        reasons = ["the candidate is the champion already"]
        tag = _commit_left(workspace, champion.version) if settings.commit else None
        return Promotion(promoted=False, version=champion.version, reasons=reasons, tag=tag)
    _require_of(evaluation, "candidate", candidate, workspace)
    _require_of(evaluation, "champion", champion.version, workspace)
    known = registry.version_of_candidate(workspace)
    if known is not None and known == champion.rolled_back_from:
        reasons = [
            f"the champion was rolled back from {known}, which is this candidate: `keepfit models promote {known}`"
        ]
        return Promotion(promoted=False, version=champion.version, reasons=reasons)
    found = judged(workspace, evaluation, settings)
    promoted, reasons = gates.passed(found), [gate.words for gate in found]
    trainings.keep(workspace, candidate, most=settings.trainings)
    opened = sealed.seal(workspace)
    reasons += [sealed.words(opened)] if opened else []
    if not promoted:
        return Promotion(promoted=False, version=champion.version, reasons=reasons, gates=found)
    with dvc.judgement(workspace.root, "evaluate", moves=workspace.relative(workspace.champion)):
        report.write(workspace)
        version = registry.register(workspace)
        registry.point(workspace, version, how="passed the gates", why=reasons, expected=champion)
    tag = _commit(workspace, version, reasons) if settings.commit else None
    return Promotion(promoted=True, version=version, reasons=reasons, tag=tag, gates=found)


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


def judged(workspace: Workspace, evaluation: Evaluation, settings: PromoteSettings) -> list[Gate]:
    """Every gate of the candidate, with what is known of it beside its scores."""
    diagnosis = Diagnosis.read(workspace.diagnosis) if workspace.diagnosis.is_file() else None
    if diagnosis is not None and diagnosis.candidate != evaluation.candidate:
        diagnosis = None
    found = settings.judged(evaluation, _standing(workspace), diagnosis)
    return [*found, _exported(workspace, settings.gates)] if settings.gates.export else found


def _exported(workspace: Workspace, more: GateSettings) -> Gate:
    from pipeline.export import gate

    return gate.gate(workspace, more.export_tolerance)


def _standing(workspace: Workspace) -> Standing:
    """How the candidate stands to the champion: which rows are new to it, and what it reads that is lost."""
    folder = registry.champion_folder(workspace)
    if folder is None:
        return Standing()
    own, other = (saved.Manifest.read(path / saved.MANIFEST).sources["train"] for path in (workspace.candidate, folder))
    new = sum(max(rows - other.get(source, 0), 0) for source, rows in own.items())
    read = Preprocessor.read(folder).columns
    known = set(Preprocessor.read(workspace.candidate).columns)
    told = {c.name for c in contract.load(workspace.contract_file).columns if c.role not in ("ignore", "id")}
    lost = [column for column in read if column not in known | told]
    return Standing(fresh=new / max(sum(own.values()), 1), lost=lost)


def commit_move(workspace: Workspace, pointer: Champion) -> str | None:
    """Commit a pointer that was moved to a version by hand or back, where promotions are committed; its tag."""
    version = pointer.version
    tagged = version and git.commit_of(workspace.root, git.version_tag(workspace.dataset, version))
    if not (version and tagged and workspace.section(PromoteSettings).commit):
        return None
    paths = [path for path in (workspace.champion, workspace.promotions) if path.is_file()]
    git.commit(workspace.root, paths, f"Make {workspace.dataset} {version} the champion")
    return git.assign_champion(workspace.root, workspace.dataset, version)


def _commit_left(workspace: Workspace, version: str) -> str | None:
    """Commit the champion's promotion, for the reasons of then, if that was killed before it had its tag."""
    if git.commit_of(workspace.root, git.version_tag(workspace.dataset, version)):
        return None
    moves = [move for move in registry.promotions(workspace).entries() if move.version == version]
    return _commit(workspace, version, moves[-1].why if moves else [])


def _commit(workspace: Workspace, version: str, reasons: list[str]) -> str:
    """Commit what defines the version, the pointer, the numbers and the raw data that git keeps, with its tags."""
    journals = [path for path in (workspace.promotions, workspace.scorings) if path.is_file()]
    paths = [workspace.champion, *journals, *lineage.definition(workspace), *lineage.numbers(workspace)]
    if git.is_tracked(workspace.root, workspace.raw):
        paths.append(workspace.raw)
    message = f"Promote {workspace.dataset} {version}\n\n" + "\n".join(f"- {reason}" for reason in reasons)
    return git.commit_promotion(workspace.root, workspace.dataset, version, paths, message)
