"""The contract of a data set: a pandera model in schemas/<dataset>.py, with a role and a modality for each column.

A column of role `time` is the axis of time splits; give it the modality `timestamp` and its cyclic parts (hour of the
day, day of the week) are features too. Columns without a role are features, except for the row's own bookkeeping. Dates
are read as ISO 8601; `format` in a field's metadata says otherwise. A label is of classes; with the modality `numeric`
it is a quantity to be estimated, with `ordinal` its classes have an order: that of numbers, or of the list `order` in
the metadata, from the lowest. Of two classes the last by their text is what probabilities and AUC are of, unless
`positive` in the metadata names the other. A column of modality `set` holds several tags a cell, feature or label;
`format` is what stands between them, or `json` for a JSON list. A cell without any is written `[]`, however the others
are; an empty one is missing, unless the metadata of the label say `"empty": "no tags"`. Even then a file none of whose
rows has a tag is one that nobody has labelled yet.
"""

import importlib.util
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, Literal, get_args

from pipeline.errors import ContractError
from pipeline.tables.cells import is_number_format

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl

Role = Literal["feature", "label", "id", "time", "group", "ignore"]
Modality = Literal["numeric", "categorical", "ordinal", "set", "timestamp", "text", "text-file", "image", "audio"]
LabelKind = Literal["classes", "quantity", "ordinal", "tags"]
Empty = Literal["missing", "no tags"]

LABELS: dict[Modality | None, LabelKind] = {
    None: "classes",
    "categorical": "classes",
    "ordinal": "ordinal",
    "numeric": "quantity",
    "set": "tags",
}

ROW_ID = "row_id"


@dataclass(frozen=True, kw_only=True)
class Column:
    """What the contract says of one column.

    `format` is how its text is written where that is not plain: of a moment strptime's pattern, of a number `,` for a
    decimal comma, `1,234.5` for commas that part thousands, `$1,234.5`, `1234,5 %` or `1234.5 kg` for these with a
    unit, of a set of tags what stands between them, or `json`. `order` has the classes of an ordinal label from the
    lowest; none for numbers, which have their own.
    `positive` is the class that counts as yes; None for the last by its text. `empty`: what an empty cell of a label of
    tags says.
    """

    name: str
    dtype: "pl.DataType"
    nullable: bool
    role: Role
    modality: Modality | None
    format: str | None = None
    order: tuple[str, ...] = ()
    positive: str | None = None
    empty: Empty = "missing"

    @property
    def is_quantity(self) -> bool:
        """Whether it is a label that is a number to be estimated."""
        return self.role == "label" and self.modality == "numeric"

    @property
    def label_kind(self) -> LabelKind:
        """What is to be told of a label."""
        return LABELS[self.modality]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """A data set's contract: its columns in order, the key that no two rows share, and batch expectations."""

    file: Path
    schema: "pa.DataFrameSchema"
    columns: tuple[Column, ...]
    expectations: tuple[dict[str, Any], ...]

    @cached_property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @cached_property
    def key(self) -> list[str]:
        """The columns that together name a row (pandera's `Config.unique`); empty where none is stated."""
        unique = self.schema.unique
        return [] if unique is None else [unique] if isinstance(unique, str) else list(unique)

    @cached_property
    def label(self) -> Column:
        """The one column of role label; raises ContractError where there is none or more than one."""
        found = self.of_role("label")
        if len(found) != 1:
            raise ContractError(
                f"names {len(found)} columns of role `label`, and training needs exactly one",
                where=f"schemas/{self.file.name}",
                fix='give one field metadata={"role": "label"}',
            )
        return found[0]

    @cached_property
    def features(self) -> list[Column]:
        """What the model may look at: role feature, and a time column that has a modality; ContractError for none."""
        found = [c for c in self.columns if c.modality is not None and c.role in ("feature", "time")]
        if not found:
            raise ContractError(
                "names no feature, so there is nothing to learn from",
                where=f"schemas/{self.file.name}",
                fix='give a field metadata={"role": "feature", "modality": ...}',
            )
        return found

    @cached_property
    def time(self) -> str | None:
        """The name of the time axis, if there is one."""
        found = self.of_role("time")
        return found[0].name if found else None

    @cached_property
    def groups(self) -> list[str]:
        return [column.name for column in self.of_role("group")]

    def of_role(self, role: Role) -> list[Column]:
        return [column for column in self.columns if column.role == role]

    def column(self, name: str) -> Column:
        """The column of that name; raises ContractError where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(
            f"has no column `{name}`", where=f"schemas/{self.file.name}", fix=f"use one of: {', '.join(self.names)}"
        )


def load(file: Path) -> Contract:
    """Load the contract in `file`; raises ContractError when it is absent, broken, or holds not one model."""
    module = _import(file)
    model = _model(module, file)
    try:
        schema = model.to_schema()
    except Exception as error:  # the file is the user's code: whatever it raises is the contract's fault
        raise ContractError(f"is no pandera model: {error}", where=f"schemas/{file.name}", fix="mend it") from error
    columns = tuple(_column(name, field, file) for name, field in schema.columns.items())
    found = Contract(file=file, schema=schema, columns=columns, expectations=_expectations(module, file))
    _require_consistent(found)
    return found


class _FreshLoader(SourceFileLoader):
    """Compiles the source each time: cached bytecode of an edit within the same second would pass for the new one."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(file: Path) -> ModuleType:
    if not file.is_file():
        raise ContractError(
            "the contract is absent",
            where=f"schemas/{file.name}",
            fix="write it, or set `dataset` in params.yaml to one that is there",
        )
    name = f"_keepfit_contract_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file, loader=_FreshLoader(name, str(file)))
    assert spec is not None and spec.loader is not None  # a loader was given
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pandera looks up a model's annotations in its module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # the file is the user's code: what it raises is the contract's fault
        raise ContractError(
            f"does not load: {type(error).__name__}: {error}", where=f"schemas/{file.name}", fix="mend it"
        ) from error
    return module


def _model(module: ModuleType, file: Path) -> Any:
    import pandera.polars as pa

    models = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, pa.DataFrameModel) and value.__module__ == module.__name__
    ]
    if len(models) != 1:
        raise ContractError(
            f"holds {len(models)} pandera DataFrameModels, and a contract is exactly one",
            where=f"schemas/{file.name}",
            fix="keep one per file",
        )
    return models[0]


def _expectations(module: ModuleType, file: Path) -> tuple[dict[str, Any], ...]:
    listed = getattr(module, "EXPECTATIONS", [])
    if not isinstance(listed, list | tuple) or not all(isinstance(each, dict) for each in listed):
        raise ContractError(
            "EXPECTATIONS must be a list of dicts",
            where=f"schemas/{file.name}",
            fix='write each as {"type": "expect_...", "kwargs": {...}, "notes": "..."}',
        )
    return tuple(listed)


def _column(name: str, field: Any, file: Path) -> Column:
    metadata = field.metadata or {}
    role, modality = metadata.get("role", "feature"), metadata.get("modality")
    where = f"schemas/{file.name}: {name}"
    if role not in get_args(Role):
        raise ContractError(
            f"role must be one of {', '.join(get_args(Role))}, got {role!r}",
            where=where,
            fix="mend the field's metadata",
        )
    readable = [name for name in get_args(Modality) if name != "ordinal"]
    if role != "label" and (modality not in (None, *readable) or (role == "feature" and modality is None)):
        raise ContractError(
            f"the modality of a feature must be one of {', '.join(readable)}, got {modality!r}",
            where=where,
            fix="mend the field's metadata",
        )
    if role == "label" and modality not in LABELS:
        raise ContractError(
            "the modality of a label must be categorical (classes), ordinal (classes in an order), numeric (a "
            f"quantity) or set (several tags), got {modality!r}",
            where=where,
            fix="mend the field's metadata",
        )
    if name in (ROW_ID, "*") or field.unique or field.regex or not field.required:  # `*` is a pattern to Polars
        raise ContractError(
            f"a field must have a name of its own (not `{ROW_ID}` or `*`), stand in every file, and not be unique by "
            "itself",
            where=where,
            fix="rename it, drop Optional and regex, and state a key as `unique` in the model's Config",
        )
    dtype, pattern, order = field.dtype.type, metadata.get("format"), metadata.get("order")
    _require_type(dtype, role, modality, where)
    _require_format(pattern, dtype, modality, where)
    _require_order(order, dtype, modality, where)
    positive = metadata.get("positive")
    if positive is not None and not (isinstance(positive, str) and role == "label" and LABELS[modality] == "classes"):
        raise ContractError(
            f"`positive` is the class of a label of classes, as text, got {positive!r}",
            where=where,
            fix='write it as in "positive": "yes", or leave it out',
        )
    empty = metadata.get("empty", "missing")
    if empty not in get_args(Empty) or (empty != "missing" and (role, modality) != ("label", "set")):
        raise ContractError(
            f"`empty` is what an empty cell of a label of tags says, `missing` or `no tags`, got {empty!r}",
            where=where,
            fix='write it as in "empty": "no tags", or leave it out',
        )
    return Column(
        name=name,
        dtype=dtype,
        nullable=field.nullable,
        role=role,
        modality=modality,
        format=pattern,
        order=tuple(order or ()),
        positive=positive,
        empty=empty,
    )


def _require_type(dtype: "pl.DataType", role: Role, modality: Modality | None, where: str) -> None:
    """Raise ContractError for a type that no stage can read, or that is not what the role or modality needs."""
    import polars as pl

    moment = dtype in (pl.Date, pl.Datetime)
    number = dtype.is_numeric() or dtype == pl.Boolean
    if not (moment or number or dtype in (pl.String, pl.Categorical, pl.Enum)):
        raise ContractError(f"the type {dtype} is not supported", where=where, fix="use a number, text, bool or time")
    if role == "time" and not moment:
        raise ContractError(f"the role `time` needs a date or datetime, got {dtype}", where=where, fix="mend its type")
    text = modality in ("set", "text", "text-file", "image", "audio")  # a picture or a sound is the path of its file
    if (
        (modality == "numeric" and not number)
        or (modality == "timestamp" and not moment)
        or (text and dtype != pl.String)
    ):
        raise ContractError(f"a {modality} column cannot be {dtype}", where=where, fix="mend its type or modality")


def _require_format(pattern: Any, dtype: "pl.DataType", modality: Modality | None, where: str) -> None:
    """Raise ContractError for a format that says nothing of the type, and for a set that has none."""
    import polars as pl

    if modality == "set":
        if not isinstance(pattern, str) or not pattern:
            raise ContractError(
                f"the format of a set must be what stands between its tags, or `json`, got {pattern!r}",
                where=where,
                fix='write it into the field\'s metadata: "format": ";"',
            )
        return
    moment = dtype in (pl.Date, pl.Datetime) and isinstance(pattern, str) and "%" in pattern
    if not (pattern is None or moment or (dtype.is_float() and is_number_format(pattern))):
        raise ContractError(
            f"the format of {dtype} cannot be {pattern!r}",
            where=where,
            fix="write strptime's pattern for a date or datetime, or for a float `,` for a decimal comma, `1,234.5` "
            "for commas between thousands, and the like with a unit: `$1,234.5`, `1234.5 kg`",
        )


def _require_order(order: Any, dtype: "pl.DataType", modality: Modality | None, where: str) -> None:
    """Raise ContractError for an order of what has none, and for classes of text that have no order."""
    listed = isinstance(order, list | tuple) and len({*map(str, order)}) == len(order) >= 2
    if order is not None and (modality != "ordinal" or not listed or not all(isinstance(each, str) for each in order)):
        raise ContractError(
            f"the order is the list of an ordinal label's classes as text, each once, from the lowest, got {order!r}",
            where=where,
            fix='write it beside "modality": "ordinal", or leave it out',
        )
    if modality == "ordinal" and order is None and not (dtype.is_numeric() or dtype.is_temporal()):
        raise ContractError(
            f"an ordinal label that is {dtype} needs the order of its classes",
            where=where,
            fix='write it into the field\'s metadata: "order": ["low", "middle", "high"]',
        )


def _require_consistent(found: Contract) -> None:
    """Raise ContractError where the columns do not go together."""
    where = f"schemas/{found.file.name}"
    if len(found.of_role("time")) > 1:
        names = ", ".join(column.name for column in found.of_role("time"))
        raise ContractError(f"names more than one time axis: {names}", where=where, fix="give the role to one field")
    for name in found.key:
        if name not in found.names:
            raise ContractError(f"the key names no column: {name}", where=where, fix="mend `unique` in its Config")
