"""A version of the model → the folder of its export. Nothing is kept of one that a check of a file failed.

Shapes: N rows, K values that are told of a row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import numpy as np
from torch.export import ExportedProgram

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.export import eight_bits, fidelity, graph, loader, onnx_file, program, rows
from pipeline.export.answerer import Answerer
from pipeline.export.eight_bits import Cost
from pipeline.export.fidelity import Fidelity
from pipeline.export.graph import Graph
from pipeline.export.manifest import LIBRARIES, Manifest, require_free
from pipeline.export.rows import Asked, Teller
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Classes, Forecast, Ordinal, Quantiles, Tags, Target
from pipeline.models import saved
from pipeline.models.saved import PREPROCESSOR, REPAIRS
from pipeline.quality.repairs import Plan
from pipeline.stages.evaluate import Evaluation
from pipeline.stages.ingest import IngestSettings
from pipeline.versions import registry
from pipeline.workspace import Workspace

MODEL, SMALL, ANSWER = "model.onnx", "model.int8.onnx", "answer.py"
TRACED_ROWS = 4
HALF = 0.5
Ask: TypeAlias = Callable[[Mapping[str, np.ndarray]], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is to be exported, as far as all files need it; `nothing` are texts that stand for a missing cell."""

    name: str
    folder: Path
    teller: Teller
    threshold: float
    asked: Asked
    nothing: list[str]
    seed: int
    tolerance: float

    @classmethod
    def of(cls, workspace: Workspace, name: str, tolerance: float) -> "Export":
        """The version of that name, the `champion` or the `candidate`; WorkspaceError where there is none."""
        name, folder, judged = found(workspace, name)
        teller = Teller(fitted=Preprocessor.read(folder), network=saved.load(folder))
        return cls(
            name=name,
            folder=folder,
            teller=teller,
            threshold=Evaluation.read(judged).thresholds.get("candidate", HALF),
            asked=rows.of_val(workspace, teller),
            nothing=workspace.section(IngestSettings).null_values,
            seed=workspace.seed,
            tolerance=tolerance,
        )

    @property
    def target(self) -> Target:
        return self.teller.fitted.target

    @property
    def classes(self) -> list[str]:
        """The names of the places that the answer has; none where it is a number or tags."""
        return list(self.target.classes) if isinstance(self.target, Classes | Ordinal) else []

    @property
    def told(self) -> list[str]:
        """The names of what is told beside the answer."""
        said = self.target.said(self.asked.real.told_NK[:1], self.threshold).columns
        return [name for name in said if name != "answer"] or ["value"]

    @property
    def outputs(self) -> tuple[str, str]:
        """What the two outputs are called; no column is called so."""
        taken = {one.name for one in self.asked.inputs}
        answer, told = (
            next(name for name in (plain, f"{plain}_", f"{plain}__") if name not in taken)
            for plain in ("answer", WHAT.get(type(self.target), "values"))
        )
        return answer, told

    @cached_property
    def program(self) -> ExportedProgram:
        """The whole way, as PyTorch traced it on a few rows."""
        some = np.arange(TRACED_ROWS) % len(self.asked.real.told_NK)
        fed = self.asked.real.fed
        tensors = {one.name: loader.tensor_of(one.model_dump(), fed[one.name][some]) for one in self.asked.inputs}
        return program.traced(Answerer(self.teller.network, self.teller.fitted, self.threshold), tensors)

    def seen(self, ask: Ask) -> Fidelity:
        """Ask a file about rows of both kinds."""
        few, made = self.asked.real.head(rows.CHECKED_ROWS), self.asked.made
        answer, told_NK = ask({name: np.concatenate([cells, made.fed[name]]) for name, cells in few.fed.items()})
        wanted_NK = np.concatenate([few.told_NK, made.told_NK])
        apart_NK, unit = fidelity.distance(told_NK, wanted_NK, self.target)
        return Fidelity(
            unit=unit,
            tolerance=self.tolerance,
            rows=len(few.told_NK),
            edges=len(made.told_NK),
            farthest=float(apart_NK.max()),
            mean=float(apart_NK.mean()),
            otherwise=fidelity.otherwise(answer, told_NK, self.target, self.threshold),
        )


WHAT: Mapping[type[Target], str] = {
    Classes: "probabilities",
    Ordinal: "probabilities",
    Tags: "probabilities",
    Quantiles: "quantiles",
    Forecast: "steps",
}


def write(workspace: Workspace, name: str, to: Path, tolerance: float = fidelity.TOLERANCE) -> Manifest:
    """Write the export of a version into the folder `to`, which is new, empty or an earlier export, in one move.

    Raises GateFailed, and writes nothing, where a file does not say what the model says, within `tolerance`;
    WorkspaceError where there is no such version, or the folder holds something else.
    """
    onnx_file.require_libraries()
    require_free(to)
    export = Export.of(workspace, name, tolerance)
    with artefacts.replacing(to) as folder:
        folder.mkdir()
        checked = both(export, folder)
        for file, seen in checked.items():
            fidelity.require(seen, file)
        cost = write_small(export, folder)
        for paper in (PREPROCESSOR, REPAIRS):
            artefacts.copy(export.folder / paper, folder / paper)
        return described(export, checked, cost).seal(folder)


def found(workspace: Workspace, name: str) -> tuple[str, Path, Path]:
    """The version of that name, the `champion` or the `candidate`: what it is called, its folder, its evaluation.

    Raises WorkspaceError where there is none, or the evaluation is of another candidate.
    """
    if name == "candidate":
        _require_judged(workspace)
        return name, workspace.candidate, workspace.evaluation
    pointer = registry.champion(workspace)
    called = pointer.version or name if name == "champion" else name
    folder = registry.champion_folder(workspace) if called == pointer.version else None
    folder = folder or registry.folder(workspace, called)
    return called, folder, folder / registry.EVALUATION


def _require_judged(workspace: Workspace) -> None:
    """The threshold of one candidate says nothing of another."""
    now, then = saved.verify(workspace.candidate).identity, Evaluation.read(workspace.evaluation).candidate
    if then != now:
        raise WorkspaceError(
            f"is of the candidate {then}, which is {now} by now",
            where=workspace.relative(workspace.evaluation),
            fix="run `dvc repro` or `keepfit run`",
        )


def both(export: Export, folder: Path) -> dict[str, Fidelity]:
    """model.onnx and weights.safetensors with what runs it: what was found of each, by its name."""
    return {MODEL: write_onnx(export, folder), loader.WEIGHTS: write_graph(export, folder)}


def write_onnx(export: Export, folder: Path) -> Fidelity:
    """model.onnx."""
    made = onnx_file.onnx_model(export.program, export.asked.inputs, export.outputs, export.classes)
    onnx_file.write(folder / MODEL, made)
    return export.seen(partial(onnx_file.answers, folder / MODEL))


def write_graph(export: Export, folder: Path) -> Fidelity:
    """graph.json, weights.safetensors, and answer.py, which reads both."""
    steps, weights = graph.operations(export.program)
    made = Graph(
        **steps,
        inputs=export.asked.inputs,
        answers=export.classes,
        told=export.told,
        nothing=sorted({"", *export.nothing}),
    )
    made.write(folder / loader.GRAPH)
    artefacts.write_tensors(folder / loader.WEIGHTS, weights)
    artefacts.copy(Path(loader.__file__), folder / ANSWER)
    return export.seen(loader.Model(folder).answers)


def write_small(export: Export, folder: Path) -> Cost | None:
    """model.int8.onnx, and what it costs; None where the labels of val are not those that the model knows."""
    eight_bits.quantise(folder / MODEL, folder / SMALL)
    real = export.asked.real
    _, told_NK = onnx_file.answers(folder / SMALL, real.fed)
    apart_NK, _ = fidelity.distance(told_NK, real.told_NK, export.target)
    if real.y_N is None:
        return None
    at = export.threshold if isinstance(export.target, Classes | Tags) else export.target.at
    return eight_bits.cost(
        real.y_N, real.told_NK, told_NK, export.target, at, seed=export.seed, farthest=float(apart_NK.max())
    )


def described(export: Export, checked: Mapping[str, Fidelity], cost: Cost | None) -> Manifest:
    """What is said of it."""
    target = export.target
    answer, told = export.outputs
    return Manifest(
        version=export.name,
        identity=saved.verify(export.folder).identity,
        label=target.column,
        kind=target.kind,
        inputs=[one.model_copy(update={"codes": None}) for one in export.asked.inputs],
        outside=outside(export),
        outputs={answer: export.classes, told: export.told},
        threshold=export.threshold if isinstance(target, Classes | Tags) else None,
        temperature=getattr(target, "temperature", 1.0),
        checked=dict(checked),
        int8=cost,
        made_with={name: version(name) for name in LIBRARIES},
    )


def outside(export: Export) -> list[str]:
    """What is to be done before rows are given to the export, in words."""
    rules = Plan.read(export.folder / REPAIRS).rules
    said = [f"rows are repaired by the {len(rules):,} rules of {REPAIRS}"] if rules else []
    said += [f"{one.name}: {one.note}" for one in export.asked.inputs if one.kind == "tensor"]
    said += [f"{one.name} is made of other columns: {one.derived}" for one in export.asked.inputs if one.derived]
    if isinstance(export.target, Forecast) and export.target.groups:
        said.append(f"forecasts are in deviations of their group: {PREPROCESSOR} has each one's centre and scale")
    return said
