"""What the command line takes, and what it says when a file cannot be written."""

from pathlib import Path

import pytest

from pipeline import cli


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


@pytest.mark.parametrize("option", ["--seed", "--rows"])
def test_a_number_below_zero_is_refused(capsys: pytest.CaptureFixture[str], option: str) -> None:
    with pytest.raises(SystemExit):
        cli.main(["selftest", "a.csv", option, "-1"])

    assert f"argument {option}: must be 0 or more, got -1" in capsys.readouterr().err
