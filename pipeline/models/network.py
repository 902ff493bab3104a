"""The network: encoders of the columns whose tensor is their own, and a backbone that looks at all features together.

Shapes: N or B rows, M members of an ensemble, K outputs. Inputs are tensors by name: `dense` (B, D) float32, `codes`
(B, C) int64, and one of each column with a tensor of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from pipeline.artefacts import Record
from pipeline.features import OwnKind, windows
from pipeline.features.target import Classes, Ordinal, Tags, Target
from pipeline.models import backbones, encoders, heads, losses
from pipeline.models.backbones import TableShape
from pipeline.models.windows import Windows

Inputs: TypeAlias = Mapping[str, Any]  # tensors, or windows of one that are gathered row by row
ROWS_AT_ONCE = 16_384
VALUES_AT_ONCE = 1 << 22  # of one layer: what glibc takes from the memory of arrays before, instead of new pages


class OwnShape(Record):
    """A column with a tensor of its own: the tensor's name, its modality, and what its encoder is built from."""

    name: str
    kind: OwnKind
    shape: dict[str, Any]


class NetworkShape(Record):
    """What rebuilds the network; `settings` are those of its backbone, `why` says why it was taken.

    `levels`: of classes in an order the log odds of being above each but the last, in the training rows.
    """

    table: TableShape
    own: list[OwnShape] = Field(default_factory=list)
    backbone: str
    settings: dict[str, Any]
    why: str = ""
    levels: list[float] = Field(default_factory=list, exclude_if=lambda levels: not levels)


class Network(nn.Module):
    """Inputs → outputs (B, M, K): of classes and tags the logits, of numbers and quantiles the scaled values.

    >>> table = TableShape(dense=2, cardinalities=[4], outputs=2)
    >>> network = Network(NetworkShape(table=table, backbone="mlp", settings={"hidden": [8]}))
    >>> network({"dense": torch.zeros(3, 2), "codes": torch.zeros(3, 1, dtype=torch.int64)}).shape
    torch.Size([3, 1, 2])
    """

    prior_K: Tensor
    focal_gamma: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        made = [encoders.registered()[each.kind].of(each.shape) for each in shape.own]
        widths = [each.width for each in made if each.width]
        self.direct = [getattr(each, "direct", 0) for each in made]
        self.names = [each.name for each in shape.own]
        self.encoders = nn.ModuleList(made)  # type: ignore[arg-type] # each is a module
        self.backbone = backbones.registered()[shape.backbone].of(shape.table, widths, shape.settings)
        # what training did to the logits for the sake of rare classes, to be taken back: see pipeline.models.imbalance
        self.head = heads.InOrder(shape.levels) if shape.levels else None
        self.register_buffer("prior_K", torch.zeros(shape.table.outputs + bool(shape.levels)))
        self.register_buffer("focal_gamma", torch.zeros(()))

    def forward(self, inputs: Inputs) -> Tensor:
        own, direct = self.read(inputs)
        outputs_BMK = self.backbone(inputs["dense"], inputs["codes"], own)
        for direct_BK in direct:
            outputs_BMK = outputs_BMK + direct_BK.unsqueeze(1)
        return outputs_BMK if self.head is None else self.head(outputs_BMK)

    @property
    def rows_at_once(self) -> int:
        """How many rows are answered in one go: fewer where the backbone makes many values of one."""
        return max(1, min(ROWS_AT_ONCE, VALUES_AT_ONCE // getattr(self.backbone, "values_a_row", 1)))

    def read(self, inputs: Inputs) -> tuple[list[Tensor], list[Tensor]]:
        """What encoders give for the backbone, (B, width) each, and what is added to the outputs, (B, K) each."""
        read = [encode(inputs[name]) for name, encode in zip(self.names, self.encoders, strict=True)]
        parts = [(v[:, : v.shape[1] - d], v[:, v.shape[1] - d :]) for v, d in zip(read, self.direct, strict=True)]
        return [vector for vector, _ in parts if vector.shape[1]], [direct for _, direct in parts if direct.shape[1]]


def outputs(network: Network, inputs: Inputs, rows_at_once: int | None = None) -> Tensor:
    """(N, M, K) float64 outputs on the CPU, with what training did to them for the sake of rare classes taken back."""
    network.eval()
    parts: list[Tensor] = []
    size = rows_at_once or network.rows_at_once
    with torch.inference_mode():
        for start in range(0, len(inputs["dense"]), size):
            chunk = {name: tensor[start : start + size] for name, tensor in inputs.items()}
            parts.append(corrected(network, network(chunk)).double().cpu())
    return torch.cat(parts) if parts else torch.empty((0, 1, len(network.prior_K)), dtype=torch.float64)


def corrected(network: Network, outputs: Tensor) -> Tensor:
    """Outputs (..., K) as they are for the shares of classes in train, whatever they were learnt by."""
    unbent = losses.unfocused(outputs, network.focal_gamma) if network.focal_gamma > 0 else outputs
    return unbent - network.prior_K


def answers(network: Network, inputs: Inputs, target: Target, rows_at_once: int | None = None) -> np.ndarray:
    """(N, K) float64 what the network answers: probabilities of classes or tags, values in the label's unit."""
    return answered(outputs(network, inputs, rows_at_once), target)


def answered(outputs_NMK: Tensor, target: Target) -> np.ndarray:
    """(N, K) float64 outputs → answers, the mean over the members: of each one's probabilities, or scaled values.

    Probabilities are those of the logits divided by the target's temperature.
    """
    if isinstance(target, Classes | Ordinal):
        p_NK: np.ndarray = (outputs_NMK.double().cpu() / target.temperature).softmax(dim=2).mean(dim=1).numpy()
        return p_NK
    if isinstance(target, Tags):
        each_NK: np.ndarray = (outputs_NMK.double().cpu() / target.temperature).sigmoid().mean(dim=1).numpy()
        return each_NK
    return target.decode(outputs_NMK.double().cpu().mean(dim=1).numpy())


def tensors(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs among a split's arrays: all but the label."""
    return {name: tensor(array) for name, array in parts.items() if name != "label"}


def tensor(array: "np.ndarray | windows.Windows") -> Any:
    """The same as a tensor, or windows of one."""
    if isinstance(array, windows.Windows):
        return Windows.of(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy())  # a frame's own memory is not


def rows_of(inputs: Inputs, chosen: Tensor | Sequence[int] | slice) -> dict[str, Tensor]:
    """These rows of every input."""
    return {name: tensor[chosen] for name, tensor in inputs.items()}
