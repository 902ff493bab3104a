"""What every registered check keeps to, whatever it asks."""

import dataclasses
import importlib
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pandera.polars as pa
import polars as pl
import pytest

from pipeline import checks
from pipeline.errors import SettingsError
from pipeline.quality.findings import FLAG_SCHEMA, Check, Finding, Policy, Table
from pipeline.quality.inspection import CHECK_FAILED, Inspection, inspect

from .conftest import made

Planted = Callable[[int], Table]  # partitions → a table in which the check finds something
NAMES = sorted(checks.registered())
RULES = {"shop": pa.Check.isin(["north", "south"]), "x": pa.Check.ge(0)}
START = datetime(2024, 1, 1)
ODD_NAMES = ["*", "^x$", "^.*$", "[1]", "a b", ""]
NAMED = ["contract"]  # asks pandera, which takes such a name for a pattern of names


def damaged() -> dict[str, list[Any]]:
    """130 rows with something for every check, but for the label of one class."""
    y: list[str | None] = [None if i < 12 else "rare" if i < 16 else ("yes", "no")[i % 2] for i in range(130)]
    rows: dict[str, list[Any]] = {
        "id": list(range(130)),
        "t": [START + timedelta(days=i + 3 * (i > 60)) for i in range(130)],
        "x": [1.0 if value == "yes" else 0.0 for value in y],
        "shop": ["north"] * 128 + ["east", " NORTH"],
        "after": [None if value is None else float(i) for i, value in enumerate(y)],
        "one": [1] * 130,
        "y": y,
    }
    rows = {name: [*values, values[20]] for name, values in rows.items()}  # a copy of row 20
    rows = {name: [*values, 5.5 if name == "x" else values[21]] for name, values in rows.items()}  # a rival of 21
    return rows


@cache
def planted() -> dict[str, Planted]:
    """What each family's tests plant for a check, by the check's name; a check without one takes `damaged`."""
    folder = Path(__file__).parent
    modules = [importlib.import_module(f"{__package__}.{path.stem}") for path in sorted(folder.glob("test_*.py"))]
    return {name: rows for module in modules for name, rows in getattr(module, "PLANTED", {}).items()}


def table(name: str, parts: int = 1) -> Table:
    """A new table in which this check finds something."""
    if name in planted():
        return planted()[name](parts)
    rows = damaged()
    if name == "single_class_target":
        rows["y"] = ["yes"] * len(rows["y"])
    return made(rows, key=["id"], rules=RULES, unparsed=[("rows#3", "x", "much")], parts=parts)


@cache
def clean() -> Table:
    """40 rows about which no check has anything to say; one table for all checks, as in a run."""
    rows: dict[str, list[Any]] = {
        "id": list(range(40)),
        "t": [START + timedelta(days=i) for i in range(40)],
        "x": [float(i * 7 % 11) for i in range(40)],
        "shop": [("north", "south")[i % 3 == 0] for i in range(40)],
        "y": [("yes", "no")[i % 2] for i in range(40)],
    }
    return made(rows, key=["id"], rules=RULES)


@cache
def valueless(height: int) -> Table:
    """So many rows in which nothing stands."""
    columns = {"id": pl.Int64(), "t": pl.Datetime("us"), "x": pl.Float64(), "shop": pl.String(), "y": pl.String()}
    return made(pl.DataFrame(schema=pl.Schema(columns)).clear(height), key=["id"], rules=RULES)


@cache
def odd(number: float | None) -> Table:
    """Three rows with this number and categories that the rules do not know."""
    rows: dict[str, list[Any]] = {
        "id": [1, 2, 3],
        "x": [number, 1.0, 2.0],
        "shop": ["", "Ünseen", None],
        "y": ["a", "b", "new"],
    }
    return made(rows, key=["id"], rules=RULES)


def renamed(of: Table, names: list[str]) -> Table:
    """The table with these names for its first columns; a contract cannot state rules for most of them."""
    new = dict(zip(of.contract.names, names, strict=False))
    columns = tuple(dataclasses.replace(c, name=new.get(c.name, c.name)) for c in of.columns)
    told = {column: field for column, field in of.contract.schema.columns.items() if column not in new}
    key = [new.get(column, column) for column in of.contract.key]
    agreed = dataclasses.replace(of.contract, schema=pa.DataFrameSchema(told, unique=key or None), columns=columns)
    return dataclasses.replace(
        of,
        contract=agreed,
        partitions={part: rows.rename(new) for part, rows in of.partitions.items()},
        unparsed=of.unparsed.with_columns(pl.col("column").replace(new)),
        reference=of.reference and renamed(of.reference, names),
        header=of.header and tuple(new.get(column, column) for column in of.header),
        derived=tuple(new.get(column, column) for column in of.derived),
    )


@cache
def defaults() -> dict[str, Check]:
    return {check.name: check for check in checks.configured({})}


def answer(name: str, of: Table) -> Inspection:
    """What the check says of the table; it does not stop with an error."""
    said = inspect(of, [defaults()[name]])
    assert [found.message for found in said.findings if found.check == CHECK_FAILED] == []
    return said


@cache
def answered(name: str) -> Inspection:
    """What the check says of its planted table."""
    return answer(name, table(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_fault_is_found(name: str) -> None:
    assert answered(name).findings


@pytest.mark.parametrize("name", NAMES)
def test_clean_rows_are_not_told(name: str) -> None:
    assert answer(name, clean()).findings == []


@pytest.mark.parametrize("name", NAMES)
def test_one_file_or_many_give_the_same_findings(name: str) -> None:
    parts = answer(name, table(name, parts=7))

    assert parts.findings == answered(name).findings
    assert parts.flags.equals(answered(name).flags)


@pytest.mark.parametrize("turn", [0, 1])
@pytest.mark.parametrize("name", [name for name in NAMES if name not in NAMED])
def test_a_column_whose_name_could_be_a_pattern_is_a_column(name: str, turn: int) -> None:
    answer(name, renamed(table(name), [*ODD_NAMES[turn:], *ODD_NAMES[:turn]]))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_among_others_changes_nothing(name: str) -> None:
    one = table(name)
    empty = {"empty": one.partitions["part-0"].clear()}
    more = dataclasses.replace(one, partitions={**empty, **one.partitions})

    assert answer(name, more).findings == answered(name).findings


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_give_the_same_bytes(name: str) -> None:
    again = answer(name, table(name)).findings

    assert [found.model_dump_json() for found in again] == [f.model_dump_json() for f in answered(name).findings]


@pytest.mark.parametrize("name", NAMES)
def test_findings_survive_json(name: str) -> None:
    for found in answered(name).findings:
        assert Finding.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("name", NAMES)
def test_flags_name_rows_that_are_there_and_as_many_as_the_finding_says(name: str) -> None:
    found, flagged = answered(name).findings, answered(name).flags
    hit = flagged.group_by("check", "column").agg(pl.col("row_id").n_unique())
    there = table(name).rows.select(pl.col("row_id").cast(pl.String)).collect()

    assert set(flagged["row_id"]) <= set(there["row_id"])
    assert flagged.schema == FLAG_SCHEMA
    counts = {(check, column): rows for check, column, rows in hit.iter_rows()}
    assert all(counts.get((f.check, f.column), f.rows) <= f.rows for f in found)


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_and_rows_without_values_are_no_error(name: str) -> None:
    for height in (0, 4):
        assert all(0 <= found.fraction <= 1 for found in answer(name, valueless(height)).findings)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, None])
def test_odd_numbers_and_unseen_categories_are_no_error(name: str, number: float | None) -> None:
    found = answer(name, odd(number)).findings

    assert [Finding.model_validate_json(each.model_dump_json()) for each in found] == found


@pytest.mark.parametrize("name", NAMES)
def test_a_finding_says_what_and_what_to_do_on_one_line(name: str) -> None:
    for found in answered(name).findings:
        assert found.message and found.suggestion
        assert "\n" not in found.message + found.suggestion


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("policy", get_args(Policy))
def test_a_policy_is_set_by_a_word_or_by_key_and_only_where_it_means_something(name: str, policy: Policy) -> None:
    if policy in ("off", *checks.registered()[name].policies):
        for given in (policy, {"policy": policy}):
            assert {c.name: c.policy for c in checks.configured({name: given})}[name] == policy
    else:
        with pytest.raises(SettingsError, match=rf"checks\.{name}\.policy: policy must be one of"):
            checks.configured({name: policy})


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"nonsense": {}}, "checks.nonsense"),
        ({"target_leak": {"nonsense": 1}}, "checks.target_leak.nonsense"),
        ({"target_leak": {"maximum_auc": "high"}}, "checks.target_leak.maximum_auc"),
        ({"target_leak": {"maximum_auc": 1.5}}, "checks.target_leak.maximum_auc"),
        ({"ts_gap": {"step": "2h"}}, "checks.ts_gap.step"),
        ({"ts_gap": {"filled_share": 0}}, "checks.ts_gap.filled_share"),
        ({"missing_share_column": {"maximum_share": -1}}, "checks.missing_share_column.maximum_share"),
        ({"class_imbalance": {"minimum_share": 2}}, "checks.class_imbalance.minimum_share"),
        ({"leak_future_information": {"maximum_phi": 2}}, "checks.leak_future_information.maximum_phi"),
        ({"leak_future_information": {"minimum_rows": 0}}, "checks.leak_future_information.minimum_rows"),
        ({"target_leak": {"policy": "ignore"}}, "checks.target_leak.policy"),
        ({"target_leak": 5}, "checks.target_leak"),
        ({"target_leak": [1]}, "checks.target_leak"),
    ],
)
def test_a_bad_setting_is_told_by_its_key(given: dict[str, Any], key: str) -> None:
    with pytest.raises(SettingsError) as raised:
        checks.configured(given)

    assert f"params.yaml: {key}: " in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_setting_that_is_left_empty_is_the_default() -> None:
    assert checks.configured({"target_leak": None}) == checks.configured({})


@pytest.mark.parametrize("name", NAMES)
def test_a_check_says_what_it_asks_and_where_its_thresholds_come_from(name: str) -> None:
    kind = checks.registered()[name]

    assert "?" in (kind.__doc__ or "").split("\n")[0]
    assert len(kind.source) > 10
