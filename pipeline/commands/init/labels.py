"""What a new workspace says by the kind of its label: the gate of its settings, and the plots of its DAG."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.commands.init.files import PLOTS_OF_CLASSES
from pipeline.contract import LABELS, LabelKind
from pipeline.errors import DataError
from pipeline.infer import Inferred
from pipeline.infer.found import Found

FEWEST, MOST = 3, 11  # ranks: 0 to 10 is the longest scale that people are asked on
NOT_WORSE = "how much worse than the champion, at the low end, is not worse"
OF_CLASSES = {
    "METRIC": "auc",
    "SCALING": "quantile",
    "BASELINE": "majority",
    "STRONGER": "logistic_regression and hist_gradient_boosting",
    "LOSS": NOT_WORSE,
}
GATES: Mapping[LabelKind, Mapping[str, str]] = {
    "classes": OF_CLASSES,
    "ordinal": OF_CLASSES | {"METRIC": "quadratic_weighted_kappa"},
    "tags": OF_CLASSES | {"METRIC": "mean_average_precision"},
}

CURVE = """\
  - TITLE:
      x: step
      y:
        dvclive/plots/metrics/train/METRIC.tsv: METRIC
        dvclive/plots/metrics/val/METRIC.tsv: METRIC
"""
KAPPA = CURVE.replace("TITLE", "Quadratic weighted kappa").replace("METRIC", "quadratic_weighted_kappa")
PRECISION = CURVE.replace("TITLE", "Mean average precision").replace("METRIC", "mean_average_precision")
OF_TAGS = """\
  - Each tag:
      template: scatter
      x: recall
      y: {reports/plots/tags.json: precision}
"""
PLOTS: Mapping[LabelKind, str] = {
    "classes": PLOTS_OF_CLASSES,
    "ordinal": KAPPA + PLOTS_OF_CLASSES.partition("  - ROC:")[2].join(["  - ROC:", ""]),
    "tags": PRECISION + OF_TAGS,
}


def kind_of(found: Inferred) -> LabelKind:
    """What is to be told of the label."""
    return next((LABELS[column.modality] for column in found.columns if column.role == "label"), "classes")


def in_order(found: Inferred, order: Sequence[str]) -> Inferred:
    """The same with a label whose classes are in this order; of none in that of numbers.

    Raises DataError for an order that is not of all classes, and for a label that is text and has none.
    """
    column = next(column for column in found.columns if column.role == "label")
    where = f"{found.name}: {column.name}"
    if not order and not column.dtype.is_numeric():
        raise DataError("is text, and has no order of its own", where=where, fix="name it: --order low,middle,high")
    if order and column.distinct > len(order):
        what = f"has {column.distinct:,} different values, and the order names {len(order)}"
        raise DataError(what, where=where, fix="name all of them, from the lowest to the highest")
    return replace(found, columns=tuple(_ordered(each, order) for each in found.columns))


def doubt(found: Inferred) -> str | None:
    """What is to be said of classes that may be ranks: whole numbers from 0 or 1 on, none of them left out."""
    column = next(column for column in found.columns if column.role == "label")
    whole = column.modality == "categorical" and column.dtype.is_integer()
    if not whole or column.low not in (0, 1) or column.high is None or not FEWEST <= column.distinct <= MOST:
        return None
    if column.high - column.low + 1 != column.distinct:
        return None
    return (
        f"{column.name}: {column.low:g} to {column.high:g} look like ranks, and are taken for classes without an "
        "order; with `--order` they are learnt as ranks, of which a near miss is less wrong than a far one"
    )


def _ordered(column: Found, order: Sequence[str]) -> Found:
    if column.role != "label":
        return column
    return replace(column, modality="ordinal", order=tuple(order), why=f"{column.why}; its classes have an order")
