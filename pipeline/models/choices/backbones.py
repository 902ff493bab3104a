"""The settings of each backbone."""

from pydantic import Field

from pipeline.models.choices import Choice


class MlpSettings(Choice):
    """Widths of the hidden layers, and the share of their values that dropout takes away in training."""

    hidden: list[int] = Field(default_factory=lambda: [256, 128], min_length=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
