"""Which rows of test are drawn together when intervals are made: read here, told by pipeline.judgement.units."""

import polars as pl
from polars.selectors import by_name

from pipeline import artefacts, contract
from pipeline.contract import ROW_ID
from pipeline.features.target import Forecast, Target
from pipeline.judgement import units
from pipeline.judgement.settings import EvaluateSettings
from pipeline.judgement.units import Units
from pipeline.stages.split import SplitRecord
from pipeline.workspace import Workspace

TWINS = 0.05  # of test, at most


def units_of_test(workspace: Workspace, target: Target, settings: EvaluateSettings, rows: int) -> Units:
    """Those of the rows of test, in their order: of a forecast those of a horizon, else as the settings say."""
    if isinstance(target, Forecast):
        return units.blocks(rows, block_of(target, rows))
    agreed = contract.load(workspace.contract_file)
    told = [*agreed.groups, *([] if agreed.time is None else [agreed.time])]
    part = artefacts.scan_parquet(workspace.split / "test.parquet").select(by_name(ROW_ID, *told)).collect()
    return units.units_of(part, agreed, settings.resample, in_time=_in_time(workspace, part, agreed.time))


def block_of(target: Target, rows: int) -> int:
    """How many rows are drawn together in a resample: of a forecast, whose rows stand by time, those of a horizon."""
    return min(target.horizon * max(1, len(target.groups)), rows) if isinstance(target, Forecast) else 1


def _in_time(workspace: Workspace, part: pl.DataFrame, time: str | None) -> bool:
    """Whether test comes after train, but for a few early rows: those that have a twin in it."""
    span = SplitRecord.read(workspace.split / "manifest.json").span
    if time is None or "train" not in span or not part.height:
        return False
    early = part[time].drop_nulls().sort()[: 1 + int(TWINS * part.height)]
    return bool(early.len()) and str(early[-1]) >= span["train"][1]
