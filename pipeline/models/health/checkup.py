"""All that is told of a training, from what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.artefacts import Record
from pipeline.models.choices.health import HealthSettings
from pipeline.models.epoch import Epoch
from pipeline.models.health import of_curves, of_network
from pipeline.models.health.pulse import Pulse
from pipeline.models.health.symptom import Facts, Observed, Symptom

ORDER = ("error", "warning", "info")


class Health(Record):
    """A training's health: health.json beside the candidate's history; without times, so that its bytes are the same.

    `pulses`: one an epoch.
    """

    facts: Facts
    symptoms: list[Symptom]
    pulses: list[Pulse]


class Gradients(Record):
    """The norm of the gradient over the steps of each epoch, before it is cut to `cut_to`; None where there is none."""

    median: list[float | None]
    highest: list[float | None]
    cut_to: float | None

    @classmethod
    def of(cls, health: Health) -> "Gradients":
        """Those of a training."""
        return cls(
            median=[pulse.gradient for pulse in health.pulses],
            highest=[pulse.highest_gradient for pulse in health.pulses],
            cut_to=health.facts.gradient_norm,
        )


@dataclass(frozen=True, kw_only=True)
class Checkup:
    """What is known of a training, and what of it is to be told."""

    facts: Facts
    settings: HealthSettings

    def symptoms(self, epochs: Sequence[Epoch], *, over: bool) -> list[Symptom]:
        """What is to be told after these epochs, what is worst first; nothing of what the settings ignore."""
        if not epochs:
            return []
        seen = Observed(facts=self.facts, settings=self.settings, epochs=epochs, over=over)
        found = [symptom for rule in (*of_curves.RULES, *of_network.RULES) if (symptom := rule(seen)) is not None]
        told = [symptom for symptom in found if symptom.name not in self.settings.ignored]
        return sorted(told, key=lambda symptom: ORDER.index(symptom.severity))

    def record(self, epochs: Sequence[Epoch]) -> Health:
        """All of it, of a training that is over."""
        symptoms = self.symptoms(epochs, over=True)
        return Health(facts=self.facts, symptoms=symptoms, pulses=[epoch.pulse for epoch in epochs])
