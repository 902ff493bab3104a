"""A contract is loaded whole, or its fault is told with its file and column."""

from pathlib import Path

import polars as pl
import pytest

from pipeline import contract
from pipeline.contract import Contract
from pipeline.errors import ContractError
from pipeline.tables.cells import typed_as

HEAD = """
from typing import Optional
import pandera.polars as pa
import polars as pl

def field(role="feature", modality="numeric", **rules):
    return pa.Field(metadata={"role": role, "modality": modality}, **rules)

class Model(pa.DataFrameModel):
"""
LABEL = '    y: bool = field("label", None, nullable=True)\n'


def load(folder: Path, text: str) -> Contract:
    file = folder / "made.py"
    file.write_text(text, encoding="utf-8")
    return contract.load(file)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(ContractError) as raised:
        load(folder, text)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_columns_come_in_order_with_type_role_and_modality(tmp_path: Path) -> None:
    fields = (
        "    x: float = field(ge=0, nullable=True)\n"
        '    kind: str = pa.Field(metadata={"modality": "categorical"})\n'
        '    when: pl.Datetime = field("time", "timestamp")\n'
        '    who: str = field("group", None)\n'
    )
    loaded = load(tmp_path, HEAD + fields + LABEL + '    class Config:\n        unique = "x"\n')

    assert loaded.names == ["x", "kind", "when", "who", "y"]
    assert [c.name for c in loaded.features] == ["x", "kind", "when"]
    assert (loaded.label.name, loaded.time, loaded.groups, loaded.key) == ("y", "when", ["who"], ["x"])
    assert loaded.column("x").dtype == pl.Float64
    assert loaded.column("x").nullable and not loaded.column("kind").nullable
    assert loaded.expectations == ()


def test_a_time_column_without_a_modality_is_no_feature(tmp_path: Path) -> None:
    loaded = load(tmp_path, f'{HEAD}    x: int = field()\n    when: pl.Date = field("time", None)\n{LABEL}')

    assert [c.name for c in loaded.features] == ["x"]
    assert loaded.time == "when"


def test_two_contracts_do_not_mix(tmp_path: Path) -> None:
    first = load(tmp_path, f"{HEAD}    a: int = field()\n{LABEL}")
    second = load(tmp_path, f"{HEAD}    b: int = field()\n{LABEL}")

    assert (first.names, second.names) == (["a", "y"], ["b", "y"])


def test_an_absent_contract_is_told(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"schemas/absent\.py: the contract is absent; write it"):
        contract.load(tmp_path / "absent.py")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("def (", "does not load: SyntaxError"),
        ("import nowhere_to_be_found", "does not load: ModuleNotFoundError"),
        ("raise SystemExit(3)", "does not load: SystemExit: 3"),
        ("1 / 0", "does not load: ZeroDivisionError"),
        ("", "holds 0 pandera DataFrameModels"),
        (f"{HEAD}    x: int = field()\nclass Other(Model):\n    y: int = field()\n", "holds 2 pandera DataFrameModels"),
        (f'{HEAD}    x: "nonsense" = field()\n', "is no pandera model: name 'nonsense' is not defined"),
        (f"{HEAD}    x: int = field()\n\nEXPECTATIONS = 5\n", "EXPECTATIONS must be a list of dicts"),
        (f"{HEAD}    x: int = field()\n\nEXPECTATIONS = {{'type': 'a'}}\n", "EXPECTATIONS must be a list of dicts"),
    ],
)
def test_a_file_that_is_no_contract_is_told(tmp_path: Path, text: str, told: str) -> None:
    assert fault(tmp_path, text).startswith(f"schemas/made.py: {told}")


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ('x: int = field("boss")', "role must be one of feature, label, id, time, group, ignore, got 'boss'"),
        ('x: int = field(["feature"])', "role must be one of"),
        ('x: int = field("feature", "picture")', "the modality of a feature must be one of"),
        ("x: int", "the modality of a feature must be one of numeric, categorical, set, timestamp, text, "),
        ("x: str = field()", "a numeric column cannot be String"),
        ('x: int = field("feature", "timestamp")', "a timestamp column cannot be Int64"),
        ('x: str = field("time", None)', "the role `time` needs a date or datetime, got String"),
        ("x: pl.List(pl.Int64) = field()", "the type List(Int64) is not supported"),
        ("x: pl.Duration = field()", "the type Duration(time_unit='us') is not supported"),
        ("x: object = field()", "the type Object is not supported"),
        ("x: int = field(unique=True)", "a field must have a name of its own"),
        ("x: Optional[int] = field()", "a field must have a name of its own"),
    ],
)
def test_a_field_that_no_stage_can_use_is_told(tmp_path: Path, field: str, told: str) -> None:
    assert fault(tmp_path, f"{HEAD}    {field}\n{LABEL}").startswith(f"schemas/made.py: x: {told}")


def test_the_rows_own_name_is_taken(tmp_path: Path) -> None:
    assert "row_id: a field must have a name" in fault(tmp_path, f"{HEAD}    row_id: int = field()\n{LABEL}")


@pytest.mark.parametrize("alias", ["*", "^x$"])
def test_a_name_that_is_a_pattern_is_none(tmp_path: Path, alias: str) -> None:
    told = fault(tmp_path, f"{HEAD}    x: int = field(alias={alias!r})\n{LABEL}")

    assert f"{alias}: a field must have a name of its own" in told


def test_there_is_one_time_axis(tmp_path: Path) -> None:
    fields = '    a: pl.Date = field("time", None)\n    b: pl.Date = field("time", None)\n'

    assert "more than one time axis: a, b" in fault(tmp_path, HEAD + fields + LABEL)


def test_the_key_is_made_of_columns(tmp_path: Path) -> None:
    text = f'{HEAD}    x: int = field()\n{LABEL}    class Config:\n        unique = ["x", "z"]\n'

    assert "the key names no column: z" in fault(tmp_path, text)


@pytest.mark.parametrize(("labels", "count"), [("", 0), (f"{LABEL}{LABEL.replace('y:', 'z:')}", 2)])
def test_training_needs_exactly_one_label(tmp_path: Path, labels: str, count: int) -> None:
    loaded = load(tmp_path, f"{HEAD}    x: int = field()\n{labels}")

    with pytest.raises(ContractError, match=rf"schemas/made\.py: names {count} columns of role `label`"):
        _ = loaded.label


@pytest.mark.parametrize(("modality", "quantity"), [("numeric", True), ("categorical", False), (None, False)])
def test_a_label_is_a_quantity_where_its_modality_is_numeric(
    tmp_path: Path, modality: str | None, quantity: bool
) -> None:
    loaded = load(tmp_path, HEAD + f"    x: float = field()\n    y: int = field('label', {modality!r})\n")

    assert loaded.label.is_quantity is quantity
    assert not loaded.column("x").is_quantity


@pytest.mark.parametrize(
    ("dtype", "modality", "told"),
    [
        ("str", "text", "the modality of a label must be categorical (classes), ordinal (classes in an order), "),
        ("pl.Datetime", "timestamp", "the modality of a label must be categorical (classes), ordinal"),
        ("str", "numeric", "a numeric column cannot be String"),
    ],
)
def test_a_label_that_nothing_can_learn_is_told(tmp_path: Path, dtype: str, modality: str, told: str) -> None:
    text = HEAD + f"    x: float = field()\n    y: {dtype} = field('label', {modality!r})\n"

    assert fault(tmp_path, text).startswith(f"schemas/made.py: y: {told}")


SET = '    y: str = pa.Field(metadata={"role": "label", "modality": "set", "format": ";"})\n'
NO_TAGS = SET.replace("}", ', "empty": "no tags"}')
ORDINAL = '    y: str = pa.Field(metadata={"role": "label", "modality": "ordinal", "order": ["lo", "hi"]})\n'
YES = '    y: str = pa.Field(metadata={"role": "label", "positive": "late"})\n'
STARS = '    y: int = pa.Field(metadata={"role": "label", "modality": "ordinal"})\n'


@pytest.mark.parametrize(
    ("field", "kind", "order"), [(SET, "tags", ()), (ORDINAL, "ordinal", ("lo", "hi")), (STARS, "ordinal", ())]
)
def test_the_modality_says_what_is_told_of_a_label(
    tmp_path: Path, field: str, kind: str, order: tuple[str, ...]
) -> None:
    label = load(tmp_path, f"{HEAD}    x: float = field()\n{field}").label

    assert (label.label_kind, label.order, label.is_quantity) == (kind, order, False)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (SET.replace(', "format": ";"', ""), "the format of a set must be what stands between its tags, or `json`"),
        (SET.replace("str", "int"), "a set column cannot be Int64"),
        (ORDINAL.replace(', "order": ["lo", "hi"]', ""), "an ordinal label that is String needs the order"),
        (ORDINAL.replace('"hi"', '"lo"'), "the order is the list of an ordinal label's classes as text, each once"),
        (ORDINAL.replace('"ordinal"', '"categorical"'), "the order is the list of an ordinal label's classes"),
        (STARS.replace("label", "feature"), "the modality of a feature must be one of"),
        (YES.replace('"late"', "True"), "`positive` is the class of a label of classes, as text, got True"),
        (YES.replace("}", ', "modality": "numeric"}').replace("str", "int"), "`positive` is the class of a label of"),
        (NO_TAGS.replace("no tags", "none"), "`empty` is what an empty cell of a label of tags says, `missing` or `no"),
        (NO_TAGS.replace("label", "feature"), "`empty` is what an empty cell of a label of tags says"),
        (YES.replace('"label"', '"feature", "modality": "text"'), "`positive` is the class of a label of classes"),
    ],
)
def test_sets_and_orders_that_cannot_be_are_told(tmp_path: Path, field: str, told: str) -> None:
    assert fault(tmp_path, f"{HEAD}    x: float = field()\n{field}").startswith(f"schemas/made.py: y: {told}")


@pytest.mark.parametrize(("field", "empty"), [(SET, "missing"), (NO_TAGS, "no tags")])
def test_an_empty_cell_of_tags_is_missing_unless_it_is_said_to_be_none(tmp_path: Path, field: str, empty: str) -> None:
    assert load(tmp_path, f"{HEAD}    x: float = field()\n{field}").label.empty == empty


def test_a_set_of_tags_can_be_parted_by_commas_and_lists_must_be_json() -> None:
    cells = pl.DataFrame({"x": ['["a"]', "a,b", "1.000,5"]})

    def typed(pattern: str) -> list[str | None]:
        return cells.select(typed_as(pl.col("x"), pl.String(), pl.String(), pattern))["x"].to_list()

    assert typed(",") == cells["x"].to_list()
    assert typed("json") == ['["a"]', None, None]


def test_training_needs_a_feature(tmp_path: Path) -> None:
    loaded = load(tmp_path, HEAD + LABEL)

    with pytest.raises(ContractError, match=r"schemas/made\.py: names no feature"):
        _ = loaded.features


def test_a_column_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    loaded = load(tmp_path, f"{HEAD}    x: int = field()\n{LABEL}")

    with pytest.raises(ContractError, match="has no column `z`; use one of: x, y"):
        loaded.column("z")
