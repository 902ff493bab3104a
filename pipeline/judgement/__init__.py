"""What is said of a candidate beside its scores: where it fails, and what it does.

Each part is a file of its own with its record and its settings; none knows another. `diagnose` asks them all.
"""

from pipeline.judgement.by_class import by_class
from pipeline.judgement.calibration import calibration
from pipeline.judgement.case import Case
from pipeline.judgement.cost import cost
from pipeline.judgement.errors import errors
from pipeline.judgement.fairness import fairness
from pipeline.judgement.importance import importance
from pipeline.judgement.learning_curve import Retrain, learning_curve
from pipeline.judgement.over_time import over_time
from pipeline.judgement.record import Diagnosis
from pipeline.judgement.settings import EvaluateSettings
from pipeline.judgement.slices import slices
from pipeline.judgement.speed import speed
from pipeline.judgement.steadiness import steadiness

__all__ = ["Case", "Diagnosis", "EvaluateSettings", "diagnose"]


def diagnose(case: Case, settings: EvaluateSettings, retrain: Retrain | None = None) -> Diagnosis:
    """Everything that is said of the candidate beside its scores; pure but for the times.

    `retrain`: how the candidate is trained again on fewer rows, where a learning curve is asked for.
    """
    curve = settings.learning_curve
    return Diagnosis(
        candidate=case.model.manifest.identity,
        by_class=by_class(case),
        calibration=calibration(case),
        cost=cost(case, settings.cost) if settings.cost else None,
        errors=errors(case),
        fairness=fairness(case, settings.fairness) if settings.fairness else None,
        over_time=over_time(case),
        slices=slices(case, settings.slices, settings.weak_slices),
        steadiness=steadiness(case, settings.steadiness) if settings.steadiness else None,
        importance=importance(case, settings.importance) if settings.importance else None,
        speed=speed(case, settings.speed) if settings.speed else None,
        learning_curve=learning_curve(case, curve, retrain) if curve and retrain else None,
    )
