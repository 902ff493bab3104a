"""`keepfit models`: what is told of versions, rollback and promotion by hand, and what was altered."""

import json
import shutil
from collections.abc import Callable

import numpy as np
import pytest

from pipeline import artefacts, cli
from pipeline.models import saved
from pipeline.versions import git, registry
from pipeline.workspace import Workspace

Told = tuple[int, str]
Models = Callable[..., Told]


@pytest.fixture
def two(trained: Workspace) -> Workspace:
    """Two versions, the second the champion: the first with other weights, settings and a file more."""
    registry.point(trained, registry.register(trained), how="passed the gates", why=["beats majority"])
    weights = trained.candidate / saved.WEIGHTS
    artefacts.write_tensors(weights, {n: np.asarray(v + 1) for n, v in artefacts.read_tensors(weights).items()})
    manifest = saved.Manifest.read(trained.candidate / saved.MANIFEST)
    files = manifest.files | {saved.WEIGHTS: artefacts.sha256(weights)}
    manifest.model_copy(update={"files": files}).write(trained.candidate / saved.MANIFEST)
    trained.params_file.write_text(trained.params_file.read_text().replace("epochs: 2", "epochs: 3"))
    ingested = artefacts.read_json(trained.ingested / "manifest.json")
    ingested["files"][0]["sha256"] = "0" * 64
    artefacts.write_json(trained.ingested / "manifest.json", ingested)
    trained.contract_file.write_text(trained.contract_file.read_text().replace("le=100", "le=200"))
    evaluation = artefacts.read_json(trained.evaluation)
    evaluation["scores"]["candidate"]["test"]["auc"]["value"] = 0.5
    artefacts.write_json(trained.evaluation, evaluation)
    workspace = Workspace.open(trained.root)
    registry.point(workspace, registry.register(workspace))
    return workspace


@pytest.fixture
def models(two: Workspace, capsys: pytest.CaptureFixture[str]) -> Models:
    """Runs `keepfit models ...` and gives its exit code and what it printed."""

    def run(*words: str) -> Told:
        capsys.readouterr()
        code = cli.main(["-w", str(two.root), "models", *words])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def test_list_is_what_models_alone_prints(models: Models) -> None:
    code, told = models("list")

    assert (code, told) == models()
    assert code == 0
    first, second = (line for line in told.splitlines() if line.startswith("│"))
    assert "champion since" in second and "champion" not in first
    assert "the test set" in told.splitlines()[-1]


def test_show_says_where_a_version_comes_from(models: Models, two: Workspace) -> None:
    code, told = models("show", "v1")

    assert code == 0
    kept = json.loads((two.registry / "v1" / "lineage.json").read_text())
    first = artefacts.read_json(two.registry / "v1" / saved.MANIFEST)
    assert told.startswith("v1: was champion; its weights are " + first["files"][saved.WEIGHTS][:12])
    assert "passed the gates\n             beats majority" in told
    for name, source in kept["data"].items():
        assert f"{name}: {source['rows']:,} rows, SHA-256 {source['sha256'][:12]}" in told
    assert kept["test"]["test"] in told
    assert f"torch {kept['packages']['torch']}" in told
    defined = next(line for line in told.splitlines() if "defined by" in line)
    assert all(name in defined for name in ("dvc.yaml", "params.yaml", "schemas/tiny.py"))
    assert "evaluation.json" in told and "as they were written" in told


def test_show_without_a_name_is_of_the_champion(models: Models) -> None:
    assert models("show") == models("show", "v2") == models("show", "champion")
    assert models("show")[1].startswith("v2: the champion since ")


def test_compare_says_what_went_in_and_what_came_out(models: Models) -> None:
    code, told = models("compare", "v1", "v2")

    assert code == 0
    assert "settings:\n  train.epochs: 2 → 3\n" in told
    assert '+    distance: float = pa.Field(ge=0, le=200, metadata={"modality": "numeric"})' in told
    assert "data:\n  hold other bytes: 2024-01.csv.gz (200 rows)" in told
    assert "made with: the same" in told
    assert "test rows: the same " in told
    row = next(line for line in told.splitlines() if "│ test" in line and "│ auc" in line)
    assert "0.500" in row


def test_a_version_compared_with_itself_differs_in_nothing(models: Models) -> None:
    _, told = models("compare", "v1", "v1")

    assert [line for line in told.splitlines() if line.endswith(": the same")] == [
        "settings: the same", "contract: the same", "data: the same", "made with: the same",
    ]  # fmt: skip


def test_a_rollback_is_one_step_and_says_why_afterwards(models: Models, two: Workspace) -> None:
    code, told = models("rollback", "--why", "live AUC fell in May")

    assert (code, told) == (0, "the champion is v1, after v2\n")
    assert registry.champion(two).version == "v1"
    code, told = models("log")
    assert code == 0
    assert "rollback, after v2\n   live AUC fell in May\n" in told
    assert "the journal is whole: 3 moves; the champion is v1" in told
    code, told = models("rollback")
    assert (code, told.startswith("keepfit: models/champion.json: there was no champion before v1")) == (2, True)


def test_a_version_is_promoted_by_hand(models: Models, two: Workspace) -> None:
    assert models("promote", "v1") == (0, "the champion is v1, after v2\n")
    assert registry.promotions(two).entries()[-1].how == "by hand"
    code, told = models("promote", "v7")
    assert code == 2 and "the registry has no version v7; use one of: v1, v2" in told


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own
def test_a_candidate_that_does_not_pass_is_told_by_the_table_and_the_exit_code(
    trained: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.point(trained, registry.register(trained))
    text = (
        trained.params_file.read_text()
        .replace("seed: 7", "seed: 8")
        .replace("promote: {", "promote: {minimum_gain: 1, ")
    )
    trained.params_file.write_text(text)
    for stage in ("train", "evaluate"):
        assert cli.main(["-w", str(trained.root), "stage", stage]) == 0
    capsys.readouterr()

    assert cli.main(["-w", str(trained.root), "models", "promote"]) == 1

    told = capsys.readouterr().out.splitlines()
    assert told[0] == "the champion stays v1"
    assert told[2].split()[:3] == ["failed", "beats", "majority"]


def test_a_rollback_is_committed_and_tagged_where_promotions_are(models: Models, two: Workspace) -> None:
    two.params_file.write_text(two.params_file.read_text().replace("promote: {", "promote: {commit: true, "))
    git.git(two.root, "init", "--quiet", "--initial-branch=main")
    git.commit(two.root, [two.params_file, two.contract_file, two.champion], "Start")
    git.git(two.root, "tag", "tiny@v1.0.0")

    code, told = models("rollback")

    assert (code, told) == (0, "the champion is v1, after v2 (tiny#champion#1)\n")
    assert git.git(two.root, "show", "--format=%s", "--name-only").split() == [
        "Make", "tiny", "v1", "the", "champion", "models/champion.json", "models/promotions.jsonl",
    ]  # fmt: skip


def test_a_version_that_was_altered_is_told(models: Models, two: Workspace) -> None:
    paper = two.registry / "v1" / registry.EVALUATION
    paper.write_text(paper.read_text().replace("0.5", "0.9"))
    weights = two.registry / "v2" / saved.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")

    code, told = models("log")

    assert code == 1
    assert f"v1: {registry.EVALUATION} is not the file that was written" in told
    assert f"v2: {saved.WEIGHTS} is not the file that was written" in told
    assert f"{registry.EVALUATION} is not the file that was written" in models("show", "v1")[1]


def test_a_file_that_no_list_of_the_version_knows_is_told(models: Models, two: Workspace) -> None:
    (two.registry / "v1" / "more.txt").write_text("more")

    assert "v1: a file beside the model was altered after " in models("log")[1]


def test_a_pointer_that_was_moved_by_hand_is_told(models: Models, two: Workspace) -> None:
    pointer = json.loads(two.champion.read_text())
    two.champion.write_text(json.dumps(pointer | {"version": "v1", "move": None}))

    code, told = models("log")

    assert code == 1
    assert "models/champion.json is not where the journal ends: it was changed by hand, or lines were cut off" in told


def test_a_promotion_that_was_killed_is_told_as_that(models: Models, two: Workspace) -> None:
    before = two.champion.read_bytes()
    models("rollback")
    two.champion.write_bytes(before)

    code, told = models("log")

    assert code == 1
    assert "line 3 is of a promotion that was killed: v2 is still champion" in told


def test_a_broken_journal_ends_in_one_line(models: Models, two: Workspace) -> None:
    two.promotions.write_text(two.promotions.read_text().replace("beats majority", "beats all", 1))

    for words in (("log",), ("rollback",), ("promote", "v1")):
        code, told = models(*words)
        assert code == 2
        assert told.startswith(f"keepfit: {two.promotions}: line 1 is not what was written there")


def test_a_version_without_lineage_is_shown_and_compared_as_far_as_it_goes(models: Models, two: Workspace) -> None:
    (two.registry / "v1" / "lineage.json").unlink()
    shutil.rmtree(two.registry / "v1" / "workspace")

    assert "where it comes from was not kept" in models("show", "v1")[1]
    code, told = models("compare", "v1", "v2")
    assert code == 0
    assert "test rows: whether they are the same is not known" in told
    code, told = models("reproduce", "v1")
    assert (code, "was registered without what it takes to make it anew" in told) == (2, True)


def test_before_the_first_version_there_is_nothing_to_show(tiny: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in ((["show"], "there is no champion yet"), (["show", "v1"], "no version v1")):
        assert cli.main(["-w", str(tiny.root), "models", *words]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["-w", str(tiny.root), "models"]) == 0
