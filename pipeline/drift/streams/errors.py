"""Where the errors of a model changed, by every detector, once labels are there."""

from collections.abc import Mapping

import numpy as np

from pipeline.drift.streams import Detector, changes
from pipeline.drift.streams.adwin import Adwin
from pipeline.drift.streams.ddm import Ddm
from pipeline.drift.streams.eddm import Eddm
from pipeline.drift.streams.page_hinkley import PageHinkley
from pipeline.metrics import Kind

MOST = 5000  # errors of each side: a detector takes one by one


def changed(old_N: np.ndarray, new_M: np.ndarray, *, binary: bool) -> dict[str, int]:
    """The first of the new errors at which each detector tells a change, after it has seen the old ones.

    Both in the order of time; `binary`: they are 0 or 1, which two of the detectors ask for.
    """
    old, (new, place_M) = thinned(old_N)[0], thinned(new_M)
    detectors: list[Detector] = [Adwin(), PageHinkley()]
    detectors += [Ddm(), Eddm()] if binary else []
    found = {}
    for detector in detectors:
        told = changes(detector, np.concatenate([old, new]).astype(np.float64).tolist())
        later = [place - len(old) for place in told if place >= len(old)]
        if later:
            found[detector.name] = int(place_M[later[0]])
    return found


def thinned(value_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At most `MOST` of them, evenly out of all, and their places."""
    place_M = np.linspace(0, max(len(value_N) - 1, 0), min(len(value_N), MOST)).astype(np.int64)
    return value_N[place_M], place_M


SCORED: Mapping[Kind, bool] = {"classes": True, "ordinal": True, "quantity": False}  # and whether an error is 0 or 1


def of(kind: Kind, y_N: np.ndarray, a_NK: np.ndarray) -> np.ndarray:
    """(N,) the error of each answer: of classes whether it is wrong, of a number how far off it is."""
    return a_NK.argmax(axis=1) != y_N if SCORED[kind] else np.abs(y_N - a_NK[:, 0])
