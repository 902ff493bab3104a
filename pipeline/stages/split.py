"""Stage 4: rows → train, val and test: random stratified, grouped, or by time.

A random split keeps the shares of the label's classes, or of the tenths of a quantity. Rows that look the
same to the model (twins), and rows of one group, are one unit: they never straddle two splits. In a split by time the
last days, or the last share of the rows, are test, and those before are val; a unit that reaches into two splits goes
whole into the later one, so that train never holds a later row's twin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from pipeline import artefacts, contract
from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import DataError
from pipeline.links import sets_of
from pipeline.workspace import Section, Workspace

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
MANIFEST = "manifest.json"
PARTS = 10  # of a quantity's range, each drawn from by itself
ROWS_A_PART = 20  # with fewer a part would have none for val or test


class SplitSettings(Section):
    """How rows are split: by `method`, into shares of the rows, or for `time` into the last days."""

    key: ClassVar[str] = "split"
    method: Literal["random", "grouped", "time"] = "random"
    val_share: float = Field(default=0.15, gt=0, lt=1)
    test_share: float = Field(default=0.15, gt=0, lt=1)
    val_days: float | None = Field(default=None, gt=0)
    test_days: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _leaves_train(self) -> Self:
        if self.val_share + self.test_share >= 1:
            raise ValueError("val_share + test_share must be below 1, so that train has rows")
        if (self.val_days is None) != (self.test_days is None):
            raise ValueError("val_days and test_days go together")
        if self.val_days is not None and self.method != "time":
            raise ValueError("val_days and test_days belong to method: time")
        return self


class SplitRecord(Record):
    """What went where: rows (also by class, of a label of classes), time span and rows by source file of each split."""

    rows: dict[SplitName, int]
    classes: dict[SplitName, dict[str, int]]
    span: dict[SplitName, tuple[str, str]]
    sources: dict[SplitName, dict[str, int]]


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a split looks at, one entry a row, in the order of the rows.

    `unit` (N,) int: rows of one unit stay together; `label` (N,) text, null where there is none: the class, or which
    part of a quantity's range; `time` (N,) datetime or None; `grouped`: whether the contract has a group column.
    """

    unit: np.ndarray
    label: pl.Series
    time: pl.Series | None
    grouped: bool = False


def run(workspace: Workspace) -> SplitRecord:
    """Split the clean rows; raises DataError when a split would be empty, or of one class or value."""
    settings, agreed = workspace.section(SplitSettings), contract.load(workspace.contract_file)
    rows = artefacts.scan_parquet(workspace.clean)
    seen = keys(rows, agreed)
    require_labels(seen.label, agreed.label.name)
    fates = assign(seen, settings, workspace.seed)
    marked = rows.select(ROW_ID).collect().with_columns(split=pl.Series([SPLITS[i] for i in range(3)]).gather(fates))
    with artefacts.replacing(workspace.split) as folder:
        for name in SPLITS:
            chosen = marked.lazy().filter(pl.col("split") == name).select(ROW_ID)
            part = rows.join(chosen, on=ROW_ID, how="semi", maintain_order="left")
            artefacts.write_parquet(folder / f"{name}.parquet", part)
        record = described({n: artefacts.scan_parquet(folder / f"{n}.parquet") for n in SPLITS}, agreed)
        if agreed.label.is_quantity:
            require_values({n: artefacts.scan_parquet(folder / f"{n}.parquet") for n in SPLITS}, agreed.label.name)
        else:
            require_classes(record, agreed.label.name)
        record.write(folder / MANIFEST)
    return record


def keys(rows: pl.LazyFrame, agreed: Contract) -> Keys:
    """Read what a split looks at: twins by the hash of what the model sees, groups by the group columns.

    A row whose group columns are all null is in no group.
    """
    twin = pl.struct(column.name for column in agreed.features).hash(seed=0).alias("#twin")
    group = [_group(agreed.groups).alias("#group")] if agreed.groups else []
    label = pl.col(agreed.label.name).cast(pl.Float64 if agreed.label.is_quantity else pl.String).alias("#label")
    time = [] if agreed.time is None else [pl.col(agreed.time).alias("#time")]
    seen = rows.select(twin, *group, label, *time).collect(engine="streaming")
    ties = [seen[name] for name in ("#twin", "#group") if name in seen.columns]
    stamps = None if agreed.time is None else seen["#time"]
    strata = parts(seen["#label"]) if agreed.label.is_quantity else seen["#label"]
    return Keys(unit=units(ties), label=strata, time=stamps, grouped=bool(group))


def parts(values: pl.Series) -> pl.Series:
    """(N,) text: which tenth of the rows each value is in, of few rows which coarser part; null for no finite value.

    >>> parts(pl.Series([float(i) for i in range(40)])).value_counts(sort=True).rows()
    [('0', 20), ('1', 20)]
    """
    known = pl.select(pl.when(values.is_finite()).then(values)).to_series()
    rows = known.count()
    most = min(max(rows // ROWS_A_PART, 1), PARTS)
    return ((known.rank() - 0.5) / max(rows, 1) * most).floor().cast(pl.Int64).cast(pl.String)


def _group(columns: list[str]) -> pl.Expr:
    together = pl.struct(columns).hash(seed=0)
    return pl.when(pl.all_horizontal(pl.col(columns).is_null())).then(pl.col(ROW_ID).hash(seed=1)).otherwise(together)


def units(ties: Sequence[pl.Series]) -> np.ndarray:
    """Number the units: rows that share a value in any of `ties`, directly or through others, are one.

    >>> units([pl.Series([1, 1, 2, 3]), pl.Series(["a", "b", "b", "c"])]).tolist()
    [0, 0, 0, 1]
    """
    codes = [tie.rank("dense").to_numpy().astype(np.int64) - 1 for tie in ties]
    if len(codes) == 1:
        return codes[0]
    first, second = codes[0], codes[1] + codes[0].max() + 1
    return sets_of(first, second, int(second.max()) + 1)[first]


def assign(keys: Keys, settings: SplitSettings, seed: int) -> np.ndarray:
    """The split of each row as its place in SPLITS, (N,) int; pure: the same in, the same out."""
    if settings.method == "time":
        return _by_time(keys, settings)
    if settings.method == "grouped" and not keys.grouped:
        raise DataError(
            "a grouped split needs a column of role `group`, the contract has none",
            where="params.yaml: split.method",
            fix="give a column the role, or use `random`",
        )
    return _by_chance(keys, settings, seed)


def _by_time(keys: Keys, settings: SplitSettings) -> np.ndarray:
    if keys.time is None or keys.time.null_count() == len(keys.time):
        raise DataError(
            "a split by time needs a column of role `time` with values, and there is none",
            where="params.yaml: split.method",
            fix="give a column the role, or use `random`",
        )
    starts = _starts(keys.time.drop_nulls().cast(pl.Datetime("us")).sort(), settings)
    stamps = keys.time.cast(pl.Datetime("us"))
    place = sum((stamps >= start).fill_null(False).cast(pl.Int64).to_numpy() for start in starts)
    latest = np.zeros(int(keys.unit.max()) + 1, dtype=np.int64)
    np.maximum.at(latest, keys.unit, place)
    return latest[keys.unit]


def _starts(stamps: pl.Series, settings: SplitSettings) -> tuple[object, object]:
    """The first stamps of val and of test; rows of one stamp are never parted."""
    if settings.val_days is not None and settings.test_days is not None:
        day = pl.duration(days=1)
        end = pl.lit(stamps[-1]).dt.truncate("1d") + day  # whole days, the last included
        test = end - settings.test_days * day
        return pl.select(test - settings.val_days * day).item(), pl.select(test).item()
    at_val = int(len(stamps) * (1 - settings.val_share - settings.test_share))
    return stamps[at_val], stamps[int(len(stamps) * (1 - settings.test_share))]


def _by_chance(keys: Keys, settings: SplitSettings, seed: int) -> np.ndarray:
    """Units in an order drawn by the seed, cut within each class where its shares of the rows are reached."""
    rows = pl.DataFrame({"unit": keys.unit, "label": keys.label})
    members = rows.group_by("unit").agg(pl.len(), pl.col("label").first()).sort("unit")
    drawn = np.random.default_rng(seed).permutation(members.height)
    reached = (pl.col("len").cum_sum() - pl.col("len") / 2) / pl.col("len").sum()
    train = 1 - settings.val_share - settings.test_share
    place = (reached.over("label", order_by="drawn") > train).cast(pl.Int64) + (
        reached.over("label", order_by="drawn") > train + settings.val_share
    ).cast(pl.Int64)
    placed = members.with_columns(drawn=pl.Series(drawn)).with_columns(place=place)["place"].to_numpy()
    return placed[np.searchsorted(members["unit"].to_numpy(), keys.unit)]


def described(splits: dict[SplitName, pl.LazyFrame], agreed: Contract) -> SplitRecord:
    """Count what is in each split, from the files as written."""
    label, source = pl.col(agreed.label.name).cast(pl.String), pl.col(ROW_ID).str.extract(r"^(.*)#\d+$")
    counted = {} if agreed.label.is_quantity else {name: _count(rows, label) for name, rows in splits.items()}
    return SplitRecord(
        rows={name: rows.select(pl.len()).collect().item() for name, rows in splits.items()},
        classes=counted,
        span={} if agreed.time is None else {name: _span(rows, agreed.time) for name, rows in splits.items()},
        sources={name: _count(rows, source) for name, rows in splits.items()},
    )


def _count(rows: pl.LazyFrame, value: pl.Expr) -> dict[str, int]:
    """Rows by value, in its order."""
    counted = rows.group_by(value.alias("value")).len().sort("value")
    return dict(counted.collect(engine="streaming").iter_rows())


def _span(rows: pl.LazyFrame, time: str) -> tuple[str, str]:
    ends = rows.select(first=pl.col(time).min(), last=pl.col(time).max()).collect().row(0)
    return str(ends[0]), str(ends[1])


def require_labels(values: pl.Series, label: str) -> None:
    """Raise DataError when a row has no label."""
    if values.null_count():
        raise DataError(
            f"{values.null_count():,} rows have no label `{label}`, and none can be learnt from or judged by",
            where="data/clean",
            fix="set checks.missing_label to quarantine in params.yaml; a number must be finite",
        )


def require_values(splits: dict[SplitName, pl.LazyFrame], label: str) -> None:
    """Raise DataError when a split has fewer than two values of a quantity: nothing can be learnt or judged there."""
    for name, rows in splits.items():
        found = rows.select(pl.col(label).n_unique()).collect().item()
        if found < 2:
            raise DataError(
                f"the {name} split has {found} of the values of {label}, and needs two at least",
                where="params.yaml: split",
                fix="bring more rows, or change the method, the shares or the days",
            )


def require_classes(record: SplitRecord, label: str) -> None:
    """Raise DataError when a split has no row, or fewer classes of the label than there are."""
    every = {value for counted in record.classes.values() for value in counted}
    if len(every) < 2:
        raise DataError(
            f"{label} has one class, {', '.join(every)}, in all rows that are left",
            where="data/clean",
            fix="bring rows of another class, or look at the label's rule (ingest.derive in params.yaml)",
        )
    for name in SPLITS:
        if lacking := sorted(every - set(record.classes[name])):
            raise DataError(
                f"the {name} split has no row of {label} = {', '.join(lacking)}, and needs each of {len(every)} values",
                where="params.yaml: split",
                fix="bring more rows, change the method, the shares or the days, or set classes of few rows aside "
                "(rare_class: quarantine, under checks)",
            )
