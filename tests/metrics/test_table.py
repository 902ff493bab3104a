"""The table of metrics by kind of label: whole, without overlap, and what a setting may name."""

from typing import get_args

import pytest

from pipeline import metrics
from pipeline.errors import SettingsError
from pipeline.metrics import OF, Kind
from pipeline.metrics.score import ClassMetric, QuantityMetric
from pipeline.stages.promote import PairedMetric


@pytest.mark.parametrize(("kind", "named"), [("classes", ClassMetric), ("quantity", QuantityMetric)])
def test_every_metric_has_its_measure(kind: Kind, named: object) -> None:
    measures = OF[kind]

    assert tuple(measures.each) == get_args(named)
    assert {measures.main, measures.gap, *measures.paired} <= set(measures.each)
    assert measures.main in measures.paired


def test_a_metric_is_of_one_kind_alone() -> None:
    names = [name for measures in OF.values() for name in measures.each]

    assert len(names) == len(set(names))
    assert set(names) >= metrics.LOWER_IS_BETTER | metrics.IN_UNIT


def test_a_promotion_may_ask_for_every_metric_that_is_compared() -> None:
    assert set(get_args(PairedMetric)) == {name for measures in OF.values() for name in measures.paired}


@pytest.mark.parametrize("kind", OF)
def test_auto_is_the_main_metric_and_another_kinds_is_refused(kind: Kind) -> None:
    own, other = OF[kind], next(measures for name, measures in OF.items() if name != kind)

    assert metrics.chosen("auto", tuple(own.each), own.main, "monitor.metric") == own.main
    assert metrics.chosen(own.gap, tuple(own.each), own.main, "monitor.metric") == own.gap
    with pytest.raises(SettingsError, match=r"monitor\.metric: cannot be .* use auto, or one of"):
        metrics.chosen(other.main, tuple(own.each), own.main, "monitor.metric")
