"""How a network is trained: loss, optimiser, schedule, averaging, mixup and imbalance, as people set them."""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from pydantic import Field, model_validator

from pipeline.models.choices import Choice

LossName: TypeAlias = Literal["auto", "cross_entropy", "bce", "focal", "coral", "mse", "mae", "huber", "pinball"]
OptimizerName: TypeAlias = Literal["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]
Method: TypeAlias = Literal[
    "none",
    "class_weights",
    "weighted_sampling",
    "over_sampling",
    "under_sampling",
    "smote",
    "focal",
    "logit_adjustment",
]
Judge: TypeAlias = Literal["average_precision", "log_loss"]


class Pace(NamedTuple):
    """How fast and how freely a backbone is trained: highest learning rate, weight decay, and what decays."""

    learning_rate: float
    weight_decay: float
    decayed: Literal["weights", "everything"]


ADVISED: Mapping[str, Pace] = {
    "ft_transformer": Pace(1e-4, 1e-5, "weights"),  # Gorishniy et al. 2021, appendix E, default configuration
    "tabm": Pace(2e-3, 3e-4, "everything"),  # the example of the authors' package
}
PLAIN = Pace(1e-3, 1e-2, "everything")  # AdamW's defaults in PyTorch
MIXUP = (
    "rows are mixed with others, and their loss: alpha of Beta(alpha, alpha), 0 for none (Zhang et al. 2018: 0.1 to "
    "0.4 on pictures). Decimals are mixed; codes and words stay the row's own, whose share is at least a half"
)


class Named(Choice):
    """A group of settings that can be written as its kind alone: `schedule: linear`."""

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value


class LossSettings(Named):
    """What is made small in training, `train.loss`."""

    kind: LossName = Field(
        default="auto",
        description="auto: cross_entropy for classes, mse for a quantity, pinball for quantiles, bce for tags. bce is "
        "cross_entropy of two classes, or of each tag, focal (Lin et al. 2017) of any classes, coral (Cao et al. 2020) "
        "of those in an order; mae, huber and pinball are of a quantity, and of (value - mean) / deviation",
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="the share of the truth that is spread over all classes (Szegedy et al. 2016, section 7: 0.1). "
        "Of cross_entropy alone; probabilities are that much nearer to even",
    )
    focal_gamma: float = Field(
        default=2.0,
        ge=0,
        description="how little a row counts that is answered well: (1 - p)^gamma (Lin et al. 2017 found 2 best). "
        "Probabilities are corrected for it afterwards",
    )
    huber_delta: float = Field(
        default=1.0,
        gt=0,
        description="from which error on, in deviations of the label, it counts linearly (Huber 1964)",
    )
    quantile: float = Field(
        default=0.5, gt=0, lt=1, description="which quantile pinball finds (Koenker & Bassett 1978); 0.5 is the median"
    )

    quantiles: tuple[float, ...] = Field(
        default=(),
        description="which quantiles of a quantity are told, rising, the median among them: [0.05, 0.5, 0.95] gives an "
        "interval that should hold 90% of the truth. The answer is then the median, and the loss pinball; none: the "
        "answer is one value",
    )

    @model_validator(mode="after")
    def _quantiles_rise(self) -> "LossSettings":
        told = self.quantiles
        if told and not (0.5 in told and list(told) == sorted(set(told)) and told[0] > 0 and told[-1] < 1):
            raise ValueError(f"quantiles must rise within 0 to 1, with 0.5 among them, got {list(told)}")
        if told and self.kind not in ("auto", "pinball"):
            raise ValueError(f"quantiles are found by pinball, not by {self.kind}")
        return self

    @model_validator(mode="after")
    def _smoothing_has_its_loss(self) -> "LossSettings":
        if self.label_smoothing and self.kind not in ("auto", "cross_entropy", "bce"):
            raise ValueError(f"label_smoothing is of cross_entropy, not of {self.kind}")
        return self


class OptimizerSettings(Named):
    """How a step is taken, `train.optimizer`."""

    kind: OptimizerName = Field(
        default="adamw",
        description="momentum is sgd with momentum (Polyak 1964), nesterov its look ahead (Sutskever et al. 2013); "
        "adam is Kingma & Ba 2015, adamw Loshchilov & Hutter 2019",
    )
    learning_rate: float | None = Field(
        default=None, gt=0, description="the highest of the schedule; null: what the backbone's paper used, else 0.001"
    )
    weight_decay: float | None = Field(
        default=None,
        ge=0,
        description="L2: of adamw decoupled from the gradient, of all others added to it; null: what the backbone's "
        "paper used, else 0.01",
    )
    l1: float = Field(
        default=0.0, ge=0, description="L1: l1 * sign(weight) is added to the gradient of each weight that decays"
    )
    decayed: Literal["weights", "everything"] | None = Field(
        default=None,
        description="what L1 and L2 act on. weights: not on biases, norms and embeddings, as FT-Transformer's paper; "
        "null: what the backbone's paper used, else everything",
    )
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="of momentum, nesterov and rmsprop (Sutskever et al. 2013: 0.9 to 0.99)"
    )
    betas: tuple[float, float] = Field(
        default=(0.9, 0.999),
        description="how long adam and adamw remember gradients and their squares (paper's values)",
    )
    epsilon: float = Field(default=1e-8, gt=0, description="of rmsprop, adam and adamw, against division by 0")
    gradient_norm: float | None = Field(
        default=1.0, gt=0, description="gradients are cut to this norm (Pascanu et al. 2013); null: they are not"
    )

    def pace(self, backbone: str) -> Pace:
        """What is set, and for the rest what is advised for that backbone.

        >>> OptimizerSettings(weight_decay=0).pace("tabm")
        Pace(learning_rate=0.002, weight_decay=0.0, decayed='everything')
        """
        chosen = {name: value for name in Pace._fields if (value := getattr(self, name)) is not None}
        return ADVISED.get(backbone, PLAIN)._replace(**chosen)


class ScheduleSettings(Named):
    """How the learning rate goes over the training, `train.schedule`."""

    kind: Literal["cosine", "one_cycle", "linear", "constant", "plateau"] = Field(
        default="cosine",
        description="after warm-up: half a cosine to 0 (Loshchilov & Hutter 2017); one_cycle up and down by cosines "
        "(Smith & Topin 2018); a line to 0; constant; or cut where the loss on val no longer falls",
    )
    warmup_share: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="the share of steps over which the rate rises (Goyal et al. 2017); one_cycle's own is 0.3",
    )
    plateau_factor: float = Field(default=0.1, gt=0, lt=1, description="plateau: what the rate is multiplied with")
    plateau_patience: int = Field(
        default=2, ge=0, description="plateau: how many epochs in a row may be no better by 0.01% before it is cut"
    )


class AveragingSettings(Named):
    """Which mean of the weights is judged and kept, `train.averaging`."""

    kind: Literal["ema", "swa", "none"] = Field(
        default="ema",
        description="ema: an exponential mean over steps (Polyak & Juditsky 1992); swa: the plain mean of the last "
        "steps (Izmailov et al. 2018); none: the weights of the last step",
    )
    epochs: float = Field(default=1.0, ge=0, description="ema: over how many epochs it reaches back")
    start_share: float = Field(
        default=0.75, ge=0, lt=1, description="swa: after which share of the steps it begins (75% in its paper)"
    )


class ImbalanceSettings(Named):
    """What is done where classes have few rows, `train.imbalance`: on train alone, and of classes alone.

    Of tags there is `class_weights`, which weighs the rows that have a tag; by_share is none there.

    After each, probabilities are corrected back to the shares of train, so that they mean what they say; the threshold
    of an answer is chosen on val whatever is done.
    """

    kind: Method | Literal["by_share", "auto"] = Field(
        default="by_share",
        description="by_share: class_weights where a class has less than a tenth of the rows, else none; auto: each "
        "is tried and the best on val is taken; smote: rows between neighbours are made (Chawla et al. 2002); "
        "logit_adjustment: Menon et al. 2021",
    )
    strength: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="how far weights and samplings go: 1 until classes are even, 0.5 half of that way in logarithms",
    )
    neighbours: int = Field(
        default=5, ge=1, description="smote: among how many nearest rows of a class (5 in its paper)"
    )
    tau: float = Field(default=1.0, gt=0, description="logit_adjustment: tau * log(share) is added (1 in its paper)")
    trial_rows: int = Field(default=20_000, ge=100, description="auto: on how many rows of train each is tried")
    trial_epochs: int = Field(default=5, ge=1, description="auto: for how many epochs each is tried")
    judged_by: Judge = Field(default="average_precision", description="auto: by which score on val the best is found")
