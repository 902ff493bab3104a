"""Cell errors: what the checks flag without labels, against the clean twins of dirty tables.

A cell is wrong where the two files differ. Each table is scored twice: raw, and with the cells left out in which both
say the same in another form (`12.0 oz` and `12`, `N/A` and nothing, `01907` and `1907`), and markers such as `empty`
that both hold: those show what the authors agreed on, not what is wrong. Only findings of a severity of warning and
above count as flags; a repair is right where the suggested value is the clean one. Published: Holzer and Stockinger
(EDBT 2022), table 3, which learn from 20 rows that a person has labelled.
"""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline import checks
from pipeline.contract import ROW_ID
from pipeline.infer import infer
from pipeline.quality.findings import Table
from pipeline.quality.inspection import inspect

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "cells"
PUBLISHED = {
    "hospital": "Raha .94/.59/.72, ETSB-RNN .98/.95/.97",
    "beers": "Raha .99/.99/.99, ETSB-RNN 1.00/.96/.98",
}
MARKERS = {"", "na", "n/a", "nan", "null", "none", "empty"}
BOOLEANS = {"yes": True, "no": False, "true": True, "false": False}
QUANTITY = re.compile(r"^(-?\d+(?:\.\d+)?)(?:%|\s+[a-z. -]+)?$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Flagged, wrong and rightly flagged cells; cells with a suggestion, and those where it is the clean value."""

    flagged: int
    wrong: int
    right: int
    suggested: int
    mended: int

    @property
    def precision(self) -> float:
        return self.right / max(self.flagged, 1)

    @property
    def recall(self) -> float:
        return self.right / max(self.wrong, 1)

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    def line(self) -> str:
        figures = " | ".join(f"{value:.3f}" for value in (self.precision, self.recall, self.f1))
        repair = f"{self.mended / self.suggested:.3f} of {self.suggested:,}" if self.suggested else "none"
        return f"{self.wrong:,} | {self.flagged:,} | {figures} | {repair}"


def main(names: Iterable[str]) -> None:
    """Print a Markdown table, one line a table and way of scoring."""
    print("| table | cells that | wrong | flagged | precision | recall | F1 | repairs right | published P/R/F1 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in names:
        cells = compared(DATA / name)
        for words, kept in (("differ", pl.lit(True)), ("differ in more than form", ~pl.col("form"))):
            print(f"| {name} | {words} | {score(cells.filter(kept)).line()} | {PUBLISHED.get(name, '')} |")


def compared(folder: Path) -> pl.DataFrame:
    """One row a cell: row, column, dirty, clean, wrong, form (a difference in form alone, or a marker of nothing in
    both), flagged, suggested, check."""
    dirty, clean = (pl.read_csv(folder / f"{side}.csv", infer_schema=False) for side in ("dirty", "clean"))
    clean = clean.rename(dict(zip(clean.columns, dirty.columns, strict=True)))
    cells = _long(dirty, "dirty").join(_long(clean, "clean"), on=["row", "column"])
    same = [plain(a) == plain(b) for a, b in cells.select("dirty", "clean").iter_rows()]
    wrong, gap = pl.col("dirty") != pl.col("clean"), pl.col("dirty").str.to_lowercase().is_in(MARKERS - {""})
    cells = cells.with_columns(wrong=wrong, form=(wrong | gap) & pl.Series(same))
    return cells.join(flagged(dirty), on=["row", "column"], how="left").with_columns(pl.col("flagged").fill_null(False))


def flagged(dirty: pl.DataFrame) -> pl.DataFrame:
    """The cells that a check warns of, with the suggestion on which most checks agree: row, column, suggested."""
    inspection = inspect(table_of(dirty), checks.configured({}))
    warned = [(f.check, f.column) for f in inspection.findings if f.severity != "info" and f.column is not None]
    kept = pl.DataFrame(warned, schema={"check": pl.String, "column": pl.String}, orient="row").unique()
    cells = inspection.flags.join(kept, on=["check", "column"], how="semi").with_columns(
        row=pl.col(ROW_ID).cast(pl.Int64)
    )
    suggestions = pl.col("suggested").drop_nulls()
    return cells.group_by("row", "column").agg(
        suggestions.mode().sort().first(), pl.col("check").unique().sort(), flagged=pl.lit(True)
    )


def table_of(dirty: pl.DataFrame) -> Table:
    """The rows as `keepfit check` reads them without a contract."""
    rows = dirty.with_row_index(ROW_ID).cast({ROW_ID: pl.String}).lazy()
    inferred = infer(rows, name="dirty", text=True, roles={})
    typed, unparsed = inferred.typed(rows)
    return Table(contract=inferred.contract, partitions={"dirty": typed}, unparsed=unparsed, height=dirty.height)


def score(cells: pl.DataFrame) -> Score:
    """Count what was flagged and mended; a suggestion is right as well in another form of the clean value."""
    said = cells.filter(pl.col("flagged"))
    repairs = said.drop_nulls("suggested").select("suggested", "clean")
    return Score(
        flagged=said.height,
        wrong=int(cells["wrong"].sum()),
        right=int(said["wrong"].sum()),
        suggested=repairs.height,
        mended=sum(plain(suggested) == plain(clean) for suggested, clean in repairs.iter_rows()),
    )


def plain(value: str) -> str | float | bool | None:
    """What a cell says, whatever its form: a number without its unit, nothing for a marker, text as it is."""
    text = value.strip()
    if text.lower() in MARKERS:
        return None
    number = QUANTITY.match(text)
    return round(float(number[1]), 9) if number else BOOLEANS.get(text.lower(), text)


def _long(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    numbered = frame.fill_null("").with_row_index("row").cast({"row": pl.Int64})
    return numbered.unpivot(index="row", variable_name="column", value_name=name)


if __name__ == "__main__":
    main(sys.argv[1:] or sorted(path.name for path in DATA.iterdir()))
