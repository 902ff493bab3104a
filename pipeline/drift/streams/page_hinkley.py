"""The test of Page and Hinkley (Page 1954; Hinkley 1971)."""

from typing import ClassVar


class PageHinkley:
    """The errors' excess over their mean so far, and over `tolerance`, adds up: alarm at `threshold` over its least.

    Both are in the unit of the error: the usual ones are of errors that are 0 or 1.

    >>> from pipeline.drift.streams import changes
    >>> changes(PageHinkley(), [0, 0, 0, 1] * 100 + [1] * 100) != [], changes(PageHinkley(), [0, 0, 0, 1] * 200)
    (True, [])
    """

    name: ClassVar[str] = "page_hinkley"

    def __init__(self, tolerance: float = 0.005, threshold: float = 50.0) -> None:
        self.tolerance, self.threshold = tolerance, threshold
        self._forget()

    def _forget(self) -> None:
        self.count, self.mean, self.excess, self.least = 0, 0.0, 0.0, 0.0

    def add(self, error: float) -> bool:
        self.count += 1
        self.mean += (error - self.mean) / self.count
        self.excess += error - self.mean - self.tolerance
        self.least = min(self.least, self.excess)
        told = self.excess - self.least > self.threshold
        if told:
            self._forget()
        return told
