"""All rows asked, in streamed passes that keep counts alone; the second is for what is no clean number.

The first rows only choose which columns are worth asking for numbers in the first pass; every answer is of all rows.
The second pass asks the distinct texts of a stretch of rows, weighed by how often each stands there. A small third
one counts the different values of columns that may name the rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl
from polars.selectors import by_name

from pipeline.contract import ROW_ID
from pipeline.infer.dates import plausible, worth_asking
from pipeline.infer.found import Evidence
from pipeline.infer.units import ways_to_write
from pipeline.tables.cells import (
    BOOLEANS,
    COMMA_THOUSANDS,
    DECIMAL_COMMA,
    DOUBTFUL,
    GROUPED,
    ISO_DATE,
    ISO_ZONE,
    SIGNS,
    SURE,
    THOUSANDS,
    typed_as,
)
from pipeline.tables.frames import batches

HEAD_ROWS = 2000
BATCH_ROWS = 1 << 18
KEPT = 20_000  # distinct texts of a column that are kept until they are asked
HASHED = 50_000  # values of which the different ones are counted
NEARLY_UNIQUE = 0.7  # by an estimate that is up to a fifth off
FEW = 100  # values, up to which each is counted
NULLS = ("", "NA")  # read as missing without a word
MARKERS = sorted({marker.lower() for marker in (*NULLS, *SURE, *DOUBTFUL)})
LIKE_MARKERS = rf"(?i)^\s*(?:{'|'.join(map(re.escape, MARKERS))})\s*$"  # four times as fast as to fold each text
DAYS_AS_NUMBERS = (16_000_101, 23_001_231)  # 20130131
TEXT = pl.col("text")
WRITTEN = (DECIMAL_COMMA, GROUPED)  # as a contract's `format` names them
ENDS = ("low", "high", "shortest", "longest")
QUESTIONS: Mapping[str, pl.Expr] = {  # of each value, its spaces around taken off
    "integers": TEXT.cast(pl.Int64, strict=False).is_not_null(),
    "floats": TEXT.cast(pl.Float64, strict=False).is_not_null(),
    "zeros": TEXT.str.contains(r"^0\d+$"),
    "huge": TEXT.str.contains(r"^[+-]?\d{19,}$"),
    "commas": TEXT.str.contains(rf"^[+-]?\d+(,\d+)?$|{THOUSANDS}"),
    "groups": TEXT.str.contains(r"^[+-]?[1-9]\d{0,2},\d{3}$"),
    "grouped": TEXT.str.contains(COMMA_THOUSANDS),
    "surely_grouped": TEXT.str.contains(COMMA_THOUSANDS) & TEXT.str.contains(r",.*[,.]"),
    "moments": typed_as(TEXT, pl.String(), pl.Datetime("us", "UTC")).is_not_null(),
    "zoned": TEXT.str.contains(ISO_ZONE),
    "timed": TEXT.str.contains(f"{ISO_DATE}.*:"),
    "booleans": TEXT.str.to_lowercase().is_in(list(BOOLEANS)),
    "wordy": ~TEXT.str.contains(r"\d"),
    "padded": pl.col("padded"),
    "spaced": TEXT.str.contains(r"\s"),
    "words": TEXT.str.count_matches(" ", literal=True) + 1,
    "characters": TEXT.str.len_chars(),
}


def gather(frame: pl.LazyFrame) -> dict[str, Evidence]:
    """The evidence of every column but row_id; memory is for the counts, whatever the rows."""
    schema = {name: dtype for name, dtype in frame.collect_schema().items() if name != ROW_ID}
    seen = first_look(frame, schema)
    odd = {name: Reading() for name, evidence in seen.items() if _is_odd(evidence)}
    if odd:
        for batch in batches(frame.select(by_name(*odd)), BATCH_ROWS):
            for part in batch.iter_slices(BATCH_ROWS):
                counted = [name for name, reading in odd.items() if not reading.many]
                cells = ((name, by_name(name).alias("cell")) for name in counted)
                tables = part.select(c.value_counts(name="rows", sort=True).implode().alias(n) for n, c in cells)
                for name, reading in odd.items():
                    whole = pl.DataFrame({"cell": part[name]}).with_columns(rows=1)
                    reading.add(whole if reading.many else tables[name][0].struct.unnest())
    seen |= {name: reading.evidence(seen[name]) for name, reading in odd.items()}
    return seen | recounted(frame, seen)


def first_look(frame: pl.LazyFrame, schema: Mapping[str, pl.DataType]) -> dict[str, Evidence]:
    """What one pass of cheap questions says; columns are told apart by place, as their names may be odd."""
    if not schema:
        return {}
    head = frame.head(HEAD_ROWS).collect()
    names = list(schema)
    asked = {
        (name, key): answer.alias(f"{place}:{key}")
        for place, name in enumerate(names)
        for key, answer in _first_questions(name, schema[name], head[name]).items()
    }
    answers = frame.select(pl.len().alias("rows"), *asked.values()).collect(engine="streaming").row(0)
    found: dict[str, dict[str, Any]] = {name: {"values": 0, "distinct": 0} for name in names}
    for (name, key), answer in zip(asked, answers[1:], strict=True):
        found[name][key] = answer
    return {name: Evidence(dtype=schema[name], rows=answers[0], **found[name]) for name in names}


def _first_questions(name: str, dtype: pl.DataType, head: pl.Series) -> dict[str, pl.Expr]:
    cell = by_name(name)
    asked = {"values": cell.is_not_nan().sum() if dtype.is_float() else cell.count()}
    if dtype == pl.Null or dtype.is_nested() or dtype == pl.Object:
        return asked
    asked |= {"distinct": cell.approx_n_unique().cast(pl.Int64) - (cell.null_count() > 0)}  # null counts as one
    if dtype.is_numeric():
        return asked | {"low": cell.min().cast(pl.Float64), "high": cell.max().cast(pl.Float64)}
    if dtype != pl.String or 2 * head.cast(pl.Float64, strict=False).count() < head.count():
        return asked
    number = cell.cast(pl.Float64, strict=False)
    asked |= {"floats": number.count(), "low": number.min(), "high": number.max()}
    if head.cast(pl.Int64, strict=False).count() * 2 < head.count():
        return asked
    return asked | {
        "integers": cell.cast(pl.Int64, strict=False).count(),
        "zeros": (cell.str.starts_with("0") & (cell.str.len_bytes() > 1) & ~cell.str.contains(".", literal=True)).sum(),
    }


def _is_odd(evidence: Evidence) -> bool:
    """Whether the first pass left a question open: text that is not wholly numbers, or too many digits for one."""
    if evidence.dtype != pl.String or not evidence.values:
        return False
    if evidence.floats < evidence.values or evidence.low is None or evidence.high is None or evidence.zeros:
        return True
    days = DAYS_AS_NUMBERS[0] <= evidence.low <= evidence.high <= DAYS_AS_NUMBERS[1]
    return days or not max(-evidence.low, evidence.high) < 2**63


def _may_name_rows(evidence: Evidence) -> bool:
    whole = evidence.dtype.is_integer() or (evidence.dtype == pl.String and evidence.integers == evidence.floats)
    return whole and not evidence.members and evidence.distinct >= NEARLY_UNIQUE * evidence.values > 0


def recounted(frame: pl.LazyFrame, seen: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """How many values really differ where nearly all seem to: the first estimate is up to a tenth off.

    All of them are counted where the rows are few, else those of the smallest hashes, which is within 1% or so.
    """
    seen = {name: evidence for name, evidence in seen.items() if _may_name_rows(evidence)}
    if not seen:
        return {}
    share = max(1, max(evidence.rows for evidence in seen.values()) // HASHED)
    drawn = (by_name(name).filter(by_name(name).hash(seed=0) <= (2**64 - 1) // share) for name in seen)
    counts = frame.select(cell.drop_nulls().n_unique() for cell in drawn).collect(engine="streaming").row(0)
    return {
        name: replace(evidence, distinct=min(share * count, evidence.values))
        for (name, evidence), count in zip(seen.items(), counts, strict=True)
    }


@dataclass
class Reading:
    """What was read of one column of text so far; texts wait in `waiting` (cell, rows) until they are too many.

    `many`: nearly every text is new, so that counting them first saves nothing. `settled`: less than half of the
    first `KEPT` texts or more read as anything but words, so that of the texts that follow only markers are counted
    (`passed` of them), and the other counts are drawn out by that.
    """

    waiting: list[pl.DataFrame] = field(default_factory=list)
    held: int = 0
    asked: bool = False
    many: bool = False
    settled: bool = False
    passed: int = 0
    sums: dict[str, int] = field(default_factory=dict)
    markers: dict[str, int] = field(default_factory=dict)
    signs: dict[str, int] = field(default_factory=dict)
    members: dict[str, int] = field(default_factory=dict)
    patterns: dict[str, int] | None = None
    units: dict[str, int] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)

    def add(self, counted: pl.DataFrame) -> None:
        """Take in the texts (cell) of some rows, with how often each stands there (rows)."""
        if self.settled:
            return self._pass(counted)
        self.waiting.append(counted.cast({"rows": pl.Int64}))
        self.held += counted.height
        self.many = counted.height > KEPT
        if self.held > KEPT and not self.many:
            table = _merged(self.waiting)
            self.waiting, self.held = [table], table.height
        if self.held > KEPT:
            self._ask()

    def evidence(self, first: Evidence) -> Evidence:
        """What was found, added to what the first pass knew."""
        known = not self.asked
        if self.waiting:
            self._ask()
        values = self.sums.pop("values")
        drawn = (values + self.passed) / max(values, 1)
        counts = {key: round(count * drawn) for key, count in self.sums.items()}
        said: dict[str, Any] = {
            **counts,
            **{key: end for key, end in self.ends.items() if key in ENDS},
            "spans": {
                form: (self.ends[f"low {form}"], self.ends[f"high {form}"])
                for form in (*WRITTEN, *self.units)
                if f"low {form}" in self.ends
            },
            **{key: self.sums[key] / max(values, 1) for key in ("words", "characters")},
            "values": values + self.passed,
            "distinct": len(self.members) if known else first.distinct,
            "members": dict(sorted(self.members.items())) if known and len(self.members) <= FEW else {},
            "markers": dict(sorted(self.markers.items())),
            "signs": dict(sorted(self.signs.items())),
            "patterns": {key: round(count * drawn) for key, count in (self.patterns or {}).items()},
            "units": {key: round(count * drawn) for key, count in self.units.items()},
        }
        return replace(first, **said)

    def _ask(self) -> None:
        """Answer every question of the texts that wait, and let them go."""
        table = pl.concat(self.waiting).drop_nulls("cell").with_columns(text=pl.col("cell").str.strip_chars())
        is_marker = TEXT.str.to_lowercase().is_in(MARKERS)
        _count(self.markers, table.filter(is_marker).select("cell", "rows"))
        values = table.filter(~is_marker).with_columns(padded=pl.col("cell") != TEXT)
        _count(self.signs, values.filter(TEXT.str.contains(SIGNS)).select("cell", "rows"))
        if self.patterns is None:
            self.patterns = dict.fromkeys(worth_asking(values["text"]), 0)
            self.units = dict.fromkeys(ways_to_write(values["text"]), 0)
        self._sum(values)
        if not self.asked:
            _count(self.members, values.select("text", "rows"))
        self.settled = self.held > KEPT and self._reads_as_words()
        self.waiting, self.held, self.asked = [], 0, True

    def _pass(self, counted: pl.DataFrame) -> None:
        """Count markers among texts that nothing else is asked of."""
        cells, rows = counted.get_column("cell"), counted.get_column("rows")
        likely = cells.str.contains(LIKE_MARKERS).arg_true()
        markers = counted[likely].filter(pl.col("cell").str.strip_chars().str.to_lowercase().is_in(MARKERS))
        _count(self.markers, markers.select("cell", "rows"))
        missing = rows.filter(cells.is_null()).sum() if cells.null_count() else 0
        self.passed += int(rows.sum()) - int(missing) - int(markers["rows"].sum())

    def _reads_as_words(self) -> bool:
        kinds = ("integers", "floats", "commas", "groups", "grouped", "moments", "booleans")
        counts = [self.sums.get(key, 0) for key in kinds]
        return 2 * max([*counts, *(self.patterns or {}).values(), *self.units.values()]) < self.sums["values"]

    def _sum(self, values: pl.DataFrame) -> None:
        numbers = {form: typed_as(TEXT, pl.String(), pl.Float64(), form) for form in (*WRITTEN, *self.units)}
        questions = {**QUESTIONS, **{pattern: plausible(TEXT, pattern) for pattern in self.patterns or {}}}
        questions |= {unit: numbers[unit].is_not_null() for unit in self.units}
        weighed = {
            key: (answer.cast(pl.Int64) * pl.col("rows").cast(pl.Int64)).sum() for key, answer in questions.items()
        }
        number, length = TEXT.cast(pl.Float64, strict=False), TEXT.str.len_chars()
        ends = {"low": number.min(), "high": number.max(), "shortest": length.min(), "longest": length.max()}
        for form, read in numbers.items():
            ends |= {f"low {form}": read.min(), f"high {form}": read.max()}
        found = values.select(values=pl.col("rows").sum(), **weighed).row(0, named=True)
        for key, count in found.items():
            target = next((named for named in (self.patterns, self.units) if named and key in named), self.sums)
            target[key] = target.get(key, 0) + int(count)
        for key, end in values.select(**ends).row(0, named=True).items():
            if end is not None:
                narrower = min if key.startswith(("low", "shortest")) else max
                self.ends[key] = narrower(self.ends.get(key, end), end)


def _merged(tables: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The same texts as one, in the order in which they came."""
    return pl.concat(tables).group_by("cell", maintain_order=True).agg(pl.col("rows").sum())


def _count(counts: dict[str, int], table: pl.DataFrame) -> None:
    for text, rows in table.iter_rows():
        counts[text] = counts.get(text, 0) + rows
