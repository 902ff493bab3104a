"""How a candidate is judged: the section `evaluate` of params.yaml. What a part can be told stands in its own file."""

from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from pipeline.judgement.cost import CostSettings
from pipeline.judgement.fairness import FairnessSettings
from pipeline.judgement.importance import ImportanceSettings
from pipeline.judgement.learning_curve import LearningCurveSettings
from pipeline.judgement.slices import WeakSlicesSettings
from pipeline.judgement.speed import SpeedSettings
from pipeline.judgement.steadiness import SteadinessSettings
from pipeline.judgement.units import RESAMPLING, Resampling
from pipeline.models import baselines
from pipeline.workspace import Section

OVERFIT_GAP = 0.05
TAKEN = {"candidate", "champion", "auto", *(name for known in baselines.OF.values() for name in known)}
Part = TypeVar("Part", bound=BaseModel)


def _switched(raw: Any) -> Any:
    """`true` and `false` in place of a part's settings."""
    return {True: {}, False: None}[raw] if isinstance(raw, bool) else raw


Switch = Annotated[Part | None, BeforeValidator(_switched)]


def _own_name(name: str) -> str:
    if not name.isidentifier() or name in TAKEN:
        raise ValueError(f"the name of a baseline must be a word that is not taken, such as human, got {name!r}")
    return name


RuleName = Annotated[str, AfterValidator(_own_name)]
SLICES = "parts of test that are scored by themselves: a name, and a condition in Polars SQL over the columns"
BASELINES = (
    "models to compare with that are none, by a name of yours: a column of what people decided, or a rule in Polars "
    "SQL over the columns"
)


class EvaluateSettings(Section):
    """How the candidate is judged; `overfit_gap` is of the AUC of classes, of the R² of a number.

    Of classes in an order it is of the kappa with squared weights, of tags of the mean average precision.
    """

    key: ClassVar[str] = "evaluate"
    resamples: int = Field(default=200, ge=50)
    overfit_gap: float = Field(default=OVERFIT_GAP, gt=0, lt=0.5)
    resample: Resampling = Field(default="auto", description=RESAMPLING)
    baselines: dict[RuleName, str] = Field(default_factory=dict, description=BASELINES)
    cost: CostSettings | None = Field(default=None, description="with it thresholds are those that cost least on val")
    slices: dict[str, str] = Field(default_factory=dict, description=SLICES)
    weak_slices: Switch[WeakSlicesSettings] = Field(default_factory=WeakSlicesSettings)
    fairness: FairnessSettings | None = Field(default=None, description="groups between which answers are compared")
    steadiness: Switch[SteadinessSettings] = Field(default_factory=SteadinessSettings)
    importance: Switch[ImportanceSettings] = Field(default_factory=ImportanceSettings)
    speed: Switch[SpeedSettings] = Field(default_factory=SpeedSettings)
    learning_curve: Switch[LearningCurveSettings] = None
