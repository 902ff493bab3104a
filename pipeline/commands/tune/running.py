"""One trial of a search: a training that is heard, and written down, after each epoch."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline import artefacts, progress
from pipeline.commands.tune import study
from pipeline.commands.tune.material import Material
from pipeline.commands.tune.proposals import Proposals
from pipeline.commands.tune.study import Study, Tried
from pipeline.errors import SettingsError
from pipeline.stages import train

if TYPE_CHECKING:
    import optuna

    from pipeline.models.module import KeepBest, Learner


class PrunedError(Exception):
    """The trial is worse than others were after as many epochs."""


class TimeOverError(Exception):
    """The minutes are over; the trial is taken up by the next run."""


@dataclass(kw_only=True)
class Running:
    """A trial at work; `found`: the study with it in."""

    material: Material
    found: Study
    trial: Tried
    proposals: Proposals
    until: float | None
    asked: "optuna.Trial | None" = None
    told: int = 0
    began: float = field(default_factory=time.monotonic)

    def run(self) -> Study:
        """Train; the study afterwards. What a trial cannot do ends it alone, unless it is the first."""
        import torch

        self._keep()
        try:
            self._train()
            self._end("complete")
        except PrunedError:
            self._end("pruned")
        except (TimeOverError, KeyboardInterrupt) as stopped:  # no fault of the trial, which is taken up again
            self._keep(starts=self.trial.starts - 1)
            if isinstance(stopped, KeyboardInterrupt):
                raise
        except (SettingsError, torch.OutOfMemoryError) as error:  # diverged, or too large
            if self.trial.number == 0:
                raise
            self._end("failed", error.what if isinstance(error, SettingsError) else "out of memory")
        return self.found

    def _train(self) -> None:
        material, workspace = self.material, self.material.workspace
        settings = material.settled(self.trial.changed)
        with TemporaryDirectory() as scratch, progress.muted():
            shape = train.shape(material.fitted, settings, material.tensors["train"])
            train.fit(
                material.tensors,
                shape,
                material.fitted.target,
                settings,
                seed=self.found.seed,
                curves=Path(scratch) / "curves",
                checkpoint=material.checkpoint,
                starting=train.starting_of(workspace, material.fitted, shape, settings),
                watch=self._watch,
            )

    def _watch(self, _: "Learner", keep: "KeepBest") -> None:
        saving = keep.after_epoch

        def heard() -> None:
            saving()
            self._hear([epoch.val_score for epoch in keep.history])

        keep.after_epoch = heard
        if keep.history:  # it goes on
            self._hear([epoch.val_score for epoch in keep.history])

    def _hear(self, scores: list[float]) -> None:
        self._keep(scores=study.so_far(self.found.sign, scores))
        if self.trial.number and self._worse():
            raise PrunedError
        if self.until is not None and time.monotonic() > self.until:
            raise TimeOverError

    def _worse(self) -> bool:
        """Whether Optuna would end it here."""
        if self.asked is None:
            others = self.found.model_copy(update={"trials": self.found.ended})
            self.asked = self.proposals.ask(others, self.trial.number)
        for epoch in range(self.told + 1, len(self.trial.scores) + 1):
            self.asked.report(self.trial.scores[epoch - 1], epoch)
        self.told = len(self.trial.scores)
        return self.asked.should_prune()

    def _end(self, state: study.State, why: str = "") -> None:
        self._keep(state=state, why=why)
        artefacts.remove(self.material.checkpoint)

    def _keep(self, **known: Any) -> None:
        """Write the trial down as it is now."""
        now = time.monotonic()
        self.trial = self.trial.model_copy(update={"seconds": self.trial.seconds + now - self.began, **known})
        self.began = now
        self.found = self.found.having(self.trial)
        self.found.write(study.file(self.material.workspace))
