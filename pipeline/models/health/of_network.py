"""Symptoms of the network: of its gradients, its steps and its units."""

from collections.abc import Callable, Sequence

from pipeline.models.health.pulse import Activation, Layer, Pulse
from pipeline.models.health.symptom import Observed, Symptom, since, told
from pipeline.wording import share

EXPLODING = 100.0  # times the norm to which gradients are cut; Pascanu et al. 2013 cut at half to ten times the mean
VANISHING = 1e-6  # of the norm of the layer with the most: eight layers of sigmoids, a quarter each at best, have 1e-5
TINY = 1e-7  # float32 has no finer steps than 6e-8 of a weight
LOOKS = 2  # in a row, unless the training is over sooner
RATE = "train.optimizer.learning_rate"


def exploding_gradients(seen: Observed) -> Symptom | None:
    """The median gradient of an epoch is a hundred times what it is cut to."""
    usual = seen.facts.gradient_norm or 1.0
    first = since([(epoch.pulse.gradient or 0.0) >= EXPLODING * usual for epoch in seen.epochs])
    if first is None:
        return None
    pulse = seen.last.pulse
    cut = f", and is cut to {usual:g}" if seen.facts.gradient_norm else ", and is not cut"
    return Symptom(
        name="exploding_gradients",
        severity="warning",
        since=first,
        seen=_numbers(gradient=pulse.gradient, highest=pulse.highest_gradient, cut_to=seen.facts.gradient_norm),
        message=f"the gradient's norm is {told(pulse.gradient)} in the median of the steps{cut}: "
        "where a step goes is an accident",
        suggestion=f"lower {RATE} ({seen.facts.learning_rate:g}), or normalise the layers (train.mlp.normalisation)",
    )


def vanishing_gradients(seen: Observed) -> Symptom | None:
    """A layer has next to nothing of the gradient that another one has."""
    weak = [_weakest(epoch.pulse) for epoch in seen.looks]
    first = _confirmed([each is not None and each[1] <= VANISHING for each in weak], seen)
    if first is None or weak[-1] is None:
        return None
    layer, ratio, highest = weak[-1]
    return Symptom(
        name="vanishing_gradients",
        severity="warning",
        since=first,
        seen={"gradient": layer.gradient, "highest": highest, "ratio": ratio},
        message=f"the gradient of {layer.name} is {told(layer.gradient)}, that of another layer {told(highest)}: "
        "it hardly learns",
        suggestion="use ReLU instead of sigmoid or tanh, fewer layers or `model: resnet`; begin with weights that are "
        "not all the same",
    )


def dead_units(seen: Observed) -> Symptom | None:
    """Most units of a layer answer to no row."""
    worst = [_most(epoch.pulse.activations, lambda layer: layer.dead) for epoch in seen.looks]
    first = _confirmed([each is not None and (each.dead or 0) >= seen.settings.dead_share for each in worst], seen)
    if first is None or worst[-1] is None or worst[-1].dead is None:
        return None
    layer = worst[-1]
    return Symptom(
        name="dead_units",
        severity="error" if layer.dead == 1.0 else "warning",
        since=first,
        seen=_numbers(share=layer.dead, scale=layer.scale),
        message=f"{share(layer.dead)} of the {layer.kind} units of {layer.name} answer no row of val: "
        "no gradient passes them, and they stay as they are",
        suggestion=f"lower {RATE} ({seen.facts.learning_rate:g}), or set train.mlp: {{activation: gelu}} or "
        "{normalisation: layer}",
    )


def saturated_units(seen: Observed) -> Symptom | None:
    """Most values of a layer of sigmoid or tanh are at an end."""
    worst = [_most(epoch.pulse.activations, lambda layer: layer.saturated) for epoch in seen.looks]
    limit = seen.settings.saturated_share
    first = _confirmed([each is not None and (each.saturated or 0) >= limit for each in worst], seen)
    if first is None or worst[-1] is None or worst[-1].saturated is None:
        return None
    layer = worst[-1]
    return Symptom(
        name="saturated_units",
        severity="warning",
        since=first,
        seen=_numbers(share=layer.saturated),
        message=f"{share(layer.saturated)} of the {layer.kind} values of {layer.name} are at an end, where it is flat: "
        "hardly any gradient passes",
        suggestion=f"lower {RATE} ({seen.facts.learning_rate:g}), scale what goes in (normalize.numeric), or set "
        "train.mlp: {activation: relu} or {normalisation: layer}",
    )


def tiny_updates(seen: Observed) -> Symptom | None:
    """No layer moves by as much as a weight can; of epochs the first half counts, as the rate may end at 0."""
    early = [look for look in seen.looks if look.epoch <= max(1, seen.facts.epochs // 2)]
    moved_most = [_most_update(look.pulse) for look in early]
    first = _confirmed([0 <= moved <= TINY for moved in moved_most], seen)
    if first is None:
        return None
    moved = moved_most[-1]
    return Symptom(
        name="tiny_updates",
        severity="warning",
        since=first,
        seen={"update": moved},
        message=f"a step moves no layer's weights by more than {told(moved)} of their norm; about 0.001 is usual",
        suggestion=f"raise {RATE} ({seen.facts.learning_rate:g})",
    )


RULES: tuple[Callable[[Observed], Symptom | None], ...] = (
    exploding_gradients,
    vanishing_gradients,
    dead_units,
    saturated_units,
    tiny_updates,
)


def _confirmed(sick: Sequence[bool], seen: Observed) -> int | None:
    """The epoch of the look since which it is seen, if that is long enough; `sick` is of the looks from the first."""
    first = since(sick)
    if first is None or not (seen.over or len(sick) - first + 1 >= LOOKS):
        return None
    return seen.looks[first - 1].epoch


def _weakest(pulse: Pulse) -> tuple[Layer, float, float] | None:
    """The layer with the least gradient, that as a share of the highest, and the highest; None where all have none."""
    highest = max((layer.gradient for layer in pulse.layers), default=0.0)
    if highest <= 0:
        return None
    layer = min(pulse.layers, key=lambda each: each.gradient)
    return layer, layer.gradient / highest, highest


def _most(layers: Sequence[Activation], of: Callable[[Activation], float | None]) -> Activation | None:
    known = [layer for layer in layers if of(layer) is not None]
    return max(known, key=lambda layer: of(layer) or 0.0, default=None)


def _most_update(pulse: Pulse) -> float:
    """The share by which that layer moved that moved most; -1 where none is known."""
    return max((layer.update for layer in pulse.layers if layer.update is not None), default=-1.0)


def _numbers(**values: float | None) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}
