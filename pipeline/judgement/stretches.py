"""What becomes of the windows that rows of series look back over: noise, gaps, windows that stand still, extremes.

Shapes: N rows, W steps of a window, C values of a step.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Forecast
from pipeline.judgement.changes import FAR, Scale, Size


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Which of the C values says whether the step is known, and which are numbers."""

    known: int
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, fitted: Preprocessor) -> "Layout":
        """As pipeline.features.history lays them: of a forecast the label, whether it is known, the dense values."""
        label = (0,) if isinstance(fitted.target, Forecast) else ()
        first = len(label) + 1
        dense = (first + place for place, is_number in enumerate(fitted.numbers) if is_number)
        return cls(known=len(label), numbers=(*label, *dense))


Made: TypeAlias = Callable[[np.ndarray, Layout, np.random.Generator], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A change of windows (N, W, C)."""

    name: str
    made: Made
    size: Size = "rough"


def noise(share: float) -> Made:
    """Normal noise of that share of the spread, on each number of each step."""

    def made(windows_NWC: np.ndarray, layout: Layout, random: np.random.Generator) -> np.ndarray:
        changed = windows_NWC.copy()
        for place in layout.numbers:
            spread = Scale.of(pl.Series(windows_NWC[:, :, place].ravel())).spread
            changed[:, :, place] += random.normal(0.0, share * spread, windows_NWC.shape[:2])
        return changed

    return made


def gap(begin: float, end: float) -> Made:
    """The steps from one share of the window to another are missing: what was known last stands there.

    >>> windows = np.array([[[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0]]])
    >>> layout = Layout(known=1, numbers=(0,))
    >>> gap(0.5, 1.0)(windows, layout, np.random.default_rng(0))[0].tolist()
    [[1.0, 1.0], [2.0, 1.0], [2.0, 0.0], [2.0, 0.0]]
    """

    def made(windows_NWC: np.ndarray, layout: Layout, _: np.random.Generator) -> np.ndarray:
        changed, steps = windows_NWC.copy(), windows_NWC.shape[1]
        first, last = min(round(begin * steps), steps - 1), round(end * steps)
        changed[:, first:last] = windows_NWC[:, first - 1 : first] if first else 0.0
        changed[:, first:last, layout.known] = 0.0
        return changed

    return made


def still(windows_NWC: np.ndarray, _: Layout, __: np.random.Generator) -> np.ndarray:
    """Every step is as the last one."""
    return np.broadcast_to(windows_NWC[:, -1:], windows_NWC.shape).copy()


def far(ranges: float) -> Made:
    """The numbers of the last step so many ranges of all windows above their highest, or below their lowest."""

    def made(windows_NWC: np.ndarray, layout: Layout, _: np.random.Generator) -> np.ndarray:
        changed = windows_NWC.copy()
        for place in layout.numbers:
            values = windows_NWC[:, :, place]
            low, high = (values.min(), values.max()) if values.size else (0.0, 0.0)
            changed[:, -1, place] = (high if ranges > 0 else low) + ranges * (high - low)
        return changed

    return made


ON_WINDOWS: tuple[Stretch, ...] = (
    Stretch(name="noise of 1% of the spread in the window", made=noise(0.01), size="small"),
    Stretch(name="noise of 10% of the spread in the window", made=noise(0.1)),
    Stretch(name="a quarter of the window missing", made=gap(0.375, 0.625)),
    Stretch(name="the last quarter of the window missing", made=gap(0.75, 1.0)),
    Stretch(name="nothing known in the window", made=gap(0.0, 1.0)),
    Stretch(name="a window that stands still", made=still),
    Stretch(name="the last step far above all", made=far(FAR)),
    Stretch(name="the last step far below all", made=far(-FAR)),
)
