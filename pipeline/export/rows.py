"""The rows that an export is asked about: those of val, and made-up edges, with what the model tells of each.

Shapes: N rows, K values that are told of a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.export import columns, fidelity
from pipeline.export.columns import Input
from pipeline.features.preprocessor import Encoded, Preprocessor
from pipeline.models import network
from pipeline.models.network import Network
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.samples import before
from pipeline.workspace import Workspace

MEASURED_ROWS = 20_000
CHECKED_ROWS = 2048


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows as an export is given them, and what the model tells of them; `y_N` is their truth, where it is known."""

    fed: dict[str, np.ndarray]
    told_NK: np.ndarray
    y_N: np.ndarray | None = None

    def head(self, rows: int) -> "Rows":
        """The first of them, without their truth."""
        return Rows(fed={name: values[:rows] for name, values in self.fed.items()}, told_NK=self.told_NK[:rows])


@dataclass(frozen=True, kw_only=True)
class Teller:
    """A model's preprocessor and network: what an export is held against."""

    fitted: Preprocessor
    network: Network

    def rows(self, inputs: Sequence[Input], typed: pl.DataFrame, encoded: Encoded) -> Rows:
        """What the model tells of typed rows, which are also given as tensors."""
        target = self.fitted.target
        return Rows(
            fed=columns.fed(inputs, self.fitted, typed, encoded),
            told_NK=network.answers(self.network, network.tensors(encoded.inputs), target),
            y_N=None if encoded.target is None else target.truth(encoded.target),
        )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What goes into an export, and the rows that its files are asked about: real ones and made-up edges."""

    inputs: list[Input]
    real: Rows
    made: Rows


def of_val(workspace: Workspace, teller: Teller) -> Asked:
    """Rows of val, of many a random sample; one whose file cannot be read is no part of it.

    Raises WorkspaceError where no row is left.
    """
    typed, encoded = _readable(*_sampled(workspace, teller.fitted))
    if typed.is_empty():
        raise WorkspaceError(
            "has no row that the model can read",
            where=workspace.relative(workspace.split / "val.parquet"),
            fix="run `keepfit run` first",
        )
    return asked(teller, typed, encoded, workspace.section(IngestSettings), workspace.media)


def asked(
    teller: Teller, typed: pl.DataFrame, encoded: Encoded, settings: IngestSettings, base: Path | None = None
) -> Asked:
    """These typed rows, also given as tensors, and the edges of their columns in the first of them.

    Rows of series have no edges: what goes in are their windows.
    """
    fitted = teller.fitted
    inputs = columns.inputs(fitted, typed, encoded, settings.null_values, settings.derive)
    real = teller.rows(inputs, typed, encoded)
    if fitted.series is not None:
        return Asked(inputs=inputs, real=real, made=real.head(0))
    edges = fidelity.edges(typed, inputs)
    return Asked(inputs=inputs, real=real, made=teller.rows(inputs, edges, fitted.encode(edges, base)))


def _sampled(workspace: Workspace, fitted: Preprocessor) -> tuple[pl.DataFrame, Encoded]:
    read = by_name(*dict.fromkeys([*fitted.columns, fitted.label]))
    val = artefacts.scan_parquet(workspace.split / "val.parquet").select(read).collect()
    if fitted.series is None:  # rows of series look at each other
        most = CHECKED_ROWS if fitted.own else MEASURED_ROWS
        val = val.sample(min(most, val.height), shuffle=True, seed=workspace.seed)
    chosen, encoded = fitted.samples(val, workspace.media, before(workspace, fitted, "val"))
    return val[chosen], encoded


def _readable(typed: pl.DataFrame, encoded: Encoded) -> tuple[pl.DataFrame, Encoded]:
    kept = np.setdiff1d(np.arange(typed.height), [*encoded.unread])
    inputs: dict[str, Any] = {name: tensor[kept] for name, tensor in encoded.inputs.items()}
    return typed[kept], Encoded(inputs=inputs, target=None if encoded.target is None else encoded.target[kept])
