"""What is said of an export: what goes in, what comes out, what was found when it was checked, what its files are."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.export.columns import Input
from pipeline.export.eight_bits import Cost
from pipeline.export.fidelity import Fidelity

MANIFEST = "manifest.json"
LIBRARIES = ("keepfit", "torch", "onnx", "onnxruntime", "onnxscript", "numpy")


class File(Record):
    """A file of the export."""

    sha256: str
    bytes: int


class Manifest(Record):
    """manifest.json.

    `version` and `identity` are those of the model. `inputs` have no codes here: graph.json has them. `outside` says
    what is to be done before rows are given to it. `outputs`: by its name the classes that the answer is one of, then
    what each value of the other output is; the answer's `threshold` and the `temperature` of the logits are inside.
    `checked` by file; `int8` what 8 bits cost, None where the labels of val are not those that the model knows.
    """

    format: Literal["keepfit export 1"] = "keepfit export 1"
    version: str
    identity: str
    label: str
    kind: str
    inputs: list[Input]
    outside: list[str]
    outputs: dict[str, list[str]]
    threshold: float | None
    temperature: float
    checked: dict[str, Fidelity]
    int8: Cost | None
    made_with: dict[str, str]
    files: dict[str, File] = Field(default_factory=dict)

    def seal(self, folder: Path) -> "Manifest":
        """Write it into `folder`, with the hash of every file that is there."""
        files = {
            path.name: File(sha256=artefacts.sha256(path), bytes=path.stat().st_size)
            for path in sorted(folder.iterdir())
            if path.name != MANIFEST
        }
        sealed = self.model_copy(update={"files": files})
        sealed.write(folder / MANIFEST)
        return sealed


def require_free(folder: Path) -> None:
    """Raise WorkspaceError for a folder that holds anything but an earlier export, which may be replaced."""
    if not folder.exists():
        return
    held = {path.name for path in folder.iterdir()} if folder.is_dir() else {folder.name}
    ours = folder.is_dir() and (folder / MANIFEST).is_file() and held <= {MANIFEST, *_files(folder)}
    if held and not ours:
        raise WorkspaceError(
            "is not empty, and holds more than an earlier export", where=str(folder), fix="name a folder of its own"
        )


def _files(folder: Path) -> list[str]:
    found = artefacts.read_json(folder / MANIFEST)
    known = isinstance(found, dict) and str(found.get("format", "")).startswith("keepfit export")
    return [*found.get("files", {})] if known else []
