"""Exports: raw columns in, the model's answer out, for every backbone and every kind of label."""

import csv
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import artefacts
from pipeline.cli import main
from pipeline.errors import WorkspaceError
from pipeline.export import bundle, loader, onnx_file
from pipeline.export.manifest import MANIFEST, Manifest
from pipeline.predictor import Predictor
from pipeline.workspace import Workspace
from tests.export.conftest import Make

NEAR = 1e-5  # of 32 bits, whose digits are worth some 1e-7


@pytest.fixture(scope="module")
def made(trained_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The export of a whole workspace's candidate, and what the command said; only to be read."""
    to, said = tmp_path_factory.mktemp("exported") / "candidate", StringIO()
    with redirect_stdout(said):
        assert main(["-w", str(trained_once.root), "models", "export", "candidate", "--to", str(to)]) == 0
    return to, said.getvalue()


@pytest.fixture
def exported(made: tuple[Path, str]) -> Path:
    """Its folder."""
    return made[0]


@pytest.mark.parametrize(
    ("backbone", "kind"),
    [
        ("linear", "three"),
        ("mlp", "classes"),
        ("resnet", "ordinal"),
        ("ft_transformer", "quantiles"),
        ("tabm", "tags"),
        ("mlp", "quantity"),
    ],
)
def test_every_backbone_and_every_kind_of_label_answers_from_its_files_as_it_does_itself(
    backbone: str, kind: str, export_of: Make, tmp_path: Path
) -> None:
    export = export_of(backbone=backbone, kind=kind)

    found = [bundle.write_onnx(export, tmp_path), bundle.write_graph(export, tmp_path)]
    cost = bundle.write_small(export, tmp_path)

    assert all(seen.farthest < NEAR and not seen.otherwise for seen in found)
    assert all(seen.edges > len(export.asked.inputs) and seen.rows == len(export.asked.real.told_NK) for seen in found)
    assert cost is not None
    assert cost.farthest > found[0].farthest  # 8 bits are fewer
    assert np.isfinite([cost.before, cost.after]).all()


def test_the_manifest_names_every_file_by_its_hash_and_every_input(exported: Path, trained_once: Workspace) -> None:
    made = Manifest.read(exported / MANIFEST)

    files = {path.name: artefacts.sha256(path) for path in exported.iterdir() if path.name != MANIFEST}
    assert {name: file.sha256 for name, file in made.files.items()} == files
    assert [one.name for one in made.inputs] == Predictor.load(trained_once.candidate).preprocessor.columns
    assert {one.name: one.derived for one in made.inputs if one.derived} == {"weekday": "EXTRACT(ISODOW FROM placed)"}
    assert made.outputs == {"answer": ["false", "true"], "probabilities": ["p: false", "p: true"]}
    assert made.checked[bundle.MODEL].rows == pl.read_parquet(trained_once.split / "val.parquet").height


def test_onnx_answers_raw_cells_as_predict_answers_typed_rows(exported: Path, trained_once: Workspace) -> None:
    rows = pl.DataFrame(
        {
            "shop": ["north", None, "moon"],
            "distance": [1.5, None, 1e9],
            "weight": [None, 2.0, 3.0],
            "weekday": list("17x"),
        }
    )
    cells = {
        "shop": np.array(["north", "NA", "moon"], dtype=object),
        "distance": np.array([1.5, np.nan, 1e9]),
        "weight": np.array([np.nan, 2.0, 3.0]),
        "weekday": np.array(list("17x"), dtype=object),
    }

    _, told_NK = onnx_file.answers(exported / bundle.MODEL, cells)

    assert told_NK == pytest.approx(Predictor.load(trained_once.candidate).answers(rows), abs=NEAR)


def test_the_script_answers_a_table_without_this_package(
    exported: Path, trained_once: Workspace, tmp_path: Path
) -> None:
    rows = pl.read_parquet(trained_once.split / "test.parquet").head(9)
    rows.write_csv(tmp_path / "rows.csv", null_value="NA")
    alone = "import sys; sys.modules.update(dict.fromkeys(['pipeline', 'safetensors', 'polars', 'onnx'])); "
    code = f"{alone} import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"

    said = subprocess.run(
        [sys.executable, "-c", code, exported / bundle.ANSWER, "rows.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    model = Predictor.load(trained_once.candidate)
    threshold = Manifest.read(exported / MANIFEST).threshold
    assert threshold is not None
    wanted = model.preprocessor.target.said(model.answers(rows), threshold)
    header, *answers = csv.reader(said.stdout.splitlines())
    assert header == wanted.columns
    assert [answer[0] for answer in answers] == wanted["answer"].to_list()
    told = [[float(value) for value in answer[1:]] for answer in answers]
    assert np.array(told) == pytest.approx(wanted.drop("answer").to_numpy(), abs=NEAR)


def test_the_script_answers_rows_in_parts_as_together(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = loader.Model(exported)
    cells = {"shop": ["north", "south", ""], "distance": [1.0, 2.0, 3.0], "weight": [1.0] * 3, "weekday": ["1"] * 3}
    whole = model.answers(cells)

    monkeypatch.setattr(loader, "ROWS_AT_ONCE", 2)

    assert model.answers(cells)[1] == pytest.approx(whole[1], abs=NEAR)
    assert model.answers(cells)[0].tolist() == whole[0].tolist()


def test_the_command_says_what_was_found(made: tuple[Path, str]) -> None:
    for words in ("model.onnx: at most", "87 rows of val", "model.int8.onnx: auc", "weekday is made of other columns"):
        assert words in made[1]


def test_an_export_that_fails_writes_nothing_and_leaves_what_was_there(
    exported: Path, trained_once: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "out"
    shutil.copytree(exported, to)
    before = artefacts.sha256(to)

    code = main(
        ["-w", str(trained_once.root), "models", "export", "candidate", "--to", str(to), "--tolerance", "1e-15"]
    )

    assert code == 1
    assert "1e-15 is tolerated; nothing was written" in capsys.readouterr().err
    assert artefacts.sha256(to) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_with_files_of_others_is_not_replaced(exported: Path, trained_once: Workspace, tmp_path: Path) -> None:
    to = tmp_path / "out"
    shutil.copytree(exported, to)
    (to / "notes.txt").write_text("mine")

    with pytest.raises(WorkspaceError, match="is not empty, and holds more than an earlier export"):
        bundle.write(trained_once, "candidate", to)

    assert (to / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["v9", "champion", "../candidate"])
def test_a_version_that_is_not_there_is_an_error(name: str, trained_once: Workspace, tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="the registry has no version"):
        bundle.write(trained_once, name, tmp_path / "out")


def test_a_candidate_that_was_not_judged_has_no_threshold(trained: Workspace, tmp_path: Path) -> None:
    told = artefacts.read_json(trained.evaluation)
    artefacts.write_json(trained.evaluation, told | {"candidate": "0123456789ab"})

    with pytest.raises(WorkspaceError, match=r"evaluation\.json: is of the candidate 0123456789ab, which is"):
        bundle.write(trained, "candidate", tmp_path / "out")


def test_without_the_libraries_it_says_what_to_install(
    trained_once: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(WorkspaceError, match=r"needs onnxruntime; pip install 'keepfit\[export\]'"):
        bundle.write(trained_once, "candidate", tmp_path / "out")
