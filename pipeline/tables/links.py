"""What pairs chain together: things that are linked, directly or through others, are of one set."""

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

Places: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]


def sets_of(first_P: Places, second_P: Places, count: int) -> Places:
    """(count,) the number of the set of each thing, where pair p links the things `first_P[p]` and `second_P[p]`.

    >>> sets_of(np.array([0, 3]), np.array([2, 4]), 5).tolist()
    [0, 1, 0, 2, 2]
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(first_P.size, np.bool_), (first_P, second_P)), shape=(count, count))
    numbers: Places = connected_components(links, directed=False)[1]
    return numbers


def clusters(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The sets of two or more, each in order, by their first.

    >>> clusters([(0, 1), (2, 3), (1, 4), (5, 5)])
    [[0, 1, 4], [2, 3]]
    """
    first_P, second_P = np.array([*pairs], np.int64).reshape(-1, 2).T
    number_N = sets_of(first_P, second_P, max(first_P.max(initial=-1), second_P.max(initial=-1)) + 1)
    places = np.argsort(number_N, kind="stable")
    found = np.split(places, np.flatnonzero(np.diff(number_N[places])) + 1)
    return [each.tolist() for each in found if each.size > 1]
