"""The inferred contract as Python that people read and edit. Whatever a column is called is quoted: no name is code."""

import keyword
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

from pipeline.infer.found import Found

METADATA = {  # the constants at the head of a contract
    "IGNORE": {"role": "ignore"},
    "ID": {"role": "id"},
    "GROUP": {"role": "group"},
    "NUMERIC": {"role": "feature", "modality": "numeric"},
    "CATEGORICAL": {"role": "feature", "modality": "categorical"},
    "TIMESTAMP": {"role": "feature", "modality": "timestamp"},
    "TEXT": {"role": "feature", "modality": "text"},
    "TIME": {"role": "time", "modality": "timestamp"},
    "LABEL": {"role": "label", "modality": "categorical"},
    "QUANTITY": {"role": "label", "modality": "numeric"},
}
NAMED_TYPES: dict[type[pl.DataType], str] = {pl.Int64: "int", pl.Float64: "float", pl.String: "str", pl.Boolean: "bool"}
LINE = 118
ALL = ("*", "")  # as a column's name pandera takes these for all columns: it can have no rule
TAKEN = {"Config", "pa", "pl", "int", "float", "str", "bool", *METADATA}


def metadata(column: Found) -> dict[str, str | list[str]]:
    """What pandera's Field keeps for us: role, modality, format, order."""
    order = [*column.order] or None
    said = {"role": column.role, "modality": column.modality, "format": column.format, "order": order}
    return {key: value for key, value in said.items() if value is not None}


def python(name: str, rows: int, columns: Sequence[Found]) -> str:
    """A module with one DataFrameModel, one field a line, and the constants that it uses."""
    name = re.sub(r"\W+", "_", name, flags=re.ASCII)
    fields = [_field(place, column) for place, column in enumerate(columns)]
    used = [key for key in METADATA if any(f"metadata={key}" in field for field in fields)]
    constants = [f"{key} = {literal(METADATA[key])}" for key in used]
    lines = [
        f'"""The contract of the {name} data, inferred from {rows:,} rows: read it, and correct what it gets wrong.',
        "",
        "What a comment says was seen; ranges are wider than that, so that tomorrow's rows fit. Give a column the role",
        "`ignore` to keep it from the model, `id` if it names the row, `group` if rows that share it belong together.",
        '"""',
        "",
        "import pandera.polars as pa",
        *(["import polars as pl"] if any(": pl." in field for field in fields) else []),
        "",
        *constants,
        "",
        "",
        f"class {_class_name(name)}(pa.DataFrameModel):",
        f'    """One row is one row of {name}."""',
        "",
        *fields,
        "",
        "    class Config:",
        '        """No other column may slip in."""',
        "",
        "        strict = True",
    ]
    return "\n".join(lines) + "\n"


def _field(place: int, column: Found) -> str:
    """One field; a name that is no plain identifier stands as a quoted alias."""
    ours = f"column_{place + 1}"
    plain = _is_plain(column.name) and (column.name == ours or not re.fullmatch(r"column_\d+", column.name))
    attribute = column.name if plain else ours
    rules = [f"{key}={literal(value)}" for key, value in column.rules.items() if column.name not in ALL]
    open_ended = column.role in ("label", "ignore") or column.name in ALL
    nullable = ["nullable=True"] if column.nullable or column.unparsed or open_ended else []
    alias = [] if plain else [f"alias={literal(column.name)}"]
    arguments = ", ".join([*alias, *rules, *nullable, f"metadata={_metadata(column)}"])
    dtype = _type(column.dtype)
    # a call as an annotation is right for pandera and wrong for type checkers
    ignored = "  # type: ignore[valid-type]" if "(" in dtype else ""
    field, why = f"    {attribute}: {dtype} = pa.Field({arguments}){ignored}", f"# {_comment(column.why)}"
    return f"{field}  {why}" if len(field) + len(why) < LINE else f"    {why}\n{field}"


def _is_plain(name: str) -> bool:
    """Whether a name can stand as it is: pandera keeps `_` for itself, and a keyword or our own words would clash."""
    usable = name.isidentifier() and name.isascii() and not keyword.iskeyword(name) and not keyword.issoftkeyword(name)
    return usable and not name.startswith("_") and name not in TAKEN and not _is_of_pandera(name)


def _is_of_pandera(name: str) -> bool:
    import pandera.polars as pa

    return hasattr(pa.DataFrameModel, name)


def _metadata(column: Found) -> str:
    said = metadata(column)
    return next((key for key, known in METADATA.items() if known == said), literal(said))


def _type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        zone = f", time_zone={literal(dtype.time_zone)}" if dtype.time_zone else ""
        return f'pl.Datetime(time_unit="{dtype.time_unit}"{zone})'
    return NAMED_TYPES.get(type(dtype), f"pl.{type(dtype).__name__}")


def literal(value: Any) -> str:
    """The value as Python on one line; text in double quotes where it holds none itself."""
    if isinstance(value, str):
        quoted = repr(value)
        return quoted if "'" in value or '"' in value else f'"{quoted[1:-1]}"'
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def _comment(text: str) -> str:
    """One printable line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _class_name(name: str) -> str:
    joined = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return joined if joined[:1].isalpha() else f"Data{joined}"
