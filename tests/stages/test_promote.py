"""Promote: the gates case by case, a second run, a kill in between, a rollback that stays one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline import artefacts, metrics
from pipeline.errors import SettingsError, WorkspaceError
from pipeline.metrics import Paired
from pipeline.stages import evaluate, gates, normalize, promote, train
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.gates import Standing
from pipeline.stages.promote import PairedMetric, PromoteSettings
from pipeline.versions import dvc, git, registry
from pipeline.workspace import Workspace

NUMBER = 'nullable=True, metadata={"modality": "numeric"}'


@pytest.fixture(autouse=True)
def without_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    """What DVC says of evaluate has tests of its own."""

    @contextmanager
    def judgement(root: Path, stage: str, moves: str = "") -> Iterator[None]:
        yield

    monkeypatch.setattr(dvc, "judgement", judgement)


def pair(model: str, low: float, high: float, metric: PairedMetric = "auc") -> Paired:
    return Paired(model=model, metric=metric, difference=(low + high) / 2, low=low, high=high, resamples=50)


@pytest.mark.parametrize(
    ("pairs", "settings", "promoted"),
    [
        ([("logistic_regression", 0.001, 0.02)], {}, True),
        ([("logistic_regression", 0.0, 0.02)], {}, False),
        ([("logistic_regression", -0.001, 0.02)], {}, False),
        ([("logistic_regression", 0.02, 0.03)], {"minimum_gain": 0.02}, False),
        ([("logistic_regression", 0.021, 0.03)], {"minimum_gain": 0.02}, True),
        ([("logistic_regression", -0.1, -0.05), ("majority", 0.1, 0.2)], {"baseline": "majority"}, True),
        ([("logistic_regression", 0.01, 0.02), ("champion", -0.004, 0.01)], {}, True),
        ([("logistic_regression", 0.01, 0.02), ("champion", -0.006, 0.01)], {}, False),
        ([("logistic_regression", 0.01, 0.02), ("champion", -0.006, 0.01)], {"tolerated_loss": 0.01}, True),
        ([("logistic_regression", 0.01, 0.02), ("champion", 0.0, 0.0)], {"tolerated_loss": 0}, True),
        ([("logistic_regression", 0.01, 0.02), ("champion", -1e-9, 0.0)], {"tolerated_loss": 0}, False),
        ([("logistic_regression", -0.01, 0.02), ("champion", 0.01, 0.1)], {}, True),
        ([("logistic_regression", -0.01, 0.02), ("champion", 0.0, 0.1)], {}, False),
        ([("logistic_regression", -0.02, -0.01), ("champion", 0.01, 0.1)], {}, False),
    ],
)
def test_the_gates(
    pairs: list[tuple[str, float, float]], settings: dict[str, Any], promoted: bool, trained_once: Workspace
) -> None:
    judged = Evaluation.read(trained_once.evaluation).model_copy(update={"paired": [pair(*each) for each in pairs]})

    found = PromoteSettings.model_validate(settings).judged(judged, Standing(), None)

    assert gates.passed(found) is promoted
    assert len(found) == 1 + any(model == "champion" for model, _, _ in pairs)
    assert all("95% interval" in gate.words and "same test rows" in gate.words for gate in found)


@pytest.mark.parametrize("metric", metrics.OF["classes"].paired)
def test_any_metric_that_may_be_asked_for_was_compared(metric: str, trained_once: Workspace) -> None:
    judged = Evaluation.read(trained_once.evaluation)
    settings = PromoteSettings.model_validate({"metric": metric, "baseline": "majority"})

    assert settings.judged(judged, Standing(), None)[0].words.startswith("beats majority: " + metric)


@pytest.mark.parametrize("baseline", ["candidate", "champion"])
def test_neither_candidate_nor_champion_is_a_baseline(baseline: str, trained_once: Workspace) -> None:
    judged = Evaluation.read(trained_once.evaluation)
    judged = judged.model_copy(update={"scores": judged.scores | {"champion": judged.scores["candidate"]}})

    with pytest.raises(SettingsError, match=rf"promote\.baseline: cannot be {baseline}"):
        PromoteSettings.model_validate({"baseline": baseline}).judged(judged, Standing(), None)


def test_a_metric_that_hangs_on_a_threshold_is_refused(tiny: Workspace) -> None:
    tiny.params_file.write_text(tiny.params_file.read_text().replace("promote: {", "promote: {metric: f1, "))

    with pytest.raises(SettingsError, match=r"promote\.metric: .*'auto', 'auc', 'average_precision', 'log_loss'.*'f1'"):
        Workspace.open(tiny.root).section(PromoteSettings)


def retrained(workspace: Workspace, seed: int) -> Workspace:
    """Train and judge another candidate."""
    text = workspace.params_file.read_text()
    workspace.params_file.write_text(text.replace(f"seed: {workspace.seed}", f"seed: {seed}"))
    workspace = Workspace.open(workspace.root)
    train.run(workspace)
    evaluate.run(workspace)
    return workspace


def test_a_candidate_that_passes_becomes_champion(trained: Workspace) -> None:
    promotion = promote.run(trained)

    assert (promotion.promoted, promotion.version, promotion.tag) == (True, "v1", None)
    assert registry.champion(trained).version == "v1"


def test_a_second_run_changes_nothing(trained: Workspace) -> None:
    promote.run(trained)
    before = artefacts.sha256(trained.root / "models")

    again = promote.run(trained)

    assert (again.promoted, again.version) == (False, "v1")
    assert again.reasons == ["the candidate is the champion already"]
    assert artefacts.sha256(trained.root / "models") == before


def test_a_candidate_that_fails_leaves_the_champion_and_says_why(trained: Workspace) -> None:
    promote.run(trained)
    before = trained.champion.read_bytes()
    workspace = retrained(trained, 8)
    text = workspace.params_file.read_text().replace("tolerated_loss: 0.2", "minimum_gain: 0.9")
    workspace.params_file.write_text(text)

    promotion = promote.run(Workspace.open(workspace.root))

    assert (promotion.promoted, promotion.version) == (False, "v1")
    assert promotion.reasons[0].startswith("does not surely beat majority: auc +0.")
    assert trained.champion.read_bytes() == before
    assert registry.versions(trained) == ["v1"]


def test_a_better_candidate_follows_the_champion(trained: Workspace) -> None:
    promote.run(trained)

    promotion = promote.run(retrained(trained, 8))

    pointer = registry.champion(trained)
    assert (promotion.version, pointer.version, pointer.previous) == ("v2", "v2", "v1")
    assert "is not worse than champion" in promotion.reasons[1]


def test_another_seed_is_no_reason_for_another_champion(trained: Workspace) -> None:
    trained.params_file.write_text(trained.params_file.read_text().replace("champion: not_worse", "champion: auto"))
    workspace = Workspace.open(trained.root)
    promote.run(workspace)

    promotion = promote.run(retrained(workspace, 8))

    assert (promotion.promoted, promotion.version) == (False, "v1")
    assert [gate.verdict for gate in promotion.gates] == ["passed", "failed"]
    assert "0% of its training rows are new: without new rows it must surely be better" in promotion.reasons[1]
    assert promotion.lines[0] == "the champion stays v1"
    assert [line.split()[0] for line in promotion.lines[1:4]] == ["verdict", "passed", "failed"]


def test_a_candidate_without_the_leak_follows_a_champion_with_it(trained: Workspace) -> None:
    """`minutes` is what the label is made of."""
    told = trained.contract_file.read_text()
    trained.contract_file.write_text(told.replace('nullable=True, metadata={"role": "ignore"}', NUMBER))
    leaking = anew(trained)
    assert promote.run(leaking).version == "v1"
    leaking.contract_file.write_text(told)

    promotion = promote.run(anew(leaking))

    aucs = {name: scores["test"]["auc"] for name, scores in Evaluation.read(trained.evaluation).scores.items()}
    assert aucs["champion"].value > 0.98
    assert (aucs["champion"].low or 0.0) > (aucs["candidate"].high or 1.0)
    assert (promotion.promoted, promotion.version) == (True, "v2")
    assert "the champion reads minutes, which is no feature by now" in promotion.reasons[1]


def anew(workspace: Workspace) -> Workspace:
    """Another candidate, of what the contract says by now."""
    workspace = Workspace.open(workspace.root)
    for stage in (normalize, train, evaluate):
        stage.run(workspace)
    return workspace


def test_a_kill_between_register_and_point_leaves_the_champion_and_the_next_run_carries_on(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote.run(trained)
    workspace = retrained(trained, 8)
    before = workspace.champion.read_bytes()

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "point", killed)
        with pytest.raises(KeyboardInterrupt):
            promote.run(workspace)
    assert workspace.champion.read_bytes() == before
    assert registry.versions(workspace) == ["v1", "v2"]

    promotion = promote.run(workspace)

    assert (promotion.promoted, promotion.version) == (True, "v2")
    assert registry.versions(workspace) == ["v1", "v2"]


def test_a_rollback_is_not_undone_by_the_next_run(trained: Workspace) -> None:
    promote.run(trained)
    workspace = retrained(trained, 8)
    promote.run(workspace)
    registry.point(workspace, "v1")
    evaluate.run(workspace)

    promotion = promote.run(workspace)

    assert (promotion.promoted, promotion.version) == (False, "v1")
    assert "rolled back from v2" in promotion.reasons[0]
    assert registry.champion(workspace).version == "v1"


def test_after_a_rollback_a_new_candidate_may_be_promoted(trained: Workspace) -> None:
    promote.run(trained)
    workspace = retrained(trained, 8)
    promote.run(workspace)
    registry.point(workspace, "v1")

    promotion = promote.run(retrained(workspace, 9))

    assert (promotion.promoted, promotion.version) == (True, "v3")


def test_an_evaluation_of_another_candidate_is_an_error(trained: Workspace) -> None:
    text = trained.params_file.read_text().replace("seed: 7", "seed: 8")
    trained.params_file.write_text(text)
    workspace = Workspace.open(trained.root)
    train.run(workspace)

    with pytest.raises(WorkspaceError, match=r"reports/evaluation\.json: is of the candidate .*run `dvc repro`"):
        promote.run(workspace)


def test_an_evaluation_against_another_champion_is_an_error(trained: Workspace) -> None:
    promote.run(trained)
    workspace = retrained(trained, 8)
    promote.run(workspace)
    registry.point(workspace, "v1")
    train.run(Workspace.open(workspace.root))
    workspace.champion.write_text(workspace.champion.read_text().replace('"v1"', '"v2"', 1))

    with pytest.raises(WorkspaceError, match="is of the champion v1, which is v2 by now"):
        promote.run(workspace)


def test_a_candidate_that_was_altered_is_an_error(trained: Workspace) -> None:
    (trained.candidate / "history.json").write_text("{}")

    with pytest.raises(WorkspaceError, match=r"history\.json is not the file that was written"):
        promote.run(trained)


@pytest.fixture
def committing(trained: Workspace) -> Workspace:
    """The workspace as a git repository, where promotions are committed."""
    text = trained.params_file.read_text().replace("promote: {", "promote: {commit: true, ")
    trained.params_file.write_text(text)
    (trained.root / "dvc.lock").write_text("schema: '2.0'\n")
    git.git(trained.root, "init", "--quiet", "--initial-branch=main")
    git.commit(trained.root, [trained.params_file], "Start")
    return Workspace.open(trained.root)


def test_a_promotion_is_a_commit_with_a_tag(committing: Workspace) -> None:
    promotion = promote.run(committing)

    assert promotion.tag == "tiny@v1.0.0"
    assert git.git(committing.root, "show", "--format=%s", "--name-only", "tiny@v1.0.0^{commit}").split() == [
        "Promote", "tiny", "v1", "dvc.lock", "dvc.yaml",
        "models/champion.json", "models/promotions.jsonl", "models/scorings.jsonl", "models/window.json",
        "reports/diagnosis.json", "reports/evaluation.json", "reports/ledger.json",
        "reports/metrics.json", "reports/quality.json",
        "schemas/tiny.py",
    ]  # fmt: skip
    assert "beats majority" in git.git(committing.root, "log", "-1", "--format=%b")


def test_a_promotion_killed_before_its_commit_is_committed_by_the_next_run(
    committing: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(git, "commit_promotion", killed)
        with pytest.raises(KeyboardInterrupt):
            promote.run(committing)
    assert registry.champion(committing).version == "v1"

    assert promote.run(committing).tag == "tiny@v1.0.0"
    why = registry.promotions(committing).entries()[-1].why
    assert all(f"- {reason}" in git.git(committing.root, "log", "-1", "--format=%b") for reason in why)
    head = git.git(committing.root, "rev-parse", "HEAD")
    assert promote.run(committing).tag is None
    assert git.git(committing.root, "rev-parse", "HEAD") == head
