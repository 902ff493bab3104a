"""How sure a network that has learnt ought to be: one number that its logits are divided by, fitted on val.

A network is surer of rows that it has not seen than it is right (Guo et al. 2017, "On calibration of modern neural
networks", section 4.2): above 1 the temperature makes its answers less sure, below 1 surer; the class that is likeliest
stays so. It is kept only where it helps on rows that it was not fitted on. It is fitted as if one row in so many had
turned out otherwise (Platt 1999, "Probabilistic outputs for support vector machines", section 2.2): where every row of
val is answered rightly, answers could else not be sure enough.

Shapes: N rows, M members of an ensemble, K classes or tags.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from pipeline.artefacts import Record
from pipeline.metrics.classification import EPSILON

COLDEST, HOTTEST = 0.05, 20.0
FOLDS = 5
LEAST_GAIN = 0.5  # standard errors, on rows that it was not fitted on: with 2 hardly any val is large enough
CELLS = 1 << 20  # logits that are looked at: of more rows every so many, one number needs no more
FEWEST_ROWS = 50  # with fewer it is not tried

Losses: TypeAlias = Callable[[float], np.ndarray]  # temperature → (N,) the loss of each row


class Temperature(Record):
    """What was tried: `fitted` on `rows` of val, and what came of it on val's rows outside each fold.

    `before` and `after` are mean log losses in nats, `after` that of rows by the temperature of the other folds;
    `error` is the standard error of their difference. `value` is what logits are divided by: 1 where it helped by less
    than LEAST_GAIN of these errors.
    """

    value: float
    fitted: float
    rows: int
    before: float
    after: float
    error: float

    @property
    def words(self) -> str:
        """What became of it."""
        seen = f"log loss {self.before:.4f} → {self.after:.4f} on val, cross-validated"
        word = "kept" if self.value != 1 else "not kept"
        return f"temperature {self.fitted:.2f} {word}: {seen}"


def fit(logits_NMK: np.ndarray, y_N: np.ndarray) -> Temperature | None:
    """The temperature of these logits, whose truth is `y_N`, (N, K) bool of tags; None for too few rows."""
    step = max(1, -(-logits_NMK.size // CELLS))
    logits_NMK, y_N = logits_NMK[::step], y_N[::step]
    if len(y_N) < FEWEST_ROWS:
        return None
    before_N, after_N = losses(logits_NMK, y_N)(1.0), np.empty(len(y_N))
    for fold in range(FOLDS):
        out_N = np.arange(len(y_N)) % FOLDS == fold
        other = best(doubted(logits_NMK[~out_N], y_N[~out_N]))
        after_N[out_N] = losses(logits_NMK[out_N], y_N[out_N])(other)
    gain_N = before_N - after_N
    error = float(gain_N.std(ddof=1) / np.sqrt(len(gain_N)))
    fitted = best(doubted(logits_NMK, y_N))
    return Temperature(
        value=fitted if gain_N.mean() > LEAST_GAIN * error else 1.0,
        fitted=fitted,
        rows=len(y_N),
        before=float(before_N.mean()),
        after=float(after_N.mean()),
        error=error,
    )


def losses(logits_NMK: np.ndarray, y_N: np.ndarray) -> Losses:
    """The log loss of each row at a temperature, members' probabilities averaged as in answers; of tags their mean.

    >>> round(float(losses(np.array([[[0.0, 2.0]]]), np.array([1]))(2.0)[0]), 4)  # -ln(e / (1 + e))
    0.3133
    """
    of = _of_tags if y_N.ndim == 2 else _of_classes
    return lambda temperature: of(logits_NMK / temperature, y_N)


def doubted(logits_NMK: np.ndarray, y_N: np.ndarray) -> Losses:
    """The same as if each of the N rows had another class, or not its tag, with a probability of 1 / (N + 2)."""
    doubt = 1 / (len(y_N) + 2)
    if y_N.ndim == 2:
        right, wrong = losses(logits_NMK, y_N), losses(logits_NMK, ~y_N.astype(bool))
        return lambda temperature: (1 - doubt) * right(temperature) + doubt * wrong(temperature)

    def loss(temperature: float) -> np.ndarray:
        loss_NK = _of_each_class(logits_NMK / temperature)
        own_N = loss_NK[np.arange(len(y_N)), y_N]
        others_N = (loss_NK.sum(axis=1) - own_N) / max(loss_NK.shape[1] - 1, 1)
        doubted_N: np.ndarray = (1 - doubt) * own_N + doubt * others_N
        return doubted_N

    return loss


def best(loss: Losses) -> float:
    """The temperature with the least mean loss, between COLDEST and HOTTEST."""
    power = least(lambda power: float(loss(float(np.exp(power))).mean()), np.log(COLDEST), np.log(HOTTEST))
    return float(np.exp(power))


def least(of: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley has its least value."""
    from scipy.optimize import minimize_scalar

    return float(minimize_scalar(of, bounds=(low, high), method="bounded").x)


def _of_classes(logits_NMK: np.ndarray, y_N: np.ndarray) -> np.ndarray:
    loss_N: np.ndarray = _of_each_class(logits_NMK)[np.arange(len(y_N)), y_N]
    return loss_N


def _of_each_class(logits_NMK: np.ndarray) -> np.ndarray:
    """(N, K) the loss of a row, if it was of that class."""
    from scipy.special import softmax

    loss_NK: np.ndarray = -np.log(softmax(logits_NMK, axis=2).mean(axis=1).clip(EPSILON, 1.0))
    return loss_NK


def _of_tags(logits_NMK: np.ndarray, y_NK: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    p_NK = expit(np.where(y_NK[:, None, :], logits_NMK, -logits_NMK)).mean(axis=1)
    loss_N: np.ndarray = -np.log(p_NK.clip(EPSILON, 1.0)).mean(axis=1)
    return loss_N
