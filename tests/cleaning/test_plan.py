"""The plan of repairs: flags become rules that say the same of any rows, and only where they may."""

from pathlib import Path
from typing import Any

import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cleaning.plan import CHANGE_SCHEMA, changes, mended, planned, typed
from pipeline.contract import Column, Contract
from pipeline.quality.findings import FLAG_SCHEMA, Table
from pipeline.quality.repairs import (
    AnyRule,
    Computed,
    Emptied,
    Folded,
    Followed,
    Padded,
    Plan,
    Replaced,
    Scaled,
    Trimmed,
)

TEXT, WHOLE, FLOAT = pl.String(), pl.Int64(), pl.Float64()
UNPARSED = {"row_id": pl.String, "column": pl.String, "raw": pl.String}


def table(rows: dict[str, list[Any]], unparsed: list[tuple[str, str, str]] | None = None, parts: int = 1) -> Table:
    """Rows r#0, r#1, ... as a table."""
    frame = pl.DataFrame(rows)
    columns = tuple(
        Column(name=name, dtype=dtype, nullable=True, role="feature", modality="categorical")
        for name, dtype in frame.schema.items()
    )
    schema = pa.DataFrameSchema({column.name: pa.Column(column.dtype, nullable=True) for column in columns})
    numbered = frame.select(pl.format("r#{}", pl.int_range(pl.len())).alias("row_id"), pl.all())
    size = -(-frame.height // parts)
    return Table(
        contract=Contract(file=Path("made.py"), schema=schema, columns=columns, expectations=()),
        partitions={f"{i}": numbered[i * size : (i + 1) * size].lazy() for i in range(parts)},
        unparsed=pl.LazyFrame(unparsed or [], schema=UNPARSED, orient="row"),
        height=frame.height,
    )


def flags(*told: tuple[int, str, str, str | None], rule: AnyRule | None = None) -> pl.DataFrame:
    """Flags of the repairing checks: row, check, column, suggested."""
    empty = {"score": 1.0, "value": None, "policy": "repair", "rule": rule and rule.model_dump_json()}
    rows = [
        {"row_id": f"r#{row}", "check": check, "column": column, "suggested": suggested, **empty}
        for row, check, column, suggested in told
    ]
    return pl.DataFrame(rows, schema=FLAG_SCHEMA)


def after(plan: Plan, of: Table) -> dict[str, list[Any]]:
    rows = mended(of.rows, changes(plan, of), of.contract).collect()
    return rows.drop("row_id").to_dict(as_series=False)


def test_a_suggested_text_becomes_a_rule_by_the_value() -> None:
    told = flags((1, "string_typos", "city", "Boston"), (3, "string_typos", "city", "Boston"))

    plan, alone = planned(told, table({"city": ["Boston", "Bostn", None, "Bostn"]}))

    assert plan.rules == [Replaced(check="string_typos", column="city", values={"Bostn": "Boston"})]
    assert alone.is_empty()
    assert after(plan, table({"city": ["Bostn", "Paris"]})) == {"city": ["Boston", "Paris"]}


def test_a_value_whose_rows_were_not_all_hit_is_mended_in_those_alone() -> None:
    city = table({"city": ["Cambridge", "Cambridge"], "zip": ["1", "2"]})

    plan, alone = planned(flags((1, "whoever", "city", "Boston")), city)

    assert plan.rules == []
    assert alone.rows() == [("r#1", "city", "whoever", "Cambridge", "Boston")]


def test_a_value_that_is_to_become_two_things_makes_no_rule() -> None:
    told = flags((0, "whoever", "city", "Boston"), (1, "whoever", "city", "Austin"))

    plan, alone = planned(told, table({"city": ["Bstn", "Bstn"]}))

    assert plan.rules == []
    assert alone["after"].to_list() == ["Boston", "Austin"]


def test_a_number_is_wrong_in_its_row_alone_but_a_text_that_is_none_everywhere() -> None:
    numbers = table({"size": [17, 17, None]}, [("r#2", "size", "9 kg")])

    plan, alone = planned(flags((0, "sums", "size", "18.0"), (2, "numbers_as_text", "size", "9")), numbers)

    assert plan.rules == [Replaced(check="numbers_as_text", column="size", values={"9 kg": "9"})]
    assert alone.rows() == [("r#0", "size", "sums", "17", "18")]
    assert after(plan, numbers) == {"size": [17, 17, 9]}


def test_a_marker_becomes_null_where_the_rule_says_so() -> None:
    told = flags((0, "mixed_null_tokens", "age", None), rule=Emptied(column="age"))

    plan, _ = planned(told, table({"age": [-999, 30]}))

    assert plan.rules == [Emptied(check="mixed_null_tokens", column="age", values=["-999"])]
    assert after(plan, table({"age": [-999, 5, -999]})) == {"age": [None, 5, None]}


def test_a_cell_that_follows_from_another_is_mended_by_that_one() -> None:
    told = flags((2, "functional_dependency", "city", "Boston"), rule=Followed(column="city", determinant="zip"))

    plan, alone = planned(told, table({"zip": ["1", "1", "1", "2"], "city": ["Boston", "Boston", "Austin", "Austin"]}))

    assert plan.rules == [
        Followed(check="functional_dependency", column="city", determinant="zip", values={"1": "Boston"})
    ]
    assert alone.is_empty()
    later = table({"zip": ["1", "2", "1"], "city": ["Bstn", "Bstn", None]})
    assert after(plan, later)["city"] == ["Boston", "Bstn", "Boston"]


def test_the_first_rule_mends_and_what_is_said_of_one_value_comes_first() -> None:
    trimmed = flags((0, "surrounding_whitespace", "shop", "nroth"), rule=Trimmed(column="shop"))
    told = pl.concat([trimmed, flags((0, "string_typos", "shop", "north"))])

    plan, _ = planned(told, table({"shop": [" nroth", "north"]}))

    assert [rule.kind for rule in plan.rules] == ["replace", "trim"]
    assert after(plan, table({"shop": [" nroth", " south"]})) == {"shop": ["north", "south"]}


@pytest.mark.parametrize(
    ("rule", "rows", "expected"),
    [
        (Folded(column="x", values=["north", "NORTH"]), ["NORTH ", "north"], ["NORTH ", "north"]),
        (Folded(column="x", values=["north"]), ["North ", None, "east"], ["north", None, "east"]),
        (Padded(column="x", width=5), ["2134", "x", None], ["02134", "x", None]),
        (Padded(column="x", width=5), [2134, 10001, None], [2134, 10001, None]),
        (Scaled(column="x", high=-1, factor=-1), [-5.0, 0.0, None], [5.0, 0.0, None]),
        (Scaled(column="x", low=100, high=300, factor=0.01), [180, 2, 400], [180, 2, 400]),  # 1.8 is no whole number
        (Emptied(column="x", values=["-1.0"]), [-1.0, 1.0, float("inf")], [None, 1.0, float("inf")]),
        (Replaced(column="x", values={"a": "much"}), [1, 2, 3], [1, 2, 3]),
    ],
)
def test_each_rule_mends_what_it_says(rule: AnyRule, rows: list[Any], expected: list[Any]) -> None:
    assert after(Plan(rules=[rule]), table({"x": rows})) == {"x": expected}


def test_a_sum_is_computed_again() -> None:
    plan = Plan(rules=[Computed(column="total", first="a", operation="*", second="b", decimals=1)])

    rows = table({"a": [1.5, 1.5, None], "b": [2, 2, 2], "total": [3.0, 30.0, 7.0]})

    assert after(plan, rows)["total"] == [3.0, 3.0, 7.0]


def test_a_rule_for_columns_that_are_gone_mends_nothing() -> None:
    plan = Plan(rules=[Trimmed(column="gone"), Followed(column="x", determinant="gone", values={"a": "b"})])

    assert after(plan, table({"x": ["a"]})) == {"x": ["a"]}


def test_names_that_look_like_patterns_are_names() -> None:
    rows: dict[str, list[Any]] = {"*": [" a"], "^x$": [" b"], "before": [" c"]}
    plan = Plan(rules=[Trimmed(column=name) for name in rows])

    assert after(plan, table(rows)) == {"*": ["a"], "^x$": ["b"], "before": ["c"]}


def test_no_rows_and_no_rules_change_nothing() -> None:
    empty = table({"x": pl.Series([], dtype=pl.String).to_list(), "y": []})

    assert changes(Plan(), table({"x": ["a"]})).schema == CHANGE_SCHEMA
    assert planned(flags(), empty)[0] == Plan()


def test_a_plan_is_the_same_after_a_round_trip(tmp_path: Path) -> None:
    plan = Plan(rules=[Replaced(column="x", values={"a": "b"}), Scaled(column="x", factor=0.1), Emptied(column="y")])

    plan.write(tmp_path / "repairs.json")

    assert Plan.read(tmp_path / "repairs.json") == plan


@given(st.lists(st.sampled_from(["a", " a", "b", "A", None]), min_size=1, max_size=12), st.integers(1, 4))
def test_a_second_time_nothing_is_left_to_repair_and_partitions_do_not_matter(
    cells: list[str | None], parts: int
) -> None:
    plan = Plan(rules=[Replaced(column="x", values={"A": "a"}), Trimmed(column="x")])
    whole = table({"x": pl.Series(cells, dtype=pl.String).to_list(), "n": list(range(len(cells)))})
    if all(cell is None for cell in cells):
        return

    once = after(plan, whole)

    assert once == after(plan, table({"x": cells, "n": list(range(len(cells)))}, parts=parts))
    assert changes(plan, table(once)).is_empty()


def test_whole_numbers_are_read_from_floats() -> None:
    assert pl.DataFrame({"t": ["17.0", "17.5", "x", None]}).select(typed(pl.col("t"), pl.Int64()))["t"].to_list() == [
        17,
        None,
        None,
        None,
    ]
