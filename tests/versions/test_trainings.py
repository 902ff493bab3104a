"""Trainings kept as experiments of DVC: beside git's index, so many, and each once."""

import pytest

from pipeline.versions import git, trainings
from pipeline.workspace import Workspace


@pytest.fixture
def versioned(trained: Workspace) -> Workspace:
    """The workspace in git, with a change that is staged and one that is not."""
    git.git(trained.root, "init", "--quiet", "--initial-branch=main")
    git.commit(trained.root, [trained.params_file, trained.contract_file], "Start")
    trained.params_file.write_text(trained.params_file.read_text().replace("seed: 7", "seed: 8"))
    (trained.root / "staged.txt").write_text("mine")
    git.git(trained.root, "add", "staged.txt")
    return trained


def kept(workspace: Workspace) -> list[str]:
    return git.git(workspace.root, "for-each-ref", "--format=%(refname)", "refs/exps/").splitlines()


def test_a_training_is_a_commit_on_no_branch_with_its_settings_and_numbers(versioned: Workspace) -> None:
    name = trainings.keep(versioned, "0123456789ab", most=20)

    head = git.git(versioned.root, "rev-parse", "HEAD")
    assert kept(versioned) == [f"refs/exps/{head[:2]}/{head[2:]}/{name}"]
    ref = kept(versioned)[0]
    assert git.git(versioned.root, "rev-parse", f"{ref}^") == head
    assert "seed: 8" in git.git(versioned.root, "show", f"{ref}:params.yaml")
    names = git.git(versioned.root, "ls-tree", "-r", "--name-only", ref).splitlines()
    assert {"dvc.yaml", "reports/metrics.json", "reports/evaluation.json", "schemas/tiny.py"} <= set(names)
    assert "staged.txt" not in names


def test_neither_index_nor_branch_nor_files_are_touched(versioned: Workspace) -> None:
    def seen() -> list[str]:
        asked = (("status", "--porcelain"), ("rev-parse", "HEAD", "main"), ("diff",), ("diff", "--cached"))
        return [git.git(versioned.root, *words) for words in asked]

    before = seen()
    trainings.keep(versioned, "0123456789ab", most=20)

    assert seen() == before
    assert "A  staged.txt" in before[0]


def test_the_same_training_is_kept_once_and_anew_when_its_numbers_are_others(versioned: Workspace) -> None:
    trainings.keep(versioned, "one", most=20)
    first = git.git(versioned.root, "rev-parse", kept(versioned)[0])
    trainings.keep(versioned, "one", most=20)
    assert git.git(versioned.root, "rev-parse", kept(versioned)[0]) == first

    versioned.metrics.write_text('{"test": {"auc": 0.5}}')
    trainings.keep(versioned, "one", most=20)

    assert len(kept(versioned)) == 1
    assert git.git(versioned.root, "rev-parse", kept(versioned)[0]) != first


def test_the_oldest_go_and_experiments_of_others_stay(versioned: Workspace) -> None:
    head = git.git(versioned.root, "rev-parse", "HEAD")
    git.git(versioned.root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/mine", head)
    for place in range(4):
        versioned.metrics.write_text(f'{{"test": {{"auc": 0.{place}}}}}')
        trainings.keep(versioned, f"one{place}", most=2)

    names = [ref.rpartition("/")[2] for ref in kept(versioned)]
    assert "mine" in names
    assert sum(name.startswith(trainings.NAME) for name in names) == 2


def test_none_is_kept_where_none_is_asked_for_or_git_has_no_commit(trained: Workspace) -> None:
    assert trainings.keep(trained, "one", most=20) is None
    git.git(trained.root, "init", "--quiet", "--initial-branch=main")
    assert trainings.keep(trained, "one", most=20) is None
    git.commit(trained.root, [trained.params_file], "Start")
    assert trainings.keep(trained, "one", most=0) is None
    assert kept(trained) == []
