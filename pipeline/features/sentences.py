"""Text → the vectors of a pre-trained sentence encoder in a local folder."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import polars as pl

from pipeline import artefacts
from pipeline.features import pretrained
from pipeline.features.pretrained import WEIGHTS, Pretrained

if TYPE_CHECKING:
    import torch

POOLING = "1_Pooling/config.json"  # where sentence-transformers says which vector is meant; the mean without it
SETTING = "params.yaml: normalize.text.pretrained"
WANTED = "a sentence encoder"
TEXTS_AT_ONCE = 64
LETTERS_A_TOKEN = 16


class Sentences(Pretrained):
    """A sentence encoder, and how many tokens it reads of a text. A missing text is all zeros."""

    form: Literal["sentences"] = "sentences"
    maximum_length: int

    @classmethod
    def fit(cls, folder: str, maximum_length: int) -> Self:
        """Nothing is learnt: the folder is looked at; raises SettingsError where it holds no such encoder."""
        pretrained.require_file(folder, WEIGHTS, SETTING, WANTED)
        try:
            _, model = _loaded(folder)
            width, limit = int(model.config.hidden_size), int(model.config.max_position_embeddings)
        except (*pretrained.FAULTS, AttributeError) as error:
            raise pretrained.refused(error, folder, SETTING, WANTED) from error
        limit = min(maximum_length, limit)
        return cls(folder=folder, sha256=artefacts.sha256(Path(folder)), width=width, maximum_length=limit)

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
        folder = self.verified()
        pooling = artefacts.read_json(folder / POOLING) if (folder / POOLING).is_file() else {}
        return *_loaded(self.folder), bool(pooling.get("pooling_mode_cls_token"))


def _loaded(folder: str) -> tuple[Any, Any]:
    """Tokenizer and network: of that folder alone."""
    library = pretrained.library(SETTING)
    read = library.AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return read, pretrained.network(folder, SETTING)
