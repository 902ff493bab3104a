"""Streaming detectors: silent while the share of errors stays, and soon after it has risen."""

import numpy as np
import pytest

from pipeline.drift.streams import Detector, changes
from pipeline.drift.streams.adwin import Adwin
from pipeline.drift.streams.ddm import Ddm
from pipeline.drift.streams.eddm import Eddm
from pipeline.drift.streams.page_hinkley import PageHinkley

DETECTORS = [Adwin, Ddm, Eddm, PageHinkley]


def errors(share: float, count: int, seed: int) -> list[float]:
    return (np.random.default_rng(seed).random(count) < share).astype(float).tolist()


@pytest.mark.parametrize("made", DETECTORS)
def test_a_rise_is_told_soon(made: type[Detector]) -> None:
    told = changes(made(), errors(0.1, 2000, 0) + errors(0.4, 1000, 1))

    assert any(2000 <= place < 2300 for place in told)


@pytest.mark.parametrize(("made", "most"), [(Adwin, 1), (Ddm, 5), (PageHinkley, 0), (Eddm, 40)])
def test_false_alarms_on_ten_streams_are_as_few_as_the_papers_have(made: type[Detector], most: int) -> None:
    told = [changes(made(), errors(0.2, 1000, seed)) for seed in range(10)]

    assert sum(bool(places) for places in told) <= most


def test_adwin_forgets_what_is_over_and_holds_few_buckets() -> None:
    detector = Adwin()
    changes(detector, errors(0.1, 3000, 0) + errors(0.5, 3000, 1))

    held = [bucket for row in detector.rows for bucket in row]
    assert sum(bucket.total for bucket in held) / sum(bucket.rows for bucket in held) > 0.45
    assert len(held) < 6 * 14


def test_adwin_takes_errors_of_any_size() -> None:
    random = np.random.default_rng(0)

    told = changes(Adwin(), [*random.exponential(1, 1500), *random.exponential(3, 1500)])

    assert told and 1500 <= told[0] < 1800
