"""Sums of floating-point numbers without any rounding: the same in any order, on any machine (used by tally)."""

import math
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import polars as pl

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

# numbers that are summed at a time: they and their slices stay in the processor's cache, and np.dot takes one thread
# (from 10,000 numbers on OpenBLAS takes all, and most of the time is spent on waiting for them)
BLOCK = 1 << 13
SLICE_BITS = 20  # of a slice: 2**13 of their products, of 40 bits each, add up within the 53 bits of a float
SLICES = 8
PART = 1 << 18  # so many squared mantissas, of 106 bits each, add up within 127 bits
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
    added, products = [0] * SLICES, [[0] * SLICES for _ in range(SLICES)]
    for start in range(0, values.size, BLOCK):
        slices = _slices(values[start : start + BLOCK], units)
        if slices is None:
            return None
        for i, one in enumerate(slices):
            added[i] += int(math.ldexp(float(one.sum()), -units[i]))
            for j, other in enumerate(slices[: i + 1]):
                products[i][j] += int(math.ldexp(float(np.dot(one, other)), -units[i] - units[j])) * (1 + (i != j))
    total = sum(count << (units[i] - units[-1]) for i, count in enumerate(added))
    squares = sum(
        count << (units[i] + units[j] - 2 * units[-1]) for i, row in enumerate(products) for j, count in enumerate(row)
    )
    unit = Fraction(2) ** units[-1]
    return total * unit, squares * unit**2


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
