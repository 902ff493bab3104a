"""A saved model: verified to the last byte, rebuilt alike, and nothing in it or around it that runs code."""

import ast
import json
from pathlib import Path

import pytest
import torch

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.models.backbones import TableShape
from pipeline.models.network import Network, NetworkShape
from pipeline.workspace import Workspace

ROOT = Path(__file__).parents[2]
SOURCES = sorted(file for house in ("pipeline", "flows", "schemas") for file in (ROOT / house).rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "__import__", "load_from_checkpoint"}


def test_a_saved_model_verifies(trained_once: Workspace) -> None:
    manifest = saved.verify(trained_once.candidate)

    assert set(manifest.files) == {*saved.FILES, "health.json", "watch.json"}
    assert manifest.identity == artefacts.sha256(trained_once.candidate / saved.WEIGHTS)[:12]
    assert manifest.seed == trained_once.seed
    assert manifest.rows["train"] == sum(manifest.sources["train"].values())


@pytest.mark.parametrize("name", (*saved.FILES, "health.json", "watch.json"))
def test_a_flipped_byte_is_found(name: str, trained: Workspace) -> None:
    path = trained.candidate / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    with pytest.raises(WorkspaceError, match=f"{name} is not the file that was written"):
        saved.load(trained.candidate)


@pytest.mark.parametrize("name", (*saved.FILES, "health.json", "watch.json"))
def test_an_absent_file_is_found(name: str, trained: Workspace) -> None:
    (trained.candidate / name).unlink()

    with pytest.raises(WorkspaceError, match=f"{name} is absent"):
        saved.verify(trained.candidate)


@pytest.mark.parametrize("name", saved.FILES)
def test_a_manifest_that_leaves_a_file_out_vouches_for_nothing(name: str, trained: Workspace) -> None:
    path = trained.candidate / saved.MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["files"][name]
    path.write_text(json.dumps(manifest))

    with pytest.raises(WorkspaceError, match=name):
        saved.verify(trained.candidate)


def test_a_folder_without_a_manifest_is_no_model(trained: Workspace) -> None:
    (trained.candidate / saved.MANIFEST).unlink()

    with pytest.raises(WorkspaceError, match="is absent"):
        saved.load(trained.candidate)


def test_a_network_comes_back_with_the_same_answers(tmp_path: Path) -> None:
    table = TableShape(dense=2, cardinalities=[3], outputs=3)
    shape = NetworkShape(table=table, backbone="mlp", settings={"hidden": [4], "dropout": 0.1})
    network = Network(shape).eval()
    (tmp_path / saved.REPAIRS).write_text("{}")
    (tmp_path / saved.PREPROCESSOR).write_text("{}")
    (tmp_path / saved.REFERENCE).write_text("{}")
    (tmp_path / saved.HISTORY).write_text("{}")
    saved.write(tmp_path, shape, network.state_dict())
    _seal(tmp_path)

    again = saved.load(tmp_path)

    inputs = {"dense": torch.randn(5, 2), "codes": torch.tensor([[0], [1], [2], [0], [1]])}
    assert torch.equal(again(inputs), network(inputs))
    assert not again.training


def test_weights_of_another_shape_are_an_error(trained: Workspace) -> None:
    shape = NetworkShape.read(trained.candidate / saved.NETWORK)
    shape.model_copy(update={"settings": {"hidden": [3]}}).write(trained.candidate / saved.NETWORK)
    _seal(trained.candidate)

    with pytest.raises(WorkspaceError, match=r"the weights are not those of network\.json"):
        saved.load(trained.candidate)


def _seal(folder: Path) -> None:
    from pipeline.stages.train import TrainSettings

    split: dict[str, dict[str, int]] = {"rows": {}, "sources": {}, "span": {}}
    saved.seal(folder, seed=0, settings=TrainSettings(), split=split)


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_source_can_run_code_out_of_data(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))

    faults = [f"line {node.lineno}: {fault}" for node in ast.walk(tree) if (fault := _fault(node))]  # type: ignore[attr-defined]

    assert not faults


def _fault(node: ast.AST) -> str | None:
    if isinstance(node, ast.Import | ast.ImportFrom):
        named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        return next((name for name in named if name.split(".")[0] in FORBIDDEN_MODULES), None)
    if not isinstance(node, ast.Call):
        return None
    called = ast.unparse(node.func)
    if called in FORBIDDEN_CALLS or called.split(".")[-1] == "load_from_checkpoint" or called == "torch.load":
        return called
    loose = {"shell": True, "allow_pickle": True, "weights_only": False}
    keywords = {k.arg: k.value for k in node.keywords}
    return next(
        (
            f"{called}({name})"
            for name, value in keywords.items()
            if name in loose and not (isinstance(value, ast.Constant) and value.value is not loose[name])
        ),
        None,
    )


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "eval(text)",
        "Classifier.load_from_checkpoint(path)",
        "subprocess.run(line, shell=True)",
        "np.load(path, allow_pickle=flag)",
    ],
)
def test_the_search_for_such_code_finds_it(line: str) -> None:
    assert any(_fault(node) for node in ast.walk(ast.parse(line)))


def test_nothing_that_a_model_is_made_of_is_a_pickle(trained_once: Workspace) -> None:
    folders = (trained_once.candidate, trained_once.normalized, trained_once.preprocessor)
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    assert {path.suffix for path in written} == {".json", ".safetensors"}
    assert not [path for path in written if path.read_bytes()[:2] in (b"\x80\x04", b"\x80\x05", b"PK")]
