"""Some rows of the past as the bins of their cells, for what looks at several columns together.

Shapes: N rows, F columns, B blocks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from pipeline.artefacts import Record
from pipeline.drift.cuts import Counts, Cut
from pipeline.drift.past import Past, blocks_of, column

ROWS = 2000


class Sample(Record):
    """Rows evenly out of all; `cells` (F, N) has the bin of each column's cell, `block` the block of each row."""

    cuts: dict[str, Cut]
    cells: list[list[int]]
    block: list[int]
    ordered: bool

    @property
    def places(self) -> Counts:
        """(N, F) the bins."""
        return np.array(self.cells, np.int64).T.reshape(len(self.block), len(self.cells))


def draw(past: Past, frame: pl.LazyFrame, *, time: str | None = None, names: Sequence[str] | None = None) -> Sample:
    """The sample of rows, in the bins of the past; of the past's own rows, or of others.

    `names`: the columns, where not all are there.
    """
    chosen = {name: past.columns[name].cut for name in names or past.columns}
    rows = int(frame.select(pl.len()).collect(engine="streaming").item())
    blocks = max((len(each.counts) for each in past.columns.values()), default=1)
    block_N = blocks_of(frame, rows, blocks, time)
    at = np.linspace(0, rows - 1, min(rows, ROWS)).astype(np.int64)
    cells = [cut.places(column(frame, name, cut.kind).gather(at)).tolist() for name, cut in chosen.items()]
    return Sample(cuts=chosen, cells=cells, block=block_N[at].tolist(), ordered=past.ordered)


def weights(block_N: Counts, of: int) -> Counts:
    """(N,) whether each row is of the block, among `of` blocks into which all are merged."""
    return block_N * of // (int(block_N.max()) + 1)


def scaled(cuts: Mapping[str, Cut], place_NF: Counts) -> np.ndarray:
    """(N, D) numbers by their rank in the past, of spread 1; categories with a number for each of the frequent ones."""
    parts = []
    for (_, cut), place_N in zip(cuts.items(), place_NF.T, strict=True):
        if cut.kind == "numeric":
            parts.append(((place_N - 1) / max(cut.bins - 2, 1) * 12**0.5)[:, None])
        else:
            parts.append((place_N[:, None] == np.arange(min(cut.bins, 12))).astype(np.float64))
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(place_NF), 1))
