"""The chart of the history: how far each column was from the training data, over all batches that were ever watched."""

from collections.abc import Sequence

import polars as pl
from markupsafe import Markup

from pipeline.reports import charts
from pipeline.reports.charts import Series
from pipeline.wording import clip

COLUMNS = 12
POINTS = 400  # more batches than this are told by the largest effect of each few


def drawn(history: pl.DataFrame) -> list[tuple[str, Markup]]:
    """(column, chart) of those that were ever farthest away, by falling effect; none for fewer than two batches."""
    effects = history.filter(pl.col("measure") == "effect")
    if effects["batch"].n_unique() < 2:
        return []
    order = {batch: place for place, batch in enumerate(effects["batch"].unique().sort())}
    far = effects.group_by("column").agg(pl.col("value").max()).sort("value", "column", descending=[True, False])
    return [(clip(name), _chart(effects, name, order)) for name in far["column"].head(COLUMNS)]


def _chart(effects: pl.DataFrame, name: str, order: dict[str, int]) -> Markup:
    own = effects.filter(pl.col("column") == name).sort("batch")
    points = [(order[batch] + 1.0, value) for batch, value in zip(own["batch"], own["value"], strict=True)]
    series = [Series(name=name, points=_fewer(points), style="own")]
    label = f"the effect of the drift of {name}, batch by batch"
    return charts.lines(series, label, names=("batch", "effect"))


def _fewer(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // POINTS)
    parts = [points[at : at + step] for at in range(0, len(points), step)]
    return [max(part, key=lambda point: point[1]) for part in parts]
