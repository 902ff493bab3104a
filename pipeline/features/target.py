"""The label → the tensor that the network is to tell, and back. Fitted on train alone, kept as JSON."""

from collections.abc import Sequence
from typing import Annotated, TypeAlias

import polars as pl
from pydantic import Field, TypeAdapter

from pipeline.contract import Column
from pipeline.errors import SettingsError
from pipeline.features.targets.classes import Classes
from pipeline.features.targets.forecast import Forecast
from pipeline.features.targets.ordinal import Ordinal
from pipeline.features.targets.quantiles import MEDIAN, Quantiles
from pipeline.features.targets.quantity import Quantity
from pipeline.features.targets.tags import Tags

__all__ = ["MEDIAN", "TARGET", "Classes", "Forecast", "Ordinal", "Quantiles", "Quantity", "Tags", "Target", "fit"]

Target: TypeAlias = Classes | Quantity | Ordinal | Quantiles | Tags | Forecast
TARGET: TypeAdapter[Target] = TypeAdapter(Annotated[Target, Field(discriminator="kind")])


def with_quantiles(target: Target, quantiles: Sequence[float]) -> Target:
    """The target as the settings ask for it; raises SettingsError for quantiles of what is no quantity."""
    if not quantiles:
        return target
    if not isinstance(target, Quantity):
        raise no_quantiles(target.column, target.kind)
    return Quantiles.of(target, quantiles)


def no_quantiles(label: str, kind: str) -> SettingsError:
    """The error of quantiles where the label is told as something that has none."""
    leave = "leave them out"
    return SettingsError(
        f"quantiles are of a number, and {label} is told as {kind}",
        where="params.yaml: train.loss.quantiles",
        fix=leave if kind == "forecast" else f"{leave}, or give the label the modality `numeric`",
    )


def fit(label: Column, rows: pl.LazyFrame) -> Target:
    """What the label is, as the contract says, learnt from the training rows."""
    match label.label_kind:
        case "quantity":
            return Quantity.fit(label.name, rows)
        case "ordinal":
            return Ordinal.fit(label.name, rows, order=label.order)
        case "tags":
            return Tags.fit(label.name, rows, written=str(label.format))
        case "classes":
            return Classes.fit(label.name, rows, label.positive)
