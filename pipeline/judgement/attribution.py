"""Why a model answered a row as it did: what each column added to what it answers on the mean.

Shapley values by sampled orders of the columns (Castro, Gómez & Tejada 2009; Štrumbelj & Kononenko 2010), by Captum: a
column that is not there yet has the cells of rows of train. So the parts add up to the answer less the mean answer. It
works on any network, and on any column: a picture is one part, as a number is.

Shapes: C columns, B questions at once, G rows of train, K answers a row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.errors import WorkspaceError
from pipeline.features.target import Classes, Ordinal, Tags, Target
from pipeline.judgement.probe import Probe, drawn
from pipeline.predictor import Predictor

BACKGROUND = 32  # rows of train that stand for all
BACKGROUND_OWN = 8  # where an answer is dear
REPEATS, ORDERS = 8, 8  # estimates, whose spread says how good their mean is, and the orders of each
QUESTIONS = 32
Number = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Cause:
    """What a column, with this value, adds; `error` is the standard error of sampling."""

    column: str
    value: Any
    added: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Of one row: which number of the answer is explained, what it is, what it is on the mean, and why, most first."""

    number: str
    answer: float
    usual: float
    causes: list[Cause]


def explain(model: Predictor, rows: pl.DataFrame, train: pl.DataFrame, seed: int) -> list[Explanation]:
    """Explain the answer to each row, beside rows of train; raises WorkspaceError for a model of series."""
    fitted = model.preprocessor
    if fitted.series:
        raise WorkspaceError(
            "tells series, whose rows are part of each other's: no row can be explained by itself",
            where=str(model.folder),
            fix="look at the report's section on what the model uses",
        )
    most = BACKGROUND_OWN if fitted.own else BACKGROUND
    others = train[drawn(train.height, most, seed, fitted)]
    read = fitted.columns
    asked = [
        Probe.of(model, pl.concat([rows[[place]].select(read), others.select(read)])) for place in range(rows.height)
    ]
    return [of_row(each, seed) for each in asked]


def of_row(asked: Probe, seed: int) -> Explanation:
    """Explain the first row; the others are the rows of train beside it."""
    a_NK = asked.answers()
    name, number = explained(asked.fitted.target, a_NK[0])
    told_N = number(a_NK)
    added_RC = np.stack([_estimate(asked, number, seed + repeat) for repeat in range(REPEATS)])
    error_C = added_RC.std(axis=0, ddof=1) / np.sqrt(REPEATS)
    causes = [
        Cause(column=column, value=asked.rows[column][0], added=float(added), error=float(error))
        for column, added, error in zip(asked.columns, added_RC.mean(axis=0), error_C, strict=True)
    ]
    causes.sort(key=lambda cause: -abs(cause.added))
    return Explanation(number=name, answer=float(told_N[0]), usual=float(told_N[1:].mean()), causes=causes)


def explained(target: Target, a_K: np.ndarray) -> tuple[str, Number]:
    """Which number of an answer is explained: of classes and tags the probability of one, else the value."""
    if not isinstance(target, Classes | Ordinal | Tags):
        return target.column, target.watched
    two = isinstance(target, Classes) and len(target.classes) == 2
    place = 1 if two else int(a_K.argmax())
    return f"p: {target.classes[place]}", lambda a_NK: a_NK[:, place]


def _estimate(asked: Probe, number: Number, seed: int) -> np.ndarray:
    """(C,) what each column adds, by some orders of the columns."""
    import torch
    from captum.attr import ShapleyValueSampling

    def answer(there_BC: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(_mean_answers(asked, number, there_BC.numpy() > 0))

    whole_1C = torch.ones(1, len(asked.columns), dtype=torch.float64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        found = ShapleyValueSampling(answer).attribute(
            whole_1C, baselines=torch.zeros_like(whole_1C), n_samples=ORDERS, perturbations_per_eval=QUESTIONS
        )
    added_C: np.ndarray = found[0].numpy()
    return added_C


def _mean_answers(asked: Probe, number: Number, there_BC: np.ndarray) -> np.ndarray:
    """(B,) the number on the mean over the rows of train, with the row's own cells where they are there."""
    others = asked.rows.height - 1
    place_BG = np.broadcast_to(np.arange(1, others + 1), (len(there_BC), others))
    places = {
        column: np.where(there_B[:, None], 0, place_BG).ravel()
        for column, there_B in zip(asked.columns, there_BC.T, strict=True)
    }
    told_M = number(asked.asked(asked.gathered(places)))
    mean_B: np.ndarray = told_M.reshape(len(there_BC), others).mean(axis=1)
    return mean_B


def largest(causes: Sequence[Cause], most: int) -> tuple[list[Cause], float]:
    """The first so many, and what all others add together."""
    return list(causes[:most]), sum(cause.added for cause in causes[most:])
