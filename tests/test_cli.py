"""What the command line takes, and what it says when a file cannot be written."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import cli
from pipeline.commands import options
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("option", ["--json", "--html", "--flags"])
def test_a_folder_where_a_file_is_to_be_written_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,a\n2,b\n")
    folder = tmp_path / "there"
    (folder / "inside").mkdir(parents=True)

    code = cli.main(["check", str(tmp_path / "a.csv"), option, str(folder)])

    assert code == 2
    assert capsys.readouterr().err == f"keepfit: {folder}: is a directory; mend that, and run again\n"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_a_stage_is_refused_beside_one_that_a_killed_run_left(
    tiny: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    with tiny.stage_lock():
        code = cli.main(["-w", str(tiny.root), "stage", "ingest"])

    assert code == 2
    assert f"{tiny.root}: process {os.getpid()} works on a stage; wait for it" in capsys.readouterr().err
    assert not tiny.ingested.exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--label", "y", "--id", "x", "--time", "y"], "--time, --label: y cannot have two roles, and is named for bo"),
        (["--group", "x", "--id", "y", "--id", "x"], "--group, --id: x cannot have two roles, and is named for both"),
    ],
)
def test_a_column_that_is_named_for_two_roles_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,a\n2,b\n")

    for command in ("check", "selftest"):
        assert cli.main([command, str(tmp_path / "a.csv"), *words]) == 2
        assert told in capsys.readouterr().err


def test_a_column_without_a_name_may_have_a_role() -> None:
    chosen = cli.parser().parse_args(["check", "a.csv", "--label", "", "--id", "x"])

    assert options.roles(chosen) == {"": "label", "x": "id"}


def test_a_column_may_be_named_twice_for_one_role(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,a\n2,b\n")

    assert cli.main(["check", str(tmp_path / "a.csv"), "--group", "x", "--group", "x"]) == 0


@pytest.mark.parametrize("rows", ["49", "50001"])
def test_selftest_says_how_many_rows_it_takes(capsys: pytest.CaptureFixture[str], rows: str) -> None:
    assert cli.main(["selftest", "a.csv", "--rows", rows]) == 2
    assert "--rows: must be from 50 to 50,000, got " in capsys.readouterr().err


def test_monitor_without_a_new_batch_starts_no_flow(
    tiny: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in tiny.incoming.iterdir():
        path.unlink()
    monkeypatch.setattr(cli, "_flows", lambda workspace: pytest.fail("nothing to watch"))

    assert cli.main(["-w", str(tiny.root), "monitor"]) == 0
    assert capsys.readouterr().out.startswith("no new batch\n")


def test_init_says_how_to_go_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.commands import init

    made = SimpleNamespace(root=tmp_path / "my shop")
    monkeypatch.setattr(init, "initialise", lambda *_, **__: made)

    cli.main(["init", "my shop", "--data", "orders.csv", "--label", "returned"])

    assert "then run `cd 'my shop'` and `dvc repro`" in capsys.readouterr().out


def test_init_hands_its_options_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.commands import init

    given: dict[str, object] = {}

    def initialise(target: Path, data: Path, **named: object) -> SimpleNamespace:
        given.update(named)
        return SimpleNamespace(root=target)

    monkeypatch.setattr(init, "initialise", initialise)
    cli.main(["init", "shop", "--data", "orders.csv", "--label", "returned", "--seed", "7"])

    assert given == {"roles": {"returned": "label"}, "seed": 7, "horizon": 0, "order": None}


@pytest.mark.parametrize("option", ["--seed", "--rows"])
def test_a_number_below_zero_is_refused(capsys: pytest.CaptureFixture[str], option: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["selftest", "a.csv", option, "-1"])

    assert f"argument {option}: must be 0 or more, got -1" in capsys.readouterr().err


def test_the_console_ends_after_what_others_asked_for_and_with_the_code(tmp_path: Path) -> None:
    code = "import atexit, sys; from pipeline import cli; cli.main = lambda: atexit.register(print, 'end') and 1"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; cli.program()"], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert (done.returncode, done.stdout, done.stderr) == (1, "end\n", "")
