"""What every registered check keeps to, whatever it asks."""

import dataclasses
import importlib
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pandera.polars as pa
import polars as pl
import pytest

from pipeline import checks
from pipeline.errors import SettingsError
from pipeline.findings import FLAG_SCHEMA, Check, Finding, Policy, Table
from pipeline.inspection import inspect

Make = Callable[..., Table]
Planted = Callable[[int], Table]  # partitions → a table in which the check finds something
NAMES = sorted(checks.registered())
RULES = {"shop": pa.Check.isin(["north", "south"]), "x": pa.Check.ge(0)}


def damaged() -> dict[str, list[Any]]:
    """130 rows with something for every check, but for the label of one class."""
    y: list[str | None] = [None if i < 12 else "rare" if i < 16 else ("yes", "no")[i % 2] for i in range(130)]
    start = datetime(2024, 1, 1)
    rows: dict[str, list[Any]] = {
        "id": list(range(130)),
        "t": [start + timedelta(days=i + 3 * (i > 60)) for i in range(130)],
        "x": [1.0 if value == "yes" else 0.0 for value in y],
        "shop": ["north"] * 128 + ["east", " NORTH"],
        "after": [None if value is None else float(i) for i, value in enumerate(y)],
        "one": [1] * 130,
        "y": y,
    }
    rows = {name: [*values, values[20]] for name, values in rows.items()}  # a copy of row 20
    rows = {name: [*values, 5.5 if name == "x" else values[21]] for name, values in rows.items()}  # a rival of 21
    return rows


def planted() -> dict[str, Planted]:
    """What each family's tests plant for a check, by the check's name; a check without one takes `damaged`."""
    folder = Path(__file__).parent
    modules = [importlib.import_module(f"{__package__}.{path.stem}") for path in sorted(folder.glob("test_*.py"))]
    return {name: rows for module in modules for name, rows in getattr(module, "PLANTED", {}).items()}


def table(make: Make, name: str, parts: int = 1) -> Table:
    if name in planted():
        return planted()[name](parts)
    rows = damaged()
    if name == "single_class_target":
        rows["y"] = ["yes"] * len(rows["y"])
    return make(rows, key=["id"], rules=RULES, unparsed=[("rows#3", "x", "much")], parts=parts)


def check(name: str) -> Check:
    return next(check for check in checks.configured({}) if check.name == name)


def answer(asked: Check, of: Table) -> tuple[list[Finding], pl.DataFrame]:
    """What the check finds; what it raises is raised."""
    list(asked.hits(of))
    said = inspect(of, [asked])
    return said.findings, said.flags


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_fault_is_found(make: Make, name: str) -> None:
    found, _ = answer(check(name), table(make, name))

    assert found


@pytest.mark.parametrize("name", NAMES)
def test_clean_rows_are_not_told(make: Make, name: str) -> None:
    start = datetime(2024, 1, 1)
    rows = {
        "id": list(range(40)),
        "t": [start + timedelta(days=i) for i in range(40)],
        "x": [float(i * 7 % 11) for i in range(40)],
        "shop": [("north", "south")[i % 3 == 0] for i in range(40)],
        "y": [("yes", "no")[i % 2] for i in range(40)],
    }

    assert answer(check(name), make(rows, key=["id"], rules=RULES))[0] == []


@pytest.mark.parametrize("name", NAMES)
def test_one_file_or_many_give_the_same_findings(make: Make, name: str) -> None:
    whole, whole_flags = answer(check(name), table(make, name))
    parts, part_flags = answer(check(name), table(make, name, parts=7))

    assert parts == whole
    assert part_flags.equals(whole_flags)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_file_among_others_changes_nothing(make: Make, name: str) -> None:
    one = table(make, name)
    empty = {"empty": one.partitions["part-0"].clear()}
    more = dataclasses.replace(one, partitions={**empty, **one.partitions})

    assert answer(check(name), more)[0] == answer(check(name), one)[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_give_the_same_bytes(make: Make, name: str) -> None:
    def asked() -> list[str]:
        return [found.model_dump_json() for found in answer(check(name), table(make, name))[0]]

    assert asked() == asked()


@pytest.mark.parametrize("name", NAMES)
def test_findings_survive_json(make: Make, name: str) -> None:
    for found in answer(check(name), table(make, name))[0]:
        assert Finding.model_validate_json(found.model_dump_json()) == found


@pytest.mark.parametrize("name", NAMES)
def test_flags_name_rows_that_are_there_and_as_many_as_the_finding_says(make: Make, name: str) -> None:
    of = table(make, name)
    found, flagged = answer(check(name), of)
    hit = flagged.group_by("check", "column").agg(pl.col("row_id").n_unique())

    assert set(flagged["row_id"]) <= set(of.rows.select(pl.col("row_id").cast(pl.String)).collect().to_series())
    assert flagged.schema == FLAG_SCHEMA
    counts = {(check, column): rows for check, column, rows in hit.iter_rows()}
    assert all(counts.get((f.check, f.column), f.rows) <= f.rows for f in found)


@pytest.mark.parametrize("name", NAMES)
def test_no_rows_and_rows_without_values_are_no_error(make: Make, name: str) -> None:
    columns = {"id": pl.Int64(), "t": pl.Datetime("us"), "x": pl.Float64(), "shop": pl.String(), "y": pl.String()}
    empty = pl.DataFrame(schema=pl.Schema(columns))

    for rows in (empty, empty.clear(4)):
        found, _ = answer(check(name), make(rows, key=["id"], rules=RULES))
        assert all(0 <= each.fraction <= 1 for each in found)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, None])
def test_odd_numbers_and_unseen_categories_are_no_error(make: Make, name: str, odd: float | None) -> None:
    rows = {"id": [1, 2, 3], "x": [odd, 1.0, 2.0], "shop": ["", "Ünseen", None], "y": ["a", "b", "new"]}

    found, _ = answer(check(name), make(rows, key=["id"], rules=RULES))

    assert [Finding.model_validate_json(each.model_dump_json()) for each in found] == found


@pytest.mark.parametrize("name", NAMES)
def test_a_finding_says_what_and_what_to_do_on_one_line(make: Make, name: str) -> None:
    for found in answer(check(name), table(make, name))[0]:
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
