"""Windows over an axis as tensors: a batch's are gathered when the batch is.

Shapes: N rows, T places of the axis, W places of a window, C values of a place.
"""

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from pipeline.features import windows


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """What rows of tensors are asked for, of `features.windows.Windows`: whichever is taken is made then.

    >>> windows = Windows(values=torch.arange(5.0), place_N=torch.tensor([2, 4]), step_W=torch.tensor([-1, 0]))
    >>> windows[1:].tolist(), windows.index_select(0, torch.tensor([0])).tolist()
    ([[3.0, 4.0]], [[1.0, 2.0]])
    """

    values: Tensor
    place_N: Tensor
    step_W: Tensor

    @classmethod
    def of(cls, known: windows.Windows) -> Self:
        """The same windows, of the same memory."""
        parts = (torch.from_numpy(part) for part in (known.values, known.place_N, known.step_W))
        values, place_N, step_W = parts
        return cls(values=values, place_N=place_N, step_W=step_W)

    def __len__(self) -> int:
        return len(self.place_N)

    def __getitem__(self, chosen: Any) -> Tensor:
        return self.values[self.place_N[chosen][..., None] + self.step_W]

    def index_select(self, dim: int, chosen: Tensor) -> Tensor:
        """As of a tensor, along the rows: `dim` is 0."""
        assert dim == 0
        return self[chosen]

    def to(self, device: torch.device) -> "Windows":
        """The same on that device."""
        parts = {"values": self.values, "place_N": self.place_N, "step_W": self.step_W}
        return Windows(**{name: part.to(device) for name, part in parts.items()})

    @property
    def device(self) -> torch.device:
        return self.values.device

    def element_size(self) -> int:
        """Bytes of a value."""
        return self.values.element_size()
