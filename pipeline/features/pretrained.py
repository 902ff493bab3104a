"""A pre-trained network in a local folder, as transformers writes it: never trained, and nothing is fetched or pickled.

Its vectors are computed once, before training, and not by the network that learns: what does not learn says the same in
every epoch, and is many times the cost of all else. So the model's folder stays small, too: it names this folder and
its hash, and one of other bytes is refused.
"""

from pathlib import Path
from typing import Any

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import SettingsError, WorkspaceError

WEIGHTS = "model.safetensors"
INSTALL = "pip install 'keepfit[pretrained]'"
FAULTS = (OSError, ValueError, KeyError, TypeError, RuntimeError)  # of transformers, over a folder that is no such one


class Pretrained(Record):
    """The folder, the SHA-256 of its files, and how many values a vector has."""

    folder: str
    sha256: str
    width: int

    def verified(self) -> Path:
        """The folder; raises WorkspaceError where it is not the one that the model was trained with."""
        folder = Path(self.folder)
        if not folder.is_dir() or artefacts.sha256(folder) != self.sha256:
            raise WorkspaceError(
                f"is {'not the encoder that was used' if folder.is_dir() else 'absent'}",
                where=self.folder,
                fix="put the encoder back that the model was trained with, or train again",
            )
        return folder


def require_file(folder: str, name: str, where: str, what: str) -> Path:
    """The file of that folder; raises SettingsError, at `where` of params.yaml, if the folder has none."""
    if not (Path(folder) / name).is_file():
        raise SettingsError(f"holds no {name}", where=f"{where}: {folder}", fix=f"name the folder of {what}")
    return Path(folder) / name


def refused(error: Exception, folder: str, where: str, what: str) -> SettingsError:
    """That the folder holds no such network, with the first line of why."""
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    return SettingsError(f"is no encoder: {why}", where=f"{where}: {folder}", fix=f"name the folder of {what}")


def library(where: str) -> Any:
    """transformers, quiet; raises SettingsError where it is not installed."""
    try:
        import transformers
    except ImportError as error:
        raise SettingsError("needs transformers", where=where, fix=INSTALL) from error
    transformers.utils.logging.disable_progress_bar()
    return transformers


def network(folder: str, where: str) -> Any:
    """The network of that folder alone, in 32 bits, without code of its own or pickled weights."""
    made = library(where).AutoModel.from_pretrained(
        folder, use_safetensors=True, dtype="float32", local_files_only=True, trust_remote_code=False
    )
    return made.eval()
