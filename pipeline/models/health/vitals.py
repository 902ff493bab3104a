"""Measures of a network in training, taken where the work is done anyway: at the last step of an epoch, and on val.

No forward or backward pass is made for them, nothing random is drawn, and no weight is changed. L layers, B rows,
U units.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pipeline.models.flat import FlatWeights
from pipeline.models.health.pulse import Activation, Layer, rounded

DEPTH = 3  # parts of a layer's name: `backbone.layers.0`
ROWS = 1024  # of val that units are asked of
LOOK_STEPS = 64  # there are at least so many from a look to the next, so that looks are next to nothing of the time
SILENT = 1e-3  # what a GELU or SiLU unit answers that is off
END = 0.01  # how near to its end a sigmoid is saturated; of tanh's range of 2 twice as much
RECTIFIED = (nn.ReLU, nn.GELU, nn.SiLU)
BOUNDED = (nn.Sigmoid, nn.Tanh)


class Vitals:
    """What is measured of a network whose weights are `flat`, over epochs of `batches` steps.

    Where an epoch has few steps, only every second, third ... one is looked at, from the first.

    >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> flat = FlatWeights(torch.optim.SGD(network.parameters(), lr=1.0))
    >>> vitals = Vitals(network, flat, batches=1)
    >>> network(torch.ones(1, 2)).sum().backward()
    >>> with vitals.around():
    ...     vitals.norms.append(flat.step(rate=1.0, norm=None, share=1.0))
    >>> [layer.name for layer in vitals.layers()], len(vitals.norms)
    (['0', '2'], 1)
    """

    def __init__(self, network: nn.Module, flat: FlatWeights, batches: int) -> None:
        self.flat, self.batches, self.every = flat, batches, math.ceil(LOOK_STEPS / batches)
        name_of = {id(weight): layer_of(network, name) for name, weight in network.named_parameters()}
        names = [name_of[id(weight)] for group in flat.groups for weight in group.parameters]
        order = {name_of[id(weight)]: None for weight in network.parameters() if weight.requires_grad}
        self.names = [name for name in order if name in names]
        self.places = torch.tensor([self.names.index(name) for name in names])
        self.norms: list[Tensor] = []
        self.gradient_L, self.update_L = torch.empty(0), torch.empty(0)
        self.heard: dict[str, tuple[str, Tensor]] = {}
        self.hooks: list[torch.utils.hooks.RemovableHandle] = []

    def due(self, step: int) -> bool:
        """Whether a step (from 0) is the last of an epoch that is looked at."""
        return (step + 1) % self.batches == 0 and step // self.batches % self.every == 0

    @contextmanager
    def around(self) -> Iterator[None]:
        """Look at the gradients before the step in this block and at what it changes, where that is due."""
        with torch.no_grad():
            before = [group.value_P.detach().clone() for group in self.flat.groups]
            self.gradient_L = self._by_layer([group.gradient_P for group in self.flat.groups])
            yield
            moved = [group.value_P - was_P for group, was_P in zip(self.flat.groups, before, strict=True)]
            self.update_L = self._by_layer(moved) / self._by_layer(before)

    def _by_layer(self, vectors: list[Tensor]) -> Tensor:
        """(L,) on the CPU, the norm of each layer's part of vectors that lie as the weights do."""
        square = self.flat.norms(vectors).cpu().double().square()
        return torch.zeros(len(self.names), dtype=torch.float64).index_add(0, self.places, square).sqrt()

    def layers(self) -> list[Layer]:
        """What was seen at the last step, if it was looked at; it is forgotten."""
        seen = list(zip(self.names, self.gradient_L.tolist(), self.update_L.tolist(), strict=False))
        self.gradient_L, self.update_L = torch.empty(0), torch.empty(0)
        return [
            Layer(name=name, gradient=rounded(gradient), update=rounded(update) if update < float("inf") else None)
            for name, gradient, update in seen
        ]

    def gradients(self) -> tuple[float, float] | None:
        """The median and the highest norm of the gradient since they were last asked for; they are forgotten."""
        norms, self.norms = self.norms, []
        if not norms:
            return None
        norm_S = torch.stack(norms).cpu()
        return rounded(float(norm_S.median())), rounded(float(norm_S.max()))

    def listen(self, network: nn.Module) -> None:
        """Listen to the units of this network, until they have answered once."""
        self.hush()
        self.heard = {}
        for name, module in network.named_modules():
            if isinstance(module, RECTIFIED + BOUNDED):
                self.hooks.append(module.register_forward_hook(self._hear(name)))

    def _hear(self, name: str) -> "torch.nn.modules.module._ForwardHook":  # type: ignore[name-defined]
        def hear(module: nn.Module, _: object, output: Tensor) -> None:
            if name not in self.heard:  # a network may look at a batch in parts
                self.heard[name] = (type(module).__name__, answered(module, output.detach()))

        return hear

    def hush(self) -> None:
        """Listen no longer."""
        for hook in self.hooks:
            hook.remove()
        self.hooks = []

    def activations(self) -> list[Activation]:
        """What was heard of each layer of units; it is forgotten."""
        found = []
        heard, self.heard = self.heard, {}
        for name, (kind, scale_share) in heard.items():
            scale, share = (rounded(value) for value in scale_share.tolist())
            of_kind = {"saturated" if kind in ("Sigmoid", "Tanh") else "dead": share}
            found.append(Activation(name=name, kind=kind, scale=scale, **of_kind))
        return found

    def forget(self) -> None:
        """Forget what was measured and not told."""
        self.gradients(), self.layers(), self.activations()

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint needs: between two steps of an epoch that is what the steps so far had."""
        return {"norms": torch.stack(self.norms)} if self.norms else {}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        self.norms = list(tensors.get("norms", torch.empty(0)))


def answered(module: nn.Module, output: Tensor) -> Tensor:
    """(2,) the scale of what units answer to the first rows, and the share that is dead or saturated.

    Of planes (B, U, height, width) a unit is a channel, of all else it is a place of the last dimension.

    >>> answered(nn.ReLU(), torch.tensor([[0.0, 0.0, 3.0, 0.0], [0.0, 1.0, 0.0, 0.0]]))[1]
    tensor(0.5000)
    >>> answered(nn.Sigmoid(), torch.tensor([[0.5, 0.999, 0.001, 0.98]]))[1]
    tensor(0.5000)
    """
    rows = output[:ROWS]
    value_RU = (rows.movedim(1, -1) if rows.ndim == 4 else rows).flatten(0, -2)
    if isinstance(module, nn.Sigmoid):
        share = ((value_RU < END) | (value_RU > 1 - END)).float().mean()
    elif isinstance(module, nn.Tanh):
        share = (value_RU.abs() > 1 - 2 * END).float().mean()
    else:
        share = (value_RU.abs().amax(dim=0) <= (0 if isinstance(module, nn.ReLU) else SILENT)).float().mean()
    return torch.stack([value_RU.float().square().mean().sqrt(), share])


def layer_of(network: nn.Module, name: str) -> str:
    """The layer that a parameter is told under: what lies side by side in it (a list of modules) counts as one.

    >>> layer_of(nn.Sequential(nn.Linear(2, 3)), "0.weight")
    '0'
    >>> side = nn.ModuleDict({"a": nn.ModuleDict({"b": nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])})})
    >>> layer_of(side, "a.b.1.weight")
    'a.b'
    """
    module, path = network, list[str]()
    for part in name.split(".")[:-1][:DEPTH]:
        if isinstance(module, nn.ModuleList) and len(path) > 1:
            break
        path.append(part)
        module = module.get_submodule(part)
    return ".".join(path)
