"""What the candidate's answers cost on test, at the threshold that costs least on val.

Shapes: N rows, K classes, R resamples.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.errors import SettingsError
from pipeline.features.target import Classes, Ordinal, Target
from pipeline.judgement.case import CANDIDATE, Case, Split
from pipeline.metrics import Score, classification, costs
from pipeline.metrics.ordinal import middle
from pipeline.metrics.score import mean, of_resamples
from pipeline.wording import number

STEPS = 41  # thresholds of the curve
KEY = "evaluate.cost.of"


class CostSettings(BaseModel):
    """What an answer costs: `of: {yes: {no: 50}, no: {yes: 10}}` is 50 for a yes that was answered no."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    of: dict[str, dict[str, float]] = Field(
        description="by the true class what each answer costs; what is not named costs nothing, what is below 0 gains"
    )
    unit: str = Field(default="", description="what the amounts are of, such as EUR")


class ModelCost(Record):
    """What a model's answers cost: the mean of a row of test, and how much less the candidate's cost (`saved`)."""

    model: str
    threshold: float | None
    mean: Score
    saved: Score | None = None


class Cost(Record):
    """What answers cost on test, in `unit` a row.

    `always`: what it costs to answer one class always. Of two classes `theory` is the threshold at which a yes costs as
    much as a no where probabilities are right (Elkan 2001), `curve` the candidate's threshold, cost on val, on test.
    """

    unit: str
    rows: int
    models: list[ModelCost]
    always: dict[str, float]
    theory: float | None = None
    curve: list[tuple[float, float, float]] = Field(default_factory=list)

    @property
    def words(self) -> str:
        """What the candidate costs, beside the cheapest of the others and of one answer always."""
        own, *others = self.models
        said = f"An answer costs {number(own.mean.value)} {self.unit}".rstrip()
        always, least = min(self.always.items(), key=lambda item: item[1])
        told = [f"{said} on the mean", f"{number(least)} if it were {always} always"]
        if others:
            rival = min(others, key=lambda one: one.mean.value)
            told.append(f"{number(rival.mean.value)} by {rival.model.replace('_', ' ')}")
        return "; ".join(told) + "."


def matrix(settings: CostSettings, classes: Sequence[str]) -> np.ndarray:
    """(K, K) what each answer costs, by truth and answer; raises SettingsError for what is no class of the label."""
    for name in (*settings.of, *(answer for each in settings.of.values() for answer in each)):
        if name not in classes:
            raise SettingsError(
                f"{name!r} is no class of the label", where=f"params.yaml: {KEY}", fix=f"use {', '.join(classes)}"
            )
    return np.array([[settings.of.get(truth, {}).get(said, 0.0) for said in classes] for truth in classes])


def require_classes(target: Target) -> list[str]:
    """The label's classes; raises SettingsError for a label that has none, whose answers have no such costs."""
    if isinstance(target, Classes | Ordinal):
        return target.classes
    raise SettingsError(
        f"costs are of classes, and {target.column} is told as {target.kind}",
        where="params.yaml: evaluate.cost",
        fix="take it out",
    )


def cost(case: Case, settings: CostSettings) -> Cost:
    """What every model's answers to test cost."""
    cost_KK = matrix(settings, require_classes(case.target))
    y_N, found = case.truth["test"], {}
    for model, a_NK in case.answers["test"].items():
        said_N = answered(case.target, a_NK, case.thresholds.get(model, 0.5))
        found[model] = mean(costs.of_answers(y_N, said_N, cost_KK), case.w_RN)
    return Cost(
        unit=settings.unit,
        rows=len(y_N),
        models=[_of_model(model, found, case.thresholds) for model in found],
        always={name: float(cost_KK[y_N, k].mean()) for k, name in enumerate(require_classes(case.target))},
        **(_of_two(case, cost_KK) if len(cost_KK) == 2 and isinstance(case.target, Classes) else {}),
    )


def answered(target: Target, a_NK: np.ndarray, threshold: float) -> np.ndarray:
    """(N,) the class that is answered."""
    return middle(a_NK) if isinstance(target, Ordinal) else classification.answers(a_NK, threshold)


def _of_model(model: str, found: Mapping[str, np.ndarray], thresholds: Mapping[str, float]) -> ModelCost:
    saved = None if model == CANDIDATE else of_resamples(found[model] - found[CANDIDATE])
    return ModelCost(model=model, threshold=thresholds.get(model), mean=of_resamples(found[model]), saved=saved)


def _of_two(case: Case, cost_KK: np.ndarray) -> dict[str, object]:
    """The threshold in theory, and the candidate's curve."""
    false, missed = cost_KK[0, 1] - cost_KK[0, 0], cost_KK[1, 0] - cost_KK[1, 1]
    theory = float(false / (false + missed)) if false > 0 and missed > 0 else None

    def at(threshold: float, split: Split) -> float:
        said_N = classification.answers(case.own(split), threshold)
        return float(costs.of_answers(case.truth[split], said_N, cost_KK).mean())

    steps = np.linspace(0, 1, STEPS).tolist()
    return {"theory": theory, "curve": [(step, at(step, "val"), at(step, "test")) for step in steps]}
