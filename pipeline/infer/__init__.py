"""A contract for data that have none: each column's type, role and modality, from all of its cells, with reasons.

`infer` reads the rows in streamed passes and keeps counts alone. What it finds is used as it is by
`keepfit check`, and written down as Python by `keepfit init`.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import polars as pl
from polars.selectors import by_name

from pipeline.contract import ROW_ID, Column, Contract, Modality, Role
from pipeline.errors import DataError
from pipeline.infer import source
from pipeline.infer.decide import decide, nulls
from pipeline.infer.evidence import gather
from pipeline.infer.found import Found
from pipeline.infer.sets import with_sets
from pipeline.infer.typed import Typed, gather_typed
from pipeline.profile import Categorical, Numeric, Profile
from pipeline.tables import tags
from pipeline.tables.cells import SURE, typed_as

ALONE: tuple[Role, ...] = ("label", "time")  # roles that one column has at most


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """What the columns of `name` are; `null_values` are cells that `typed` reads as missing.

    Of a file that says its types, `summarised` is the profile of the columns whose typed values were summarised on the
    way, `drawn` the typed rows that were asked for, and `without_nan` the columns of numbers that hold no NaN; no typed
    row lacks more than `lacking` cells. `groups_last`: most groups reach from early on to the end of the time axis.
    """

    name: str
    rows: int
    columns: tuple[Found, ...]
    null_values: list[str]
    summarised: Profile = field(default_factory=Profile)
    drawn: pl.DataFrame | None = None
    without_nan: frozenset[str] = frozenset()
    lacking: int | None = None
    groups_last: bool = False

    def column(self, name: str) -> Found:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def proposed_null_values(self) -> list[str]:
        """`null_values`, and whatever else stands for a missing value here: for a person to agree to."""
        others = {
            marker
            for column in self.columns
            for marker in column.markers
            if marker.strip().lower() in SURE or column.dtype != pl.String
        }
        answers = {text for column in self.columns for text in column.rules.get("isin", ())}
        return sorted({*self.null_values, *(others - answers)})

    @cached_property
    def contract(self) -> Contract:
        """The contract with types, roles and modalities alone: rules learnt from these rows they cannot break."""
        import pandera.polars as pa

        # pandera takes a name such as `^x$` for a pattern of names: such a column has no field
        plain = [c for c in self.columns if not (c.name.startswith("^") and c.name.endswith("$"))]
        fields = {c.name: pa.Column(c.dtype, nullable=True, metadata=source.metadata(c)) for c in plain}
        columns = tuple(
            Column(
                name=c.name,
                dtype=c.dtype,
                nullable=True,
                role=c.role,
                modality=c.modality,
                format=c.format,
                order=c.order,
            )
            for c in self.columns
        )
        schema = pa.DataFrameSchema(fields, name=self.name)
        return Contract(file=Path(f"{self.name}.py"), schema=schema, columns=columns, expectations=())

    def source(self) -> str:
        """The contract as a Python module, with the rules that held."""
        return source.python(self.name, self.rows, self.columns)

    def typed(self, frame: pl.LazyFrame, *, seen: bool = False) -> tuple[pl.LazyFrame, pl.LazyFrame]:
        """(row_id and the columns by their types, cells that do not parse: row_id, column, raw), both lazy.

        `seen`: these are the rows that were inferred from, so that columns without such cells need no second look.
        """
        schema = frame.collect_schema()
        cells = {c.name: self._cell(c, schema[c.name], seen=seen) for c in self.columns}
        values = {c.name: _value(cells[c.name], schema[c.name], c) for c in self.columns}
        known = set(self.null_values)
        doubtful = [c.name for c in self.columns if c.unparsed or set(c.markers) - known or not seen]
        bad = {name: cells[name].is_not_null() & values[name].is_null() for name in doubtful}
        return frame.select(ROW_ID, *values.values()), _unparsed(frame, cells, bad)

    def _cell(self, column: Found, found: pl.DataType, *, seen: bool) -> pl.Expr:
        """The cell as it came, null where it stands for a missing value."""
        cell = by_name(column.name)
        if found.is_float():
            return cell if seen and column.name in self.without_nan else cell.fill_nan(None)
        if found != pl.String or (seen and not column.markers):
            return cell
        return pl.when(~cell.is_in(self.null_values)).then(cell).alias(column.name)


def infer(
    frame: pl.LazyFrame,
    *,
    name: str,
    text: bool,
    roles: Mapping[str, Role],
    media: Mapping[str, str] | None = None,
    draw: pl.Expr | None = None,
) -> Inferred:
    """Infer the columns of `frame` (row_id aside); given `roles` win over what their values speak for.

    `text`: every cell came as text. `media`: columns that hold the paths of files, by their modality. `draw` says of a
    row whether it is to be kept as `drawn`, where the file says its types. Raises DataError for a role of a column that
    is not there, and for a time column that holds no moments.
    """
    names = [column for column in frame.collect_schema().names() if column != ROW_ID]
    _require_roles(names, roles, name)
    seen, kept, drawn, lacking = Typed(gather(frame), Profile(), None, 0) if text else gather_typed(frame, draw)
    found = decide(seen, roles, cast(Mapping[str, Modality], media or {}), text=text)
    for column in found:
        if column.role == "time" and column.dtype not in (pl.Date, pl.Datetime):
            raise DataError(
                f"holds no dates or moments that can be read ({column.why.split(';')[0]})",
                where=f"{name}: {column.name}",
                fix="name another column with --time, or write it as 2024-01-31 or 2024-01-31 12:00:00",
            )
    found = with_sets(frame, found)
    rows = max((evidence.rows for evidence in seen.values()), default=0)
    null_values = nulls(found)
    summarised = _typed_as_is(kept, found, null_values)
    without_nan = frozenset(n for n, each in kept.columns.items() if isinstance(each, Numeric) and not each.nan)
    schema = frame.collect_schema()
    as_is = not any(column.markers or column.dtype != schema[column.name] for column in found)
    inferred = Inferred(
        name=name,
        rows=rows,
        columns=tuple(found),
        null_values=null_values,
        summarised=summarised,
        without_nan=without_nan,
        lacking=lacking if as_is and not text else None,
    )
    return inferred if drawn is None else replace(inferred, drawn=inferred.typed(drawn.lazy(), seen=True)[0].collect())


def _typed_as_is(kept: Profile, found: Sequence[Found], null_values: Sequence[str]) -> Profile:
    """The summaries that hold of the typed values too: NaN is null there, and so are the null values."""
    columns: dict[str, Numeric | Categorical] = {}
    for column in (c for c in found if c.name in kept.columns):
        summary = kept.columns[column.name]
        if isinstance(summary, Numeric):
            columns[column.name] = summary.model_copy(update={"nulls": summary.missing, "nan": 0})
        elif column.dtype in (pl.String, pl.Boolean) and not set(column.markers) & set(null_values):
            columns[column.name] = summary
    return Profile(rows=kept.rows, columns=dict(sorted(columns.items())))


def _require_roles(names: list[str], roles: Mapping[str, Role], where: str) -> None:
    for column, role in roles.items():
        if column not in names:
            near = difflib.get_close_matches(column, names, n=1, cutoff=0.6)
            known = f"did you mean `{near[0]}`?" if near else f"its columns are: {', '.join(names[:20])}"
            raise DataError(f"has no column `{column}` to be the {role}", where=where, fix=known)
    for role in ALONE:
        named = [column for column, given in roles.items() if given == role]
        if len(named) > 1:
            raise DataError(f"only one column can be the {role}, got {', '.join(named)}", where=where, fix="name one")


def _value(cell: pl.Expr, found: pl.DataType, column: Found) -> pl.Expr:
    if found == pl.String and column.dtype != pl.String:
        cell = cell.str.strip_chars()
    value = typed_as(cell, found, column.dtype, column.format)
    if column.empty == "no tags":
        value = tags.or_none(value, cell)
    return (value.fill_nan(None) if column.dtype.is_float() and found == pl.String else value).alias(column.name)


def _unparsed(frame: pl.LazyFrame, cells: Mapping[str, pl.Expr], bad: Mapping[str, pl.Expr]) -> pl.LazyFrame:
    """One row a cell, of all columns in one pass."""
    schema: dict[str, Any] = {ROW_ID: frame.collect_schema()[ROW_ID], "column": pl.String, "raw": pl.String}
    if not bad:
        return pl.LazyFrame(schema=schema)
    told = [
        pl.when(is_bad).then(pl.struct(pl.lit(name).alias("column"), cells[name].cast(pl.String).alias("raw")))
        for name, is_bad in bad.items()
    ]
    rows = frame.filter(pl.any_horizontal(bad.values())).select(ROW_ID, pl.concat_list(told).alias("cell"))
    return rows.explode("cell").drop_nulls("cell").unnest("cell")
