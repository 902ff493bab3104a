"""Detectors that look at errors one by one, as labels come, one file each; they hold no more as the stream goes on.

Each begins anew once it has told a change. They need no calibration of their own: their bounds are the papers'.
"""

from collections.abc import Iterable
from typing import ClassVar, Protocol


class Detector(Protocol):
    """One detector; `add` takes the next error and says whether their mean has changed, by now."""

    name: ClassVar[str]

    def add(self, error: float) -> bool:
        """Whether a change is told with this error."""
        ...


def changes(detector: Detector, errors: Iterable[float]) -> list[int]:
    """The places at which the detector tells a change."""
    return [place for place, error in enumerate(errors) if detector.add(error)]
