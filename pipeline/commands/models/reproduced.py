"""`keepfit models reproduce V`: a version made anew in a workspace of its own, and what came out otherwise.

What a version was made from is laid out beside: its settings, DAG and contract as they were, its raw data by their
hashes, the models that it started from and was judged beside. Then each stage runs, as `dvc repro` would run it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.commands.models import differences, laid_out
from pipeline.commands.models.version import Version
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.stages.evaluate import Evaluation
from pipeline.versions import lineage
from pipeline.wording import count, listed
from pipeline.workspace import Workspace

SHOWN = 3
POINTER = "models/champion.json"  # when it was moved is no data


class Changed(Record):
    """A score that came out otherwise."""

    score: str
    then: float
    now: float | None


class Weights(Record):
    """How many of the tensors differ, in how many values, and by how much at most; None where shapes differ."""

    tensors: int
    differing: list[str]
    values: int
    largest: float | None


class Reproduction(Record):
    """What came of making a version anew.

    `files`: those of the model, and whether each has the same bytes. `stages`: for each stage what it read, and what it
    wrote, that is not what dvc.lock says of then. `environment`: what differs from then of code, machine and packages.
    """

    version: str
    files: dict[str, bool]
    weights: Weights
    scores: int
    changed: list[Changed]
    stages: dict[str, list[str]]
    environment: list[str]

    @property
    def same(self) -> bool:
        """Whether the weights are the same, bit by bit, and every score is."""
        return self.files[saved.WEIGHTS] and not self.changed


@contextmanager
def scratch(workspace: Workspace, into: Path | None) -> Iterator[Path]:
    """The folder to work in: the one that is named, which is kept, or one that is gone afterwards."""
    if into is None:
        with TemporaryDirectory(prefix="keepfit-reproduce-") as folder:
            yield Path(folder) / workspace.root.name
        return
    if into.is_file() or (into.is_dir() and any(into.iterdir())):
        raise WorkspaceError("is there and is not empty", where=str(into), fix="name a new folder with --into")
    yield into


def reproduce(workspace: Workspace, version: Version, folder: Path, say: Callable[[str], None]) -> Reproduction:
    """Make the version anew in `folder`; raises WorkspaceError where what it takes is not there any more."""
    from pipeline.versions import dvc

    anew = laid_out.lay_out(workspace, version, folder)
    dvc.prepare(anew.root)
    with dvc.Versions.open(anew.root) as versions:
        for spec in versions.stages:
            say(f"{spec.name} ...")
            versions.run_command(spec.name)
    return compared(version, anew)


def compared(version: Version, anew: Workspace) -> Reproduction:
    """The version beside what its stages made anew."""
    then, now = version.manifest, saved.verify(anew.candidate)
    scores = _scores(version.evaluation), _scores(Evaluation.read(anew.evaluation))
    known = version.lineage
    return Reproduction(
        version=version.name,
        files={name: now.files.get(name) == digest for name, digest in then.files.items()},
        weights=_weights(version.folder / saved.WEIGHTS, anew.candidate / saved.WEIGHTS),
        scores=len(scores[0]),
        changed=[
            Changed(score=name, then=value, now=scores[1].get(name))
            for name, value in scores[0].items()
            if scores[1].get(name) != value
        ],
        stages=stages(_lock(version.text(lineage.LOCK)), _lock((anew.root / lineage.LOCK).read_text(encoding="utf-8"))),
        environment=list(differences.environment(known, lineage.of_now(anew, version.name))) if known else [],
    )


def _weights(then: Path, now: Path) -> Weights:
    before, after = artefacts.read_tensors(then), artefacts.read_tensors(now)
    names = sorted(before.keys() | after.keys())
    other = [name for name in names if not _alike(before.get(name), after.get(name))]
    pairs = [(before.get(name), after.get(name)) for name in other]
    off = [_off(a, b) for a, b in pairs if a is not None and b is not None and a.shape == b.shape]
    return Weights(
        tensors=len(names),
        differing=other,
        values=sum(int(np.count_nonzero(each)) for each in off),
        largest=max((float(each.max()) for each in off), default=0.0) if len(off) == len(other) else None,
    )


def _alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is not None and other is not None and one.shape == other.shape and one.tobytes() == other.tobytes()


def _off(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far apart the values are, in their order."""
    return np.abs(one.astype(np.float64) - other.astype(np.float64)).reshape(-1)


def _scores(evaluation: Evaluation) -> dict[str, float]:
    """The candidate's scores by split and metric, and the differences from each other model."""
    own = evaluation.scores["candidate"]
    told = {f"{split} {metric}": score.value for split, of in own.items() for metric, score in of.items()}
    return told | {f"{pair.metric} beside {pair.model}": pair.difference for pair in evaluation.paired}


def _lock(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (yaml.safe_load(text) or {}).get("stages", {})
    return found


def stages(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, list[str]]:
    """Of two dvc.lock what each stage read and wrote otherwise; the pointer at the champion is no data.

    >>> one = {"split": {"deps": [{"path": "a", "md5": "1"}], "outs": [{"path": "b", "md5": "2"}]}}
    >>> stages(one, {"split": {"deps": [{"path": "a", "md5": "1"}], "outs": [{"path": "b", "md5": "3"}]}})
    {'split': ['wrote b']}
    """
    found = {}
    for name in then:
        told = [f"read {path}" for path in _other(then[name], now.get(name, {}), "deps") if path != POINTER]
        told += [f"wrote {path}" for path in _other(then[name], now.get(name, {}), "outs")]
        if told:
            found[name] = told
    return found


def _other(then: Mapping[str, Any], now: Mapping[str, Any], kind: str) -> list[str]:
    before, after = ({each["path"]: each.get("md5") for each in side.get(kind, [])} for side in (then, now))
    return [path for path, digest in before.items() if after.get(path) != digest]


def words(found: Reproduction) -> Iterator[str]:
    """What came of it, in lines: the verdict, what differs, and where it began."""
    verdict = "is reproduced" if found.same else "is not reproduced"
    yield f"{found.version} {verdict}: {_of_weights(found.weights)}; {_of_scores(found)}"
    for change in found.changed[:SHOWN]:
        yield f"  {change.score}: {change.then} → {change.now}"
    other = [name for name, same in found.files.items() if not same and name != saved.WEIGHTS]
    if other:
        yield f"  other files of the model with other bytes: {listed(other, 6)}"
    for name, told in list(found.stages.items())[:1]:
        yield f"  the first stage that differs is {name}: it {', '.join(told)} otherwise"
    if found.environment:
        yield "  what is other now than then:"
        yield from (f"    {line}" for line in found.environment)


def _of_weights(found: Weights) -> str:
    if not found.differing:
        return f"the weights are the same, bit by bit ({count(found.tensors, 'tensor')})"
    far = "their shapes are others" if found.largest is None else f"by {found.largest:.3g} at most"
    tensors, values = count(found.tensors, "tensor"), count(found.values, "value")
    return f"{len(found.differing)} of {tensors} of weights differ, in {values}, {far}"


def _of_scores(found: Reproduction) -> str:
    if not found.changed:
        return f"all {found.scores} scores are the same"
    return f"{len(found.changed)} of {found.scores} scores differ"
