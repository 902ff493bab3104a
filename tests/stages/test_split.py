"""Split: twins and groups stay together, shares are kept, time runs forward, the same seed splits the same."""

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline import artefacts, contract
from pipeline.contract import Column, Contract
from pipeline.errors import DataError, KeepfitError, SettingsError
from pipeline.quality.findings import FLAG_SCHEMA
from pipeline.stages import clean, ingest, split
from pipeline.stages.split import SPLITS, Keys, SplitRecord, SplitSettings
from pipeline.workspace import Workspace, parse_section

START = datetime(2024, 1, 1)
RANDOM = SplitSettings(method="random")
TIME = SplitSettings(method="time")


def keys(units: Sequence[int], labels: Sequence[str] | None = None, days: Sequence[float | None] | None = None) -> Keys:
    stamps = None if days is None else [None if d is None else START + timedelta(days=d) for d in days]
    return Keys(
        unit=np.asarray(units, dtype=np.int64),
        label=pl.Series(labels or ["a"] * len(units), dtype=pl.String),
        time=None if stamps is None else pl.Series(stamps, dtype=pl.Datetime("us")),
    )


def agreed(*columns: Column) -> Contract:
    return Contract(file=Path("made.py"), schema=pa.DataFrameSchema(), columns=columns, expectations=())


def column(name: str, role: Any, dtype: pl.DataType | None = None, modality: Any = None) -> Column:
    return Column(name=name, dtype=dtype or pl.Int64(), nullable=True, role=role, modality=modality)


X, GROUP, LABEL = column("x", "feature", modality="numeric"), column("g", "group"), column("y", "label")


def read_keys(rows: dict[str, list[Any]], *columns: Column) -> Keys:
    ids = [f"a#{i}" for i in range(len(next(iter(rows.values()))))]
    return split.keys(pl.LazyFrame({"row_id": ids} | rows), agreed(*columns))


def cleaned(tiny: Workspace, **settings: Any) -> Workspace:
    """Ingested and cleaned with the unlabelled rows flagged by hand; split by `settings`."""
    params = yaml.safe_load(tiny.params_file.read_text(encoding="utf-8"))
    tiny.params_file.write_text(yaml.safe_dump(params | {"split": settings}), encoding="utf-8")
    workspace = Workspace.open(tiny.root)
    ingest.run(workspace)
    rows = ingest.table(workspace, contract.load(workspace.contract_file)).rows
    unlabelled = rows.filter(pl.col("slow").is_null()).select("row_id", check=pl.lit("missing_label"))
    marked = unlabelled.with_columns(policy=pl.lit("quarantine"), score=pl.lit(1.0))
    empty = [pl.lit(None, dtype=pl.String).alias(name) for name in ("column", "value", "suggested", "rule")]
    artefacts.write_parquet(workspace.flags, marked.with_columns(empty).select(list(FLAG_SCHEMA)))
    clean.run(workspace)
    return workspace


def test_rows_without_a_label_are_told(tiny: Workspace) -> None:
    workspace = cleaned(tiny)
    for path in workspace.clean.glob("*.parquet"):
        pl.read_parquet(path).with_columns(pl.lit(None, pl.Boolean).alias("slow")).write_parquet(path)

    with pytest.raises(DataError, match=r"data/clean: 582 rows have no label `slow`"):
        split.run(workspace)


def test_a_folder_named_like_a_pattern_is_none(tiny: Workspace, tmp_path: Path) -> None:
    workspace = Workspace.open(cleaned(tiny).root.rename(tmp_path / "tiny [1]"))

    assert sum(split.run(workspace).rows.values()) == 582


def parts(workspace: Workspace) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(workspace.split / f"{name}.parquet") for name in SPLITS}


labels = st.sampled_from(["a", "b"])
rows_of = st.lists(st.tuples(st.integers(0, 12), labels), min_size=1, max_size=60)
dated = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 20)), min_size=3, max_size=60, unique_by=lambda row: row[1]
)


@given(rows_of, st.integers(0, 5))
def test_a_unit_never_straddles_two_splits(rows: list[tuple[int, str]], seed: int) -> None:
    units, named = zip(*rows, strict=True)
    placed = split.assign(keys(units, named), RANDOM, seed)

    for unit in set(units):
        assert len({int(p) for p, u in zip(placed, units, strict=True) if u == unit}) == 1


@given(rows_of, st.integers(0, 5), st.randoms())
def test_the_same_seed_gives_the_same_split_in_any_order(rows: list[tuple[int, str]], seed: int, random: Any) -> None:
    units, named = zip(*[(unit, "ab"[unit % 2]) for unit, _ in rows], strict=True)
    order = list(range(len(units)))
    random.shuffle(order)
    placed = split.assign(keys(units, named), RANDOM, seed)

    again = split.assign(keys([units[i] for i in order], [named[i] for i in order]), RANDOM, seed)

    assert again.tolist() == placed[order].tolist()


@given(st.integers(20, 400), st.integers(0, 9), st.floats(0.1, 0.4), st.floats(0.1, 0.4))
def test_shares_are_kept_within_each_class(rows: int, seed: int, val: float, test: float) -> None:
    named = ["a" if i % 3 else "b" for i in range(rows)]
    settings = SplitSettings(val_share=val, test_share=test)

    placed = split.assign(keys(range(rows), named), settings, seed)

    for label in "ab":
        mine = placed[np.array(named) == label]
        wanted = np.array([1 - val - test, val, test]) * len(mine)
        assert np.abs(np.bincount(mine, minlength=3) - wanted).max() <= 1


def test_another_seed_gives_another_split() -> None:
    one, other = (split.assign(keys(range(100)), RANDOM, seed).tolist() for seed in (1, 2))

    assert one != other


@given(dated, st.floats(0.1, 0.4), st.floats(0.1, 0.4))
def test_in_time_no_train_row_is_later_than_a_later_split_begins(
    rows: list[tuple[int, int]], val: float, test: float
) -> None:
    units, days = zip(*rows, strict=True)
    placed = split.assign(keys(units, days=days), SplitSettings(method="time", val_share=val, test_share=test), 0)

    last = {place: max((d for d, p in zip(days, placed, strict=True) if p == place), default=-1) for place in range(3)}
    newest = {unit: max(d for d, u in zip(days, units, strict=True) if u == unit) for unit in units}
    first_of = {
        place: min((newest[u] for u, p in zip(units, placed, strict=True) if p == place), default=99)
        for place in range(3)
    }
    assert last[0] < first_of[1] and last[0] < first_of[2]
    assert last[1] < first_of[2]
    for unit in set(units):
        assert len({int(p) for p, u in zip(placed, units, strict=True) if u == unit}) == 1


@given(st.integers(3, 60))
def test_in_time_rows_of_one_stamp_are_never_parted(rows: int) -> None:
    days = [i // 3 for i in range(rows)]

    placed = split.assign(keys(range(rows), days=days), TIME, 0)

    for day in set(days):
        assert len({int(p) for p, d in zip(placed, days, strict=True) if d == day}) == 1


@pytest.mark.parametrize(
    ("days", "val_days", "test_days", "places"),
    [
        ([0, 1, 2, 3, 3.9], 1, 1, [0, 0, 1, 2, 2]),
        ([0, 1, 2.5, 3, 3.9], 2, 1, [0, 1, 1, 2, 2]),
        ([0, 3.2, 3.6], 0.5, 0.5, [0, 1, 2]),
    ],
)
def test_the_last_whole_days_are_val_and_test(
    days: list[float], val_days: float, test_days: float, places: list[int]
) -> None:
    settings = SplitSettings(method="time", val_days=val_days, test_days=test_days)

    assert split.assign(keys(range(len(days)), days=days), settings, 0).tolist() == places


def test_series_are_cut_by_time_alone() -> None:
    rows = keys([0, 0, 0, 0], days=[1.0, 2.0, 3.0, 4.0])
    tied = SplitSettings(method="time", val_share=0.25, test_share=0.25)
    series = tied.model_copy(update={"together": False})

    together, apart = (split.assign(rows, settings, seed=0) for settings in (tied, series))

    assert (together.tolist(), apart.tolist()) == ([2, 2, 2, 2], [0, 0, 1, 2])
    with pytest.raises(ValueError, match="together: false belongs to method: time"):
        SplitSettings(together=False)


def test_rows_without_a_time_are_in_train() -> None:
    placed = split.assign(keys(range(5), days=[None, 0, 1, 2, 3]), SplitSettings(method="time"), 0)

    assert placed[0] == 0


@pytest.mark.parametrize("days", [None, [None, None, None]])
def test_a_split_by_time_needs_a_time(days: list[None] | None) -> None:
    with pytest.raises(DataError, match=r"params\.yaml: split\.method: a split by time needs a column of role `time`"):
        split.assign(keys(range(3), days=days), TIME, 0)


def test_a_grouped_split_needs_a_group() -> None:
    with pytest.raises(DataError, match=r"params\.yaml: split\.method: a grouped split needs a column of role `group`"):
        split.assign(keys(range(3)), SplitSettings(method="grouped"), 0)


def test_rows_that_look_the_same_to_the_model_are_twins() -> None:
    unit = read_keys({"x": [1, 2, 1, None, None], "y": [0, 0, 1, 0, 1]}, X, LABEL).unit

    assert unit[0] == unit[2] != unit[1]
    assert unit[3] == unit[4]


def test_rows_of_a_group_are_one_unit_and_so_are_their_twins() -> None:
    read = read_keys({"x": [1, 2, 2, 3, 4], "g": [7, 7, 8, 8, 9], "y": [0] * 5}, X, GROUP, LABEL)

    assert len(set(read.unit[:4])) == 1
    assert read.unit[4] != read.unit[0]
    assert read.grouped


def test_rows_without_a_group_are_in_no_group() -> None:
    unit = read_keys({"x": [1, 2, 3, 3], "g": [None, None, None, 5], "y": [0] * 4}, X, GROUP, LABEL).unit

    assert len({*unit.tolist()}) == 3
    assert unit[2] == unit[3]


def test_a_group_of_several_columns_is_both_together() -> None:
    rows: dict[str, list[Any]] = {"x": [1, 2, 3], "g": [1, 1, None], "h": [1, 2, 2], "y": [0] * 3}

    assert len(set(read_keys(rows, X, GROUP, column("h", "group"), LABEL).unit)) == 3


def test_a_tie_that_stands_many_times_still_ties() -> None:
    codes = [pl.Series([0] * 300 + [1]), pl.Series([5] * 300 + [5])]

    assert set(split.units(codes).tolist()) == {0}


@pytest.mark.parametrize("dtype", [pl.Date, pl.Datetime("ms"), pl.Datetime("us", "UTC")])
def test_every_kind_of_time_axis_splits(dtype: pl.DataType) -> None:
    days = pl.Series([date(2024, 1, d) for d in range(1, 11)]).cast(pl.Datetime("us")).cast(dtype)
    made = Keys(unit=np.arange(10), label=pl.Series(["a"] * 10), time=days)

    placed = split.assign(made, SplitSettings(method="time", val_days=2, test_days=3), 0)

    assert placed.tolist() == [0] * 5 + [1] * 2 + [2] * 3


@pytest.mark.parametrize(
    "written",
    [
        {"method": "chance"},
        {"val_share": 0},
        {"val_share": 0.5, "test_share": 0.5},
        {"method": "time", "val_days": 3},
        {"val_days": 3, "test_days": 3},
        {"method": "time", "val_days": -1, "test_days": 3},
    ],
)
def test_settings_that_leave_no_train_are_refused(written: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"params\.yaml: split"):
        parse_section(SplitSettings, written)


@pytest.mark.parametrize("settings", [{"method": "random"}, {"method": "time", "val_days": 10, "test_days": 10}])
def test_every_clean_row_is_in_one_split(tiny: Workspace, settings: dict[str, Any]) -> None:
    workspace = cleaned(tiny, **settings)

    record = split.run(workspace)

    files = parts(workspace)
    rows = pl.concat(files.values())
    assert rows["row_id"].n_unique() == rows.height == 582
    assert set(rows["row_id"]) == set(pl.read_parquet(sorted(workspace.clean.glob("*.parquet")))["row_id"])
    assert record.rows == {name: frame.height for name, frame in files.items()}
    assert SplitRecord.read(workspace.split / split.MANIFEST) == record
    assert {name: sum(counts.values()) for name, counts in record.sources.items()} == record.rows
    assert {name: sum(counts.values()) for name, counts in record.classes.items()} == record.rows


def test_exact_copies_in_two_files_are_in_one_split(tiny: Workspace) -> None:
    workspace = cleaned(tiny, method="random")
    split.run(workspace)

    for name in parts(workspace):
        ids = set(parts(workspace)[name]["row_id"])
        for i in range(2):
            assert (f"2024-01.csv.gz#{i}" in ids) == (f"2024-03.csv.gz#{198 + i}" in ids)


def test_by_time_train_ends_before_val_before_test(tiny: Workspace) -> None:
    workspace = cleaned(tiny, method="time", val_days=10, test_days=10)

    span = split.run(workspace).span

    assert span["train"][1] < span["val"][0] <= span["val"][1] < span["test"][0]


def test_the_same_seed_gives_the_same_bytes(tiny: Workspace) -> None:
    workspace = cleaned(tiny, method="random")

    def written() -> dict[str, bytes]:
        split.run(workspace)
        return {p.name: p.read_bytes() for p in workspace.split.iterdir()}

    assert written() == written()


def test_an_empty_split_leaves_the_last_output(tiny: Workspace) -> None:
    split.run(cleaned(tiny, method="random"))
    before = (tiny.split / "train.parquet").read_bytes()

    with pytest.raises(DataError, match="split: the train split has no row; bring more rows or columns"):
        split.run(cleaned(tiny, method="time", val_days=500, test_days=500))

    assert (tiny.split / "train.parquet").read_bytes() == before
    assert not list(tiny.root.rglob("*.tmp"))


def test_one_class_is_told(tiny: Workspace) -> None:
    tiny.params_file.write_text(tiny.params_file.read_text().replace("minutes > 30", "minutes > 3000"))

    with pytest.raises(DataError, match="slow has one class, false, in all rows that are left; bring rows of another"):
        split.run(cleaned(tiny, method="random"))


def test_a_label_may_be_called_like_our_own_columns() -> None:
    rows = pl.LazyFrame({"row_id": ["a#0", "b#0"], "source": [0, 1]})

    record = split.described({"train": rows, "val": rows, "test": rows}, agreed(X, column("source", "label")))

    assert record.classes["train"] == {"0": 1, "1": 1}
    assert record.sources["train"] == {"a": 1, "b": 1}


def test_what_was_not_cleaned_yet_is_told(tiny: Workspace) -> None:
    with pytest.raises(KeepfitError, match="is absent; run `keepfit run` first"):
        split.run(tiny)


QUANTITY = column("y", "label", pl.Float64(), "numeric")


def test_a_quantity_is_drawn_from_tenth_by_tenth() -> None:
    values = np.random.default_rng(1).gamma(1.0, 100.0, 1000)
    read = read_keys({"x": list(range(1000)), "y": values.tolist()}, X, QUANTITY)

    place = split.assign(read, RANDOM, seed=3)

    rows = pl.DataFrame({"tenth": read.label, "place": place}).group_by("tenth").agg(pl.col("place").value_counts())
    counted = rows.explode("place").unnest("place")
    assert read.label.n_unique() == split.PARTS
    assert counted.filter(place=0)["count"].to_list() == [70] * 10
    assert counted.filter(place=1)["count"].to_list() == [15] * 10


def test_each_split_has_its_share_of_the_rows_of_a_rare_tag() -> None:
    tags = dataclasses.replace(column("y", "label", pl.String(), "set"), format=";")
    cells = ["often;rare" if row % 50 == 0 else "often" for row in range(1000)]
    read = read_keys({"x": list(range(1000)), "y": cells}, X, tags)

    place = split.assign(read, RANDOM, seed=3)

    rare = place[[row % 50 == 0 for row in range(1000)]]
    assert set(read.label) == {"often", "rare"}
    assert np.bincount(rare).tolist() == [14, 3, 3]


@pytest.mark.parametrize("rows", [3, 20, 30, 100, 399])
def test_few_rows_of_a_quantity_are_shared_out_all_the_same(rows: int) -> None:
    read = read_keys({"x": list(range(rows)), "y": [float(i) for i in range(rows)]}, X, QUANTITY)

    place = split.assign(read, SplitSettings(method="random", val_share=0.3, test_share=0.3), seed=0)

    shares = np.bincount(place, minlength=3) / rows
    assert shares == pytest.approx([0.4, 0.3, 0.3], abs=0.07)


def test_the_same_value_is_in_one_part_and_what_is_not_finite_in_none() -> None:
    values = [1.0] * 30 + [2.0] * 10 + [None, float("nan"), float("inf")]

    parts = split.parts(pl.Series(values))

    assert parts[:30].n_unique() == 1
    assert parts[40:].to_list() == [None] * 3


def test_rows_without_a_quantity_are_told() -> None:
    read = read_keys({"x": [1, 2, 3], "y": [1.0, None, float("inf")]}, X, QUANTITY)

    with pytest.raises(DataError, match=r"2 rows have no label `y`"):
        split.require_labels(read.label, "y")


def test_a_split_of_one_value_is_an_error() -> None:
    rows = {name: pl.LazyFrame({"y": [1.0, 2.0 if name != "val" else 1.0]}) for name in SPLITS}

    with pytest.raises(DataError, match=r"the val split has 1 of the values of y"):
        split.require_values(rows, "y")


def test_an_empty_split_says_how_many_rows_stay_together() -> None:
    record = SplitRecord(rows={"train": 0, "val": 0, "test": 4}, classes={}, span={}, sources={})

    with pytest.raises(DataError, match="the train split has no row: its 4 rows are 2 sets that are of one group"):
        split.require_rows(record, keys([0, 0, 1, 1]), "time")
