"""Pictures → the vectors of a pre-trained network for pictures in a local folder."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pipeline import artefacts
from pipeline.features import pretrained
from pipeline.features.pretrained import WEIGHTS, Pretrained

if TYPE_CHECKING:
    import torch

READING = "preprocessor_config.json"  # how the network was shown its pictures
SETTING = "params.yaml: normalize.image.pretrained"
WANTED = "a network for pictures"
PICTURES_AT_ONCE = 32
LEVELS = 255


class Views(Pretrained):
    """A network for pictures of `size` pixels a side, in three colours, scaled by `mean` and `deviation` of light."""

    size: int
    mean: list[float]
    deviation: list[float]

    @classmethod
    def fit(cls, folder: str) -> Self:
        """Nothing is learnt: the folder is looked at; raises SettingsError where it holds no such network."""
        told = artefacts.read_json(pretrained.require_file(folder, READING, SETTING, WANTED))
        pretrained.require_file(folder, WEIGHTS, SETTING, WANTED)
        try:
            size, mean, deviation = _side(told), told["image_mean"], told["image_std"]
            blank = np.zeros((1, 3, size, size), dtype=np.uint8)
            digest = artefacts.sha256(Path(folder))
            seen = cls(folder=folder, sha256=digest, width=0, size=size, mean=mean, deviation=deviation)
            return seen.model_copy(update={"width": seen.encode(blank).shape[1]})
        except pretrained.FAULTS as error:
            raise pretrained.refused(error, folder, SETTING, WANTED) from error

    def encode(self, pictures_NCSS: np.ndarray) -> np.ndarray:
        """(N, 3, S, S) uint8 → (N, E) float32; raises WorkspaceError where the folder is not the same."""
        import torch

        with torch.inference_mode():
            parts = torch.split(torch.from_numpy(pictures_NCSS), PICTURES_AT_ONCE)
            found_NE: np.ndarray = torch.cat([self._vectors(part_BCSS) for part_BCSS in parts]).numpy()
        return found_NE

    def _vectors(self, pictures_BCSS: "torch.Tensor") -> "torch.Tensor":
        """What the network pools, or the mean over its last answers' places."""
        import torch

        mean_C11, deviation_C11 = (torch.tensor(each).reshape(-1, 1, 1) for each in (self.mean, self.deviation))
        answer = self._network(pixel_values=(pictures_BCSS / LEVELS - mean_C11) / deviation_C11)
        pooled = getattr(answer, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        states = answer.last_hidden_state  # (B, T, E) of a transformer, (B, E, H, W) of a convolutional network
        return states.mean(dim=1) if states.ndim == 3 else states.mean(dim=(2, 3))

    @cached_property
    def _network(self) -> Any:
        """The network; of one that reads texts beside pictures, the part for pictures."""
        made = pretrained.network(str(self.verified()), SETTING)
        return getattr(made, "vision_model", made)


def _side(told: dict[str, Any]) -> int:
    """Pixels a side: what is cut out, else to what is scaled."""
    size: Any = told["crop_size"] if told.get("do_center_crop", True) and "crop_size" in told else told["size"]
    return int(size if isinstance(size, int) else size.get("height") or size["shortest_edge"])
