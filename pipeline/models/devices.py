"""One network, trained by several processes, each on a device of its own: what they have to agree on goes through here.

Every process takes its part of each batch, and the gradients of all parts are summed before the step, so that all step
alike. Lightning's strategy for that (PyTorch's DistributedDataParallel) expects one backward pass a Lightning step,
which here has many; but all gradients lie in one vector (`pipeline.models.flat`), so that one sum a step is all that it
would do. Each process has a Lightning trainer of a single device. B rows of a process's part, N rows of an epoch.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, distributed

from pipeline.models.flat import FlatWeights

PATIENCE = timedelta(hours=1)  # for another process; one that has ended is noticed otherwise, and at once
HEARD_STEPS = 64  # on a GPU it is heard after so many steps whether the first process asks for all: that waits for it


@dataclass(frozen=True, kw_only=True)
class Share:
    """Which of `world` processes this is; they find each other by the file `meeting`, when `ready` has returned.

    >>> Share(rank=1, world=2, meeting=Path("meeting")).of(torch.arange(7), size=4).tolist()
    [1, 3, 5]
    """

    rank: int
    world: int
    meeting: Path
    ready: Callable[[], None] = lambda: None

    @property
    def leads(self) -> bool:
        """Whether this is the process that was asked to train, and that alone writes and tells."""
        return self.rank == 0

    def rows(self, rows: int) -> int:
        """How many rows of a batch of so many are its own: every `world`-th, so that each row is somebody's."""
        return len(range(self.rank, rows, self.world))

    def of(self, place_N: Tensor, size: int) -> Tensor:
        """Its own places, of batches of `size` and a last one that may be smaller.

        Whoever has none of the last batch takes its first row, which will count for nothing: so all take that step.
        """
        whole = len(place_N) // size * size
        last = place_N[whole:]
        own = place_N[:whole].view(-1, size)[:, self.rank :: self.world].flatten()
        return torch.cat([own, last[self.rank :: self.world] if len(last) > self.rank else last[:1]])


class Team:
    """All processes of a training, as one of them sees them; `size` rows of a batch, `rows` of an epoch, in all.

    `batch`: the rows of the step that is under way, in all.
    """

    def __init__(self, share: Share, *, size: int, rows: int, seed: int) -> None:
        self.share, self.size, self.rows, self.seed = share, size, rows, seed
        self.batch = size
        self.asking = False
        self.heard = torch.zeros(())

    @property
    def leads(self) -> bool:
        return self.share.leads

    @property
    def own(self) -> int:
        """How many rows of the step under way are this process's."""
        return self.share.rows(self.batch)

    def begin(self, step: int) -> None:
        """Before a step (from 0): what is random in it follows from the seed, its number and the process alone."""
        place = step % math.ceil(self.rows / self.size)
        self.batch = min(self.size, self.rows - place * self.size)
        state = np.random.SeedSequence([self.seed, step, self.share.rank]).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0]))

    def backward(self, loss: Tensor, weight: Tensor, flat: FlatWeights) -> Tensor:
        """Let `flat` hold the gradient of the loss of the whole batch, and return that loss ().

        `loss` is the mean over the own rows, which weigh `weight` together. The mean over all rows is the sum of each
        part's mean times its weight, over the sum of weights; so parts may be unlike, as the last batch's are.
        """
        own = weight if self.own else torch.zeros_like(weight)
        (loss * own).backward()  # type: ignore[no-untyped-call]
        gradients = [group.gradient_P for group in flat.groups]
        tail = torch.stack([own, (loss.detach() * own), own.new_tensor(float(self.asking))])
        whole = torch.cat([*gradients, tail])
        distributed.all_reduce(whole)
        *sums, (weights, losses, self.heard) = torch.split(whole, [*(len(g) for g in gradients), len(tail)])
        for gradient_P, sum_P in zip(gradients, sums, strict=True):
            torch.div(sum_P, weights, out=gradient_P)
        return losses / weights

    def granted(self, step: int, *, asked: bool) -> bool:
        """Whether all do now, after so many steps, what the first process asked for before the last of them."""
        heard = self.heard.device.type == "cpu" or step % HEARD_STEPS == 0
        given = heard and bool(self.heard > 0)
        self.asking = asked and self.leads and not given
        return given

    def told(self, words: str) -> str:
        """What the first process says, to all."""
        said = torch.frombuffer(bytearray(words.encode() or b" "), dtype=torch.uint8)
        length = torch.tensor([len(said)])
        distributed.broadcast(length, 0)
        heard = said if self.leads else torch.empty(int(length), dtype=torch.uint8)
        distributed.broadcast(heard, 0)
        return bytes(heard.numpy()).decode().strip()

    def collected(self, tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """The tensors of all the others, by rank, for the first process; for the others nothing."""
        if self.leads:
            return [_received(rank) for rank in range(1, self.share.world)]
        _send(tensors)
        return []

    def require_alike(self, flat: FlatWeights, steps: int) -> None:
        """Raise RuntimeError unless all begin with the same weights, at the same step."""
        sums = [float(group.value_P.detach().double().sum()) for group in flat.groups]
        here = f"{steps} {sums}"
        if (first := self.told(here)) != here:
            raise RuntimeError(f"process {self.share.rank} begins at {here}, the first one at {first}")


def _send(tensors: Mapping[str, Tensor]) -> None:
    """Tensors as bytes, to the first process."""
    packed = bytearray(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))
    distributed.send(torch.tensor([len(packed)]), 0)
    distributed.send(torch.frombuffer(packed, dtype=torch.uint8), 0)


def _received(rank: int) -> dict[str, Tensor]:
    length = torch.empty(1, dtype=torch.int64)
    distributed.recv(length, rank)
    packed = torch.empty(int(length), dtype=torch.uint8)
    distributed.recv(packed, rank)
    found: dict[str, Tensor] = load(bytes(packed.numpy()))
    return found


@contextmanager
def connected(share: Share | None, device: torch.device) -> Iterator[None]:
    """In this block the processes can be reached: by NCCL what lies on GPUs, by gloo all else. Cores are shared."""
    if share is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, threads // share.world))
    share.ready()
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{share.meeting}",
        rank=share.rank,
        world_size=share.world,
        timeout=PATIENCE,
    )
    try:
        yield
    finally:
        distributed.destroy_process_group()
        torch.set_num_threads(threads)
