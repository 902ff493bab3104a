"""Rows without a label that belong to train: split sets them beside it, pre-training reads them."""

from typing import Any

from polars.selectors import by_name

from pipeline import artefacts, progress
from pipeline.features.preprocessor import Preprocessor
from pipeline.stages.split import UNLABELLED
from pipeline.workspace import Workspace


def inputs(workspace: Workspace, fitted: Preprocessor) -> dict[str, Any] | None:
    """The tensors of these rows by the preprocessor of train; None where there are none, or they are of series.

    A row whose file cannot be read is left out, which is told.
    """
    path = workspace.split / UNLABELLED
    if fitted.series is not None or not path.is_file():
        return None
    rows = artefacts.scan_parquet(path).select(by_name(*dict.fromkeys([*fitted.columns, fitted.label]))).collect()
    if rows.is_empty():
        return None
    encoded = fitted.encode(rows, workspace.media)
    if encoded.unread:
        progress.report(0.0, f"{len(encoded.unread):,} rows without a label are left out: their files cannot be read")
    read = [row for row in range(rows.height) if row not in encoded.unread]
    return {name: tensor[read] for name, tensor in encoded.inputs.items()}
