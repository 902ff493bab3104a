"""Level checks: numbers that move along the time axis once, and for good."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.impossible import finite, numbers
from pipeline.checks.series import DISTINCT
from pipeline.checks.timeaxis import NO_TIME
from pipeline.checks.timeline import STAMP, shown, timeline
from pipeline.profile.sketch import Floats
from pipeline.quality.findings import Hit, Policy, Skipped, Table

BLOCKS = (64, 256, 1024)
ROWS_PER_BLOCK = 5
SIDE = 4  # blocks on either side of a jump
ENTITIES = 50  # those of the most rows are asked
LARGEST = 1e300  # of numbers beyond, differences are no floats
SERIES = "#series"
LASTS = 0.5  # of the jump: by so much the rows next to it differ, and all rows before and after it
FAR = 2  # times what is told: a walk of heavy tails jumps so far in one of a hundred
TINY = 1e-6  # a jump in a series of nothing but two numbers is as large as can be told
NOISE = 2.0  # standard errors of the median of one side: smaller jumps are none


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A jump between two rows: the place of the row after it, the levels before and after, and their difference in
    the usual distance of a row from its level (`effect`), and in the largest jump elsewhere (`ratio`)."""

    place: int
    before: float
    after: float
    effect: float
    ratio: float


@dataclass(frozen=True, kw_only=True)
class LevelShift:
    """Which numbers move at one moment, and for good, by far more than they ever move otherwise: a recalibrated sensor?

    The sampled rows of each series are cut, in time, into blocks of equal rows, of several sizes. A jump is the
    difference between the medians of four blocks before and after a place. It is told where it is `times` every jump
    that has no block in common with it, and `minimum_effect` times what rows usually are off their block's median;
    where it comes within a block; and where all rows before and after it differ by half of it. So waves and trends are
    silent, and walks that wander, however far they go; two shifts hide one another. A warning from twice `times` on.
    Null, NaN and infinities are passed over.
    """

    times: Annotated[float, Field(gt=1)] = 4.0
    minimum_effect: Annotated[float, Field(gt=0)] = 1.0
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_level_shift"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "moving sums (Eichinger & Kirch 2018), of block medians and against the series' own jumps"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = [name for name, column in numbers(table).items() if column.distinct >= DISTINCT]
        if table.time is None or not columns:
            yield NO_TIME if table.time is None else Skipped(why=f"no column is a number of {DISTINCT} values or more")
            return
        parts = _series(table)
        for name in columns:
            known = {of: rows.select(STAMP, finite(name).alias("value")).drop_nulls() for of, rows in parts.items()}
            shifts = {of: self._told(level_shift(rows["value"].to_numpy())) for of, rows in known.items()}
            told = {of: shift for of, shift in shifts.items() if shift}
            if told:
                of = max(told, key=lambda of: told[of].ratio)
                yield self._hit(name, of, told[of], int(known[of][STAMP][told[of].place]), len(told))
        read = sum(rows.height for rows in parts.values())
        if read < table.height:
            yield Skipped(rows=table.height - read, why="a sample, rows without stamp, or series of few rows")

    def _told(self, shift: Shift | None) -> Shift | None:
        far = shift and shift.ratio >= self.times and shift.effect >= self.minimum_effect
        return shift if far else None

    def _hit(self, name: str, of: str, shift: Shift, stamp: int, series: int) -> Hit:
        others = f"; {series - 1:,} more series move too" if series > 1 else ""
        return Hit(
            check=self.name,
            column=name,
            observed=shift.ratio,
            threshold=self.times,
            message=f"{name}{of} moves from {shift.before:.4g} to {shift.after:.4g} at {shown(stamp)} and stays: the "
            f"jump is {shift.ratio:.1f} times any other{others}",
            severity="warning" if shift.ratio >= FAR * self.times else "info",
            suggestion="was a sensor recalibrated, a unit changed, or does something new begin? correct one side, or "
            "learn from the later one alone",
        )


CHECKS = (LevelShift,)


def level_shift(value_N: Floats) -> Shift | None:
    """The largest jump of a series (N,) of known numbers; None for too few rows, and where it is slow or does not stay.

    Its ratio is the largest at any scale; of positive numbers not more than that of their logarithms, as what grows by
    shares moves most where it is large.

    >>> noise = np.random.default_rng(0).normal(size=1000)
    >>> shift = level_shift(noise + 4 * (np.arange(1000) >= 400))
    >>> shift.place, shift.ratio > 4, level_shift(noise)
    (400, True, None)
    """
    if len(value_N) < ROWS_PER_BLOCK * BLOCKS[0] or np.abs(value_N).max() > LARGEST:
        return None
    shift = _largest(value_N)
    if shift is None or value_N.min() <= 0:
        return shift
    by_shares = _largest(np.log(value_N))
    return by_shares and replace(shift, ratio=min(shift.ratio, by_shares.ratio))


def _largest(value_N: Floats) -> Shift | None:
    found = [_at_scale(value_N, blocks) for blocks in BLOCKS if len(value_N) >= ROWS_PER_BLOCK * blocks]
    return max((shift for shift in found if shift), key=lambda shift: shift.ratio, default=None)


def _at_scale(value_N: Floats, blocks: int) -> Shift | None:
    """The largest jump between blocks of equal rows, but for the last few rows."""
    width = len(value_N) // blocks
    value_BW = value_N[: blocks * width].reshape(blocks, width)
    median_B = np.median(value_BW, axis=1)
    side_J = np.median(np.lib.stride_tricks.sliding_window_view(median_B, SIDE), axis=1)
    jump_J = side_J[SIDE:] - side_J[:-SIDE]
    best = int(np.abs(jump_J).argmax())
    jump, first = float(jump_J[best]), (best + SIDE // 2) * width  # medians of four blocks pass over a mixed one
    place = first + _turn(value_N[first : first + SIDE * width], side_J[best], side_J[best + SIDE])
    before, after = float(np.median(value_N[:place])), float(np.median(value_N[place:]))
    next_to_it = np.median(value_N[place : place + width]) - np.median(value_N[place - width : place])
    if not jump or min(next_to_it / jump, (after - before) / jump) < LASTS:
        return None
    off = float(np.abs(value_BW - median_B[:, None]).mean())
    apart = np.abs(np.arange(len(jump_J)) - best) >= 2 * SIDE
    usual = max(float(np.abs(jump_J[apart]).max()), NOISE * off / math.sqrt(SIDE * width), TINY * abs(jump))
    effect = abs(jump) / max(off, TINY * abs(jump))
    return Shift(place=place, before=before, after=after, effect=effect, ratio=abs(jump) / usual)


def _turn(value_W: Floats, before: float, after: float) -> int:
    """How many rows there are before the place that best parts those nearer to the one level from the others."""
    nearer_W = np.sign((value_W - (before + after) / 2) * np.sign(after - before))
    return int(np.concatenate([[0.0], np.cumsum(nearer_W)]).argmin())


def _series(table: Table) -> dict[str, pl.DataFrame]:
    """The sampled rows in time, with `#stamp`: those of each entity of a series (` of <its name>`), or all (``)."""
    assert table.time is not None
    stamp = by_name(table.time).cast(pl.Datetime("us")).cast(pl.Int64).alias(STAMP)
    rows = table.sample.with_columns(stamp).drop_nulls(STAMP).sort(STAMP, maintain_order=True)
    line = timeline(table)
    if line is None or not line.series or not table.entities:
        return {"": rows}
    named = rows.with_columns(pl.concat_str(by_name(*table.entities).cast(pl.String), separator=" / ").alias(SERIES))
    sizes = named[SERIES].drop_nulls().value_counts(name="#rows").sort(["#rows", SERIES], descending=[True, False])
    return {f" of {each}": named.filter(pl.col(SERIES) == each) for each in sizes[SERIES].head(ENTITIES)}
