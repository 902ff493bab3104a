"""The rows of a split as a network sees them: normalize writes them, evaluate asks the champion about them.

Rows of series look back at those of earlier splits, which is no leak; nothing of a later one is looked at.
"""

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline import artefacts
from pipeline.errors import SettingsError
from pipeline.features.preprocessor import Encoded, Preprocessor
from pipeline.features.series import tail
from pipeline.stages.split import SPLITS, SplitName
from pipeline.workspace import Workspace


def samples(workspace: Workspace, fitted: Preprocessor, name: SplitName) -> tuple[np.ndarray, Encoded]:
    """The rows of a split that are learnt from or judged by, and their tensors; series look back at earlier splits."""
    part = artefacts.scan_parquet(workspace.split / f"{name}.parquet")
    read = part.select(by_name(*dict.fromkeys([*fitted.columns, fitted.label]))).collect()
    return fitted.samples(read, workspace.media, before(workspace, fitted, name))


def before(workspace: Workspace, fitted: Preprocessor, name: SplitName) -> pl.DataFrame | None:
    """What rows of a split may look back at: of each series the last rows of the splits before it; None for no series.

    Raises SettingsError where a forecast's splits are not one after the other.
    """
    earlier = [artefacts.scan_parquet(workspace.split / f"{each}.parquet") for each in SPLITS[: SPLITS.index(name)]]
    if fitted.series is None or not earlier:
        return None
    time = by_name(fitted.series.time)
    last = max(filter(None, (part.select(time.max()).collect().item() for part in earlier)), default=None)
    first = artefacts.scan_parquet(workspace.split / f"{name}.parquet").select(time.min()).collect().item()
    if fitted.series.horizon and last is not None and first is not None and first <= last:
        raise SettingsError(
            f"{name} begins at {first}, and rows before it reach to {last}: a forecast would know its future",
            where="params.yaml: split",
            fix="set method: time and together: false",
        )
    return tail(pl.concat(earlier), fitted.series)
