"""What is told follows from the numbers alone: each rule at its limit, and since which epoch."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.models.choices.health import HealthSettings
from pipeline.models.epoch import Epoch
from pipeline.models.health import of_curves, of_network
from pipeline.models.health.checkup import Checkup
from pipeline.models.health.pulse import Activation, Layer, Pulse, Spike
from pipeline.models.health.spikes import spikes
from pipeline.models.health.symptom import Facts, Observed

FACTS = Facts(
    rows=1000,
    val_rows=500,
    weights=5000,
    outputs=2,
    batches=10,
    epochs=40,
    patience=4,
    learning_rate=0.01,
    gradient_norm=1.0,
    constant_loss=1.0,
    linear_loss=0.6,
    mixed=False,
    lower_is_better=False,
)


def observed(
    train: Sequence[float],
    val: Sequence[float] | None = None,
    pulses: Sequence[Pulse] | None = None,
    *,
    over: bool = False,
    scores: Sequence[float] | None = None,
    **facts: Any,
) -> Observed:
    val = train if val is None else val
    rows = zip(train, val, pulses or [Pulse()] * len(train), scores or [0.9] * len(train), strict=True)
    epochs = [
        Epoch(epoch=n, metric="auc", train_loss=t, train_score=0.9, val_loss=v, val_score=s, pulse=pulse)
        for n, (t, v, pulse, s) in enumerate(rows, start=1)
    ]
    return Observed(facts=FACTS.model_copy(update=facts), settings=HealthSettings(), epochs=epochs, over=over)


def layers(*gradients: float, update: float = 1e-3) -> Pulse:
    found = [Layer(name=f"layer {place}", gradient=each, update=update) for place, each in enumerate(gradients)]
    return Pulse(gradient=max(gradients), highest_gradient=max(gradients), layers=found)


def units(dead: float) -> Pulse:
    return Pulse(activations=[Activation(name="relu", kind="ReLU", scale=1.0, dead=dead)])


def test_a_gradient_that_is_a_hundred_times_what_it_is_cut_to_explodes() -> None:
    found = of_network.exploding_gradients(observed([0.5] * 3, pulses=[layers(99), layers(100), layers(200)]))

    assert found is not None and found.since == 2
    assert found.seen == {"gradient": 200.0, "highest": 200.0, "cut_to": 1.0}
    assert of_network.exploding_gradients(observed([0.5], pulses=[layers(99)])) is None
    assert of_network.exploding_gradients(observed([0.5], pulses=[layers(500)], gradient_norm=10.0)) is None


def test_a_layer_without_gradient_is_named_once_it_is_seen_twice() -> None:
    sick, well = layers(1.0, 1e-7), layers(1.0, 1e-3)

    found = of_network.vanishing_gradients(observed([0.5] * 3, pulses=[well, sick, sick]))

    assert found is not None and found.since == 2
    assert found.message.startswith("the gradient of layer 1 is 1e-07, that of another layer 1.00")
    assert of_network.vanishing_gradients(observed([0.5] * 2, pulses=[well, sick])) is None
    assert of_network.vanishing_gradients(observed([0.5] * 2, pulses=[well, sick], over=True)) is not None
    assert of_network.vanishing_gradients(observed([0.5] * 2, pulses=[layers(0.0), layers(0.0)])) is None


@pytest.mark.parametrize(("dead", "severity"), [(0.89, None), (0.9, "warning"), (1.0, "error")])
def test_dead_units_are_told_from_the_share_that_is_set(dead: float, severity: str | None) -> None:
    found = of_network.dead_units(observed([0.5] * 2, pulses=[units(dead)] * 2))

    assert (found.severity if found else None) == severity


def test_tiny_steps_count_only_before_the_rate_falls() -> None:
    tiny, usual = layers(1.0, update=1e-8), layers(1.0)

    assert of_network.tiny_updates(observed([1.0] * 3, pulses=[tiny] * 3)) is not None
    assert of_network.tiny_updates(observed([1.0] * 3, pulses=[usual, tiny, tiny], epochs=3, over=True)) is None


def test_a_loss_of_twice_a_constant_answer_has_diverged() -> None:
    found = of_curves.diverged(observed([0.9, 2.5, 3.0]))

    assert found is not None and found.since == 2
    assert of_curves.diverged(observed([3.0])) is None  # the first epoch may begin anywhere
    assert of_curves.diverged(observed([3.0], over=True)) is not None
    assert of_curves.diverged(observed([0.9, 3.0, 1.9])) is None
    assert of_curves.diverged(observed([3.0, 3.0], constant_loss=None)) is None


def test_a_jump_is_told_that_is_high_and_lasts() -> None:
    spike = Spike(step=70, before=0.4, height=0.8, score=9.0)

    found = of_curves.loss_spikes(observed([0.5, 0.4], pulses=[Pulse(), Pulse(spikes=[spike])]))

    assert found is not None and (found.since, found.severity) == (2, "info")
    assert "at step 70 of epoch 2: from 0.400 to 0.800, and came back" in found.message
    for other in ({"height": 0.55}, {"score": 7.0}, {"before": 0.04, "height": 0.1}):
        quiet = Pulse(spikes=[spike.model_copy(update=other)])
        assert of_curves.loss_spikes(observed([0.5, 0.4], pulses=[Pulse(), quiet])) is None


def test_a_jump_of_a_whole_epoch_is_told() -> None:
    found = of_curves.loss_spikes(observed([0.5, 0.4, 0.4, 0.9]))

    assert found is not None and (found.since, found.severity) == (4, "warning")
    assert of_curves.loss_spikes(observed([0.5, 0.4, 0.4, 0.55])) is None


def test_of_steps_a_jump_of_one_is_its_rows_and_of_five_its_weights() -> None:
    loss_S = np.random.default_rng(0).normal(1.0, 0.1, 320)
    assert spikes(loss_S, 8.0) == []

    loss_S[100] = 9.0
    assert spikes(loss_S, 8.0) == []
    loss_S[200:206] = 9.0

    found = spikes(loss_S, 8.0)
    assert [(spike.step, spike.height) for spike in found] in [[(step, 9.0)] for step in range(198, 203)]
    assert spikes(loss_S[:40], 8.0) == []


def test_a_plateau_is_where_val_gains_less_than_its_rows_tell() -> None:
    scores, interval = [0.8, *[0.9] * 13], [Pulse(interval=0.02)] * 14

    found = of_curves.plateau(observed([0.5] * 14, pulses=interval, scores=scores))

    assert found is not None and found.since == 3
    assert of_curves.plateau(observed([0.5] * 12, pulses=interval[:12], scores=scores[:12])) is None
    assert of_curves.plateau(observed([0.5] * 14, scores=scores)) is None  # nothing is known of its noise
    rising = [0.8 + 0.005 * epoch for epoch in range(14)]
    assert of_curves.plateau(observed([0.5] * 14, pulses=interval, scores=rising)) is None
    falling = [1.0 - 0.02 * epoch for epoch in range(14)]
    assert of_curves.plateau(observed(falling, pulses=interval, scores=scores)) is None


def test_a_plateau_began_where_it_began_however_long_it_lasts() -> None:
    scores, interval = [0.8, *[0.9] * 30], [Pulse(interval=0.02)] * 31

    told = [of_curves.plateau(observed([0.5] * n, pulses=interval[:n], scores=scores[:n])) for n in (14, 20, 31)]

    assert {found.since for found in told if found} == {3} and None not in told
    risen = [*scores[:20], *[0.95] * 11]
    again = [of_curves.plateau(observed([0.5] * n, pulses=interval[:n], scores=risen[:n])) for n in (14, 31)]
    assert again[0] is not None and again[0].since == 3
    assert again[1] is None


def test_who_is_no_better_than_a_constant_or_than_a_line_underfits() -> None:
    nothing, less = observed([0.999] * 4), observed([0.8] * 4, over=True)

    assert of_curves.underfit(nothing) is not None
    found = of_curves.underfit(less)
    assert found is not None and found.seen["linear_loss"] == 0.6
    assert of_curves.underfit(observed([0.999] * 3)) is None  # too early
    assert of_curves.underfit(observed([0.8] * 4)) is None  # it may still become better than the line
    assert of_curves.underfit(observed([0.65] * 4, over=True)) is None
    assert of_curves.underfit(observed([0.8] * 4, over=True, mixed=True)) is None


def test_overfitting_is_told_where_it_does_not_hold_or_is_lost_again() -> None:
    train = [0.9, 0.8, 0.6, 0.4, 0.2, 0.1]
    memory = of_curves.overfit(observed(train, [1.0, 1.01, 1.1, 1.2, 1.4, 1.6]))
    lost = of_curves.overfit(observed(train, [0.9, 0.8, 0.82, 0.85, 0.88, 0.95]))

    assert memory is not None and (memory.severity, memory.since) == ("warning", 2)
    assert lost is not None and (lost.severity, lost.since) == ("info", 3)
    assert of_curves.overfit(observed(train, [0.9, 0.8, 0.81, 0.82, 0.83, 0.84])) is None  # the best epoch is kept
    assert of_curves.overfit(observed(train, [0.9, 0.8, 0.6, 0.5, 0.4, 0.3])) is None


def test_few_rows_are_few_for_the_outputs_and_for_the_weights() -> None:
    assert of_curves.few_rows(observed([0.5], rows=39, weights=390)) is not None
    assert of_curves.few_rows(observed([0.5], rows=40, weights=10**6)) is None
    assert of_curves.few_rows(observed([0.5], rows=39, weights=389)) is None


def test_val_is_small_where_its_score_is_hardly_known() -> None:
    assert of_curves.small_val(observed([0.5], pulses=[Pulse(interval=0.11)], over=True)) is not None
    assert of_curves.small_val(observed([0.5], pulses=[Pulse(interval=0.09)], over=True)) is None
    wide = observed([0.5], pulses=[Pulse(interval=11.0)], scores=[50.0], lower_is_better=True, over=True)
    assert of_curves.small_val(wide) is not None


def test_the_worst_comes_first_and_the_record_holds_all() -> None:
    seen = observed([5.0] * 4, pulses=[units(1.0)] * 4, rows=10, weights=1000)
    checkup = Checkup(facts=seen.facts, settings=HealthSettings())

    record = checkup.record(seen.epochs)

    assert [symptom.severity for symptom in record.symptoms] == ["error", "error", "warning"]
    assert record.pulses == [units(1.0)] * 4
    assert checkup.symptoms([], over=False) == []
