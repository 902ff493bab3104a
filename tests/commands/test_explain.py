"""`keepfit explain`: rows of the workspace and of new files, and what is said of rows that are not there."""

from pathlib import Path

import pytest

from pipeline import artefacts, cli
from pipeline.contract import ROW_ID
from pipeline.predictor import Predictor
from pipeline.wording import number
from pipeline.workspace import Workspace


def told(capsys: pytest.CaptureFixture[str], workspace: Workspace, *words: str | Path) -> tuple[int, list[str]]:
    code = cli.main(["-w", str(workspace.root), "explain", *map(str, words)])
    captured = capsys.readouterr()
    return code, [*captured.out.splitlines(), *captured.err.splitlines()]


def test_a_row_of_the_workspace_is_explained(trained_once: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    test = artefacts.scan_parquet(trained_once.split / "test.parquet").head(2).collect()
    model = Predictor.load(trained_once.candidate)

    code, lines = told(capsys, trained_once, *test[ROW_ID].to_list()[::-1])

    assert code == 0
    first, second = (line for line in lines if not line.startswith(" "))
    assert first.startswith(f"{test[ROW_ID][1]}: ")
    assert second.startswith(f"{test[ROW_ID][0]}: ")
    assert f"p: true {model.answers(test)[1, 1]:.3g}" in first
    assert {line.split()[2] for line in lines if line.startswith(" ")} == set(model.preprocessor.columns)


def test_the_answer_is_by_the_threshold_that_the_candidate_was_judged_with(
    trained: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    row = artefacts.scan_parquet(trained.split / "test.parquet").head(1).collect()
    p = Predictor.load(trained.candidate).answers(row)[0, 1]
    evaluation = artefacts.read_json(trained.evaluation)

    said = []
    for threshold in (0.9 * p, 1.1 * p):
        artefacts.write_json(trained.evaluation, evaluation | {"thresholds": {"candidate": float(threshold)}})
        said.append(told(capsys, trained, row[ROW_ID][0])[1][0])

    assert ": true (" in said[0] and f"said from {number(0.9 * p)}; " in said[0]
    assert ": false (" in said[1] and f"said from {number(1.1 * p)}; " in said[1]


def test_rows_of_a_new_file_are_explained(trained_once: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    file = trained_once.incoming / "2024-04.csv.gz"

    code, lines = told(capsys, trained_once, "3", "--of", file)

    assert code == 0
    assert lines[0].startswith("2024-04.csv.gz#3: ")
    assert any("weight = missing" in line for line in lines)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["2024-01.csv.gz#9999"], "2024-01.csv.gz#9999: is in none of train, val and test"),
        (["200", "--of", "NEW"], "2024-04.csv.gz#200: is no row of that file; its rows are 0 to 199"),
        (["x", "--of", "NEW"], "2024-04.csv.gz#x: is no row of that file"),
        (["2024-01.csv.gz#0", "--model", "v7"], "the registry has no version v7"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    trained_once: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    new = str(trained_once.incoming / "2024-04.csv.gz")

    code, lines = told(capsys, trained_once, *(new if word == "NEW" else word for word in words))

    assert code == 2
    assert len(lines) == 1
    assert said in lines[0]
