"""Stage 4: rows → train, val and test: random stratified, grouped, or by time.

A random split keeps the shares of the label's classes, of the tenths of a quantity, or of the rarest tag of each row.
Rows that look the same to the model (twins), and rows of one group, are one unit: they never straddle two splits. In a
split by time the last days, or the last share of the rows, are test, and those before are val; a unit that reaches into
two splits goes whole into the later one, so that train never holds a later row's twin. Series are cut by time alone.

Rows that lack nothing but their label are set beside train, for a pre-training, unless they are of a unit with a row of
val or test, or come after train.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, get_args

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from pipeline import artefacts, contract
from pipeline.artefacts import Record
from pipeline.contract import ROW_ID, Column, Contract
from pipeline.errors import DataError
from pipeline.policy.window import Window, within
from pipeline.tables import tags
from pipeline.tables.links import sets_of
from pipeline.workspace import Section, Workspace

SplitName = Literal["train", "val", "test"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)
MANIFEST = "manifest.json"
UNLABELLED = "unlabelled.parquet"  # as clean sets it aside, and as it belongs to train
PARTS = 10  # of a quantity's range, each drawn from by itself
ROWS_A_PART = 20  # with fewer a part would have none for val or test


class SplitSettings(Section):
    """How rows are split: by `method`, into shares of the rows, or for `time` into the last days."""

    key: ClassVar[str] = "split"
    method: Literal["random", "grouped", "time"] = "random"
    val_share: float = Field(default=0.15, gt=0, lt=1)
    test_share: float = Field(default=0.15, gt=0, lt=1)
    together: bool = Field(
        default=True,
        description="whether rows that look the same, and those of one group, stay together; false for series, which "
        "are cut by time alone",
    )
    val_days: float | None = Field(default=None, gt=0)
    test_days: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _leaves_train(self) -> Self:
        if self.val_share + self.test_share >= 1:
            raise ValueError("val_share + test_share must be below 1, so that train has rows")
        if not self.together and self.method != "time":
            raise ValueError("together: false belongs to method: time")
        if (self.val_days is None) != (self.test_days is None):
            raise ValueError("val_days and test_days go together")
        if self.val_days is not None and self.method != "time":
            raise ValueError("val_days and test_days belong to method: time")
        return self


class Unlabelled(Record):
    """What became of the rows without a label: `beside` train, of a unit with a row of val or test, or after train."""

    rows: int
    beside: int
    tied: int
    after: int

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.beside + self.tied + self.after != self.rows:
            raise ValueError(f"{self.rows} rows must be {self.beside} beside, {self.tied} tied and {self.after} after")
        return self


class SplitRecord(Record):
    """What went where: rows (also by class or tag of the label), time span and rows by source file of each split.

    `outside`: rows of train that the window of a retraining leaves out; they are in no split.
    """

    rows: dict[SplitName, int]
    classes: dict[SplitName, dict[str, int]]
    span: dict[SplitName, tuple[str, str]]
    sources: dict[SplitName, dict[str, int]]
    unlabelled: Unlabelled = Unlabelled(rows=0, beside=0, tied=0, after=0)
    outside: int = 0


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a split looks at, one entry a row, in the order of the rows.

    `unit` (N,) int: rows of one unit stay together; `label` (N,) text, null where there is none: the class, which part
    of a quantity's range, or the rarest of the tags; `time` (N,) datetime or None; `grouped`: whether the contract has
    a group column.
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
    marked, outside = within(marked, seen.time, Window.of(workspace), workspace.seed)
    without = artefacts.scan_parquet(workspace.quarantine / UNLABELLED)
    beside, became = belonging(rows, without, fates, agreed, settings)
    with artefacts.replacing(workspace.split) as folder:
        artefacts.write_parquet(folder / UNLABELLED, beside)
        for name in SPLITS:
            chosen = marked.lazy().filter(pl.col("split") == name).select(ROW_ID)
            part = rows.join(chosen, on=ROW_ID, how="semi", maintain_order="left")
            artefacts.write_parquet(folder / f"{name}.parquet", part)
        record = described({n: artefacts.scan_parquet(folder / f"{n}.parquet") for n in SPLITS}, agreed)
        record = record.model_copy(update={"unlabelled": became, "outside": outside})
        require_rows(record, seen, settings.method)
        require({n: artefacts.scan_parquet(folder / f"{n}.parquet") for n in SPLITS}, record, agreed.label)
        record.write(folder / MANIFEST)
    return record


def keys(rows: pl.LazyFrame, agreed: Contract) -> Keys:
    """Read what a split looks at: twins by the hash of what the model sees, groups by the group columns.

    A row whose group columns are all null is in no group.
    """
    label = _label(agreed.label).alias("#label")
    time = [] if agreed.time is None else [pl.col(agreed.time).alias("#time")]
    seen = rows.select(*_ties(agreed), label, *time).collect(engine="streaming")
    ties = [seen[name] for name in ("#twin", "#group") if name in seen.columns]
    stamps = None if agreed.time is None else seen["#time"]
    strata = STRATA.get(agreed.label.label_kind, _itself)(seen["#label"])
    return Keys(unit=units(ties), label=strata, time=stamps, grouped=bool(agreed.groups))


def _ties(agreed: Contract) -> list[pl.Expr]:
    """What holds rows together: what the model sees of them, and their group."""
    twin = pl.struct(column.name for column in agreed.features).hash(seed=0).alias("#twin")
    return [twin, _group(agreed.groups).alias("#group")] if agreed.groups else [twin]


def belonging(
    rows: pl.LazyFrame, without: pl.LazyFrame, fates: np.ndarray, agreed: Contract, settings: SplitSettings
) -> tuple[pl.LazyFrame, Unlabelled]:
    """The rows without a label that belong to train, and what became of all; `fates` are those of the labelled `rows`.

    In a split by time a row without a stamp may be of any time, and belongs to none.
    """
    seen = [part.select(*_ties(agreed)).collect(engine="streaming") for part in (rows, without)]
    unit = units([pl.concat([part.to_series(tie) for part in seen]) for tie in range(seen[0].width)])
    of_later = np.isin(unit[len(fates) :], unit[: len(fates)][fates > 0])
    after = np.zeros(len(of_later), dtype=bool)
    if settings.method == "time" and agreed.time is not None:
        last = rows.select(agreed.time).collect().to_series().filter(pl.Series(fates == 0)).max()
        after = without.select((pl.col(agreed.time) > pl.lit(last)).fill_null(True)).collect().to_series().to_numpy()
    chosen = without.filter(pl.Series(~of_later & ~after))
    tied, rest = int(of_later.sum()), int((after & ~of_later).sum())
    return chosen, Unlabelled(rows=len(after), beside=len(after) - tied - rest, tied=tied, after=rest)


def _label(column: Column) -> pl.Expr:
    cell = pl.col(column.name)
    if column.label_kind == "tags":
        return tags.parted(cell, str(column.format))
    return cell.cast(pl.Float64 if column.is_quantity else pl.String)


def _itself(values: pl.Series) -> pl.Series:
    return values


def rarest(held: pl.Series) -> pl.Series:
    """(N,) text: the tag of each row that the fewest rows have, `` of a row without any; null for no label.

    So that each split has its share of the rows of rare tags, as in iterative stratification (Sechidis et al. 2011),
    which places the rarest first.

    >>> rarest(pl.Series([["a", "b"], ["a"], [], None])).to_list()
    ['b', 'a', '', None]
    """
    long = pl.DataFrame({"row": np.arange(len(held)), "tag": held}).explode("tag", empty_as_null=True, keep_nulls=True)
    ranked = long.drop_nulls("tag").with_columns(rows=pl.len().over("tag")).sort("rows", "tag")
    first = ranked.unique("row", keep="first", maintain_order=True).select("row", "tag")
    named = pl.DataFrame({"row": np.arange(len(held))}).join(first, on="row", how="left", maintain_order="left")["tag"]
    return named.fill_null("").zip_with(held.is_not_null(), pl.Series([None], dtype=pl.String))


def parts(values: pl.Series) -> pl.Series:
    """(N,) text: which tenth of the rows each value is in, of few rows which coarser part; null for no finite value.

    >>> parts(pl.Series([float(i) for i in range(40)])).value_counts(sort=True).rows()
    [('0', 20), ('1', 20)]
    """
    known = pl.select(pl.when(values.is_finite()).then(values)).to_series()
    rows = known.count()
    most = min(max(rows // ROWS_A_PART, 1), PARTS)
    return ((known.rank() - 0.5) / max(rows, 1) * most).floor().cast(pl.Int64).cast(pl.String)


STRATA: Mapping[str, Callable[[pl.Series], pl.Series]] = {"quantity": parts, "tags": rarest}


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
    if not settings.together:
        return np.asarray(place)
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
    label, source = agreed.label, pl.col(ROW_ID).str.extract(r"^(.*)#\d+$")
    return SplitRecord(
        rows={name: rows.select(pl.len()).collect().item() for name, rows in splits.items()},
        classes={} if label.is_quantity else {name: _classes(rows, label) for name, rows in splits.items()},
        span={} if agreed.time is None else {name: _span(rows, agreed.time) for name, rows in splits.items()},
        sources={name: _count(rows, source) for name, rows in splits.items()},
    )


def _classes(rows: pl.LazyFrame, label: Column) -> dict[str, int]:
    """Rows by class, or by tag."""
    cell = pl.col(label.name)
    if label.label_kind == "tags":
        return dict(sorted(tags.counted(rows, cell, str(label.format)).items()))
    return _count(rows, cell.cast(pl.String))


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


def require(splits: dict[SplitName, pl.LazyFrame], record: SplitRecord, label: Column) -> None:
    """Raise DataError when a split has too few of the label's values to learn from or to judge by."""
    if label.label_kind in ("quantity", "tags"):
        require_values(splits, label.name)
    elif label.label_kind == "ordinal":
        require_values(splits, label.name)
        require_ranks(record, label)
    else:
        require_classes(record, label.name)


def require_ranks(record: SplitRecord, label: Column) -> None:
    """Raise DataError for a class that the order does not name, or that train has no row of."""
    every = {value for counted in record.classes.values() for value in counted}
    if label.order and (unknown := sorted(every - set(label.order))):
        raise DataError(
            f"{label.name} has {', '.join(unknown)}, which its order does not name",
            where="data/clean",
            fix="mend the cells, or the `order` in the contract",
        )
    if lacking := sorted(every - set(record.classes["train"])):
        raise DataError(
            f"the train split has no row of {label.name} = {', '.join(lacking)}, and cannot rank what it never saw",
            where="params.yaml: split",
            fix="bring more rows, change the method or the shares, or set classes of few rows aside (rare_class: "
            "quarantine, under checks)",
        )


def require_values(splits: dict[SplitName, pl.LazyFrame], label: str) -> None:
    """Raise DataError when a split has fewer than two values of the label: nothing can be learnt or judged there."""
    for name, rows in splits.items():
        found = rows.select(pl.col(label).n_unique()).collect().item()
        if found < 2:
            raise DataError(
                f"the {name} split has {found} of the values of {label}, and needs two at least",
                where="params.yaml: split",
                fix="bring more rows, or change the method, the shares or the days",
            )


def require_rows(record: SplitRecord, seen: Keys, method: str) -> None:
    """Raise DataError when a split has no row, as may be where many rows stay together."""
    lacking = [name for name in SPLITS if not record.rows[name]]
    if not lacking:
        return
    rows, together = len(seen.unit), len(np.unique(seen.unit))
    whole = "all of them in the latest split that one reaches" if method == "time" else "all of them in one split"
    kin = f": its {rows:,} rows are {together:,} sets that are of one group, or alike to the model, {whole}"
    raise DataError(
        f"the {lacking[0]} split has no row{kin * (2 * together <= rows)}",
        where="params.yaml: split",
        fix="bring more rows or columns, or change the method, the shares or the days",
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
