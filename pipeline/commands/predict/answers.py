"""Rows that may be answered → answers, part by part; at the end both tables, whole (used by predict)."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import artefacts
from pipeline.cleaning.ledger import Entry, reasons
from pipeline.commands.predict.asked import ROWS, ROWS_OF_TENSORS, Asked
from pipeline.commands.predict.sieve import Sieve, Sifted, free
from pipeline.contract import ROW_ID
from pipeline.errors import DataError
from pipeline.features.target import Forecast
from pipeline.predictor import Predictor
from pipeline.wording import count

VERSION = "model_version"
NO_NUMBER = "the model's answer is no number"


@dataclass(frozen=True, kw_only=True)
class Asker:
    """A model, by its version, that answers what a sieve lets through; `threshold` as its evaluation chose it."""

    model: Predictor
    version: str
    threshold: float
    sieve: Sieve

    def answer(self, asked: Asked, out: Path, scratch: Path) -> Entry:
        """Write the answers to `out`, the rows set aside beside it, and count both: rows in = kept + quarantined.

        Memory does not grow with the rows, but for a model of series, whose rows look at each other. Raises DataError,
        and writes nothing, where no row can be answered. `scratch`: an empty folder for what is not whole yet.
        """
        rows, why = 0, Counter[str]()
        told, left = Parts(scratch / "told"), Parts(scratch / "left")
        for sifted, answers in self._answered(self._sifted(asked)):
            rows += sifted.raw.height
            why.update(sifted.why.drop_nulls().to_list())
            told.add(answers)
            left.add(sifted.aside)
        if not told.rows:
            raise _nothing(asked, rows, why)
        entry = Entry(stage="predict", rows_in=rows, kept=told.rows, quarantined=left.rows, reasons=reasons(why))
        both = {out: told.frame, beside(out): left.frame} if left.rows else {out: told.frame}
        artefacts.write_tables(both)
        if not left.rows:
            artefacts.remove(beside(out))
        return entry

    def _sifted(self, asked: Asked) -> Iterator[Sifted]:
        for part in asked.parts(ROWS_OF_TENSORS if self.model.preprocessor.own else ROWS):
            yield self.sieve.sift(part)
        yield from (Sifted.of_lines(source) for source in asked.sources if source.left_out)

    def _answered(self, sifted: Iterable[Sifted]) -> Iterator[tuple[Sifted, pl.DataFrame]]:
        """All parts, less the rows that have no answer after all, and the answers of the others."""
        for some in [list(sifted)] if self.model.preprocessor.series else ([part] for part in sifted):
            rows = [part.sound for part in some if part.sound.height]
            a_MK, unread = self.model.told(pl.concat(rows)) if rows else (np.empty((0, 0)), {})
            lost = dict.fromkeys(np.flatnonzero(~np.isfinite(a_MK).all(axis=1)).tolist(), NO_NUMBER) | unread
            first = 0
            for part in some:
                last = first + part.sound.height
                here = {row - first: why for row, why in lost.items() if first <= row < last}
                left = part.without(here)
                yield left, self._said(left, np.delete(a_MK[first:last], list(here), axis=0))
                first = last

    def _said(self, sifted: Sifted, a_MK: np.ndarray) -> pl.DataFrame:
        """One row an answer: the row's name and ids, the answer and all that is told beside it, the model's version."""
        if sifted.sound.is_empty():
            return pl.DataFrame()
        known = self.model.preprocessor
        told = known.target.in_unit(a_MK, sifted.sound) if isinstance(known.target, Forecast) else a_MK
        said = known.target.said(told, self.threshold)
        ids = [column.name for column in self.sieve.contract.of_role("id") if column.name in sifted.raw.columns]
        named = {
            free(name, [*said.columns, VERSION]): sifted.sound[name] for name in dict.fromkeys([*ids, *known.files])
        }
        first = pl.DataFrame({ROW_ID: sifted.names.filter(sifted.why.is_null()), **named})
        return pl.concat([first, said.with_columns(pl.lit(self.version).alias(VERSION))], how="horizontal")


class Parts:
    """Rows of one table that come one after the other, kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self.rows = 0
        self._paths: list[Path] = []
        self._folder = folder
        self._columns: list[str] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Keep these rows too; they may have their columns in another order than the first."""
        if rows.is_empty():
            return
        self._columns = self._columns or rows.columns
        path = self._folder / f"{len(self._paths)}.parquet"
        artefacts.write_parquet(path, rows.lazy().select(self._columns))
        self._paths.append(path)
        self.rows += rows.height

    @property
    def frame(self) -> pl.LazyFrame:
        """All rows in the order in which they came."""
        return pl.scan_parquet(self._paths, glob=False)


def beside(out: Path) -> Path:
    """Where the rows that are set aside go: `answers.csv` has `answers.aside.csv` beside it."""
    return out.with_suffix(f".aside{out.suffix}")


def _nothing(asked: Asked, rows: int, why: Counter[str]) -> DataError:
    name = asked.sources[0].name
    if not rows:
        return DataError("has a header and no rows", where=name, fix="replace it by a whole file")
    reason, hit = why.most_common(1)[0]
    return DataError(
        f"no row can be answered: {reason} ({hit:,} of {count(rows, 'row')})",
        where=name,
        fix="mend the rows; if they are right, mend the contract, and train again",
    )
