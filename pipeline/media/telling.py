"""How checks tell of files: which columns name them, which files cannot be used, and which are unlike their set.

What is odd is odd by a limit of its own and within the set: among X-rays a dark picture is not odd.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from pipeline.contract import ROW_ID
from pipeline.media.files import texts
from pipeline.media.pictures import pictures
from pipeline.media.sounds import sounds
from pipeline.quality.findings import Hit, Severity, Skipped, Table
from pipeline.tables.frames import worded

ODD = 3.5  # the modified z from which Iglewicz and Hoaglin (1993) call a value an outlier
FAR = 2 * ODD  # where many properties are asked at once
RARE = 0.1  # what more files share than these is the set's nature: worth knowing, but no fault (cleanlab's Datalab)
WITHIN_SET = "and a modified z of 3.5 within the set (Iglewicz and Hoaglin 1993)"
SMALLEST_SPREAD = 0.01  # where most are equal, what is less than some 5% away is equal too

Share = Annotated[float, Field(ge=0, le=1)]
Read = Callable[[pl.LazyFrame, str, Path], pl.DataFrame]
READERS: Mapping[str, Read] = {"image": pictures, "audio": sounds, "text-file": texts}
THINGS = {"image": "pictures", "audio": "sounds", "text-file": "text files"}


def measured(table: Table, modality: str) -> Mapping[str, pl.DataFrame]:
    """The measures of each column of `modality`, without files where the table has no base.

    They are kept with the table, as its profile is, so that a file is read once whatever is asked.
    """
    return table.once(f"files of {modality}", lambda table: _read(table, modality))


def _read(table: Table, modality: str) -> dict[str, pl.DataFrame]:
    if table.base is None:
        return {}
    return {name: READERS[modality](table.rows, name, table.base) for name in _columns(table, modality)}


def unseen(table: Table, modality: str, *, faulty: bool = True) -> Iterator[Skipped]:
    """Why rows were not looked at; files with a fault are among them unless `faulty` is false."""
    if not _columns(table, modality):
        yield Skipped(why=f"no column holds {THINGS[modality]}")
    elif table.base is None:
        yield Skipped(why="the table does not say which folder its paths are relative to")
    for column, seen in measured(table, modality).items():
        named = seen.height - (int(seen["fault"].is_not_null().sum()) if faulty else 0)
        if named < table.height:
            yield Skipped(rows=table.height - named, why=f"{column} names no file{' that can be read' * faulty}")


def unusable(
    table: Table, modality: str, check: str, *, words: str, suggestion: str, refused: bool | None = None
) -> Iterator[Hit | Skipped]:
    """The files with a fault: those that we refuse, those that are broken, or both; `words` say what they are."""
    wanted = pl.lit(True) if refused is None else pl.col("refused") == refused
    for column, seen in measured(table, modality).items():
        found = seen.filter(pl.col("fault").is_not_null(), wanted)
        if found.height:
            yield Hit(
                check=check,
                column=column,
                rows=found.height,
                observed=found.height / seen.height,
                threshold=0,
                severity="warning" if refused else "error",
                message=_told(found.height, seen.height, modality, column, words),
                suggestion=suggestion,
                flags=found.select(ROW_ID, value=worded("{} {}", "path", "fault")),
            )
    yield from unseen(table, modality, faulty=False)


def unlike(
    table: Table,
    modality: str,
    check: str,
    wrong: pl.Expr,
    *,
    value: pl.Expr,
    words: str,
    suggestion: str,
    threshold: float | None,
    severity: Severity = "warning",
    usual: bool = False,
) -> Iterator[Hit | Skipped]:
    """The usable files for which `wrong` holds, which are `words`, with `value` as what was seen; common is info.

    `usual`: the message says which value is the most common one.
    """
    for column, seen in measured(table, modality).items():
        usable = seen.filter(pl.col("fault").is_null())
        shown = worded("{} ({})", "path", value)  # before the filter: it may speak of the set
        found = usable.with_columns(value=shown).filter(wrong).select(ROW_ID, "value")
        if found.height:
            share = found.height / usable.height
            most = usable.select(value.mode().sort().first()).item() if usual else None
            yield Hit(
                check=check,
                column=column,
                rows=found.height,
                observed=share,
                threshold=threshold,
                severity=severity if share <= RARE else "info",
                message=_told(found.height, usable.height, modality, column, words + (f" ({most})" if usual else "")),
                suggestion=suggestion,
                flags=found,
            )
    yield from unseen(table, modality)


def repeated(
    table: Table, modality: str, check: str, copies: Callable[[pl.DataFrame], pl.DataFrame], *, threshold: float
) -> Iterator[Hit | Skipped]:
    """The usable files that `copies` finds: row_id, the earlier file's path as `value`, a score of 1 where exact."""
    for column, seen in measured(table, modality).items():
        found = copies(seen.filter(pl.col("fault").is_null()))
        if found.height:
            exact = int((found["score"] == 1).sum())
            yield Hit(
                check=check,
                column=column,
                rows=found.height,
                observed=found.height / table.height,
                threshold=threshold,
                message=_told(found.height, seen.height, modality, column, "equal to an earlier one")
                + (f", {found.height - exact:,} of them to the eye alone" if exact < found.height else ""),
                suggestion="keep one of each, or all on one side of a split: a copy in the test data flatters a score",
                flags=found,
            )
    yield from unseen(table, modality)


def modified_z(value: pl.Expr) -> pl.Expr:
    """How far from the median, in deviations: 0.6745 (x - median) / MAD (Iglewicz and Hoaglin 1993).

    >>> pl.select(modified_z(pl.lit(pl.Series([1.0, 2.0, 3.0, 4.0, 13.0]))).round(2)).to_series().to_list()
    [-1.35, -0.67, 0.0, 0.67, 6.74]
    """
    away = value - value.median()
    return 0.6745 * away / pl.max_horizontal(away.abs().median(), pl.lit(SMALLEST_SPREAD))


def _told(found: int, of: int, modality: str, column: str, words: str) -> str:
    return f"{found:,} of {of:,} {THINGS[modality]} in {column} {'is' if found == 1 else 'are'} {words}"


def _columns(table: Table, modality: str) -> list[str]:
    return [column.name for column in table.data_columns if column.modality == modality]
