"""`imbalance: auto`: each method trained a little on some of the rows, and judged on rows of val.

Shapes: N rows, K classes.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from pipeline import metrics, progress
from pipeline.artefacts import Record
from pipeline.features.preprocessor import LABEL
from pipeline.metrics.score import Values, paired, resamples
from pipeline.models.choices.optimization import ImbalanceSettings, Judge, Method

Tensors: TypeAlias = Mapping[str, np.ndarray]
Answer: TypeAlias = Callable[[Method, Tensors, Tensors], np.ndarray]


class Trial(Record):
    """What a method reached on val, and by how much that is better than none: a positive gain favours it."""

    method: Method
    average_precision: float
    log_loss: float
    gain: float
    low: float
    high: float


class Trials(Record):
    """Which method is taken and why; `rows` of train and `val_rows` of val were asked."""

    chosen: Method
    why: str
    judged_by: Judge
    rows: int
    val_rows: int
    trials: list[Trial]


def choose(
    parts: Mapping[str, Tensors], methods: Sequence[Method], settings: ImbalanceSettings, answer: Answer, *, seed: int
) -> Trials:
    """The method that is surely better than none on val (in 97.5% of resamples of its rows), of several the best.

    `parts`: the tensors of train and val. `methods` has none. `answer(method, train, val)` trains on rows of train and
    gives the probabilities (N, K) of rows of val.
    """
    train, val = (some(parts[name], settings.trial_rows, seed) for name in ("train", "val"))
    w_RN = resamples(len(val[LABEL]), seed)
    found: dict[Method, Values] = {}
    for method in methods:
        with progress.muted():
            p_NK = answer(method, train, val)
        found[method] = metrics.OF["classes"].values(val[LABEL], p_NK, 0.5, w_RN)
        reached = f"{settings.judged_by} {found[method][settings.judged_by][0]:.4f}"
        progress.report(0.0, f"imbalance: {method} has {reached} on val after a trial on {len(train[LABEL]):,} rows")
    trials = [_trial(method, values, found["none"], settings.judged_by) for method, values in found.items()]
    chosen, why = _best(trials, settings.judged_by)
    return Trials(
        chosen=chosen,
        why=why,
        judged_by=settings.judged_by,
        rows=len(train[LABEL]),
        val_rows=len(val[LABEL]),
        trials=trials,
    )


def some(part: Tensors, rows: int, seed: int) -> Tensors:
    """At most so many rows, drawn without replacement, in their order."""
    places = np.random.default_rng(seed).permutation(len(part[LABEL]))[:rows]
    return {name: np.asarray(array[np.sort(places)]) for name, array in part.items()}


def _trial(method: Method, own: Values, none: Values, judge: Judge) -> Trial:
    gain = paired("none", judge, own, none)
    return Trial(
        method=method,
        average_precision=float(own["average_precision"][0]),
        log_loss=float(own["log_loss"][0]),
        gain=gain.difference,
        low=gain.low,
        high=gain.high,
    )


def _best(trials: list[Trial], judge: Judge) -> tuple[Method, str]:
    best = max((trial for trial in trials if trial.method != "none"), key=lambda trial: trial.gain)
    surely = [trial for trial in trials if trial.low > 0]
    if not surely:
        return "none", f"{best.method}, the best of the rest, changes {judge} by {best.low:+.4f} to {best.high:+.4f}"
    best = max(surely, key=lambda trial: trial.gain)
    return best.method, f"{best.method} is better than none in {judge} by {best.low:.4f} to {best.high:.4f}"
