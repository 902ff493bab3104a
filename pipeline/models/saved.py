"""A trained model as a folder: safetensors and JSON, nothing that could run code, every file hashed.

network.json            what rebuilds the network
weights.safetensors     its weights
repairs.json            the rules by which its training rows were repaired, and every row is that it is asked of
preprocessor.json       typed rows → tensors, fitted on train
reference.json          the profile of the training rows
watch.json              what new rows are compared with, and what answers are worth while no label has come
history.json            the curves of its training
health.json             what was measured of its training, and what is to be said of it
manifest.json           what it was made from and the SHA-256 of each file above; written last
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.models.choices.transfer import Start
from pipeline.workspace import Section

if TYPE_CHECKING:
    from torch import Tensor

    from pipeline.models.network import Network, NetworkShape

MANIFEST = "manifest.json"
NETWORK = "network.json"
WEIGHTS = "weights.safetensors"
REPAIRS = "repairs.json"
PREPROCESSOR = "preprocessor.json"
REFERENCE = "reference.json"
HISTORY = "history.json"
HEALTH = "health.json"
FILES = (NETWORK, WEIGHTS, REPAIRS, PREPROCESSOR, REFERENCE, HISTORY)
VERSIONS_KEPT = ("keepfit", "torch", "pytorch-lightning", "polars", "numpy")


class Manifest(Record):
    """What a model was made from: seed, settings, rows of each source in each split, versions, file hashes.

    `start`: which weights of which other model it began with, if it did.
    """

    seed: int
    settings: dict[str, Any]
    rows: dict[str, int]
    sources: dict[str, dict[str, int]]
    span: dict[str, tuple[str, str]]
    versions: dict[str, str]
    files: dict[str, str]
    start: Start | None = None

    @property
    def identity(self) -> str:
        """Twelve digits of the weights' hash: two models with the same one answer alike."""
        return self.files[WEIGHTS][:12]


def write(folder: Path, shape: "NetworkShape", weights: "dict[str, Tensor]") -> None:
    """Write the network's shape and weights into `folder`."""
    shape.write(folder / NETWORK)
    artefacts.write_tensors(folder / WEIGHTS, {name: value.contiguous().numpy() for name, value in weights.items()})


def seal(folder: Path, *, seed: int, settings: Section, split: dict[str, Any], start: Start | None = None) -> Manifest:
    """Hash every file of `folder` and write the manifest: its existence says that the model is complete."""
    files = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
    manifest = Manifest(
        seed=seed,
        settings=settings.model_dump(mode="json"),
        rows=split["rows"],
        sources=split["sources"],
        span=split["span"],
        versions={name: version(name) for name in VERSIONS_KEPT},
        files={path.name: artefacts.sha256(path) for path in files},
        start=start,
    )
    manifest.write(folder / MANIFEST)
    return manifest


def verify(folder: Path) -> Manifest:
    """Read the manifest and compare every hash; raises WorkspaceError when a file was altered or is absent."""
    manifest = Manifest.read(folder / MANIFEST)
    require(folder, dict.fromkeys(FILES, "") | manifest.files)
    return manifest


def require(folder: Path, hashes: Mapping[str, str]) -> None:
    """Raise WorkspaceError for the first file of `folder` that is absent, or has not the SHA-256 that is told of it."""
    for name, known in hashes.items():
        path = folder / name
        if not path.is_file() or artefacts.sha256(path) != known:
            raise WorkspaceError(
                f"{name} is {'not the file that was written' if path.is_file() else 'absent'}",
                where=str(folder),
                fix="train again, or take the model's folder from a backup",
            )


def load(folder: Path) -> "Network":
    """Verify the folder and rebuild its network on the CPU; raises WorkspaceError when the two do not fit."""
    import torch
    from safetensors.torch import load_file

    from pipeline.models.network import Network, NetworkShape

    verify(folder)
    network = Network(NetworkShape.read(folder / NETWORK))
    try:
        network.load_state_dict(load_file(folder / WEIGHTS))
    except (RuntimeError, ValidationError) as error:
        raise WorkspaceError(f"the weights are not those of {NETWORK}", where=str(folder), fix="train again") from error
    return network.to(torch.device("cpu")).eval()
