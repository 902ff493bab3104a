"""Cells of rows replaced by those of other rows, and how well a network tells what stood there.

Shapes: B rows, D dense values, C coded columns, G cells (the columns of dense values, then the coded ones), P rows of a
pool, M members, R outputs: D values, then the classes of each coded column, then G answers to `was it replaced?`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.choices.pretraining import Objective

POOL_ROWS = 1 << 16  # replacements are drawn from so many rows of train, and what is usual is read off them
FAR = 3.0  # a number further from the mean, in deviations, is told as that far: one wild cell is no lesson
MOST_CLASSES = 64  # the most frequent codes of a column; all others are told as one
TINY = 1e-6


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Replaces cells: those of a column by what a random row of the pool has there, each by a row of its own.

    `cell_D`: (D,) the cell of each dense value, so that those of one column go together.
    """

    cell_D: Tensor
    dense_PD: Tensor
    codes_PC: Tensor
    share: float

    @classmethod
    def of(cls, train: Mapping[str, Any], columns: list[str], share: float, seed: int, device: torch.device) -> Self:
        """The masking of those tensors; `columns`: of each dense value its column."""
        rows = len(train["dense"])
        places = np.sort(np.random.default_rng(seed).permutation(rows)[:POOL_ROWS])
        known = {column: place for place, column in enumerate(dict.fromkeys(columns))}
        return cls(
            cell_D=torch.tensor([known[column] for column in columns], dtype=torch.int64, device=device),
            dense_PD=torch.from_numpy(train["dense"][places]).to(device),
            codes_PC=torch.from_numpy(train["codes"][places]).to(device),
            share=share,
        )

    @property
    def cells(self) -> int:
        return self.dense_cells + self.codes_PC.shape[1]

    @property
    def dense_cells(self) -> int:
        return int(self.cell_D.max()) + 1 if len(self.cell_D) else 0

    def __call__(self, inputs: Mapping[str, Tensor], random: torch.Generator) -> "Masked":
        dense_BD, codes_BC = inputs["dense"], inputs["codes"]
        size, device = (len(dense_BD), self.cells), dense_BD.device
        masked_BG = torch.rand(size, generator=random, device=device) < self.share
        donor_BG = torch.randint(len(self.dense_PD), size, generator=random, device=device)
        donors = donor_BG[:, self.cell_D], donor_BG[:, self.dense_cells :]
        others = self.dense_PD.gather(0, donors[0]), self.codes_PC.gather(0, donors[1])
        new_dense_BD = torch.where(masked_BG[:, self.cell_D], others[0], dense_BD)
        new_codes_BC = torch.where(masked_BG[:, self.dense_cells :], others[1], codes_BC)
        differs_BG = torch.zeros(size, device=device)
        differs_BG[:, : self.dense_cells].index_add_(1, self.cell_D, (new_dense_BD != dense_BD).float())
        differs_BG[:, self.dense_cells :] = (new_codes_BC != codes_BC).float()
        return Masked(
            inputs={**inputs, "dense": new_dense_BD, "codes": new_codes_BC},
            dense_BD=dense_BD,
            codes_BC=codes_BC,
            masked_BG=masked_BG,
            differs_BG=differs_BG.clamp_max(1.0),
        )


@dataclass(frozen=True, kw_only=True)
class Masked:
    """A batch as the network sees it, what stood there before, what was drawn anew, and where that is another value."""

    inputs: dict[str, Tensor]
    dense_BD: Tensor
    codes_BC: Tensor
    masked_BG: Tensor
    differs_BG: Tensor


@dataclass(frozen=True, kw_only=True)
class Telling:
    """The loss of outputs (B, M, R), in units of what is lost by who knows the columns and not the row.

    `mean_D`, `scale_D`, `weight_D`: how dense values are told, and how much of its cell each is (0 of a constant);
    `classes`: of each coded column the class of each code; `entropy_C`: what is not known of it, 0 of a constant.
    `blind`: what a guess loses that knows only how often each column's cells become another value.
    """

    masking: Masking
    objective: Objective
    mean_D: Tensor
    scale_D: Tensor
    weight_D: Tensor
    classes: list[Tensor]
    sizes: list[int]
    entropy_C: list[float]
    blind: float

    @classmethod
    def of(cls, masking: Masking, cardinalities: list[int], objective: Objective) -> Self:
        """How cells are told, by what is usual in the pool."""
        mean_D = masking.dense_PD.mean(dim=0)
        scale_D = (masking.dense_PD - mean_D).square().mean(dim=0).sqrt()
        varies_D = (scale_D > TINY).float()
        parts_D = torch.zeros(masking.dense_cells, device=scale_D.device).index_add_(0, masking.cell_D, varies_D)
        counted = [
            torch.bincount(codes_P, minlength=size).cpu()
            for codes_P, size in zip(masking.codes_PC.T, cardinalities, strict=True)
        ]
        classes = [_classes(count) for count in counted]
        random = torch.Generator(scale_D.device).manual_seed(0)
        other_G = masking({"dense": masking.dense_PD, "codes": masking.codes_PC}, random).differs_BG.mean(dim=0)
        return cls(
            masking=masking,
            objective=objective,
            mean_D=mean_D,
            scale_D=scale_D.clamp_min(TINY),
            weight_D=varies_D / parts_D.clamp_min(1.0)[masking.cell_D],
            classes=[each.to(scale_D.device) for each in classes],
            sizes=[int(each.max()) + 1 for each in classes],
            entropy_C=[_entropy(each, count) for each, count in zip(classes, counted, strict=True)],
            blind=max(float(torch.special.entr(torch.stack([other_G, 1 - other_G])).sum(dim=0).mean()), TINY),
        )

    @property
    def outputs(self) -> int:
        """R."""
        return len(self.mean_D) + sum(self.sizes) + self.masking.cells

    def __call__(self, outputs_BMR: Tensor, masked: Masked) -> Tensor:
        parts = []
        if self.objective != "mask":
            parts.append(self._values(outputs_BMR, masked))
        if self.objective != "values":
            parts.append(self._mask(outputs_BMR[:, :, -self.masking.cells :], masked))
        return torch.stack(parts).mean()

    def _values(self, outputs_BMR: Tensor, masked: Masked) -> Tensor:
        """The mean over masked cells that can vary."""
        first = self.masking.dense_cells
        truth_BD = ((masked.dense_BD - self.mean_D) / self.scale_D).clamp(-FAR, FAR)
        counts_BD = masked.masked_BG[:, self.masking.cell_D] * self.weight_D
        error_BD = (outputs_BMR[:, :, : len(self.mean_D)] - truth_BD.unsqueeze(1)).square().mean(dim=1)
        lost, cells = (counts_BD * error_BD).sum(), counts_BD.sum()
        logits = torch.split(outputs_BMR[:, :, len(self.mean_D) : -self.masking.cells], self.sizes, dim=2)
        for place, (logits_BMK, entropy) in enumerate(zip(logits, self.entropy_C, strict=True)):
            if entropy:
                masked_B = masked.masked_BG[:, first + place].float()
                truth_B = self.classes[place][masked.codes_BC[:, place]]
                members = logits_BMK.shape[1]
                error = functional.cross_entropy(
                    logits_BMK.flatten(0, 1), truth_B.repeat_interleave(members), reduction="none"
                )
                lost = lost + (masked_B * error.view(-1, members).mean(dim=1)).sum() / entropy
                cells = cells + masked_B.sum()
        return lost / cells.clamp_min(1.0)

    def _mask(self, logits_BMG: Tensor, masked: Masked) -> Tensor:
        truth_BMG = masked.differs_BG.unsqueeze(1).expand_as(logits_BMG)
        return functional.binary_cross_entropy_with_logits(logits_BMG, truth_BMG) / self.blind


def _classes(counted: Tensor) -> Tensor:
    """(codes,) the class of each: 0 of all but the most frequent, which have their own.

    >>> _classes(torch.tensor([0, 5, 9])).tolist()
    [0, 2, 1]
    """
    often = [int(code) for code in counted.argsort(descending=True, stable=True)[:MOST_CLASSES] if counted[code]]
    found = torch.zeros(len(counted), dtype=torch.int64)
    found[often] = torch.arange(1, len(often) + 1)
    return found


def _entropy(classes: Tensor, counted: Tensor) -> float:
    """What is not known of a column, in nats."""
    rows = torch.zeros(int(classes.max()) + 1).index_add_(0, classes, counted.float())
    share = rows[rows > 0] / rows.sum()
    entropy = float(-(share * share.log()).sum())
    return entropy if entropy > TINY else 0.0
