import math
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2_contingency

from pipeline.drift.homogeneity import Comparison, compare_counts, divergence, noise, pooled

TABLE = np.array([[500.0, 300.0, 200.0], [40.0, 50.0, 60.0]])
NOTHING = Comparison(effect=0.0, p=1.0)


def test_divergence_is_scipys() -> None:
    assert math.sqrt(divergence(TABLE)) == pytest.approx(jensenshannon(*TABLE, base=2), rel=1e-12)


def test_empty_bins_stay_finite_and_are_scipys() -> None:
    table = np.array([[100.0, 0.0, 50.0, 0.0], [0.0, 100.0, 50.0, 0.0]])

    assert math.sqrt(divergence(table)) == pytest.approx(jensenshannon(*table, base=2), rel=1e-12)
    assert divergence(np.array([[9.0, 0.0], [0.0, 9.0]])) == 1.0


def test_p_is_scipys_and_the_effect_the_divergence_above_its_noise() -> None:
    made = compare_counts(TABLE[0], TABLE[1])

    assert made.p == chi2_contingency(TABLE, correction=False).pvalue
    assert made.effect == math.sqrt(divergence(TABLE) - noise(TABLE))


def test_noise_is_the_mean_divergence_of_samples_of_one_population() -> None:
    random = np.random.default_rng(0)
    shares = [0.4, 0.3, 0.2, 0.1]
    tables = [np.array([random.multinomial(2000, shares), random.multinomial(500, shares)], float) for _ in range(2000)]

    assert np.mean([divergence(t) for t in tables]) == pytest.approx(noise(tables[0]), rel=0.1)


@pytest.mark.parametrize(("shift", "effect", "stability_index"), [(0.25, 0.10, 0.06), (0.5, 0.21, 0.25)])
def test_orientation_of_the_docstring_holds(shift: Any, effect: Any, stability_index: Any) -> None:
    random = np.random.default_rng(0)
    a, b = random.normal(size=10**6), random.normal(shift, size=10**6)
    edges = [-np.inf, *np.quantile(a, np.arange(0.1, 1, 0.1)), np.inf]
    table = np.array([np.histogram(x, edges)[0] for x in (a, b)], float)
    p, q = table / 10**6

    assert math.sqrt(divergence(table)) == pytest.approx(effect, abs=0.01)
    assert ((q - p) * np.log(q / p)).sum() == pytest.approx(stability_index, abs=0.02)


def test_sparse_neighbours_are_pooled_and_no_row_is_lost() -> None:
    table = np.array([[1.0, 2.0, 90.0, 3.0, 2.0, 1.0], [0.0, 4.0, 90.0, 1.0, 0.0, 0.0]])

    rich = 10 * table

    assert pooled(table).tolist() == [[99.0], [95.0]]  # neither end expects five rows on both sides
    assert pooled(rich).tolist() == [[30.0, 900.0, 30.0, 30.0], [40.0, 900.0, 10.0, 0.0]]


@pytest.mark.parametrize(
    ("reference", "batch"),
    [([], []), ([5, 5], [0, 0]), ([0, 0], [5, 5]), ([1, 1], [1, 1]), ([900, 900], [2, 0])],
)
def test_too_few_rows_say_nothing(reference: Any, batch: Any) -> None:
    assert compare_counts(reference, batch) == NOTHING
