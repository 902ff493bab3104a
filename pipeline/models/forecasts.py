"""What a forecast must beat: the last value, the value a season before, and a linear map of the window.

Shapes: N rows, W steps of a window, H steps of the horizon. Values are scaled, as the network sees them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

import numpy as np

from pipeline.features.preprocessor import LABEL
from pipeline.features.targets.forecast import Forecast
from pipeline.features.windows import Windows
from pipeline.models.baselines import Baseline

Name = TypeVar("Name", bound=str)
Tensors: TypeAlias = Mapping[str, Any]
Answering: TypeAlias = Callable[[Windows], np.ndarray]
ROWS_AT_ONCE = 8192
PENALTY = 1.0  # as of scikit-learn's Ridge


def answers(parts: Mapping[Name, Tensors], target: Forecast) -> dict[Name, dict[str, np.ndarray]]:
    """(N, H) of each baseline, by split and name, as answers are judged; what is learnt is of train.

    On train there is persistence alone: it is many rows.
    """
    by_name = {str(split): part for split, part in parts.items()}
    fitted = fit(by_name["train"], target)
    return {
        split: {
            name: target.decode(answer(label_of(part, target)))
            for name, answer in fitted.items()
            if split != "train" or name == "persistence"
        }
        for split, part in parts.items()
    }


def fit(train: Tensors, target: Forecast) -> dict[Baseline, Answering]:
    """Each baseline, as what answers (N, H) to windows; only the linear one learns, of train."""
    weight_WH = linear(label_of(train, target), train[LABEL])
    return {
        "persistence": lambda windows: ahead(windows, np.zeros(target.horizon, dtype=np.int64)),
        "seasonal_naive": lambda windows: ahead(windows, a_season_before(target.horizon, target.season)),
        "ridge": lambda windows: np.concatenate([_told(x_NW, weight_WH) for x_NW in _parts(windows)]),
    }


def label_of(part: Tensors, target: Forecast) -> Windows:
    """The windows of the label alone."""
    windows: Windows = part[f"series:{target.column}"]
    return Windows(values=windows.values[:, 0], place_N=windows.place_N, step_W=windows.step_W)


def ahead(windows: Windows, step_H: np.ndarray) -> np.ndarray:
    """(N, H) the values that stand so many steps from each row."""
    return np.asarray(Windows(values=windows.values, place_N=windows.place_N, step_W=step_H))


def a_season_before(horizon: int, season: int) -> np.ndarray:
    """(H,) for each step ahead the last one that is known and as far into its season, from the row's own.

    >>> a_season_before(5, 3)
    array([-2, -1,  0, -2, -1])
    """
    step_H = np.arange(1, horizon + 1)
    return step_H - season * -(-step_H // season)


def linear(windows: Windows, target: Windows) -> np.ndarray:
    """(W + 1, H) ridge regression of the changes to come on the changes so far, both from the last value; the last row
    is the constant. By normal equations, so that windows are never all in memory.
    """
    gram, moment = 0.0, 0.0
    for start, x_NW in zip(range(0, len(windows), ROWS_AT_ONCE), _parts(windows), strict=True):
        seen = _changes(x_NW)
        to_come_NH = np.asarray(target[start : start + ROWS_AT_ONCE]).astype(np.float64) - x_NW[:, -1:]
        gram, moment = gram + seen.T @ seen, moment + seen.T @ to_come_NH
    penalty = np.full(len(windows.step_W) + 1, PENALTY)
    penalty[-1] = 0
    weight_WH: np.ndarray = np.linalg.solve(gram + np.diag(penalty + 1e-9), moment)
    return weight_WH


def _told(x_NW: np.ndarray, weight_WH: np.ndarray) -> np.ndarray:
    told_NH: np.ndarray = _changes(x_NW) @ weight_WH + x_NW[:, -1:]
    return told_NH


def _changes(x_NW: np.ndarray) -> np.ndarray:
    """(N, W + 1) changes from the last value, and ones."""
    return np.concatenate([x_NW - x_NW[:, -1:], np.ones((len(x_NW), 1))], axis=1)


def _parts(windows: Windows) -> Iterator[np.ndarray]:
    for start in range(0, len(windows), ROWS_AT_ONCE):
        yield np.asarray(windows[start : start + ROWS_AT_ONCE]).astype(np.float64)
