"""Windows over an axis: the values are kept once, and each row says where on it it stands.

A window that is looked at is made then, so that overlapping ones take no memory.
Shapes: N rows, T places of the axis, W places of a window, C values of a place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

PLACES, STEPS = "@places", "@steps"  # what stands behind the name of the values, where windows are kept as arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Windows:
    """(N, W) or (N, W, C) as arrays are, by the rows' own places and the steps of a window from there.

    >>> windows = Windows(values=np.arange(5.0), place_N=np.array([2, 4]), step_W=np.array([-1, 0]))
    >>> np.asarray(windows).tolist(), np.asarray(windows[1:]).tolist()
    ([[1.0, 2.0], [3.0, 4.0]], [[3.0, 4.0]])
    """

    values: np.ndarray
    place_N: np.ndarray
    step_W: np.ndarray

    def __len__(self) -> int:
        return len(self.place_N)

    def __getitem__(self, chosen: Any) -> "Windows":
        """The windows of these rows."""
        return Windows(values=self.values, place_N=self.place_N[chosen], step_W=self.step_W)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        made = self.values[self.place_N[:, None] + self.step_W]
        return made if dtype is None else made.astype(dtype)

    @property
    def nbytes(self) -> int:
        """What is kept, in bytes."""
        return self.values.nbytes + self.place_N.nbytes + self.step_W.nbytes


Tensor: TypeAlias = "np.ndarray | Windows"


def apart(tensors: Mapping[str, Tensor]) -> dict[str, np.ndarray]:
    """Arrays alone, as files have them: of windows the values, the places and the steps."""
    flat: dict[str, np.ndarray] = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, Windows):
            flat |= {name: tensor.values, name + PLACES: tensor.place_N, name + STEPS: tensor.step_W}
        else:
            flat[name] = tensor
    return flat


def together(arrays: Mapping[str, np.ndarray]) -> "dict[str, Any]":
    """What `apart` was given."""
    parts = {name for name in arrays if name.endswith((PLACES, STEPS))}
    return {
        name: Windows(values=array, place_N=arrays[name + PLACES], step_W=arrays[name + STEPS])
        if name + PLACES in parts
        else array
        for name, array in arrays.items()
        if name not in parts
    }
