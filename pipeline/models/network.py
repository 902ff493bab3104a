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
from pipeline.contract import Modality
from pipeline.features.target import Target
from pipeline.models import backbones, encoders, losses
from pipeline.models.backbones import TableShape

Inputs: TypeAlias = Mapping[str, Tensor]
ROWS_AT_ONCE = 16_384


class OwnShape(Record):
    """A column with a tensor of its own: the tensor's name, its modality, and what its encoder is built from."""

    name: str
    kind: Modality
    shape: dict[str, Any]


class NetworkShape(Record):
    """What rebuilds the network; `settings` are those of its backbone, `why` says why it was taken."""

    table: TableShape
    own: list[OwnShape] = Field(default_factory=list)
    backbone: str
    settings: dict[str, Any]
    why: str = ""


class Network(nn.Module):
    """Inputs → outputs (B, M, K): of classes the logits, of numbers the scaled values.

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
        widths = [each.width for each in made]
        self.names = [each.name for each in shape.own]
        self.encoders = nn.ModuleList(made)  # type: ignore[arg-type] # each is a module
        self.backbone = backbones.registered()[shape.backbone].of(shape.table, widths, shape.settings)
        # what training did to the logits for the sake of rare classes, to be taken back: see pipeline.models.imbalance
        self.register_buffer("prior_K", torch.zeros(shape.table.outputs))
        self.register_buffer("focal_gamma", torch.zeros(()))

    def forward(self, inputs: Inputs) -> Tensor:
        own = [encode(inputs[name]) for name, encode in zip(self.names, self.encoders, strict=True)]
        return self.backbone(inputs["dense"], inputs["codes"], own)


def outputs(network: Network, inputs: Inputs, rows_at_once: int = ROWS_AT_ONCE) -> Tensor:
    """(N, M, K) float64 outputs on the CPU, with what training did to them for the sake of rare classes taken back."""
    network.eval()
    parts: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(inputs["dense"]), rows_at_once):
            chunk = {name: tensor[start : start + rows_at_once] for name, tensor in inputs.items()}
            parts.append(corrected(network, network(chunk)).double().cpu())
    return torch.cat(parts) if parts else torch.empty((0, 1, len(network.prior_K)), dtype=torch.float64)


def corrected(network: Network, outputs: Tensor) -> Tensor:
    """Outputs (..., K) as they are for the shares of classes in train, whatever they were learnt by."""
    unbent = losses.unfocused(outputs, network.focal_gamma) if network.focal_gamma > 0 else outputs
    return unbent - network.prior_K


def answers(network: Network, inputs: Inputs, target: Target, rows_at_once: int = ROWS_AT_ONCE) -> np.ndarray:
    """(N, K) float64 what the network answers: probabilities of classes, values in the label's unit of a quantity."""
    return answered(outputs(network, inputs, rows_at_once), target)


def answered(outputs_NMK: Tensor, target: Target) -> np.ndarray:
    """(N, K) float64 outputs → answers, the mean over the members: of each one's softmax, or of its scaled values."""
    if target.kind == "classes":
        p_NK: np.ndarray = outputs_NMK.double().cpu().softmax(dim=2).mean(dim=1).numpy()
        return p_NK
    return target.decode(outputs_NMK.double().cpu().mean(dim=1).numpy())


def tensors(parts: Mapping[str, Any]) -> dict[str, Tensor]:
    """The inputs among a split's arrays: all but the label."""
    return {name: torch.from_numpy(array) for name, array in parts.items() if name != "label"}


def rows_of(inputs: Inputs, chosen: Tensor | Sequence[int] | slice) -> dict[str, Tensor]:
    """These rows of every input."""
    return {name: tensor[chosen] for name, tensor in inputs.items()}
