"""The settings of each backbone. Defaults are what the paper that proposed it found best, or where it says so its code.

- `mlp`, `resnet`, `ft_transformer`: Gorishniy et al. 2021, https://arxiv.org/abs/2106.11959
- embeddings of numbers: Gorishniy et al. 2022, https://arxiv.org/abs/2203.05556
- `tabm`: Gorishniy et al. 2025, https://arxiv.org/abs/2410.24210
"""

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from pipeline.models.choices import Choice

Activation = Literal["relu", "gelu", "silu", "sigmoid", "tanh"]
Normalisation = Literal["none", "batch", "layer"]
Share = Annotated[float, Field(ge=0, lt=1)]


class Plain(Choice):
    """Numbers go in as they are."""

    kind: Literal["none"] = "none"


class PiecewiseLinear(Choice):
    """How far a number is through each bin of the training rows, then a linear layer of its own for each column."""

    kind: Literal["piecewise_linear"] = "piecewise_linear"
    bins: int = Field(
        default=48,
        ge=2,
        description="bins between quantiles of train, as many rows in each; a value of more rows is an edge by itself",
    )
    width: int = Field(default=16, ge=1, description="how many values stand for a number")


class Periodic(Choice):
    """Sines and cosines of learnt frequencies, a linear layer, ReLU."""

    kind: Literal["periodic"] = "periodic"
    frequencies: int = Field(default=48, ge=1, description="frequencies of each column")
    scale: float = Field(default=0.01, gt=0, description="deviation of the first frequencies; too large is worse")
    width: int = Field(default=24, ge=1, description="how many values stand for a number")
    shared: bool = Field(default=True, description="one linear layer for all columns (lite) instead of one each")


def _named(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


Embedding: TypeAlias = Annotated[
    Plain | PiecewiseLinear | Periodic, Field(discriminator="kind"), BeforeValidator(_named)
]  # in params.yaml its kind alone, or a group with its settings


class LinearSettings(Choice):
    """Linear or logistic regression; with `embedding: piecewise_linear` an additive model."""

    embedding: Embedding = Field(default_factory=Plain, description="what stands for a number")


class MlpSettings(Choice):
    """Hidden layers, each: linear, normalisation, activation, dropout."""

    hidden: list[Annotated[int, Field(ge=1)]] = Field(
        default_factory=lambda: [384, 384], min_length=1, description="widths of the hidden layers"
    )
    dropout: Share = Field(default=0.1, description="share of a layer's values taken away in training")
    activation: Activation = Field(default="relu", description="what follows each hidden layer")
    normalisation: Normalisation = Field(default="none", description="over the rows of a batch, or over a layer")
    embedding: Embedding = Field(default_factory=PiecewiseLinear, description="what stands for a number")


class ResnetSettings(Choice):
    """Blocks of batch normalisation, linear, ReLU, dropout, linear, each added to what goes in."""

    blocks: int = Field(default=2, ge=1, description="how many blocks")
    width: int = Field(default=192, ge=1, description="what goes in and out of a block")
    hidden_factor: float = Field(default=2.0, gt=0, description="a block's inner width as a multiple of `width`")
    dropout: Share = Field(default=0.15, description="share of a block's inner values taken away in training")
    residual_dropout: Share = Field(default=0.0, description="share of what a block adds taken away in training")
    embedding: Embedding = Field(default_factory=PiecewiseLinear, description="what stands for a number")


class FtTransformerSettings(Choice):
    """A Transformer that looks from column to column of a row; every number and category is a token.

    The default is the paper's default configuration (its appendix E). `width` is a multiple of `heads`.
    """

    blocks: int = Field(default=3, ge=1, description="how many blocks of attention and feed-forward")
    width: int = Field(default=192, ge=1, description="the width of a token")
    heads: int = Field(default=8, ge=1, description="heads of attention")
    hidden_factor: float = Field(default=4 / 3, gt=0, description="feed-forward's inner width as a multiple of `width`")
    attention_dropout: Share = Field(default=0.2, description="share of attention taken away in training")
    dropout: Share = Field(default=0.1, description="share of feed-forward's inner values taken away in training")
    residual_dropout: Share = Field(default=0.0, description="share of what a layer adds taken away in training")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got {self.width} and {self.heads}")
        return self

    @property
    def inner(self) -> int:
        """The inner width of feed-forward."""
        return max(1, int(self.width * self.hidden_factor))


class TabmSettings(Choice):
    """TabM-mini: networks that share all weights but the scale of what goes in and their last layer.

    Each is trained on its own loss; the answer is the mean of theirs. Defaults: the authors' package. Without an
    embedding of numbers they advise `depth: 3`.
    """

    members: int = Field(default=32, ge=1, description="how many networks")
    depth: int = Field(default=2, ge=1, description="hidden layers")
    width: int = Field(default=512, ge=1, description="the width of each hidden layer")
    dropout: Share = Field(default=0.1, description="share of a layer's values taken away in training")
    one_hot: int = Field(
        default=128, ge=0, description="a column of at most so many codes goes in one-hot, a larger one embedded"
    )
    embedding: Embedding = Field(default_factory=PiecewiseLinear, description="what stands for a number")
