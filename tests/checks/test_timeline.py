"""The axis of a table without groups is what it would be with one group that all rows are in."""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline.checks.timeline import ENTITY, STAMP, _read, alone

DAY = 86_400_000_000


def assert_as_one_group(stamps: list[int]) -> None:
    sorted_stamps = pl.Series(STAMP, sorted(stamps), dtype=pl.Int64)
    entity = pl.repeat(0, len(stamps), dtype=pl.UInt64, eager=True).alias(ENTITY)
    found, known = alone(sorted_stamps.to_numpy()), _read(pl.DataFrame([entity, sorted_stamps]))

    assert_frame_equal(found.entities, known.entities.select(found.entities.columns), check_exact=True)
    assert_frame_equal(found.breaks, known.breaks, check_exact=True)
    assert sorted(found.weeks) == sorted(known.weeks)


@pytest.mark.parametrize("stamps", [[], [5], [5, 5, 5], [5, 5, 9]])
def test_few_stamps(stamps: list[int]) -> None:
    assert_as_one_group(stamps)


@pytest.mark.parametrize("rows", [3, 10, 11, 50, 400])
@pytest.mark.parametrize("holes", [0.0, 0.1, 0.2])
@pytest.mark.parametrize("repeats", [0.0, 0.05, 0.4])
@pytest.mark.parametrize("jitter", [1, DAY // 20, DAY // 5])
def test_holes_repeats_and_jitter(
    rows: int, holes: float, repeats: float, jitter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.checks.timeline.AT_ONCE", 64)
    drawn = np.random.default_rng(rows)
    steps = np.arange(rows)[drawn.random(rows) >= holes] * DAY - 300 * DAY
    steps = np.concatenate([steps, steps[drawn.random(steps.size) < repeats]])

    assert_as_one_group((steps + drawn.integers(0, jitter, steps.size)).tolist())
