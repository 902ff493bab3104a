"""Sums of floating-point numbers without any rounding: the same in any order, on any machine (used by tally)."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import polars as pl

Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

BLOCK = 1 << 16  # numbers that are summed at a time: they and their slices stay in the processor's cache
SLICE_BITS = 52 - 16  # of a slice: 2**16 of them add up within the 53 bits of a float
LARGEST, SMALLEST = 2.0**480, 2.0**-480  # beyond, a square or a slice's unit leaves the range of floats
SPLITTER = 2.0**27 + 1


def sums(values: Floats) -> tuple[Fraction, Fraction]:
    """The sum of finite values, and of their squares.

    >>> sums(np.array([0.1, 1e16, -1e16])) == (Fraction(0.1), 2 * Fraction(1e16) ** 2 + Fraction(0.1) ** 2)
    True
    """
    total, squares = Fraction(0), Fraction(0)
    for start in range(0, values.size, BLOCK):
        block = values[start : start + BLOCK]
        magnitude = np.abs(block)
        tiny = magnitude.min(initial=math.inf, where=magnitude > 0)
        plain = magnitude.max(initial=0.0) < LARGEST and tiny > SMALLEST
        added, squared = (_sum(block), _sum_of_squares(block)) if plain else _by_exponent(block)
        total, squares = total + added, squares + squared
    return total, squares


def _sum(values: Floats) -> Fraction:
    """Each value is cut into slices of few bits on a common grid, so that adding slices never rounds.

    Source: the error-free slicing of Rump, Ogita & Oishi (2008), 'Accurate floating-point summation I'.
    """
    return sum((Fraction(slice_sum) for slice_sum in _slices(values)), Fraction(0))


def _slices(rest: Floats) -> Iterator[float]:
    while top := float(np.abs(rest).max(initial=0.0)):
        grid = 1.5 * math.ldexp(1.0, math.frexp(top)[1] - SLICE_BITS + 52)
        cut = (rest + grid) - grid
        yield float(cut.sum())
        rest = rest - cut


def _sum_of_squares(values: Floats) -> Fraction:
    """A value is split into two halves of 26 bits (Dekker 1971), whose products are exact."""
    scaled = values * SPLITTER
    high = scaled - (scaled - values)
    low = values - high
    squares = _sum(high * high)
    return squares + 2 * _sum(high * low) + _sum(low * low) if low.any() else squares


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
