"""A batch of series: the rows before it that its rows look back at, and how well its future was forecast."""

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline import artefacts, metrics
from pipeline.contract import Contract
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.series import tail
from pipeline.features.target import Forecast
from pipeline.metrics import Scores
from pipeline.predictor import Predictor
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.together import block_of
from pipeline.workspace import Workspace


def past(workspace: Workspace, agreed: Contract, fitted: Preprocessor, batches: list[str]) -> pl.DataFrame | None:
    """Of each series the last rows that were trained on, and of the `batches` that came since; None for no series.

    Batches are read from the newest back, until there are as many rows as windows have steps.
    """
    if fitted.series is None:
        return None
    columns = by_name(*dict.fromkeys([*fitted.columns, fitted.label]))
    found = [tail(artefacts.scan_parquet(workspace.clean), fitted.series).select(columns)]
    enough, since = fitted.series.window * max(1, len(getattr(fitted.target, "groups", ()))), 0
    for batch in sorted(batches, reverse=True):
        path = workspace.incoming / batch
        if since >= enough or not path.is_file():
            break
        rows = ingest.read(path, batch, workspace.section(IngestSettings), agreed).typed.select(columns)
        found.insert(1, rows)
        since += rows.height
    return tail(pl.concat(found, how="vertical_relaxed").lazy(), fitted.series)


def scored(model: Predictor, others: dict[str, Predictor], rows: pl.DataFrame, seed: int) -> dict[str, Scores] | None:
    """Scores of others, by their names, on the rows whose whole horizon came; None for fewer than two such rows.

    All are judged in the unit of `model`.
    """
    target = model.preprocessor.target
    assert isinstance(target, Forecast)
    chosen, encoded = model.preprocessor.samples(rows, model.base, model.past)
    if len(chosen) < 2:
        return None
    truth_NH = target.truth(encoded.target)
    w_RN = metrics.resamples(len(chosen), seed, block=block_of(target, len(chosen)))
    told = {name: answers(other, target, rows)[chosen] for name, other in others.items()}
    values = {name: metrics.OF["forecast"].values(truth_NH, a_NH, target.at, w_RN) for name, a_NH in told.items()}
    return {name: metrics.scores(each) for name, each in values.items()}


def answers(model: Predictor, wanted: Forecast, rows: pl.DataFrame) -> np.ndarray:
    """(N, H) what a model forecasts, as answers of `wanted` are judged: groups may be scaled otherwise there."""
    known = model.preprocessor.target
    a_NH = model.answers(rows)
    return wanted.of_unit(known.in_unit(a_NH, rows), rows) if isinstance(known, Forecast) else a_NH
