"""params.yaml is read strictly, and whatever is wrong with it is told by its key."""

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from pipeline.errors import SettingsError, WorkspaceError
from pipeline.workspace import Section, Workspace, parse_section


class TeaSettings(Section):
    """A section for these tests."""

    key: ClassVar[str] = "tea"
    cups: int = Field(default=1, ge=1)
    sugar: dict[str, float] = Field(default_factory=dict)


def workspace(root: Path, params: str | bytes) -> Workspace:
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_bytes(params if isinstance(params, bytes) else params.encode())
    return Workspace.open(root)


@pytest.mark.parametrize("absent", ["params.yaml", "dvc.yaml"])
def test_a_folder_without_its_two_files_is_no_workspace(tmp_path: Path, absent: str) -> None:
    workspace(tmp_path, "dataset: a\n")
    (tmp_path / absent).unlink()

    with pytest.raises(WorkspaceError, match=f"no {absent} here"):
        Workspace.open(tmp_path)


def test_a_folder_that_is_absent_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="is no workspace"):
        Workspace.open(tmp_path / "absent")


def test_a_section_has_its_defaults(tmp_path: Path) -> None:
    for params in ("dataset: a\n", "dataset: a\ntea:\n", "dataset: a\ntea: {}\n"):
        assert workspace(tmp_path, params).section(TeaSettings) == TeaSettings(cups=1)


def test_a_section_has_what_is_written(tmp_path: Path) -> None:
    assert workspace(tmp_path, "tea: {cups: 3}\n").section(TeaSettings).cups == 3


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("cups: 0", "params.yaml: tea.cups: Input should be greater than or equal to 1, got 0"),
        ("cups: many", "params.yaml: tea.cups: Input should be a valid integer"),
        ("cups:", "params.yaml: tea.cups: Input should be a valid integer, got None"),
        ("milk: 1", "params.yaml: tea.milk: no such key; remove it, or use one of: cups, sugar"),
        ("sugar: {white: x}", "params.yaml: tea.sugar.white: Input should be a valid number"),
    ],
)
def test_a_bad_value_is_told_with_rule_value_and_key(tmp_path: Path, written: str, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        workspace(tmp_path, f"tea: {{{written}}}\n").section(TeaSettings)

    assert str(raised.value).startswith(told)
    assert "\n" not in str(raised.value)


def test_paths_start_where_the_tables_come_from(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "table.csv").write_text("a")

    assert workspace(tmp_path, "dataset: tea\n").media == tmp_path / "data" / "raw" / "tea"
    assert workspace(tmp_path, "dataset: tea\ningest: {source: shop}\n").media == tmp_path / "shop"
    assert workspace(tmp_path, "dataset: tea\ningest: {source: shop/table.csv}\n").media == tmp_path / "shop"


def test_words_that_old_yaml_takes_for_booleans_are_words(tmp_path: Path) -> None:
    params = workspace(tmp_path, "a: off\nb: [NO, yes]\nc: true\nd: False\n").params

    assert params == {"a": "off", "b": ["NO", "yes"], "c": True, "d": False}


@pytest.mark.parametrize("written", ["5", "[1, 2]", "yes"])
def test_a_section_that_is_no_mapping_is_told(tmp_path: Path, written: str) -> None:
    with pytest.raises(SettingsError, match=r"params\.yaml: tea: "):
        workspace(tmp_path, f"tea: {written}\n").section(TeaSettings)


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ("a: [1,\n", "params.yaml, line 2, column 1: is not YAML"),
        ("a: 1\n b: 2\n", "params.yaml, line 2, column 3: is not YAML: mapping values are not allowed here"),
        ("dataset: a\ndataset: b\n", "params.yaml, line 1, column 1: is not YAML: found the key dataset twice"),
        ("tea: {cups: 1, cups: 2}\n", "params.yaml, line 1, column 6: is not YAML: found the key cups twice"),
        ("\t\n", "params.yaml, line 1, column 1: is not YAML"),
        (b"dataset: \xff\n", "params.yaml: is not YAML"),
        ("!!python/object/apply:os.getcwd []\n", "params.yaml, line 1, column 1: is not YAML"),
        ("", "params.yaml: holds no keys"),
        ("- a\n", "params.yaml: holds no keys"),
    ],
)
def test_a_file_that_is_no_mapping_is_told_on_one_line(tmp_path: Path, params: str | bytes, told: str) -> None:
    with pytest.raises(SettingsError) as raised:
        _ = workspace(tmp_path, params).params

    assert str(raised.value).startswith(told)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("written", ["", "dataset:", "dataset: 5", "dataset: ../a", "dataset: a b", "dataset: [a]"])
def test_a_dataset_must_be_a_name(tmp_path: Path, written: str) -> None:
    with pytest.raises(SettingsError, match=r"params\.yaml: dataset: dataset must be a name"):
        _ = workspace(tmp_path, f"{written}\nseed: 1\n").dataset


@pytest.mark.parametrize("written", ["-1", "1.5", "yes", "x", ""])
def test_a_seed_must_be_a_whole_number(tmp_path: Path, written: str) -> None:
    with pytest.raises(SettingsError, match=r"params\.yaml: seed: seed must be a whole number"):
        _ = workspace(tmp_path, f"seed: {written}\n").seed


def test_the_seed_is_0_unless_stated(tmp_path: Path) -> None:
    assert workspace(tmp_path, "dataset: a\n").seed == 0
    assert workspace(tmp_path, "seed: 7\n").seed == 7


def test_paths_are_inside_and_told_from_the_root(tmp_path: Path) -> None:
    made = workspace(tmp_path, "dataset: a\n")

    assert made.relative(made.raw) == "data/raw/a"
    assert made.relative(made.contract_file) == "schemas/a.py"
    assert made.relative(Path("/elsewhere/b")) == "/elsewhere/b"


def test_a_workspace_has_one_writer(tmp_path: Path) -> None:
    made = workspace(tmp_path, "dataset: a\n")

    with made.lock(), pytest.raises(WorkspaceError, match="another keepfit run"), made.lock():
        pass

    with made.lock():
        pass


def test_a_workspace_has_one_stage_at_work(tmp_path: Path) -> None:
    made = workspace(tmp_path, "dataset: a\n")
    told = f"process {os.getpid()} works on a stage; wait for it, or end it if its run was killed"

    with made.stage_lock():
        for other in (made.stage_lock, made.lock):
            with pytest.raises(WorkspaceError, match=told), other():
                pass

    with made.lock(), pytest.raises(WorkspaceError, match=told), made.stage_lock():
        pass


def test_a_writer_frees_the_stages_for_a_command_and_has_them_back(tmp_path: Path) -> None:
    made = workspace(tmp_path, "dataset: a\n")

    with made.lock() as freed:
        with freed(), made.stage_lock(), pytest.raises(WorkspaceError, match="another keepfit run"), made.lock():
            pass
        with pytest.raises(WorkspaceError, match="works on a stage"), made.stage_lock():
            pass
        with pytest.raises(ValueError, match="of the command"), freed():
            raise ValueError("of the command")
        with pytest.raises(WorkspaceError, match="works on a stage"), made.stage_lock():
            pass

    with made.stage_lock():
        pass


def test_a_stage_holds_its_lock_until_it_dies(tmp_path: Path) -> None:
    made = workspace(tmp_path, "dataset: a\n")
    code = (
        "import sys, time; from pathlib import Path; from pipeline.workspace import Workspace\n"
        "with Workspace.open(Path(sys.argv[1])).stage_lock(): print('held', flush=True); time.sleep(60)"
    )
    house = Path(__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=house, stdout=subprocess.PIPE) as stage:
        assert stage.stdout
        assert stage.stdout.readline() == b"held\n"
        with pytest.raises(WorkspaceError, match=f"process {stage.pid} works on a stage"), made.lock():
            pass
        stage.kill()

    with made.lock():
        pass


def test_a_rule_of_a_section_is_told_in_its_own_words() -> None:
    from pipeline.stages.split import SplitSettings

    with pytest.raises(SettingsError) as raised:
        parse_section(SplitSettings, {"val_share": 0.6, "test_share": 0.5})

    assert str(raised.value).startswith("params.yaml: split: val_share + test_share must be below 1")
