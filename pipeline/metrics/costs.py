"""What wrong answers cost. Shapes: N rows, K classes; `cost_KK`: of the truth (down) and the answer (across)."""

import numpy as np

NEVER = float(np.nextafter(1.0, 2.0))  # a threshold that no probability reaches


def cheapest_threshold(y_N: np.ndarray, p_NK: np.ndarray, cost_KK: np.ndarray) -> float:
    """The probability of the second of two classes from which saying it costs least on these rows.

    Half way to the next lower probability that was told; 0 says it always, NEVER never. Of those that cost the same it
    is the highest.

    >>> p_NK = np.array([[0.1, 0.9], [0.5, 0.5], [0.8, 0.2]])
    >>> cheapest_threshold(np.array([1, 0, 1]), p_NK, np.array([[0.0, 1.0], [3.0, 0.0]]))
    0.0
    >>> cheapest_threshold(np.array([1, 0, 1]), p_NK, np.array([[0.0, 3.0], [1.0, 0.0]]))
    0.7
    """
    order = np.argsort(-p_NK[:, 1], kind="stable")
    ranked_N = p_NK[order, 1]
    more_N = (cost_KK[:, 1] - cost_KK[:, 0])[y_N[order]]  # what saying yes costs more than no
    total_C = np.append(0.0, np.cumsum(more_N))  # yes to none, to the first, ... to all
    apart_C = np.concatenate([[True], np.diff(ranked_N) != 0, [True]])
    best = int(np.argmin(np.where(apart_C, total_C, np.inf)))
    if best in (0, len(y_N)):
        return 0.0 if best else NEVER
    at, below = ranked_N[best - 1], ranked_N[best]
    between = (at + below) / 2
    return float(between if between > below else at)


def of_answers(y_N: np.ndarray, said_N: np.ndarray, cost_KK: np.ndarray) -> np.ndarray:
    """(N,) what each answer costs."""
    cost_N: np.ndarray = cost_KK[y_N, said_N]
    return cost_N
