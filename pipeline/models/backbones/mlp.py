"""A multilayer perceptron over dense values, embedded categories and what other encoders give."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

from torch import nn

from pipeline.models.backbones import TableShape
from pipeline.models.choices.backbones import Activation, MlpSettings, Normalisation
from pipeline.models.embeddings import Categories, Features, Numbers
from pipeline.models.layered import Layered
from pipeline.models.norms import BatchNorm

ACTIVATIONS: Mapping[Activation, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
NORMALISATIONS: Mapping[Normalisation, Callable[[int], nn.Module]] = {
    "none": lambda _: nn.Identity(),
    "batch": BatchNorm,
    "layer": nn.LayerNorm,
}


class Mlp(Layered):
    """Everything side by side → hidden layers → outputs, of one member.

    >>> import torch
    >>> mlp = Mlp.of(TableShape(dense=2, cardinalities=[4], outputs=2), [], {"hidden": [8], "dropout": 0.1})
    >>> mlp(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64), []).shape
    torch.Size([3, 1, 2])
    """

    kind: ClassVar[str] = "mlp"

    def __init__(self, table: TableShape, own: Sequence[int], settings: MlpSettings) -> None:
        super().__init__()
        numbers = Numbers(table.dense, table.edges, settings.embedding)
        self.features = Features(numbers, Categories(table.cardinalities), own)
        width = self.features.width
        layers: list[nn.Module] = []
        for hidden in settings.hidden:
            layers += [nn.Linear(width, hidden), NORMALISATIONS[settings.normalisation](hidden)]
            layers += [ACTIVATIONS[settings.activation](), nn.Dropout(settings.dropout)]
            width = hidden
        self.layers = nn.Sequential(*layers, nn.Linear(width, table.outputs))

    @classmethod
    def of(cls, table: TableShape, own: Sequence[int], settings: Mapping[str, Any]) -> Self:
        return cls(table, own, MlpSettings.model_validate(settings))


BACKBONES = (Mlp,)
