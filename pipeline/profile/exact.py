"""Sums of floating-point numbers without any rounding: the same in any order, on any machine (used by tally)."""

import math
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import polars as pl

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

BLOCK = 1 << 11  # numbers whose products are added as floats
SLICE_BITS = 21  # of a slice: 2**11 of their products, of 42 bits each, add up within the 53 bits of a float
SLICES = 8
PART = 1 << 17  # its blocks' sums, of 53 bits each, add up within 63; so many squared mantissas, of 106, within 127
LARGEST, SMALLEST = 2.0**480, 2.0**-300  # beyond, a square or a slice's unit leaves the range of floats


def sums(values: Floats) -> tuple[Fraction, Fraction]:
    """The sum of finite values, and of their squares.

    >>> sums(np.array([0.1, 1e16, -1e16])) == (Fraction(0.1), 2 * Fraction(1e16) ** 2 + Fraction(0.1) ** 2)
    True
    """
    parts = [_sums(values[start : start + PART]) for start in range(0, values.size, PART)]
    return sum((total for total, _ in parts), Fraction(0)), sum((squares for _, squares in parts), Fraction(0))


def _sums(values: Floats) -> tuple[Fraction, Fraction]:
    top = float(np.abs(values).max())
    if top == 0:
        return Fraction(0), Fraction(0)
    found = _by_slices(values, math.frexp(top)[1]) if SMALLEST < top < LARGEST else None
    return _by_exponent(values) if found is None else found


def _by_slices(values: Floats, exponent: int) -> tuple[Fraction, Fraction] | None:
    """Values below 2**exponent are cut into slices of few bits on common grids, so that adding never rounds, nor
    does adding the products of two slices; None where `SLICES` of them do not hold all bits.

    Source: the error-free slicing of Rump, Ogita & Oishi (2008), 'Accurate floating-point summation I', and of
    Ozaki et al. (2012), 'Error-free transformations of matrix multiplication', for products.
    """
    units = [exponent - SLICE_BITS * (number + 1) for number in range(SLICES)]
    slices = _slices(_in_blocks(values), units)
    if slices is None:
        return None
    last, total, squares = units[len(slices) - 1], 0, 0
    for i, one in enumerate(slices):
        total += _added(one.sum(axis=1), units[i]) << (units[i] - last)
        for j, other in enumerate(slices[: i + 1]):
            unit = units[i] + units[j]
            squares += _added(np.vecdot(one, other), unit) * (1 + (i != j)) << (unit - 2 * last)
    return total * Fraction(2) ** last, squares * Fraction(4) ** last


def _in_blocks(values: Floats) -> Floats:
    """Values in rows of `BLOCK`, the last filled up with zeros (N, BLOCK)."""
    missing = -values.size % BLOCK
    return (np.append(values, np.zeros(missing)) if missing else values).reshape(-1, BLOCK)


def _added(blocks: Floats, unit: int) -> int:
    """The sum of the blocks' sums, as a whole number of 2**unit."""
    return int(np.ldexp(blocks, -unit).astype(np.int64).sum())


def _slices(rest: Floats, units: list[int]) -> list[Floats] | None:
    """What the values hold of each unit, coarsest first, down to the last that they have a bit of."""
    slices: list[Floats] = []
    for unit in units:
        grid = 1.5 * math.ldexp(1.0, unit + 52)
        cut = (rest + grid) - grid
        slices.append(cut)
        rest = rest - cut
        if not rest.any():
            return slices
    return None


def _by_exponent(values: Floats) -> tuple[Fraction, Fraction]:
    """The same for values of any size: whole mantissas summed by exponent."""
    fractions, exponents = np.frexp(values)
    mantissa = pl.col("mantissa").cast(pl.Int128)
    table = pl.DataFrame({"exponent": exponents, "mantissa": np.ldexp(fractions, 53).astype(np.int64)})
    added = table.group_by("exponent").agg(total=mantissa.sum(), squares=(mantissa * mantissa).sum())
    total, squares = Fraction(0), Fraction(0)
    for exponent, one, square in added.iter_rows():
        unit = Fraction(2) ** (exponent - 53)
        total, squares = total + one * unit, squares + square * unit**2
    return total, squares
