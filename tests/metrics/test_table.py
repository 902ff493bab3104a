"""The table of metrics by kind of label: whole, without overlap, and what a setting may name."""

from typing import get_args

import numpy as np
import pytest

from pipeline import metrics
from pipeline.errors import SettingsError
from pipeline.metrics import OF, Kind
from pipeline.metrics.score import ClassMetric, OrdinalMetric, QuantileMetric, QuantityMetric, TagMetric
from pipeline.stages.promote import PairedMetric


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("classes", ClassMetric),
        ("quantity", QuantityMetric),
        ("ordinal", OrdinalMetric),
        ("quantiles", QuantileMetric),
        ("tags", TagMetric),
    ],
)
def test_every_metric_has_its_measure(kind: Kind, named: object) -> None:
    measures = OF[kind]

    assert tuple(measures.each) == get_args(named)
    assert {measures.main, measures.gap, *measures.paired} <= set(measures.each)
    assert measures.main in measures.paired


def test_what_is_lower_the_better_or_in_a_unit_is_a_metric() -> None:
    names = {name for measures in OF.values() for name in measures.each}

    assert names >= metrics.LOWER_IS_BETTER >= metrics.IN_UNIT
    assert names == set(get_args(metrics.Metric))


@pytest.mark.parametrize("kind", OF)
def test_another_kinds_metric_of_the_same_name_is_the_same_or_of_the_median(kind: Kind) -> None:
    random = np.random.default_rng(0)
    y_N, a_N1, w_RN = random.normal(size=50), random.normal(size=(50, 1)), np.ones((1, 50))

    for name in set(OF["quantity"].each) & set(OF[kind].each):
        at = (0.0, 0.5) if kind == "quantiles" else 0.0
        found = OF[kind].each[name](y_N[:, None] if kind == "forecast" else y_N, a_N1, at, w_RN)
        assert found == pytest.approx(OF["quantity"].each[name](y_N, a_N1, 0.0, w_RN)), name


def test_a_promotion_may_ask_for_every_metric_that_is_compared() -> None:
    assert set(get_args(PairedMetric)) == {name for measures in OF.values() for name in measures.paired}


@pytest.mark.parametrize("kind", OF)
def test_auto_is_the_main_metric_and_another_kinds_is_refused(kind: Kind) -> None:
    own = OF[kind]
    other = next(measures for measures in OF.values() if measures.main not in own.each)

    assert metrics.chosen("auto", tuple(own.each), own.main, "monitor.metric") == own.main
    assert metrics.chosen(own.gap, tuple(own.each), own.main, "monitor.metric") == own.gap
    with pytest.raises(SettingsError, match=r"monitor\.metric: cannot be .* use auto, or one of"):
        metrics.chosen(other.main, tuple(own.each), own.main, "monitor.metric")
