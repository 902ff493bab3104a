"""What a search is over: the tensors of train and val, the settings as they are, and the knobs."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import artefacts, metrics
from pipeline.commands.tune import space, study
from pipeline.commands.tune.space import Knob
from pipeline.commands.tune.study import Study
from pipeline.features.preprocessor import LABEL, Preprocessor
from pipeline.models import placement, saved
from pipeline.models.choices import pictures
from pipeline.models.choices.tuning import TuneSettings
from pipeline.stages import train
from pipeline.stages.train import Tensors, TrainSettings
from pipeline.versions import registry
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.models.network import NetworkShape

SPLITS = ("train", "val")  # and never test


@dataclass(frozen=True, kw_only=True)
class Material:
    """What is read of the workspace, once for all trials."""

    workspace: Workspace
    tune: TuneSettings
    settings: TrainSettings
    fitted: Preprocessor
    tensors: dict[str, Tensors]

    @classmethod
    def of(cls, workspace: Workspace, tune: TuneSettings) -> "Material":
        """Read the workspace; raises WorkspaceError before its first normalize."""
        settings = workspace.section(TrainSettings)
        files = {name: workspace.normalized / f"{name}.safetensors" for name in SPLITS}
        return cls(
            workspace=workspace,
            tune=tune,
            settings=settings,
            fitted=train.read_preprocessor(workspace, settings),
            tensors={name: placement.read(file, settings.memory_gigabytes) for name, file in files.items()},
        )

    @property
    def raw(self) -> dict[str, Any]:
        """The section `train` as params.yaml has it."""
        return self.workspace.params.get("train") or {}

    @cached_property
    def shape(self) -> "NetworkShape":
        """The network of the settings as they are."""
        return train.shape(self.fitted, self.settings, self.tensors["train"])

    @cached_property
    def advised(self) -> TrainSettings:
        """The settings as they are, with what suits pictures where nothing is set."""
        return pictures.advised(self.settings, self.shape.own, len(self.tensors["train"][LABEL]))

    @property
    def length(self) -> tuple[int, int]:
        """How many epochs a trial has at most, and its patience."""
        found = train.length_of(self.advised, self.shape)
        return self.tune.epochs or found.epochs, found.patience

    @cached_property
    def always(self) -> dict[str, Any]:
        """What all trials have, whatever is tried: their length, and the method against imbalance that `auto` finds."""
        fixed: dict[str, Any] = {} if self.tune.epochs is None else {"epochs": self.tune.epochs}
        tried = train.trials_of(self.tensors, self.shape, self.fitted.target, self.settings, seed=self.workspace.seed)
        if tried is not None:
            fixed["imbalance"] = train.with_method(self.settings, tried.chosen).imbalance
        return fixed

    @cached_property
    def knobs(self) -> list[Knob]:
        """What is searched."""
        batch = train.rows_of_a_step(self.advised, self.tensors["train"])
        own = dict.fromkeys(each.kind.removesuffix("-file") for each in self.shape.own)
        return space.knobs(self.advised, self.shape.backbone, batch, list(own), self.tune)

    @cached_property
    def key(self) -> str:
        """All that decides the scores, as one hash: trials under another one cannot be compared."""
        decides = {
            "settings": self.settings.model_dump(mode="json"),
            "epochs": self.tune.epochs,
            "champion": registry.champion(self.workspace).identity if self.settings.init_from == "champion" else None,
            "knobs": [repr(knob) for knob in self.knobs],
            "seed": self.workspace.seed,
            "data": [artefacts.sha256(self.workspace.normalized / f"{name}.safetensors") for name in SPLITS],
            "preprocessor": artefacts.sha256(self.workspace.preprocessor),
            "versions": {name: version(name) for name in (*saved.VERSIONS_KEPT, "optuna")},
        }
        return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()

    @property
    def fresh(self) -> Study:
        """A study without trials."""
        metric = metrics.OF[self.fitted.target.kind].main
        return Study(key=self.key, metric=metric, seed=self.workspace.seed, train=self.raw, wanted=self.tune.trials)

    def settled(self, changed: dict[str, Any]) -> TrainSettings:
        """The settings of a trial."""
        return space.settled(self.raw, changed).model_copy(update=self.always)

    @property
    def checkpoint(self) -> Path:
        """Where the trial stands that runs."""
        return study.folder(self.workspace) / "checkpoint.safetensors"
