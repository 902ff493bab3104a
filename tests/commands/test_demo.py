"""The demo's copy: what git keeps, promotions committed, the source left alone, a stopped run carried on."""

from pathlib import Path

import pytest

from pipeline import artefacts
from pipeline.commands import demo
from pipeline.errors import SettingsError, WorkspaceError
from pipeline.versions import git
from pipeline.workspace import Workspace


def content(root: Path) -> dict[str, str]:
    """The hash of each file, but for the books of git and DVC."""
    files = [path for path in root.rglob("*") if path.is_file() and not {".git", ".dvc"} & set(path.parts)]
    return {path.relative_to(root).as_posix(): artefacts.sha256(path) for path in files}


def test_the_copy_is_a_workspace_that_commits_promotions(tiny: Workspace, tmp_path: Path) -> None:
    copy = demo.prepare(tiny.root, tmp_path / "demo")

    assert copy.root == tmp_path / "demo"
    asked = {"baseline": "majority", "tolerated_loss": 0.2, "champion": "not_worse"}
    assert copy.params["promote"] == {**asked, "commit": True}
    assert {key: value for key, value in copy.params.items() if key != "promote"} == {
        key: value for key, value in tiny.params.items() if key != "promote"
    }
    for folder in ("raw", "incoming"):
        assert content(getattr(copy, folder)) == content(getattr(tiny, folder))
    assert copy.contract_file.is_file()


def test_the_data_are_kept_in_git_from_the_start(tiny: Workspace, tmp_path: Path) -> None:
    copy = demo.prepare(tiny.root, tmp_path / "demo")

    kept = git.git(copy.root, "ls-tree", "-r", "--name-only", "HEAD").split()

    assert {"data/raw/tiny/2024-02.csv", "data/incoming/tiny/2024-05.csv.gz", "models/champion.json"} <= set(kept)


def test_the_source_is_left_alone(tiny: Workspace, tmp_path: Path) -> None:
    before = artefacts.sha256(tiny.root)

    demo.prepare(tiny.root, tmp_path / "demo")

    assert artefacts.sha256(tiny.root) == before


def test_a_second_time_changes_nothing_and_keeps_what_the_demo_made(tiny: Workspace, tmp_path: Path) -> None:
    copy = demo.prepare(tiny.root, tmp_path / "demo")
    copy.champion.write_text('{"version": "v1"}')
    (copy.raw / "2024-04.csv.gz").write_bytes((copy.incoming / "2024-04.csv.gz").read_bytes())
    before, head = content(copy.root), git.git(copy.root, "rev-parse", "HEAD")

    demo.prepare(tiny.root, tmp_path / "demo")

    assert content(copy.root) == before
    assert git.git(copy.root, "rev-parse", "HEAD") == head


def test_a_change_in_the_source_is_brought_over(tiny: Workspace, tmp_path: Path) -> None:
    demo.prepare(tiny.root, tmp_path / "demo")
    tiny.params_file.write_text(tiny.params_file.read_text().replace("seed: 7", "seed: 8"))

    assert demo.prepare(tiny.root, tmp_path / "demo").seed == 8


def test_a_folder_that_holds_something_else_is_refused(tiny: Workspace, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("x")

    with pytest.raises(WorkspaceError, match=r"is there and is no demo; name another folder with --into"):
        demo.prepare(tiny.root, tmp_path / "precious")

    assert [path.name for path in (tmp_path / "precious").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("where", ["itself", "file"])
def test_the_workspace_itself_or_a_file_is_refused(where: str, tiny: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(WorkspaceError, match="is there and is no demo"):
        demo.prepare(tiny.root, tiny.root if where == "itself" else tmp_path / "file")


def test_an_empty_folder_will_do(tiny: Workspace, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()

    assert demo.prepare(tiny.root, tmp_path / "demo").params_file.is_file()


def test_settings_without_a_promote_section_get_one(tiny: Workspace, tmp_path: Path) -> None:
    text = tiny.params_file.read_text()
    tiny.params_file.write_text("\n".join(line for line in text.splitlines() if "promote" not in line) + "\npromote:\n")

    assert demo.prepare(tiny.root, tmp_path / "demo").params["promote"] == {"commit": True}


def test_settings_that_are_no_yaml_are_an_error(tiny: Workspace, tmp_path: Path) -> None:
    tiny.params_file.write_text("dataset: [")

    with pytest.raises(SettingsError, match="is not YAML"):
        demo.prepare(tiny.root, tmp_path / "demo")


def test_what_is_no_workspace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="this is no workspace"):
        demo.prepare(tmp_path, tmp_path / "demo")
