"""Files → one array: each file is read by a few threads and written to its row, so that no second copy is held."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.media.files import CHUNK, WORKERS, Measure, Measures, look

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VALUES = "values"  # what a file gives: the values of its row
HERE = Path()


def told(paths: Sequence[str], measure: Measure) -> Iterator[Measures]:
    """What `measure` says of each file, in their order; at most `CHUNK` are waiting."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for start in range(0, len(paths), CHUNK):
            yield from pool.map(partial(look, base=HERE, measure=measure), paths[start : start + CHUNK])


def read_into(rows: "NDArray[np.generic]", paths: Sequence[str | None], measure: Measure) -> dict[int, str]:
    """Set each row to the `VALUES` that `measure` gives of its file; rows without a path, or at fault, stay.

    Returns what is wrong with a file, by the row that names it.
    """
    named = [row for row, path in enumerate(paths) if path is not None]
    faults: dict[int, str] = {}
    for row, found in zip(named, told([str(paths[row]) for row in named], measure), strict=True):
        if found["fault"]:
            faults[row] = f"{found['path']} {found['fault']}"
        else:
            rows[row] = found[VALUES]
    return faults


def spread(paths: Sequence[Any], most: int) -> list[str]:
    """At most `most` different paths, spread over all in the order of their text; the order of the rows is all one.

    >>> spread(["d", "a", None, "c", "b", "a"], 2)
    ['a', 'c']
    """
    every = sorted({path for path in paths if path is not None})
    return every[:: max(1, -(-len(every) // most))]
