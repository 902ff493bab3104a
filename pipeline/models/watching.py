"""What a trained model is watched by: learnt from train and val, written beside its weights (used by train)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import artefacts, contract
from pipeline.drift import past, watch
from pipeline.drift.cuts import Kind
from pipeline.drift.joint import Joint
from pipeline.drift.watch import Held, Watch
from pipeline.features.preprocessor import Preprocessor
from pipeline.labels.confident import one_thread
from pipeline.models.saved import REFERENCE
from pipeline.predictor import PREDICTION
from pipeline.profile import Profile
from pipeline.workspace import Workspace

KINDS: Mapping[str, Kind] = {"numeric": "numeric", "timestamp": "numeric", "categorical": "categorical"}


def write(
    folder: Path, workspace: Workspace, fitted: Preprocessor, told: Mapping[str, np.ndarray], label_N: np.ndarray
) -> None:
    """Write watch.json: the past is of train, by the contract's time; what answers are worth is told by val.

    `told`: (N, K) the answers on train and val, `label_N` the encoded labels of val. A forecast has no watch: its rows
    and its answers are not the same.
    """
    if fitted.target.kind == "forecast":
        return
    known = Profile.read(folder / REFERENCE).columns
    kinds = {name: KINDS[each.kind] for name, each in known.items()}
    rows = {part: _rows(workspace, fitted, part, a_NK) for part, a_NK in told.items()}
    time = contract.load(workspace.contract_file).time
    learnt = past.learn(rows["train"], kinds, time=time)
    held = Held(fitted.target.truth(label_N), told["val"], rows["val"], time)
    watched = Watch.learn(learnt, fitted.label, fitted.target.kind, held)
    features = watched.past.only([name for name in kinds if name != PREDICTION])
    with one_thread():
        joint = Joint.learn(features, rows["train"], time=time)
    watched.model_copy(update={"joint": joint}).write(folder / watch.FILE)


def _rows(workspace: Workspace, fitted: Preprocessor, part: str, a_NK: np.ndarray) -> pl.LazyFrame:
    """The rows of a part with the numbers by which they are watched, and what is answered of them."""
    rows = fitted.watched(artefacts.scan_parquet(workspace.split / f"{part}.parquet"), workspace.media)
    return watch.frame(rows, {PREDICTION: fitted.target.watched(a_NK)})
