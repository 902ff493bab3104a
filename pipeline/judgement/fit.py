"""Whether the candidate fits, in a word: its score on train beside val and test."""

from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.judgement.case import Split
from pipeline.metrics import Kind, Metric, Scores

UNDERFIT = 0.05  # above what a model scores that learnt nothing
GAPS: Mapping[Metric, str] = {
    "auc": "AUC",
    "r2": "R²",
    "quadratic_weighted_kappa": "kappa",
    "mean_average_precision": "mean average precision",
}
IN_ORDER: tuple[Split, ...] = ("train", "val", "test")


class Fit(Record):
    """Whether the candidate fits, in a word, and why."""

    word: Literal["fits", "overfits", "underfits"]
    why: str


def fit_word(scores: Mapping[str, Scores], overfit_gap: float, kind: Kind = "classes") -> Fit:
    """One word on the gap between train and test in AUC or R², and on how far train is from having learnt nothing."""
    measures = metrics.OF[kind]
    values = [scores[name][measures.gap].value for name in IN_ORDER]
    return _fit(GAPS[measures.gap], values, overfit_gap, measures.blind + UNDERFIT)


def fit_of_forecast(errors: Sequence[tuple[float, float]], overfit_gap: float) -> Fit:
    """One word on the share of persistence's squared error that is gone: some times are harder than others.

    `errors`: on train, val and test the candidate's and that of persistence, added up.
    """
    gone = [1 - (own / last if last else 1.0) for own, last in errors]
    return _fit("the share of persistence's squared error that is gone", gone, overfit_gap, UNDERFIT)


def _fit(called: str, values: Sequence[float], overfit_gap: float, least: float) -> Fit:
    """`values`: on train, val and test."""
    train, val, test = values
    seen = f"{called} is {train:.3f} on train, {val:.3f} on val, {test:.3f} on test"
    if train < least:
        return Fit(word="underfits", why=f"{seen}: train itself is below {least:g}")
    if train - max(val, test) > overfit_gap:
        return Fit(word="overfits", why=f"{seen}: train is more than {overfit_gap} above both others")
    return Fit(word="fits", why=f"{seen}: the gap is within {overfit_gap}")
