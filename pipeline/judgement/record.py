"""What is said of a candidate beside its scores: reports/diagnosis.json."""

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.judgement.by_class import OneClass
from pipeline.judgement.calibration import Calibration
from pipeline.judgement.cost import Cost
from pipeline.judgement.errors import Errors
from pipeline.judgement.fairness import Fairness
from pipeline.judgement.importance import Importance
from pipeline.judgement.learning_curve import LearningCurve
from pipeline.judgement.over_time import OverTime
from pipeline.judgement.slices import Slices
from pipeline.judgement.speed import Speed
from pipeline.judgement.steadiness import Steadiness


class Diagnosis(Record):
    """One part a field; None where a part is off, or has nothing to say of this kind of label or data."""

    candidate: str
    by_class: list[OneClass] | None = Field(default=None, exclude_if=lambda part: part is None)
    calibration: Calibration | None = Field(default=None, exclude_if=lambda part: part is None)
    cost: Cost | None = Field(default=None, exclude_if=lambda part: part is None)
    errors: Errors | None = Field(default=None, exclude_if=lambda part: part is None)
    fairness: Fairness | None = Field(default=None, exclude_if=lambda part: part is None)
    over_time: OverTime | None = Field(default=None, exclude_if=lambda part: part is None)
    slices: Slices | None = Field(default=None, exclude_if=lambda part: part is None)
    steadiness: Steadiness | None = Field(default=None, exclude_if=lambda part: part is None)
    importance: Importance | None = Field(default=None, exclude_if=lambda part: part is None)
    speed: Speed | None = Field(default=None, exclude_if=lambda part: part is None)
    learning_curve: LearningCurve | None = Field(default=None, exclude_if=lambda part: part is None)
