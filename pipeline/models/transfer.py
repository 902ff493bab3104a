"""`train.init_from`: the weights of a registered model as the start of a training.

What a weight stands for decides where it goes (`pipeline.models.names`): a category keeps its vector though its code is
another now. What is new starts fresh; what is taken may stay as it is (`train.freeze`), to the last bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from pipeline import artefacts
from pipeline.errors import SettingsError
from pipeline.features.preprocessor import Preprocessor
from pipeline.models import saved
from pipeline.models.choices.transfer import Freeze, Start
from pipeline.models.names import Axis, Named, Names, Naming
from pipeline.models.network import Network, NetworkShape
from pipeline.versions import registry
from pipeline.workspace import Workspace

Part: TypeAlias = Literal["encoders", "layers", "head"]
STAYS: Mapping[Freeze, tuple[Part, ...]] = {"none": (), "encoders": ("encoders",), "backbone": ("encoders", "layers")}
READERS = ("features", "numbers", "tokens")  # of a backbone: what reads columns
TOKENS = "embedding.weight"  # of an encoder of texts
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model that was trained before: its network, and what the places of its weights stand for.

    `seen`: whether rows that are val or test now may have been among those that it learnt from.
    """

    model: str
    sha256: str
    backbone: str
    network: Network
    names: Names
    seen: bool = False


def source(workspace: Workspace, model: str) -> Source:
    """A version of the registry, or the champion; raises WorkspaceError when it is not there, or was altered."""
    folder = registry.named(workspace, model, "params.yaml: train.init_from")
    return Source(
        model=folder.name,
        sha256=artefacts.sha256(folder / saved.WEIGHTS),
        backbone=NetworkShape.read(folder / saved.NETWORK).backbone,
        network=saved.load(folder),
        names=Names.of(Preprocessor.read(folder)),
        seen=_seen(saved.Manifest.read(folder / saved.MANIFEST), workspace),
    )


def _seen(model: saved.Manifest, workspace: Workspace) -> bool:
    """Not where the split is the same, or val and test are later than all that the model learnt from."""
    now = artefacts.read_json(workspace.split / saved.MANIFEST)
    then = {"rows": model.rows, "sources": model.sources, "span": {n: list(span) for n, span in model.span.items()}}
    same = model.seed == workspace.seed and all(now[name] == value for name, value in then.items())
    starts = [first for name, (first, _) in now["span"].items() if name != "train"]
    later = "train" in model.span and bool(starts) and min(starts) > model.span["train"][1]
    return not (same or later)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The weights of one parameter: the values, and which of them were taken; `stays`: whether these are frozen."""

    value: Tensor
    taken: Tensor
    stays: bool


@dataclass(frozen=True, kw_only=True)
class Starting:
    """Puts a network to its start; `rate` is the factor of the learning rate for parameters that were taken."""

    record: Start
    parts: Mapping[str, Taken]
    buffers: Mapping[str, Tensor]
    rate: float

    def apply(self, network: Network) -> None:
        """Set the weights of a network that was just made; those that stay whole learn no more."""
        parameters = dict(network.named_parameters())
        with torch.no_grad():
            for name, part in self.parts.items():
                parameters[name].copy_(torch.where(part.taken, part.value, parameters[name]))
                parameters[name].requires_grad_(not (part.stays and bool(part.taken.all())))
        network.load_state_dict(dict(self.buffers), strict=False)
        for module in network.modules():
            if isinstance(module, NORMS) and not any(p.requires_grad for p in module.parameters()):
                module.eval()  # or its means of batches would go on changing

    def slowed(self, network: nn.Module) -> set[int]:
        """The identities of the parameters whose learning rate has the factor."""
        return {id(p) for name, p in network.named_parameters() if name in self.parts} if self.rate != 1 else set()

    def hold(self, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """After each step put back what stays of parameters that are fresh in part."""
        held = [
            (parameter, part.taken.to(parameter.device), part.value.to(parameter.device))
            for name, parameter in network.named_parameters()
            if (part := self.parts.get(name)) and part.stays and parameter.requires_grad
        ]

        def put_back(*_: object) -> None:
            for parameter, taken, value in held:
                parameter.data.copy_(torch.where(taken, value, parameter.data))

        if held:
            optimizer.register_step_post_hook(put_back)


def starting(source: Source, shape: NetworkShape, names: Names, *, freeze: Freeze, rate: float) -> Starting:
    """How a network of that shape starts from the source; raises SettingsError when nothing of it fits."""
    with torch.random.fork_rng(devices=[]):
        network = Network(shape)
    old, new = described(source.network, source.names), described(network, names)
    values = {old[name].name: (old[name], p.detach()) for name, p in source.network.named_parameters()}
    parts: dict[str, Taken] = {}
    for name, parameter in network.named_parameters():
        found = values.get(new[name].name)
        part = found and _taken(parameter.detach(), new[name], *found)
        if part is not None:
            stays = part_of(name, new[name], names) in STAYS[freeze]
            parts[name] = Taken(value=part[0], taken=part[1], stays=stays)
    if not parts:
        raise SettingsError(
            f"nothing of {source.model} fits this network: its backbone is {source.backbone}, here {shape.backbone}",
            where="params.yaml: train.init_from",
            fix="set train.model and its settings as they were, or take init_from away",
        )
    if all(name in parts and parts[name].stays and bool(parts[name].taken.all()) for name in new):
        raise SettingsError("nothing is left to learn", where="params.yaml: train.freeze", fix="set it to encoders")
    made = _sizes(network, new)
    record = _record(source, parts, made, new=sorted(set(names.inputs) - set(source.names.inputs)))
    return Starting(record=record, parts=parts, buffers=_statistics(source.network, network), rate=rate)


def described(network: Network, names: Names) -> dict[str, Named]:
    """Each parameter of the network: its name without numbers of columns, and what lies along its axes."""
    found = {name: Named(name, (None,) * p.ndim) for name, p in network.named_parameters()}
    for path, module in network.named_modules():
        for name, named in module.named(names).items() if isinstance(module, Naming) else ():
            found[f"{path}.{name}"] = Named(f"{path}.{named.name}", named.axes)
    for place, tensor in enumerate(network.names):
        prefix, pieces = f"encoders.{place}.", names.own[tensor]
        for name in [name for name in found if name.startswith(prefix)]:
            own = name.removeprefix(prefix)
            axes = (pieces, None) if own == TOKENS and pieces else found[name].axes
            found[name] = Named(f"encoders.{tensor}.{own}", axes)
    return found


def part_of(name: str, named: Named, names: Names) -> Part:
    """Whether weights read a column, give the outputs, or stand between."""
    if any(axis is names.outputs for axis in named.axes):
        return "head"
    house, inner, *_ = name.split(".")
    return "encoders" if house == "encoders" or inner in READERS else "layers"


def _taken(fresh: Tensor, new: Named, old: Named, value: Tensor) -> tuple[Tensor, Tensor] | None:
    """(values, which of them are the old ones), both as `fresh`; None where nothing fits."""
    if fresh.ndim != value.ndim:
        return None
    pairs = [_pairs(*axis) for axis in zip(new.axes, old.axes, fresh.shape, value.shape, strict=True)]
    here, there = ([pair[side] for pair in pairs if pair] for side in (0, 1))
    if len(here) < len(pairs):
        return None
    taken, values = torch.zeros(fresh.shape, dtype=torch.bool), fresh.clone()
    if fresh.ndim:
        places, sources = torch.meshgrid(*here, indexing="ij"), torch.meshgrid(*there, indexing="ij")
        values[places], taken[places] = value[sources], True
    else:
        values, taken = value.clone(), torch.ones((), dtype=torch.bool)
    return (values, taken) if bool(taken.any()) else None


def _pairs(new: Axis, old: Axis, new_size: int, old_size: int) -> tuple[Tensor, Tensor] | None:
    """The places along an axis that stand for the same: here and there; None where that cannot be told."""
    if new is None or old is None:
        same = torch.arange(new_size)
        return (same, same) if new_size == old_size else None
    known = {name: place for place, name in enumerate(old)}
    found = [(place, known[name]) for place, name in enumerate(new) if name in known]
    here, there = torch.tensor(found, dtype=torch.int64).reshape(-1, 2).T
    return here, there


def _statistics(old: Network, new: Network) -> dict[str, Tensor]:
    """The means and deviations that batch normalisation has seen, where the layers are alike."""
    known, found = old.state_dict(), new.state_dict()
    return {
        name: value
        for name, value in known.items()
        if name.rpartition(".")[2] in ("running_mean", "running_var", "num_batches_tracked")
        and name in found
        and found[name].shape == value.shape
    }


def _record(source: Source, parts: Mapping[str, Taken], made: Mapping[str, tuple[str, int]], new: list[str]) -> Start:
    """`made`: of each parameter of the new network what it is called, and how many values it has."""
    taken = {made[name][0]: int(part.taken.sum()) for name, part in parts.items()}
    there = _sizes(source.network, described(source.network, source.names))
    return Start(
        model=source.model,
        sha256=source.sha256,
        taken=sum(taken.values()),
        weights=sum(size for _, size in made.values()),
        frozen=sum(int(part.taken.sum()) for part in parts.values() if part.stays),
        fresh=_rest(made, taken),
        left=_rest(there, taken),
        new=new,
        seen=source.seen,
    )


def _sizes(network: Network, called: Mapping[str, Named]) -> dict[str, tuple[str, int]]:
    return {name: (called[name].name, parameter.numel()) for name, parameter in network.named_parameters()}


def _rest(sizes: Mapping[str, tuple[str, int]], taken: Mapping[str, int]) -> dict[str, int]:
    """How many values of each parameter were not taken, where some were not."""
    return {name: rest for name, size in sizes.values() if (rest := size - taken.get(name, 0))}
