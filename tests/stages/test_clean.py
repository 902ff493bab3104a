"""Clean: every row is kept, merged or quarantined with its reason, counted from the files."""

import dataclasses
from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import checks, contract
from pipeline.cleaning.ledger import Ledger
from pipeline.cleaning.plan import CHANGE_SCHEMA, changes, planned
from pipeline.contract import Column, Contract
from pipeline.errors import DataError, KeepfitError, WorkspaceError
from pipeline.quality.findings import FLAG_SCHEMA, Table
from pipeline.stages import clean, ingest, validate
from pipeline.workspace import Workspace

COPY = "duplicate_rows_exact"
SLOW = ("label_error", "ambiguous_label", "underperforming_group")  # they fit models and set no row aside here


def flag(row: str, check: str, policy: str, **cells: str | None) -> dict[str, Any]:
    empty = {"column": None, "score": 1.0, "value": None, "suggested": None, "rule": None}
    return {"row_id": row, "check": check, "policy": policy, **empty, **cells}


NO_CELLS = pl.DataFrame(schema=CHANGE_SCHEMA)
UNPARSED = ["row_id", "column", pl.col("before").alias("raw")]
SHOP = Column(name="shop", dtype=pl.String(), nullable=True, role="feature", modality="categorical")
NUMBER = dataclasses.replace(SHOP, name="n", dtype=pl.Int64(), modality="numeric")
SCHEMA = pa.DataFrameSchema({"shop": pa.Column(pl.String), "n": pa.Column(pl.Int64)})
AGREED = Contract(file=Path("made.py"), schema=SCHEMA, columns=(SHOP, NUMBER), expectations=())
NULLABLE = pa.DataFrameSchema({"shop": pa.Column(pl.String, nullable=True), "n": pa.Column(pl.Int64, nullable=True)})


def flags(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=FLAG_SCHEMA)


def validated(tiny: Workspace, **policies: Any) -> Workspace:
    params = yaml.safe_load(tiny.params_file.read_text(encoding="utf-8"))
    params["checks"] = dict.fromkeys(SLOW, "off") | policies
    tiny.params_file.write_text(yaml.safe_dump(params), encoding="utf-8")
    workspace = Workspace.open(tiny.root)
    ingest.run(workspace)
    validate.run(workspace)
    return workspace


def damage(tiny: Workspace, *cells: tuple[int, int, str]) -> None:
    """Put text into (row, column) of the second file."""
    file = tiny.raw / "2024-02.csv"
    lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
    for row, column, text in cells:
        lines[row + 1][column] = text
    file.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")


def kept(workspace: Workspace) -> pl.DataFrame:
    return pl.read_parquet(sorted(workspace.clean.glob("*.parquet")))


def set_aside(workspace: Workspace) -> dict[str, str]:
    return dict(pl.read_parquet(workspace.quarantine / clean.QUARANTINED).select("row_id", "reason").iter_rows())


def merged(workspace: Workspace) -> dict[str, str]:
    return dict(pl.read_parquet(workspace.quarantine / clean.MERGED).select("row_id", "into").iter_rows())


def test_unlabelled_rows_leave_and_copies_are_merged(tiny: Workspace) -> None:
    workspace = validated(tiny)

    ledger = clean.run(workspace)

    assert (ledger.rows_in, ledger.kept, ledger.merged, ledger.quarantined) == (600, 580, 2, 18)
    assert (kept(workspace).height, len(merged(workspace)), len(set_aside(workspace))) == (580, 2, 18)
    assert kept(workspace)["slow"].null_count() == 0
    assert set(set_aside(workspace).values()) == {"missing_label: slow"}
    assert merged(workspace) == {f"2024-03.csv.gz#{198 + i}": f"2024-01.csv.gz#{i}" for i in range(2)}
    assert Ledger.read(workspace.ledger) == ledger


def test_kept_rows_stay_in_their_order_and_as_they_are(tiny: Workspace) -> None:
    workspace = validated(tiny)
    clean.run(workspace)

    table = ingest.table(workspace, contract.load(workspace.contract_file))
    expected = table.rows.collect().join(kept(workspace), on="row_id", how="semi", maintain_order="left")

    assert kept(workspace).equals(expected)


def test_the_same_rows_give_the_same_bytes(tiny: Workspace) -> None:
    workspace = validated(tiny)

    def written() -> dict[str, bytes]:
        clean.run(workspace)
        folders = (workspace.clean, workspace.quarantine)
        return {str(p): p.read_bytes() for folder in folders for p in folder.iterdir()}

    assert written() == written()


def test_a_row_with_several_faults_has_all_its_reasons_and_counts_once(tiny: Workspace) -> None:
    damage(tiny, (0, 2, "east"), (0, 3, "far"), (0, 5, "NA"))
    workspace = validated(tiny)

    ledger = clean.run(workspace)

    assert sorted(set_aside(workspace)["2024-02.csv#0"].split(" + ")) == [
        "allowed_set: shop",
        "dtype_mismatch: distance",
        "missing_label: slow",
    ]
    assert ledger.quarantined == 19


def test_case_and_spaces_are_repaired_and_what_has_no_repair_leaves(tiny: Workspace) -> None:
    damage(tiny, (0, 2, " NORTH"), (1, 2, "east"), (2, 3, "-4"))
    workspace = validated(tiny, contract="repair")

    ledger = clean.run(workspace)

    rows = {row["row_id"]: row for row in kept(workspace).iter_rows(named=True)}
    assert rows["2024-02.csv#0"]["shop"] == "north"
    assert ledger.repaired == 1
    assert {"2024-02.csv#1": "allowed_set: shop", "2024-02.csv#2": "value_range: distance"}.items() <= set_aside(
        workspace
    ).items()


def test_a_row_with_a_fault_that_has_no_repair_is_quarantined_unrepaired(tiny: Workspace) -> None:
    damage(tiny, (0, 2, " NORTH"), (0, 3, "-4"))
    workspace = validated(tiny, contract="repair")

    ledger = clean.run(workspace)

    gone = pl.read_parquet(workspace.quarantine / clean.QUARANTINED).filter(pl.col("row_id") == "2024-02.csv#0")
    assert gone["shop"].to_list() == [" NORTH"]
    assert ledger.repaired == 0


def test_a_copy_of_a_repaired_row_is_merged(tiny: Workspace) -> None:
    lines = (tiny.raw / "2024-02.csv").read_text().splitlines()
    lines[1] = lines[1].replace(lines[1].split(",")[2], " North")
    (tiny.raw / "2024-02.csv").write_text("\n".join([*lines, lines[1]]) + "\n")
    workspace = validated(tiny, contract="repair")

    ledger = clean.run(workspace)

    assert merged(workspace)["2024-02.csv#200"] == "2024-02.csv#0"
    assert (ledger.merged, ledger.repaired) == (3, 1)


@pytest.mark.parametrize(
    ("policies", "left"),
    [
        ({COPY: "warn"}, 582),
        ({COPY: "quarantine"}, 580),
        ({COPY: "repair"}, 580),
        ({"contract": "warn"}, 580),
        ({"contract": "quarantine"}, 579),
        ({"dtype_mismatch": "warn"}, 580),
    ],
)
def test_each_policy_does_what_it_says(tiny: Workspace, policies: dict[str, str], left: int) -> None:
    if "contract" in policies:
        damage(tiny, (0, 2, "east"))
    if "dtype_mismatch" in policies:
        damage(tiny, (0, 4, "heavy"))

    assert clean.run(validated(tiny, **policies)).kept == left


def test_rivals_of_a_key_leave_together(tiny: Workspace) -> None:
    damage(tiny, (0, 0, "2001"))
    workspace = validated(tiny)

    clean.run(workspace)

    assert {r: why for r, why in set_aside(workspace).items() if "key" in why} == {
        "2024-02.csv#0": "duplicate_key",
        "2024-02.csv#1": "duplicate_key",
    }


def ten(*rows: str, **columns: list[Any]) -> Table:
    """Rows a to j, or these, of shop and n."""
    ids = list(rows) or list("abcdefghij")
    frame = pl.LazyFrame({"row_id": ids, "shop": ["east"] * len(ids), "n": [1] * len(ids)} | columns)
    return Table(
        contract=dataclasses.replace(AGREED, schema=NULLABLE),
        partitions={"": frame},
        unparsed=NO_CELLS.lazy().select(UNPARSED),
        height=len(ids),
    )


def decided(told: pl.DataFrame, cells: pl.DataFrame = NO_CELLS, table: Table | None = None) -> clean.Fates:
    return clean.decide(table or ten(), told, cells, checks.configured({COPY: "warn"}))


def test_a_row_is_not_merged_into_one_that_left() -> None:
    fates = decided(
        flags(
            flag("a", "dtype_mismatch", "quarantine", column="x"),
            flag("b", COPY, "repair", value="a"),
            flag("c", COPY, "repair", value="a"),
            flag("d", COPY, "repair", value="a"),
            flag("f", COPY, "repair", value="e"),
        )
    )

    assert fates.quarantined.rows() == [("a", "dtype_mismatch: x")]
    assert fates.merged.rows() == [("c", "b", COPY), ("d", "b", COPY), ("f", "e", COPY)]


@pytest.mark.parametrize("check", ["near_duplicate_rows", "duplicate_rows_but_ids"])
def test_of_rows_that_are_one_thing_the_fullest_stays(check: str) -> None:
    table = ten("a", "b", "c", "d", shop=[None, "north", "north", None], n=[1, None, 2, 3])

    fates = decided(flags(flag("b", check, "repair", value="a"), flag("c", check, "repair", value="b")), table=table)
    cleaned = clean.entry("clean", 4, clean.kept(table.rows, fates, AGREED).collect().height, fates)

    assert fates.merged.rows() == [("a", "c", check), ("b", "c", check)]
    assert (cleaned.kept, cleaned.reasons) == (2, {"merged: the fullest of its duplicates stays": 2})


def test_of_rows_as_full_the_earliest_stays_and_a_repair_may_empty_a_cell() -> None:
    table = ten("a", "b", "c")
    near = flags(*(flag(row, "near_duplicate_rows", "repair", value="a") for row in "bc"))
    emptied = pl.DataFrame([("a", "n", "markers", "1", None)], schema=CHANGE_SCHEMA, orient="row")

    assert decided(near, table=table).merged["into"].to_list() == ["a", "a"]
    assert decided(near, emptied, table).merged["into"].to_list() == ["b", "b"]


def test_a_fuller_row_that_is_quarantined_takes_no_other_in() -> None:
    table = ten("a", "b", "c", n=[None, 2, None])
    near = [flag(row, "near_duplicate_rows", "repair", value="a") for row in "bc"]

    fates = decided(flags(*near, flag("b", "missing_label", "quarantine", column="y")), table=table)

    assert fates.merged.rows() == [("c", "a", "near_duplicate_rows")]
    assert fates.quarantined["row_id"].to_list() == ["b"]


def test_not_a_number_is_missing_when_the_fullest_is_sought() -> None:
    number = dataclasses.replace(NUMBER, dtype=pl.Float64())
    schema = pa.DataFrameSchema({"shop": pa.Column(pl.String), "n": pa.Column(pl.Float64)})
    agreed = dataclasses.replace(AGREED, schema=schema, columns=(SHOP, number))
    table = dataclasses.replace(ten("a", "b", n=[float("nan"), 1.0]), contract=agreed)

    assert decided(flags(flag("b", "near_duplicate_rows", "repair", value="a")), table=table).merged.rows() == [
        ("a", "b", "near_duplicate_rows")
    ]


@pytest.mark.parametrize(("policy", "kept_rows"), [("warn", 4), ("repair", 2)])
def test_near_duplicates_are_merged_whatever_the_partitions(policy: str, kept_rows: int) -> None:
    frame = ten("a", "b", "c", "d", shop=[None, "north", "east", "east"], n=[1, 1, 2, 2]).rows.collect()
    near = flags(*(flag(row, "near_duplicate_rows", policy, value=into) for row, into in (("b", "a"), ("d", "c"))))

    found = []
    for size in (1, 2, 4):
        parts = {str(at): frame[at : at + size].lazy() for at in range(0, 4, size)}
        table = dataclasses.replace(ten(), partitions=parts, height=4)
        fates = decided(near, table=table)
        assert clean.kept(table.rows, fates, AGREED).collect().height == kept_rows
        found.append(fates.merged.rows())

    assert found[0] == found[1] == found[2]


def test_a_copy_that_is_quarantined_itself_is_not_merged() -> None:
    fates = decided(flags(flag("b", COPY, "repair", value="a"), flag("b", "missing_label", "quarantine", column="y")))

    assert fates.merged.is_empty()
    assert fates.quarantined.rows() == [("b", "missing_label: y")]


def test_what_is_not_mended_leaves_where_nothing_is_suggested_or_the_contract_is_broken() -> None:
    told = flags(
        flag("a", "string_typos", "repair", column="shop"),
        flag("b", "string_typos", "repair", column="shop"),
        flag("c", "string_typos", "repair", column="shop", suggested="north"),
        flag("d", "pattern", "repair", column="shop", suggested="north"),
    )
    cells = pl.DataFrame([("a", "shop", "whoever", "x", "y")], schema=CHANGE_SCHEMA, orient="row")

    assert clean.leaving(told, cells).rows() == [("b", "string_typos: shop"), ("d", "pattern: shop")]


def test_warnings_and_no_flags_change_nothing() -> None:
    for given_flags in (flags(), flags(flag("a", "allowed_set", "warn", column="x", suggested="y"))):
        fates = decided(given_flags)
        assert fates.quarantined.is_empty() and fates.merged.is_empty() and fates.repairs.is_empty()


def test_a_run_that_leaves_no_row_leaves_the_last_output(tiny: Workspace) -> None:
    workspace = validated(tiny)
    clean.run(workspace)
    before = {p: p.read_bytes() for p in tiny.root.rglob("*") if p.is_file()}
    every = ingest.table(workspace, contract.load(workspace.contract_file)).rows.select("row_id").collect()["row_id"]
    flags(*(flag(row, "missing_label", "quarantine", column="slow") for row in every)).write_parquet(workspace.flags)

    with pytest.raises(DataError) as raised:
        clean.run(workspace)

    assert str(raised.value).startswith(
        "reports/quality.json: none of 600 rows is left after cleaning: missing_label: slow (600); read its findings"
    )
    before.pop(workspace.flags)
    assert {p: p.read_bytes() for p in before} == before
    assert not list(tiny.root.rglob("*.tmp"))


def test_flags_of_other_rows_are_refused(tiny: Workspace) -> None:
    workspace = validated(tiny)
    (tiny.raw / "2024-02.csv").unlink()
    ingest.run(workspace)

    with pytest.raises(
        WorkspaceError, match=r"data/flags\.parquet: flags 2024-02\.csv#\d+, which was not ingested; run"
    ):
        clean.run(workspace)

    assert not workspace.clean.exists()


def test_what_was_not_validated_yet_is_told(tiny: Workspace) -> None:
    with pytest.raises(KeepfitError, match="is absent; run `keepfit run` first"):
        clean.run(tiny)
    ingest.run(tiny)
    with pytest.raises(KeepfitError, match=r"flags\.parquet: is absent; run `keepfit run` first"):
        clean.run(tiny)


any_flag = st.builds(
    lambda row, what: flag(f"{'ab'[row % 2]}.csv#{row // 2}", *what),
    st.integers(0, 19),
    st.sampled_from(
        [
            ("missing_label", "quarantine"),
            ("allowed_set", "quarantine"),
            ("allowed_set", "warn"),
            ("allowed_set", "repair"),
            ("duplicate_key", "stop"),
        ]
    ),
)
any_repair = st.builds(
    lambda row, text: flag(f"a.csv#{row}", "allowed_set", "repair", column="shop", suggested=text),
    st.integers(0, 9),
    st.sampled_from(["north", "south", None]),
)
any_copy = st.integers(1, 9).map(lambda row: flag(f"b.csv#{row}", COPY, "repair", value=f"a.csv#{row % 2}"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(any_flag | any_repair, max_size=30), st.lists(any_copy, max_size=9, unique_by=lambda f: f["row_id"]))
def test_rows_in_are_kept_merged_or_quarantined(marked: list[dict[str, Any]], copies: list[dict[str, Any]]) -> None:
    frame = pl.LazyFrame({"shop": ["east"] * 10, "n": list(range(10))})
    ids = {name: pl.Series([f"{name}#{i}" for i in range(10)]) for name in ("a.csv", "b.csv")}
    partitions = {name: frame.select(pl.lit(rows).alias("row_id"), pl.all()) for name, rows in ids.items()}
    table = Table(contract=AGREED, partitions=partitions, unparsed=NO_CELLS.lazy().select(UNPARSED), height=20)
    given_flags = flags(*marked, *copies)

    plan, alone = planned(given_flags.filter(clean.repairing()), table)
    cells = clean.changed(table, pl.concat([changes(plan, table), alone]), {})
    decided = clean.decide(table, given_flags, cells, checks.configured({"duplicate_rows_exact": "warn"}))
    left = pl.concat([clean.kept(rows, decided, table.contract) for rows in partitions.values()]).collect()

    parts = [set(left["row_id"]), set(decided.merged["row_id"]), set(decided.quarantined["row_id"])]
    assert left.height + decided.merged.height + decided.quarantined.height == 20
    assert sum(map(len, parts)) == 20 == len(set().union(*parts))
    assert set(decided.merged["into"]) <= parts[0]
    repaired = set(decided.repairs["row_id"])
    assert repaired <= parts[0]
    assert set(left.filter(pl.col("shop") != "east")["row_id"]) == repaired
    assert clean.entry("clean", 20, left.height, decided).repaired == len(repaired)
