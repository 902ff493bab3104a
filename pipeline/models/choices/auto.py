"""What suits where nothing is set: the backbone of a table (`train.model: auto`), how long it is trained, batches.

The rules are from Gorishniy et al. 2025 (https://arxiv.org/abs/2410.24210): of its 46 tables, TabM is on average the
best network and before boosted trees, at any number of rows, columns and classes; what it costs is time.
"""

import math
from typing import Literal, NamedTuple

from pydantic import Field

from pipeline.artefacts import Record
from pipeline.models.choices.optimization import ScheduleSettings

BackboneName = Literal["linear", "mlp", "resnet", "ft_transformer", "tabm"]
FEW_ROWS_AN_OUTPUT = 200  # of 320 rows of a table of days, rain or not, linear told 0.747, TabM 0.724
TABM_ROWS = 200_000  # of few columns: about an hour of two cores, at 1 ms a row and epoch of one core and 40 epochs
TABM_COLUMNS = 64  # so many columns take twice the time of few
BATCHES = ((2_800, 32), (4_500, 64), (6_400, 128), (32_000, 256), (108_000, 512), (math.inf, 1024))  # (below, size)


class Length(NamedTuple):
    """How long a network is trained: at most so many epochs, how many that are no better in a row, the rate's way."""

    epochs: int
    patience: int
    schedule: ScheduleSettings


# The papers of tables train at one rate until val is no better for 16 epochs; the few epochs of warm-up are the house's
OF_TABLES = Length(200, 16, ScheduleSettings(kind="constant", warmup_share=0.01))
OF_OTHERS = Length(12, 3, ScheduleSettings())  # with columns that have an encoder of their own, which takes long


class Size(Record):
    """What training sees: rows, columns of the table, columns with an encoder of their own, outputs."""

    rows: int = Field(ge=0)
    columns: int = Field(ge=0)
    own: int = Field(ge=0)
    outputs: int = Field(ge=1)


class Pick(Record):
    """A backbone, and why it."""

    backbone: BackboneName
    why: str


def pick(size: Size, *, gpu: bool) -> Pick:
    """The backbone for a table of that size, on a GPU or on the CPU alone.

    >>> pick(Size(rows=20_000, columns=14, own=0, outputs=2), gpu=False).backbone
    'tabm'
    """
    table = f"{size.rows:,} rows, {size.columns} columns, {size.outputs} outputs"
    if size.own:
        return Pick(backbone="mlp", why=f"mlp: {size.own} columns have an encoder of their own, which tells most")
    if size.rows < FEW_ROWS_AN_OUTPUT * size.outputs:
        return Pick(backbone="linear", why=f"linear: {table}: too few rows for more")
    if gpu or size.rows * (1 + size.columns / TABM_COLUMNS) <= TABM_ROWS:
        return Pick(backbone="tabm", why=f"tabm: {table}: the best of the networks, and affordable")
    return Pick(backbone="mlp", why=f"mlp: {table}: tabm would take hours without a GPU")


def batch_size(rows: int) -> int:
    """Rows of a step for so many of train, as TabM's paper chose them for its tables.

    >>> [batch_size(rows) for rows in (1_000, 26_000, 500_000)]
    [32, 256, 1024]
    """
    return next(size for below, size in BATCHES if rows < below)
