"""The section `train` of params.yaml: the network and how it is trained, all of it."""

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, Field

from pipeline.features import OwnKind
from pipeline.features.audio import AudioNetworkSettings
from pipeline.features.image import ImageNetworkSettings
from pipeline.features.series import SeriesNetworkSettings
from pipeline.features.text import TextNetworkSettings
from pipeline.models.choices.auto import BackboneName
from pipeline.models.choices.backbones import (
    FtTransformerSettings,
    LinearSettings,
    MlpSettings,
    ResnetSettings,
    TabmSettings,
)
from pipeline.models.choices.health import HealthSettings
from pipeline.models.choices.optimization import (
    MIXUP,
    AveragingSettings,
    ImbalanceSettings,
    LossSettings,
    OptimizerSettings,
    ScheduleSettings,
)
from pipeline.models.choices.pretraining import PretrainingSettings
from pipeline.models.choices.transfer import FREEZE, INIT_FROM, TAKEN_RATE, Freeze
from pipeline.workspace import Section

Precision: TypeAlias = Literal["auto", "bf16", 32]


DEVICES = (
    "how many GPUs of this machine train together, each on its part of every batch; without a GPU, how many processes; "
    "auto: all GPUs where a step has 256 rows for each and train has a million, else one"
)


class TrainSettings(Section):
    """The network and how it is trained."""

    key: ClassVar[str] = "train"
    model: BackboneName | Literal["auto"] = Field(
        default="mlp", description="the backbone; auto picks by rows, columns and outputs, and says why"
    )
    linear: LinearSettings = Field(default_factory=LinearSettings)
    mlp: MlpSettings = Field(default_factory=MlpSettings)
    resnet: ResnetSettings = Field(default_factory=ResnetSettings)
    ft_transformer: FtTransformerSettings = Field(default_factory=FtTransformerSettings)
    tabm: TabmSettings = Field(default_factory=TabmSettings)
    text: TextNetworkSettings = Field(default_factory=TextNetworkSettings)
    image: ImageNetworkSettings = Field(default_factory=ImageNetworkSettings)
    audio: AudioNetworkSettings = Field(default_factory=AudioNetworkSettings)
    series: SeriesNetworkSettings = Field(default_factory=SeriesNetworkSettings)
    epochs: int | None = Field(
        default=None,
        ge=1,
        description="at most so many passes over train; null: 200, or 12 where a column has an encoder of its own; "
        "of few pictures as many as show 64,000, at most 60",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="after so many epochs that are no better on val it stops; null: 16, as in the papers of tables, or "
        "3 where a column has an encoder of its own; of pictures it does not, for the rate falls until the last epoch",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        description="rows of a step; null: by the rows of train, 32 to 1024, as in TabM's paper; "
        "of pictures at most 128",
    )
    loss: LossSettings = Field(default_factory=LossSettings)
    optimizer: OptimizerSettings = Field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings | None = Field(
        default=None,
        description="how the learning rate goes; null: constant, as in the papers of tables, or cosine where a column "
        "has an encoder of its own",
    )
    averaging: AveragingSettings = Field(default_factory=AveragingSettings)
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings)
    mixup: float = Field(default=0.0, ge=0, description=MIXUP)
    health: HealthSettings = Field(default_factory=HealthSettings)
    pretrain: PretrainingSettings = Field(default_factory=PretrainingSettings)
    init_from: str | None = Field(default=None, pattern=r"^(v[1-9]\d*|champion)$", description=INIT_FROM)
    freeze: Freeze = Field(default="none", description=FREEZE)
    taken_rate: float = Field(default=1.0, gt=0, le=1, description=TAKEN_RATE)
    temperature: bool = Field(
        default=True,
        description="of classes and tags: after training, fit on val how sure the answers are to be (temperature "
        "scaling), and keep that where it helps on val's other rows",
    )
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    precision: Precision = Field(
        default="auto",
        description="of convolutions over pictures in training: 32 bits, or their products in bf16, which "
        "takes half the time where the processor or the GPU has instructions for it; auto: bf16 there, 32 elsewhere. "
        "All else, and whoever answers, works in 32 bits",
    )
    devices: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(default=1, description=DEVICES)
    memory_gigabytes: float | None = Field(
        default=None,
        ge=0,
        description="tensors of a split that are larger stay on disk and are read as they are needed, by blocks; null: "
        "half of the memory that is free",
    )
    checkpoint_seconds: float = Field(
        default=30.0, ge=0, description="how often the state is written from which a training that was killed goes on"
    )

    def of_modality(self, modality: OwnKind) -> BaseModel:
        """The settings of what reads a column of that modality in the network; text files are read as text."""
        settings: BaseModel = getattr(self, modality.removesuffix("-file"))
        return settings
