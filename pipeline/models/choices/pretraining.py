"""Self-supervised pre-training, as people set it, and what became of it."""

from typing import Literal, TypeAlias

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.models.choices.optimization import Named

Objective: TypeAlias = Literal["values", "mask", "both"]


class PretrainingSettings(Named):
    """What the network learns of rows before it learns their labels, `train.pretrain`.

    A share of a row's cells is replaced by those of other rows; the network is to tell what stood there, and which
    they are. It sees the rows of train and those without a label that belong to it, and reads no label. Then it is
    trained as ever, from these weights. Learning rate, schedule and batch size are those of the training; `keepfit
    tune` tries settings without it.
    """

    kind: Literal["none", "masked", "auto"] = Field(
        default="none",
        description="masked: pre-train so; auto: the network is trained with and without, and what is surely better on "
        "val is taken. Measured it helped on some tables and hurt on others (benchmarks/RESULTS.md)",
    )
    objective: Objective = Field(
        default="both",
        description="values: what stood in the cells that were replaced; mask: which ones were; both (VIME, Yoon et "
        "al. 2020). Rubachev et al. 2022 find either as good as contrastive losses",
    )
    mask_share: float = Field(
        default=0.3, gt=0, lt=1, description="the share of the cells that are replaced (0.3 in VIME, 0.6 in SCARF)"
    )
    epochs: int = Field(default=50, ge=1, description="at most so many passes over the rows")
    patience: int = Field(default=8, ge=1, description="after so many epochs that are no better on val it stops")
    unlabelled: bool = Field(
        default=True, description="whether rows without a label are used too: data/split/unlabelled.parquet"
    )


class Comparison(Record):
    """`auto`: the main score on val with pre-training and without; `low` to `high`: 95% interval of the gain."""

    metric: str
    without: float
    pretrained: float
    gain: float
    low: float
    high: float


class Pretrained(Record):
    """How the pre-training went, and whether its weights were taken.

    `rows` of train and `unlabelled` ones were seen; `losses` of the epochs on val are in units of what a blind guess
    loses, those of `best_epoch` were kept.
    """

    objective: Objective
    rows: int
    unlabelled: int
    best_epoch: int
    losses: list[float]
    taken: bool
    compared: Comparison | None = None

    @property
    def words(self) -> str:
        """In one line."""
        seen = f"{self.rows:,} rows of train" + (f" and {self.unlabelled:,} without a label" * bool(self.unlabelled))
        loss = min(self.losses, default=1.0)
        said = f"pre-trained on {seen}: loses {loss:.2f} of a blind guess's loss on val"
        if self.compared is None:
            return said
        gain = f"{self.compared.low:+.4f} to {self.compared.high:+.4f}"
        return f"{said}; it changes {self.compared.metric} by {gain}: {'taken' if self.taken else 'not taken'}"
