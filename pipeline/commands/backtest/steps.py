"""The steps of a replay as the pipeline takes them, each in a scratch workspace, each kept when it is done.

.keepfit/backtest/<key>/ is a workspace of one training: its files, settings and window make the key. What a killed run
has finished there is found again, stage by stage; other policies, and later runs, use it too.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline import artefacts, metrics, readers
from pipeline.artefacts import Record
from pipeline.commands.backtest.replay import Look, Model, Verdict
from pipeline.commands.backtest.sweeping import MadeOf, sweep
from pipeline.errors import DataError
from pipeline.incoming import arrival
from pipeline.metrics import Metric
from pipeline.models import saved
from pipeline.monitor.judged import both
from pipeline.monitor.record import Live, records
from pipeline.monitor.seen import look, opened
from pipeline.policy.window import Window
from pipeline.predictor import Predictor
from pipeline.stages import gates, promote
from pipeline.stages.evaluate import Evaluation
from pipeline.versions import lineage, registry
from pipeline.wording import count
from pipeline.workspace import Workspace

TRAINING = ("ingest", "validate", "clean", "split", "normalize", "train")
BULKY = ("ingested", "flags", "data_docs")
DECIDING = ("tolerated_drop", "min_labelled_rows", "cooldown_batches", "retrain")  # under monitor: what no look sees
NOT_TRAINING = ("monitor", "serve", "tune", "promote")


class Done(Record):
    """Seconds of processor time that each finished stage of a training took."""

    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Scratch:
    """Takes the steps for a workspace, and says which takes long; `metrics` are told of each look."""

    workspace: Workspace
    metrics: Sequence[Metric]
    say: Callable[[str], None]

    @property
    def home(self) -> Path:
        """Where the scratch workspaces are."""
        return self.workspace.state / "backtest"

    def batches(self) -> list[str]:
        """The names of the batches: all that were watched, and all that wait; in their order.

        Raises DataError where there is none.
        """
        known = {record.batch for record in records(self.workspace)}
        incoming = self.workspace.incoming
        there = any(path.is_file() and not path.name.startswith(".") for path in incoming.rglob("*"))
        waiting = {path.name for path in readers.files(incoming)} if there else set()
        found = sorted(known | waiting)
        if not found:
            raise DataError(
                "there is no batch to replay",
                where=self.workspace.relative(self.workspace.incoming),
                fix="put one there",
            )
        return found

    def train(self, batches: Sequence[str], wanted: Window, champion: Model | None) -> Model:
        """The model of the first files and these batches; what is trained already is not trained again."""
        files = {**self._first(), **{name: artefacts.sha256(self._batch(name)) for name in batches}}
        start = champion.identity if champion else None
        definition = self._definition()
        key = _key({"files": files, "window": wanted.model_dump(), "start": start, **definition})
        place = self._open(key)
        MadeOf.note(place.root, files, _key(definition))
        if champion is not None:
            self._install(place, champion)
        wanted.write(place.window)
        done = Done.read(_done(place)).seconds if _done(place).is_file() else {}
        left = [stage for stage in TRAINING if stage not in done]
        if left:
            self.say(f"training on {len(files)} files, the last of them {max(files)} ...")
            self._bring(place, batches)
        for stage in left:
            before = _spent()
            import_module(f"pipeline.stages.{stage}").run(place)
            done[stage] = _spent() - before
            Done(seconds=done).write(_done(place))
        if left:
            for name in BULKY:
                artefacts.remove(getattr(place, name))
        manifest = saved.verify(place.candidate)
        until = max((last for _, last in manifest.span.values()), default=None)
        return Model(key=key, identity=manifest.identity, learnt_until=until, seconds=sum(done.values()))

    def sweep(self) -> None:
        """Remove what no replay of today's files, settings, contract and code can use again."""
        files = {**self._first(), **{name: artefacts.sha256(self._batch(name)) for name in self.batches()}}
        if swept := sweep(self.home, files, _key(self._definition())):
            self.say(f"removed {count(swept, 'training')} of other data, settings or code from an earlier backtest")

    def judge(self, model: Model, champion: Model, batch: str) -> Verdict:
        """Evaluate the model beside the champion, and ask the gates of promote."""
        place = self._open(model.key)
        settings = place.section(promote.PromoteSettings)
        kept = place.root / "judged" / f"{_key([champion.identity, settings.model_dump(mode='json')])}.json"
        if not kept.is_file():
            self._install(place, champion)
            before = _spent()
            evaluation = self._evaluated(place)
            found = promote.judged(place, evaluation, settings)
            reasons, seconds = [gate.words for gate in found], _spent() - before
            Verdict(promoted=gates.passed(found), reasons=reasons, rows=0, seconds=seconds).write(kept)
        rows = saved.Manifest.read(place.candidate / saved.MANIFEST).sources["train"].get(batch, 0)
        return Verdict.read(kept).model_copy(update={"rows": rows})

    def look(self, model: Model, batch: str, before: Sequence[str]) -> Look:
        """What the batch shows of the model, and its metrics on the labelled rows and their resamples."""
        place = self._open(model.key)
        self._ready(place)
        predictor = Predictor.load(place.root / "model")
        path = self._batch(batch)
        told = {"batch": artefacts.sha256(path), "monitor": self._looking(), "metrics": list(self.metrics)}
        kept = (
            place.root / "looks" / f"{_key({**told, 'before': before if predictor.preprocessor.series else []})}.json"
        )
        if not kept.is_file():
            self._looked(place, predictor, path, list(before)).write(kept)
        return Look.read(kept)

    def _looked(self, place: Workspace, predictor: Predictor, path: Path, before: list[str]) -> Look:
        for name in before if predictor.preprocessor.series else ():
            _link(self._batch(name), place.incoming / name)
        predictor, batch = opened(place, path, predictor, before)
        forecast = predictor.preprocessor.target.kind == "forecast"
        found = None
        if not forecast and batch.labelled[predictor.preprocessor.label].n_unique() > 1:
            found = both(place, predictor, batch, predictor)
        seen = look(place, path, predictor, batch, first=predictor.folder if forecast else None)
        if found is None:
            return Look(seen=seen, values=None)
        scores = metrics.scores(found[0])
        values = {name: np.asarray(found[0][name]).tolist() for name in self.metrics}
        return Look(seen=seen.model_copy(update={"live": Live(champion=scores, first=scores)}), values=values)

    def _ready(self, place: Workspace) -> Path:
        """The folder of the model with an evaluation, where it can be asked and be a champion."""
        folder = place.root / "model"
        if not folder.is_dir():
            self._evaluated(place)
        return folder

    def _evaluated(self, place: Workspace) -> Evaluation:
        evaluation: Evaluation = import_module("pipeline.stages.evaluate").run(place)
        if not (folder := place.root / "model").is_dir():
            with artefacts.replacing(folder) as target:
                shutil.copytree(place.candidate, target)
                shutil.copyfile(place.evaluation, target / registry.EVALUATION)
        return evaluation

    def _install(self, place: Workspace, champion: Model) -> None:
        """Make another training's model the champion of this place; the first to be installed is its v1."""
        there = {saved.Manifest.read(place.registry / v / saved.MANIFEST).identity: v for v in registry.versions(place)}
        version = there.get(champion.identity, f"v{len(there) + 1}")
        if champion.identity not in there:
            with artefacts.replacing(place.registry / version) as target:
                shutil.copytree(self._ready(self._open(champion.key)), target)
        registry.point(place, version)

    def _open(self, key: str) -> Workspace:
        """The scratch workspace, with the settings and the contract of today."""
        root = self.home / key
        params = self._params()
        for name, text in {
            "params.yaml": yaml.safe_dump(params, sort_keys=False, allow_unicode=True),
            "dvc.yaml": (self.workspace.root / "dvc.yaml").read_text(encoding="utf-8"),
            f"schemas/{self.workspace.contract_file.name}": self.workspace.contract_file.read_text(encoding="utf-8"),
        }.items():
            path = root / name
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                artefacts.write_text(path, text)
        return Workspace.open(root)

    def _params(self) -> dict[str, Any]:
        params = dict(self.workspace.params)
        params["ingest"] = {k: v for k, v in (params.get("ingest") or {}).items() if k != "source"}
        params["promote"] = {**(params.get("promote") or {}), "commit": False}
        return params

    def _definition(self) -> dict[str, Any]:
        """All but files that decides what a training comes to: settings, contract, code, and what keepfit runs on."""
        params = {name: value for name, value in self._params().items() if name not in NOT_TRAINING}
        return {"params": params, "contract": artefacts.sha256(self.workspace.contract_file), "code": lineage.code()}

    def _looking(self) -> dict[str, Any]:
        monitor = self.workspace.params.get("monitor") or {}
        return {name: value for name, value in monitor.items() if name not in DECIDING}

    def _source(self) -> Path:
        source = self.workspace.source
        return source if source.is_dir() else source.parent

    def _first(self) -> Mapping[str, str]:
        """The files that the first model is trained on: name → hash; raises DataError where all came as batches."""
        later = set(self.batches())
        found = [path for path in readers.files(self.workspace.source) if path.name not in later]
        if not found:
            raise DataError(
                "every file of it came as a batch, so that there is no first model",
                where=self.workspace.relative(self.workspace.source),
                fix="put the data of the first training there",
            )
        return {path.relative_to(self._source()).as_posix(): artefacts.sha256(path) for path in found}

    def _batch(self, name: str) -> Path:
        path = self.workspace.incoming / name
        if not path.is_file():
            raise DataError("is absent, and was watched", where=self.workspace.relative(path), fix="restore it")
        return path

    def _bring(self, place: Workspace, batches: Sequence[str]) -> None:
        """The files to train on; what lies beside the first ones, such as pictures, as well."""
        later, source = set(self.batches()), self._source()
        whole = self.workspace.source.is_dir()
        for path in sorted(p for p in source.rglob("*") if p.is_file()) if whole else [self.workspace.source]:
            if path.name not in later:
                _link(path, place.raw / path.relative_to(source))
        for name in batches:
            arrival.carry(place, self._batch(name), place.raw / name)
        place.incoming.mkdir(parents=True, exist_ok=True)


def _link(source: Path, target: Path) -> None:
    """The same file at another place, by a second name where the disk can do that: it is never written to."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        artefacts.copy(source, target)


def _done(place: Workspace) -> Path:
    return place.root / "done.json"


def _key(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _spent() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
