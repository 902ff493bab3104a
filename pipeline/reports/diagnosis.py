"""The report's sections on what is said of the candidate beside its scores: one a part that has something to say."""

from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from pipeline.judgement.record import Diagnosis
from pipeline.reports import (
    by_class,
    calibration,
    cost,
    errors,
    fairness,
    importance,
    learning_curve,
    over_time,
    slices,
    speed,
    steadiness,
)

SECTIONS: dict[str, Callable[[Any], Markup]] = {  # by the field of the diagnosis, in the order in which they are shown
    "by_class": by_class.section,
    "calibration": calibration.section,
    "cost": cost.section,
    "slices": slices.section,
    "fairness": fairness.section,
    "errors": errors.section,
    "over_time": over_time.section,
    "steadiness": steadiness.section,
    "importance": importance.section,
    "speed": speed.section,
    "learning_curve": learning_curve.section,
}


def sections(told: Diagnosis) -> list[Markup]:
    """The sections of the parts that are there."""
    return [section(part) for name, section in SECTIONS.items() if (part := getattr(told, name)) is not None]
