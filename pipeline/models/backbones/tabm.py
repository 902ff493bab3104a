"""TabM-mini: an ensemble that shares nearly all of its weights (Gorishniy et al. 2025, https://arxiv.org/abs/2410.24210).

The layers are those of the authors' package; what goes into them is the house's own, as the package knows no columns
with encoders of their own and no unknown categories.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from pipeline.models.backbones import TableShape
from pipeline.models.choices.backbones import Plain, TabmSettings
from pipeline.models.embeddings import Categories, Features, Numbers
from pipeline.models.names import Named, Names, along


class Tabm(nn.Module):
    """Everything side by side → each member's scale of each feature → shared layers → each member's outputs.

    >>> import torch
    >>> ensemble = Tabm.of(TableShape(dense=2, cardinalities=[4], outputs=2), [], {"members": 5, "width": 8})
    >>> ensemble(torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64), []).shape
    torch.Size([3, 5, 2])
    """

    kind: ClassVar[str] = "tabm"

    def __init__(self, table: TableShape, own: Sequence[int], settings: TabmSettings) -> None:
        import tabm  # a second: it imports scikit-learn

        super().__init__()
        numbers = Numbers(table.dense, table.edges, settings.embedding)
        self.features = Features(numbers, Categories(table.cardinalities, settings.one_hot), own)
        self.values_a_row = settings.members * max(settings.width, self.features.width)
        self.members = tabm.EnsembleView(k=settings.members)
        self.layers = tabm.make_tabm_backbone(
            d_in=self.features.width,
            n_blocks=settings.depth,
            d_block=settings.width,
            dropout=settings.dropout,
            k=settings.members,
            arch_type="tabm-mini",
            start_scaling_init="random-signs" if isinstance(settings.embedding, Plain) else "normal",
            start_scaling_init_chunks=self.features.widths,
        )
        self.head = tabm.LinearEnsemble(settings.width, table.outputs, k=settings.members)

    @classmethod
    def of(cls, table: TableShape, own: Sequence[int], settings: Mapping[str, Any]) -> Self:
        return cls(table, own, TabmSettings.model_validate(settings))

    def forward(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        outputs_BMK: Tensor = self.head(self.layers(self.members(self.features(dense_BD, codes_BC, own))))
        return outputs_BMK

    def named(self, names: Names) -> dict[str, Named]:
        """The members' scales and the first layer read features, the last gives outputs."""
        features = self.features.outputs(names)
        return {
            **along("layers.affine.weight", None, features),
            **along("layers.blocks.0.0.weight", None, features),
            **along("head.weight", None, None, names.outputs),
            **along("head.bias", None, names.outputs),
        }


BACKBONES = (Tabm,)
