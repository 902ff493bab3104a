"""What the live metric may be while no label has come (used by decision and monitor)."""

from typing import Literal

from pipeline.artefacts import Record
from pipeline.metrics import Metric


class Estimate(Record):
    """The metric of rows without labels, as far as the answers themselves, or their usual errors, tell it.

    `reference`: the same estimate of rows whose labels were known, and `measured` their metric: where the two differ,
    so may this one. The interval is of 95% of resamples of the rows, and does not know of a changed concept.
    """

    metric: Metric
    value: float
    low: float
    high: float
    reference: float
    method: Literal["confidence", "direct_loss"]
    measured: float | None = None
