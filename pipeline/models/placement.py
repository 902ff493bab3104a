"""Where the tensors of a training lie: on the device, else in memory, else on disk."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import psutil  # type: ignore[import-untyped]
import torch

from pipeline import artefacts
from pipeline.features.preprocessor import LABEL
from pipeline.features.windows import apart, together
from pipeline.models.batches import Batches, InOrder
from pipeline.models.devices import Share
from pipeline.models.network import tensor, tensors
from pipeline.models.sampling import Rows

Tensors: TypeAlias = Mapping[str, Any]  # arrays, and windows of some
SHARE_OF_FREE = 0.5  # of what is free, so much may be taken by tensors; the rest is for what is made of them


def read(path: Path, gigabytes: float | None) -> Tensors:
    """The tensors of a split, in memory where they fit into so many gigabytes (None: half of what is free)."""
    limit = SHARE_OF_FREE * psutil.virtual_memory().available if gigabytes is None else gigabytes * 1e9
    fits = path.is_file() and path.stat().st_size <= limit
    arrays = artefacts.read_tensors(path) if fits or not path.is_file() else artefacts.map_tensors(path)
    return together(arrays)


def device_of(accelerator: str) -> torch.device:
    """The device that tensors go to beforehand; those of other accelerators are taken there batch by batch."""
    return torch.device("cuda" if accelerator != "cpu" and torch.cuda.is_available() else "cpu")


def batches(
    part: Tensors,
    size: int,
    seed: int,
    device: torch.device,
    rows: Rows | None = None,
    *,
    share: Share | None = None,
) -> Batches:
    """The batches of train, or of each the part that is this process's."""
    mapped = on_disk(part)
    inputs, target = tensors(part), tensor(part[LABEL])
    if not mapped and fits(part, device):
        inputs, target = {name: tensor.to(device) for name, tensor in inputs.items()}, target.to(device)
    return Batches(inputs=inputs, target=target, size=size, seed=seed, rows=rows, mapped=mapped, share=share)


def in_order(part: Tensors, size: int, share: Share | None = None) -> InOrder:
    """The batches of val, or those of them that are this process's."""
    return InOrder(inputs=tensors(part), target=tensor(part[LABEL]), size=size, share=share)


def on_disk(part: Tensors) -> bool:
    """Whether the tensors are memory-mapped."""
    return any(isinstance(array, np.memmap) for array in apart(part).values())


def fits(part: Tensors, device: torch.device) -> bool:
    """Whether the tensors may lie on the device; what is in memory already fits the CPU."""
    if device.type == "cpu":
        return True
    return sum(array.nbytes for array in part.values()) <= SHARE_OF_FREE * torch.cuda.mem_get_info(device)[0]
