"""Text → the vectors of a pre-trained sentence encoder in a local folder. It is never trained, and nothing is loaded.

The vectors are computed once, before training, and not by the network: an encoder that does not learn says the same in
every epoch, and is many times the cost of all else. So the model's folder stays small, too: it names the encoder's
folder and its hash, and an encoder of other bytes is refused.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import polars as pl

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import SettingsError, WorkspaceError

if TYPE_CHECKING:
    import torch

WEIGHTS = "model.safetensors"
POOLING = "1_Pooling/config.json"  # where sentence-transformers says which vector is meant; the mean without it
SETTING = "params.yaml: normalize.text.pretrained"
TEXTS_AT_ONCE = 64
LETTERS_A_TOKEN = 16


class Sentences(Record):
    """The folder, the SHA-256 of its files, and how many values a vector has. A missing text is all zeros."""

    form: Literal["sentences"] = "sentences"
    folder: str
    sha256: str
    width: int
    maximum_length: int

    @classmethod
    def fit(cls, folder: str, maximum_length: int) -> Self:
        """Nothing is learnt: the folder is looked at; raises SettingsError where it holds no such encoder."""
        if not (Path(folder) / WEIGHTS).is_file():
            raise SettingsError(
                f"holds no {WEIGHTS}", where=f"{SETTING}: {folder}", fix="name the folder of a sentence encoder"
            )
        try:
            _, model = _loaded(folder)
        except (OSError, ValueError, KeyError) as error:
            what = str(error).strip().splitlines()[0]
            raise SettingsError(
                f"is no encoder: {what}", where=f"{SETTING}: {folder}", fix="name the folder of one"
            ) from error
        digest, width = artefacts.sha256(Path(folder)), int(model.config.hidden_size)
        limit = min(maximum_length, int(model.config.max_position_embeddings))
        return cls(folder=folder, sha256=digest, width=width, maximum_length=limit)

    def encode(self, texts: pl.Series) -> np.ndarray:
        """(N,) texts → (N, width) float32 of length 1; raises WorkspaceError where the folder is not the same."""
        import torch

        read = texts.str.slice(0, self.letters)
        vectors_NE = np.zeros((len(texts), self.width), dtype=np.float32)
        said_N = np.flatnonzero(texts.is_not_null().to_numpy())
        order_N = said_N[np.argsort(read.gather(said_N).str.len_chars().to_numpy(), kind="stable")]
        with torch.inference_mode():
            for start in range(0, len(order_N), TEXTS_AT_ONCE):  # alike in length, so that few are padded
                chosen_B = order_N[start : start + TEXTS_AT_ONCE]
                vectors_NE[chosen_B] = self._vectors(read.gather(chosen_B).to_list()).numpy()
        return vectors_NE

    def _vectors(self, texts: list[str]) -> "torch.Tensor":
        """Texts → (B, E): the mean over the tokens, or the first one's where the folder says so, of length 1."""
        import torch

        read, model, first = self._opened
        tokens = read(texts, padding=True, truncation=True, max_length=self.maximum_length, return_tensors="pt")
        states_BTE = model(**tokens).last_hidden_state
        mask_BT1 = tokens["attention_mask"].unsqueeze(2)
        mean_BE = (states_BTE * mask_BT1).sum(dim=1) / mask_BT1.sum(dim=1).clamp(min=1)
        return torch.nn.functional.normalize(states_BTE[:, 0] if first else mean_BE, dim=1)

    @property
    def letters(self) -> int:
        """How many letters of a text are looked at."""
        return LETTERS_A_TOKEN * self.maximum_length

    @cached_property
    def _opened(self) -> tuple[Any, Any, bool]:
        folder = Path(self.folder)
        if not folder.is_dir() or artefacts.sha256(folder) != self.sha256:
            raise WorkspaceError(
                f"is {'not the encoder that was used' if folder.is_dir() else 'absent'}",
                where=self.folder,
                fix="put the sentence encoder back that the model was trained with, or train again",
            )
        pooling = artefacts.read_json(folder / POOLING) if (folder / POOLING).is_file() else {}
        return *_loaded(self.folder), bool(pooling.get("pooling_mode_cls_token"))


def _loaded(folder: str) -> tuple[Any, Any]:
    """Tokenizer and network: of that folder alone, in 32 bits, without code of its own or pickled weights."""
    try:
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils import logging
    except ImportError as error:
        raise SettingsError("needs transformers", where=SETTING, fix="pip install 'keepfit[text]'") from error
    logging.disable_progress_bar()
    here = {"local_files_only": True, "trust_remote_code": False}
    read = AutoTokenizer.from_pretrained(folder, **here)
    model = AutoModel.from_pretrained(folder, use_safetensors=True, dtype="float32", **here)
    return read, model.eval()
