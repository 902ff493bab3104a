"""Schema: what breaks a rule of the contract, under its standard name, and what would not parse."""

from collections.abc import Callable
from pathlib import Path

import pandera.polars as pa
import polars as pl
import pytest

from pipeline import contract
from pipeline.checks.markers import MixedNullTokens
from pipeline.checks.schema import ContractBroken, DtypeMismatch
from pipeline.errors import ContractError
from pipeline.quality.findings import Hit, Table
from pipeline.quality.inspection import hits

Make = Callable[..., Table]
SHOPS = pa.Check.isin(["North", "South Pier"])


def told(table: Table) -> dict[tuple[str, str | None], list[tuple[str, str | None, str | None]]]:
    """(check, column) → flagged (row, value, suggested)."""
    return {(hit.check, hit.column): _cells(hit) for hit in hits(ContractBroken(), table)}


def _cells(hit: Hit) -> list[tuple[str, str | None, str | None]]:
    assert hit.flags is not None
    return [(row.removeprefix("rows#"), value, suggested) for row, value, suggested in hit.flags.iter_rows()]


def test_rows_that_keep_the_contract_are_not_told(make: Make) -> None:
    rows = {"x": [1.0, 2.0, None], "s": ["North", "South Pier", "North"], "y": [True, False, None]}

    assert told(make(rows, rules={"x": pa.Check.ge(0), "s": SHOPS}, required=["s"])) == {}


@pytest.mark.parametrize("parts", [1, 2])
def test_each_broken_rule_has_its_standard_name(make: Make, parts: int) -> None:
    rows = {"x": [-1.0, 2.0, None], "s": ["North", "East", "North"], "y": [True] * 3}
    rules = {"x": pa.Check.in_range(0, 100), "s": SHOPS}

    found = told(make(rows, rules=rules, required=["x"], parts=parts))

    assert found == {
        ("allowed_set", "s"): [("1", "East", None)],
        ("value_range", "x"): [("0", "-1.0", None)],
        ("null_forbidden", "x"): [("2", None, None)],
    }


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (pa.Check.str_matches("^[A-Z]"), "pattern"),
        (pa.Check.str_length(max_value=3), "string_length"),
        (pa.Check.notin(["bad one"]), "forbidden_set"),
        (pa.Check(lambda data: data.lazyframe.select(pl.col(data.key) == "ok"), name="own"), "contract"),
    ],
)
def test_rules_on_text_are_told(make: Make, rule: pa.Check, name: str) -> None:
    assert set(told(make({"s": ["bad one"], "y": [True]}, rules={"s": rule}))) == {(name, "s")}


def test_a_value_that_is_allowed_but_for_case_and_spaces_comes_with_its_repair(make: Make) -> None:
    rows = {"s": [" north", "SOUTH PIER ", "SouthPier", "North"], "y": [True] * 4}

    found = told(make(rows, rules={"s": SHOPS}))

    assert found == {
        ("allowed_set", "s"): [("0", " north", "North"), ("1", "SOUTH PIER ", "South Pier"), ("2", "SouthPier", None)]
    }


def test_a_value_that_could_be_two_allowed_ones_has_no_repair(make: Make) -> None:
    found = told(make({"s": [" us"], "y": [True]}, rules={"s": pa.Check.isin(["us", "US"])}))

    assert found == {("allowed_set", "s"): [("0", " us", None)]}


def test_repair_folds_case_as_lower_case_does(make: Make) -> None:
    found = told(make({"s": ["STRAẞE", "İ"], "y": [True] * 2}, rules={"s": pa.Check.isin(["straße"])}))

    assert found == {("allowed_set", "s"): [("0", "STRAẞE", "straße"), ("1", "İ", None)]}


def test_the_word_null_is_a_value(make: Make) -> None:
    found = told(make({"s": ["null", None], "y": [True] * 2}, rules={"s": SHOPS}, required=["s"]))

    assert found == {("allowed_set", "s"): [("0", "null", None)], ("null_forbidden", "s"): [("1", None, None)]}


def test_a_cell_that_would_not_parse_is_not_told_again_as_a_null(make: Make) -> None:
    table = make({"x": [None, None], "y": [True] * 2}, required=["x"], unparsed=[("rows#0", "x", "many")])

    assert told(table) == {("null_forbidden", "x"): [("1", None, None)]}


def test_a_rule_over_several_columns_is_about_no_column(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "import pandera.polars as pa\nimport polars as pl\n"
        "class Own(pa.DataFrameModel):\n"
        '    low: int = pa.Field(metadata={"modality": "numeric"})\n'
        '    high: int = pa.Field(metadata={"modality": "numeric"})\n'
        "    @pa.dataframe_check\n"
        "    def ordered(cls, data): return data.lazyframe.select(pl.col('low') <= pl.col('high'))\n"
    )
    rows = pl.LazyFrame({"row_id": ["a#0", "a#1"], "low": [1, 5], "high": [2, 4]})
    nothing = pl.LazyFrame(schema={"row_id": pl.String, "column": pl.String, "raw": pl.String})
    table = Table(contract=contract.load(file), partitions={"a": rows}, unparsed=nothing, height=2)

    (hit,) = hits(ContractBroken(), table)

    assert (hit.check, hit.column, hit.rows) == ("contract", None, 1)
    assert hit.message == "columns together break the contract's rule ordered in 1 row"
    assert hit.flags is not None and hit.flags["row_id"].to_list() == ["a#1"]


def test_a_rule_that_raises_is_the_contracts_fault(make: Make) -> None:
    def boom(data: object) -> bool:
        raise ValueError("boom")

    table = make({"x": [1], "y": [True]}, rules={"x": pa.Check(boom, name="boom")})

    with pytest.raises(ContractError, match=r"schemas/made\.py: x: the rule boom says nothing of single rows"):
        list(hits(ContractBroken(), table))


def test_a_rule_that_answers_once_for_all_rows_does_not_blame_the_first(make: Make) -> None:
    mean = pa.Check(lambda data: data.lazyframe.select(pl.col(data.key).mean() > 5), name="mean_over_5")

    with pytest.raises(ContractError, match="x: the rule mean_over_5 says nothing of single rows: it answers once"):
        list(hits(ContractBroken(), make({"x": [1, 2, 3], "y": [True] * 3}, rules={"x": mean})))


def test_an_empty_partition_breaks_nothing(make: Make) -> None:
    empty = pl.DataFrame(schema={"x": pl.Float64, "y": pl.Boolean})

    assert told(make(empty, rules={"x": pa.Check.ge(0)}, required=["x"])) == {}


def test_the_finding_counts_rows_and_shows_the_first_value(make: Make) -> None:
    (hit,) = hits(ContractBroken(), make({"x": [-3, 1, -1], "y": [True] * 3}, rules={"x": pa.Check.ge(0)}))

    assert (hit.rows, hit.observed, hit.threshold) == (2, "-3", "greater_than_or_equal_to(0)")


def test_values_that_would_not_parse_are_told_by_column(make: Make) -> None:
    cells = [("rows#0", "x", "many"), ("rows#1", "x", "1 2"), ("rows#1", "y", "maybe")]

    found = hits(DtypeMismatch(), make({"x": [None, None, 1.0], "y": [None, None, True]}, unparsed=cells))

    assert [(hit.column, hit.rows, hit.observed) for hit in found] == [("x", 2, "many"), ("y", 1, "maybe")]
    assert found[0].flags is not None and found[0].flags.rows() == [("rows#0", "many"), ("rows#1", "1 2")]
    assert found[0].message == "x is not a number (Float64) in 2 rows: '1 2', 'many'"


def test_a_marker_of_nothing_is_told_once_and_as_missing_where_that_is_forbidden(make: Make) -> None:
    cells = [("rows#0", "x", "N/A"), ("rows#0", "y", "N/A")]
    table = make({"x": [None, 1.0], "y": [None, 2.0]}, required=["y"], unparsed=cells)

    assert hits(DtypeMismatch(), table) == []
    assert [(hit.check, hit.column) for hit in hits(ContractBroken(), table)] == [("null_forbidden", "y")]
    assert [hit.column for hit in hits(MixedNullTokens(), table)] == ["x", "y"]


def test_what_parsed_is_not_told(make: Make) -> None:
    assert list(hits(DtypeMismatch(), make({"x": [1.0], "y": [True]}))) == []
