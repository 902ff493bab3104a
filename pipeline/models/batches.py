"""Tensors of a split → chunks of shuffled batches: rows are gathered for many steps at once, by whole index lists.

N rows. Which rows a step has follows from the seed and the step's number alone, so that a training can go on from any
step. Tensors that fit lie on the device; others stay on disk (memory-mapped), are shuffled in blocks, and one thread
reads ahead.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from queue import Full, Queue
from threading import Event, Thread
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from pipeline.models.devices import Share
from pipeline.models.network import rows_of
from pipeline.models.sampling import Rows
from pipeline.models.windows import Windows

Batch: TypeAlias = tuple[dict[str, Tensor], Tensor]
Item = TypeVar("Item")

CHUNK_BYTES = (
    1 << 22
)  # rows gathered at once: few enough to stay in the cache, many enough to spread what a chunk costs
BLOCK_ROWS = 256  # rows that lie together on disk, and are read together
WINDOW_BLOCKS = 256  # blocks whose rows are mixed
READ_AHEAD = 2


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Batches of `size` rows of train, the last of an epoch may be smaller; inputs are tensors, or windows of one.

    `rows` says which rows an epoch has, None for each once. `mapped`: the tensors lie on disk. `share`: only a part of
    each batch is this process's; all draw the same order, by the CPU, for devices may differ in how they draw.
    """

    inputs: Mapping[str, Any]
    target: Tensor | Windows
    size: int
    seed: int
    rows: Rows | None = None
    mapped: bool = False
    share: Share | None = None

    def __len__(self) -> int:
        return math.ceil(self.epoch_rows / self.size)

    @property
    def epoch_rows(self) -> int:
        """How many rows an epoch has, of all processes."""
        return len(self.target if self.rows is None else self.rows)

    def chunks(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The rows of an epoch from its batch `start` on, those of several batches at a time."""
        order = self.order(epoch)[start * self.size :]
        chunks = (places for places in torch.split(order, self.together * self.size) if len(places))
        gathered = (self._gathered(self._own(places)) for places in chunks)
        return ahead(gathered, READ_AHEAD) if self.mapped else gathered

    def order(self, epoch: int) -> Tensor:
        """(N,) int64 the rows of an epoch in the order of training."""
        device = self.target.device if self.share is None else torch.device("cpu")
        if self.rows is not None:
            return self.rows.places(epoch, device=device)
        state = np.random.SeedSequence([self.seed, epoch]).generate_state(1, np.uint64)
        random = torch.Generator(device).manual_seed(int(state[0]))
        shuffled = in_blocks if self.mapped else _permutation
        return shuffled(len(self.target), random)

    @cached_property
    def together(self) -> int:
        """How many batches make a chunk."""
        row = sum(tensor[:1].numel() * tensor.element_size() for tensor in self.inputs.values())
        return max(1, CHUNK_BYTES // max(1, row * self.size))

    def _own(self, places: Tensor) -> Tensor:
        return places if self.share is None else self.share.of(places, self.size).to(self.target.device)

    def _gathered(self, places: Tensor) -> Batch:
        inputs = {name: tensor.index_select(0, places) for name, tensor in self.inputs.items()}
        target = self.target.index_select(0, places)
        if self.mapped and torch.cuda.is_available():
            return {name: tensor.pin_memory() for name, tensor in inputs.items()}, target.pin_memory()
        return inputs, target


@dataclass(frozen=True, kw_only=True)
class Epochs:
    """What Lightning iterates over once an epoch: from the step on at which the training stands.

    It has no length: the first epoch of a training that goes on is shorter than the others.
    """

    batches: Batches
    steps_done: Callable[[], int]

    def __iter__(self) -> Iterator[Batch]:
        epoch, start = divmod(self.steps_done(), len(self.batches))
        return self.batches.chunks(epoch, start)


@dataclass(frozen=True, kw_only=True)
class InOrder:
    """All rows in their order, `size` at a time, for validation: slices, nothing is copied.

    With a `share` of several processes whole batches are each one's by turns; who has none gets one without rows.
    """

    inputs: Mapping[str, Any]
    target: Tensor | Windows
    size: int
    share: Share | None = None

    def __len__(self) -> int:
        return len(self._starts)

    @property
    def _starts(self) -> Sequence[int]:
        rows = len(self.target)
        starts = range(0, rows, self.size)
        return starts if self.share is None else starts[self.share.rank :: self.share.world] or [rows]

    def __iter__(self) -> Iterator[Batch]:
        for start in self._starts:
            chosen = slice(start, start + self.size)
            yield rows_of(self.inputs, chosen), self.target[chosen]


def split(chunk: Batch, size: int) -> Iterator[Batch]:
    """The batches of a chunk, as views.

    >>> chunk = ({"dense": torch.arange(3.0)}, torch.arange(3))
    >>> [target.tolist() for _, target in split(chunk, 2)]
    [[0, 1], [2]]
    """
    inputs, target = chunk
    parts = [torch.split(tensor, size) for tensor in inputs.values()]
    for rows, *values in zip(torch.split(target, size), *parts, strict=True):
        yield dict(zip(inputs, values, strict=True)), rows


def in_blocks(rows: int, random: torch.Generator) -> Tensor:
    """(N,) int64 each row once: blocks in any order, and within so many blocks as fit into memory the rows in any.

    What lies on disk is so read in blocks, not row by row. A row's place is as random as its block's.
    """
    blocks = torch.randperm(math.ceil(rows / BLOCK_ROWS), generator=random)
    places = (blocks[:, None] * BLOCK_ROWS + torch.arange(BLOCK_ROWS)).flatten()
    windows = torch.split(places[places < rows], BLOCK_ROWS * WINDOW_BLOCKS)
    mixed = [window[torch.randperm(len(window), generator=random)] for window in windows]
    return torch.cat(mixed) if mixed else places[:0]


def _permutation(rows: int, random: torch.Generator) -> Tensor:
    return torch.randperm(rows, generator=random, device=random.device)


def ahead(items: Iterator[Item], depth: int) -> Iterator[Item]:
    """The same items, made in another thread up to `depth` before they are asked for; what it raises is raised here."""
    made: Queue[Item | BaseException | None] = Queue(depth)
    enough = Event()

    def put(item: "Item | BaseException | None") -> None:
        while not enough.is_set():
            try:
                return made.put(item, timeout=0.1)
            except Full:
                continue
        return None

    def work() -> None:
        try:
            for item in items:
                put(item)
                if enough.is_set():
                    return
            put(None)
        except BaseException as error:  # raised where the items are asked for
            put(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        enough.set()
        thread.join()
