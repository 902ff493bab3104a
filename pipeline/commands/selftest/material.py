"""The user's own rows as text, to plant defects in: what a file would hold, whatever format it came in."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
from polars.selectors import by_name

from pipeline import readers
from pipeline.contract import ROW_ID, Role
from pipeline.errors import DataError
from pipeline.infer import Inferred, infer
from pipeline.infer.found import Found
from pipeline.quality.findings import Table

LEAST_ROWS = 50
CELLS = 200_000  # rows are fewer where columns are many, so that a run stays within minutes


@dataclass(frozen=True, kw_only=True)
class Material:
    """One row of `rows` is one row of the input: row_id (its place here), then every cell as text."""

    name: str
    rows: pl.DataFrame
    inferred: Inferred
    roles: Mapping[str, Role]
    media: Mapping[str, str]
    base: Path | None
    reference: Table | None = None

    @property
    def height(self) -> int:
        return self.rows.height

    @cached_property
    def label(self) -> Found | None:
        """The label, where one was named."""
        return next((column for column in self.inferred.columns if column.role == "label"), None)

    @cached_property
    def time(self) -> str | None:
        """The time axis, where there is one."""
        return next((column.name for column in self.inferred.columns if column.role == "time"), None)

    def cells(self, name: str) -> pl.Series:
        """A column as text."""
        return self.rows.get_column(name).alias("cell")  # the methods of a series take some names for patterns

    def free(self, name: str) -> str:
        """The name of a new column: this one, with a number behind it where it is taken."""
        number, free = 2, name
        while free in self.rows.columns:
            number, free = number + 1, f"{name} {number}"
        return free

    def value(self, name: str) -> pl.Series:
        """A column as numbers; null for what is none."""
        return self.cells(name).str.strip_chars().cast(pl.Float64, strict=False)

    @cached_property
    def features(self) -> list[Found]:
        """What a model would look at, media aside."""
        return [c for c in self.inferred.columns if c.role == "feature" and c.name not in self.media]

    @cached_property
    def measured(self) -> list[str]:
        """Features that are numbers of more than 20 values."""
        found = [c for c in self.features if c.modality == "numeric" and c.dtype.is_numeric()]
        return [c.name for c in found if c.distinct > 20 and c.format is None]

    @cached_property
    def categories(self) -> list[str]:
        """Features of text whose values repeat, the commonest of them words of three letters and more."""
        found = [c for c in self.features if c.modality == "categorical" and c.dtype == pl.String]
        return [c.name for c in found if 2 <= c.distinct <= self.height / 5 and self._is_words(c.name)]

    @cached_property
    def texts(self) -> list[str]:
        """Features of text: words, be they categories or free text."""
        found = [c for c in self.features if c.modality in ("categorical", "text") and c.dtype == pl.String]
        return [c.name for c in found if self._is_words(c.name)]

    def _is_words(self, name: str) -> bool:
        cells = self.cells(name).drop_nulls()
        worded = cells.str.contains(r"\p{L}{3}").mean()
        return isinstance(worded, float) and worded >= 0.5

    def table(self, rows: pl.DataFrame) -> Table:
        """These rows as `keepfit check` would read them from a text file, in memory."""
        inferred = infer(rows.lazy(), name=self.name, text=True, roles=self.roles, media=self.media)
        typed, bad = inferred.typed(rows.lazy(), seen=True)
        return Table(
            contract=inferred.contract,
            partitions={self.name: typed.collect().lazy()},
            unparsed=bad.collect().lazy(),
            height=rows.height,
            base=self.base,
            header=tuple(name for name in rows.columns if name != ROW_ID),
            reference=self.reference,
        )

    def against(self) -> "Material":
        """Half of the rows, with the other half as a reference: every other row, or the later after the earlier."""
        first = pl.int_range(pl.len()) < pl.len() // 2 if self.time else pl.int_range(pl.len()) % 2 == 0
        reference = self.table(self.rows.filter(first))
        return dataclasses.replace(self, rows=self.rows.filter(~first), reference=reference)


def gather(paths: Sequence[str], roles: Mapping[str, Role], scratch: Path, most_rows: int) -> Material:
    """At most so many rows of the input: the first where there is a time axis, else evenly spaced ones.

    A series that is thinned has other steps. Raises DataError for what cannot be read, and for too few rows.
    """
    sources = [s.without(ROW_ID) for path in paths for s in readers.open_all(Path(path), scratch=scratch, lenient=True)]
    first = sources[0]
    with readers.reading(first.name):
        names = first.frame.collect_schema().names()
        frames = [source.frame.select(_as_text(source.frame, names)) for source in sources]
        frame = pl.concat(frames)
        height = int(frame.select(pl.len()).collect(engine="streaming").item())
    if height < LEAST_ROWS:
        raise DataError(f"has {height} rows", where=first.name, fix=f"give at least {LEAST_ROWS}")
    kept = max(LEAST_ROWS, min(most_rows, CELLS // max(len(names), 1)))
    head = frame.head(kept).collect().with_row_index(ROW_ID).cast({ROW_ID: pl.Int64})
    found = infer(head.lazy(), name=first.name, text=True, roles=roles, media=first.media)
    step = max(height // kept, 1)
    if step > 1 and not any(column.role == "time" for column in found.columns):
        spaced = frame.with_row_index(ROW_ID).filter(pl.col(ROW_ID) % step == 0).head(kept).drop(ROW_ID)
        head = spaced.collect(engine="streaming").with_row_index(ROW_ID).cast({ROW_ID: pl.Int64})
        found = infer(head.lazy(), name=first.name, text=True, roles=roles, media=first.media)
    return Material(name=first.name, rows=head, inferred=found, roles=roles, media=first.media, base=first.base)


def _as_text(frame: pl.LazyFrame, names: Sequence[str]) -> list[pl.Expr]:
    """Every cell as text; what has no text (lists, structs, bytes) as null."""
    schema = frame.collect_schema()
    plain = {name: not (schema[name].is_nested() or schema[name] in (pl.Binary, pl.Object)) for name in names}
    return [
        by_name(name).cast(pl.String) if plain[name] else pl.lit(None, dtype=pl.String).alias(name) for name in names
    ]
