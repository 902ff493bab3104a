"""Scale checks: numbers in another unit, and numbers that people rounded."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from pipeline.checks.impossible import FEWEST_ROWS, OUTSIDE, finite, numbers, points, quantile
from pipeline.profile import Numeric
from pipeline.profile.sketch import Floats
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table
from pipeline.quality.repairs import Scaled

SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
BLOCKS = 20
FEWEST_BLOCKS = 8
LARGE = 1e300  # beyond, sums are no floats
VALUES = 5  # a hump has at least so many: fewer are a category
ROWS_PER_BLOCK = 300
ALIKE = 0.3  # of the distance between the first and last of SHARES: what blocks of one unit differ by


@dataclass(frozen=True, kw_only=True)
class Unit:
    """Another unit: `factor` times a number, plus `offset`."""

    factor: float
    words: str
    offset: float = 0.0


FACTORS = {
    10.0: "a decimal place",
    100.0: "shares and percent, or metres and centimetres",
    1000.0: "units and thousands",
    12.0: "feet and inches",
    2.54: "inches and centimetres",
    1 / 0.3048: "metres and feet",
    1 / 0.0254: "metres and inches",
    1.609344: "miles and kilometres",
    1 / 0.45359237: "kilograms and pounds",
    60.0: "hours and minutes, or minutes and seconds",
    3600.0: "hours and seconds",
}
SCALES = tuple(Unit(factor=f, words=words) for x, words in FACTORS.items() for f in (x, 1 / x))
TEMPERATURES = (
    Unit(factor=1.8, offset=32, words="Celsius and Fahrenheit"),
    Unit(factor=1 / 1.8, offset=-32 / 1.8, words="Fahrenheit and Celsius"),
    Unit(factor=1, offset=273.15, words="Celsius and Kelvin"),
    Unit(factor=1, offset=-273.15, words="Kelvin and Celsius"),
)


@dataclass(frozen=True, kw_only=True)
class UnitScaleJump:
    """Which numbers are in another unit than the rest: a share of the rows, a part of the file, or all since before?

    Rows: a second hump of the column lies where the first would in another unit, with little between. Parts (of a
    sample in its order) and the reference: five quantiles all agree with another unit, and with the same one not at
    all. Null, NaN and infinities are not looked at, and for rows what is not positive.
    """

    minimum_rows: Annotated[int, Field(ge=1)] = 10
    policy: Policy = "warn"
    name: ClassVar[str] = "unit_scale_jump"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "repair", "warn")
    source: ClassVar[str] = "the definitions of the units; a hump holds five times the rows of the valley before it"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = numbers(table)
        if not columns:
            yield Skipped(why="no feature or label is a number")
            return
        before = {} if table.reference is None else numbers(table.reference)
        for name, column in columns.items():
            yield from self._rows(name, column)
            yield from self._parts(table, name, column)
            if name in before:
                yield from self._since(name, column, before[name])

    def _rows(self, name: str, column: Numeric) -> Iterator[Hit]:
        values, counts = points(column)
        values, counts = values[values > 0], counts[values > 0]
        if counts.sum() < FEWEST_ROWS or counts.sum() < column.finite / 2:
            return
        taken: list[tuple[float, float]] = []
        for unit, low, high in humps(values, counts, self.minimum_rows):
            if any(low < end and high > start for start, end in taken):
                continue  # a closer unit explains these rows
            taken.append((low, high))
            cell = finite(name)
            yield Hit(
                check=self.name,
                column=name,
                observed=unit.factor,
                threshold=1.0,
                message=f"{name} looks like another unit in {HIT_ROWS}, from {low:.4g} to {high:.4g}: "
                f"{_times(unit.factor)} the others, as with {unit.words}",
                suggestion=f"if it is one, divide them by {unit.factor:.6g}; the policy `repair` does",
                where=(cell >= low) & (cell <= high),
                value=cell,
                suggested=cell / unit.factor,
                rule=Scaled(column=name, low=low, high=high, factor=1 / unit.factor),
            )

    def _parts(self, table: Table, name: str, column: Numeric) -> Iterator[Hit]:
        if column.finite < FEWEST_BLOCKS * ROWS_PER_BLOCK or column.distinct < FEWEST_ROWS:
            return
        known = table.sample.select(finite(name).alias("value")).to_series().drop_nulls().to_numpy()
        if len(known) < FEWEST_BLOCKS * ROWS_PER_BLOCK or np.abs(known).max() > LARGE:
            return
        blocks = np.array_split(known, min(BLOCKS, len(known) // ROWS_PER_BLOCK))
        found = jump([np.quantile(block, SHARES) for block in blocks])
        if found is not None:
            unit, places = found
            yield Hit(
                check=self.name,
                column=name,
                rows=round(table.height * len(places) / len(blocks)),
                observed=unit.factor,
                threshold=1.0,
                message=f"{name} changes its unit within the file: {len(places)} of {len(blocks)} equal parts, from "
                f"part {places[0] + 1} on, are to the others as {unit.words}",
                suggestion="find where the source changes, and convert one side",
            )

    def _since(self, name: str, column: Numeric, before: Numeric) -> Iterator[Hit]:
        if min(column.finite, before.finite) < ROWS_PER_BLOCK or column.distinct < FEWEST_ROWS:
            return
        now, then = (_quantiles(side) for side in (column, before))
        unit = converted(then, now, tolerance=0.1)
        if unit is not None:
            yield Hit(
                check=self.name,
                column=name,
                rows=column.finite,
                observed=now[2],
                threshold=then[2],
                message=f"{name} looks like another unit than in the reference: its median is {now[2]:.4g}, and was "
                f"{then[2]:.4g}, as with {unit.words}",
                suggestion="find out which unit each has, and convert one",
            )


@dataclass(frozen=True, kw_only=True)
class DigitHeaping:
    """Which whole numbers were rounded by people, so that multiples of 5 or 10 come up too often?

    As Whipple's index has it for ages: the rows at multiples of 5 (of 10), as a multiple of the fifth (tenth) that
    they would be. Asked where the profile keeps each value, of at least `minimum_rows` rows and 50 values; a column
    of nothing but multiples has a coarser unit and is not told. Zeros are passed over.
    """

    minimum_index: Annotated[float, Field(gt=1)] = 1.75
    minimum_rows: Annotated[int, Field(ge=1)] = 500
    policy: Policy = "warn"
    name: ClassVar[str] = "digit_heaping"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "Whipple's index over 175 is `very rough` (United Nations 1990)"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        columns = numbers(table)
        if not columns:
            yield Skipped(why="no feature or label is a number")
            return
        for name, column in columns.items():
            values, counts = points(column)
            values, counts = values[values != 0], counts[values != 0]
            whole = not column.sketch.level and bool((values == np.round(values)).all())
            if not whole or counts.size < 50 or counts.sum() < self.minimum_rows:
                continue
            found = {step: float(counts[values % step == 0].sum() / counts.sum()) * step for step in (5, 10)}
            step = max(found, key=lambda step: found[step])
            if self.minimum_index <= found[step] < 0.9 * step and _spread(values, counts, step):
                yield self._hit(name, step, found[step])

    def _hit(self, name: str, step: int, index: float) -> Hit:
        return Hit(
            check=self.name,
            column=name,
            observed=index,
            threshold=self.minimum_index,
            message=f"{name} is a multiple of {step} in {index / step:.0%} of the rows, where {1 / step:.0%} would be "
            "chance",
            suggestion=f"people rounded: trust no difference of less than {step}, and use no finer bins",
            severity="info",
        )


CHECKS = (UnitScaleJump, DigitHeaping)


def humps(values: Floats, counts: Floats, minimum_rows: int) -> list[tuple[Unit, float, float]]:
    """Units in which a second hump of rising positive values (V) lies, and from where to where; the closest first.

    The core of the column is between its quartiles. In the right unit the hump's own core holds about half of the
    hump; five times as many rows as an equally wide band (in logs) on either side of it; and its median fits.
    """
    q1, middle, q3 = (quantile(values, counts, share) for share in (0.25, 0.5, 0.75))
    found: list[tuple[float, Unit, float, float]] = []
    for unit in SCALES if q1 < q3 else ():
        half, step = math.log(q3 / q1) / 2, math.log(unit.factor)
        if abs(step) < 4 * half + 0.2:
            continue  # the core is too wide to see a valley
        valley, core, beyond = (_band(values, counts, middle * math.exp(step * x), q1, q3) for x in (0.5, 1, 1.5))
        ends = sorted((middle * math.exp(step / 2), middle * math.exp(step * 1.5)))
        near = (values > ends[0]) & (values < ends[1])
        if core < max(minimum_rows, 5 * (valley + 1), 5 * (beyond + 1)) or core < 0.35 * counts[near].sum():
            continue
        miss = abs(math.log(quantile(values[near], counts[near], 0.5) / (middle * unit.factor)))
        own = (values > middle * math.exp(-abs(step) / 2)) & (values < middle * math.exp(abs(step) / 2))
        if miss < max(0.05, half / 2) and core < counts[own].sum() / 4 and near.sum() >= VALUES:
            fence = math.exp(2 * OUTSIDE * half)
            found.append((miss, unit, q1 / fence * unit.factor, q3 * fence * unit.factor))
    return [(unit, low, high) for _, unit, low, high in sorted(found, key=lambda each: each[0])]


def jump(blocks: Sequence[Floats]) -> tuple[Unit, list[int]] | None:
    """The unit of the blocks that have another one than most, and their places; None unless all others agree.

    Each block is its quantiles at `SHARES`; the lower median of the blocks' quantiles says what is usual. Where the
    unit changes a block may be mixed.
    """
    usual = np.sort(np.array(blocks), axis=0)[(len(blocks) - 1) // 2]
    spread = float(usual[-1] - usual[0])
    alike = [bool(np.abs(block - usual).max() <= ALIKE * spread) for block in blocks]
    others = [place for place, same in enumerate(alike) if not same]
    units = {place: converted(usual, blocks[place], tolerance=0.15) for place in others}
    told = [place for place, unit in units.items() if unit is not None]
    mixed = [place for place in others if place not in told and not {place - 1, place + 1} & {*told}]
    if not told or mixed or 2 * len(others) > len(blocks) or len({units[place] for place in told}) > 1:
        return None
    unit = units[told[0]]
    return None if unit is None else (unit, told)


def converted(usual: Floats, other: Floats, *, tolerance: float) -> Unit | None:
    """The unit in which `other`'s quantiles are `usual`'s; None for the same unit, none, or no spread."""
    spread = float(usual[-1]) - float(usual[0])
    if spread <= 0 or max(abs(side).max() for side in (usual, other)) > LARGE or np.abs(other - usual).max() < spread:
        return None
    misses = {
        unit: float(np.abs(other - unit.factor * usual - unit.offset).max()) / (unit.factor * spread)
        for unit in (*SCALES, *TEMPERATURES)
    }
    best = min(misses, key=lambda unit: misses[unit])
    return best if misses[best] <= tolerance else None


def _band(values: Floats, counts: Floats, middle: float, q1: float, q3: float) -> float:
    """Rows within the width (in logs) from q1 to q3, moved so that `middle` is its middle."""
    half = math.sqrt(q3 / q1) * 1.001
    return float(counts[(values >= middle / half) & (values <= middle * half)].sum())


def _quantiles(column: Numeric) -> Floats:
    values, counts = points(column)
    return np.array([quantile(values, counts, share) for share in SHARES])


def _spread(values: Floats, counts: Floats, step: int) -> bool:
    """Is no single value behind it: without the most common multiple, are they still more than their share?"""
    rest = values != values[np.where(values % step == 0, counts, 0).argmax()]
    return bool(counts[rest & (values % step == 0)].sum() * step > 1.25 * counts[rest].sum())


def _times(factor: float) -> str:
    """In words.

    >>> _times(2.54), _times(0.1)
    ('2.54 times', '1/10 of')
    """
    return f"{factor:.4g} times" if factor >= 1 else f"1/{1 / factor:.4g} of"
