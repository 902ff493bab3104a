"""Rows as they came → those that may be answered, typed and repaired, and why the others may not (used by predict).

It is the way of `ingest`, `validate` and `clean` for what can be said of a row by itself: its types, the rules of the
contract and the approved repairs. What is wrong with the label alone does not count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
from polars.selectors import by_dtype, by_name

from pipeline.checks.schema import ContractBroken, DtypeMismatch
from pipeline.cleaning import plan
from pipeline.cleaning.recheck import flagged
from pipeline.commands.predict.asked import Part
from pipeline.contract import ROW_ID, Contract
from pipeline.quality.findings import Check, Table
from pipeline.quality.repairs import Plan
from pipeline.readers import Source
from pipeline.stages import clean, ingest
from pipeline.tables.cells import typed_as

OF_A_ROW = (ContractBroken.name, DtypeMismatch.name)
REASON = "reason"
UNDECODABLE = "\ufffd"  # what a reader puts in the place of bytes that it cannot decode


@dataclass(frozen=True, kw_only=True)
class Sifted:
    """N rows as they came, the names of their rows, and why a row is set aside (N,): null of the M that are `sound`."""

    raw: pl.DataFrame
    names: pl.Series
    why: pl.Series
    sound: pl.DataFrame

    @classmethod
    def of_lines(cls, source: Source) -> "Sifted":
        """The lines of a text table that are no rows, as they have more or fewer cells; each is named by its line."""
        bad = source.left_out
        raw = pl.DataFrame([line.cells for line in bad], schema=source.frame.collect_schema(), orient="row")
        named = pl.Series([f"{source.name}:line {line.line}" for line in bad])
        own = raw[ROW_ID] if ROW_ID in raw.columns else pl.repeat(None, len(bad), dtype=pl.String, eager=True)
        why = pl.Series([f"line {line.line}: {line.what}" for line in bad])
        return cls(raw=raw, names=own.fill_null(named), why=why, sound=pl.DataFrame())

    @property
    def aside(self) -> pl.DataFrame:
        """The rows that are set aside as they came, all as text, behind their names and reasons."""
        left = self.why.is_not_null()
        rows = self.raw.filter(left).drop(ROW_ID, strict=False)
        told = {ROW_ID: self.names.filter(left), free(REASON, rows.columns): self.why.filter(left)}
        cells = rows.select(_as_text(name, dtype) for name, dtype in rows.schema.items())
        return pl.concat([pl.DataFrame(told), cells], how="horizontal")

    def without(self, unread: Mapping[int, str]) -> "Sifted":
        """The same, with some of the sound rows set aside too, each for a reason."""
        if not unread:
            return self
        places = self.why.is_null().arg_true().gather(list(unread))
        kept = pl.select(~pl.int_range(self.sound.height).is_in(list(unread))).to_series()
        why = self.why.scatter(places, list(unread.values()))
        return replace(self, why=why, sound=self.sound.filter(kept))


@dataclass(frozen=True, kw_only=True)
class Sieve:
    """What decides: the contract, what is derived, what stands for missing, the checks of a row, and the repairs."""

    contract: Contract
    derive: Mapping[str, str]
    null_values: Sequence[str]
    checks: Sequence[Check]
    repairs: Plan

    @classmethod
    def of(cls, settings: ingest.IngestSettings, asked: Sequence[Check], agreed: Contract, repairs: Plan) -> "Sieve":
        """The sieve of a workspace; a row that would stop a run is set aside."""
        rules = [check for check in asked if check.name in OF_A_ROW]
        softer = [replace(c, policy="quarantine") if c.policy == "stop" else c for c in rules]  # type: ignore[type-var]
        return cls(
            contract=agreed, derive=settings.derive, null_values=settings.null_values, checks=softer, repairs=repairs
        )

    def sift(self, part: Part) -> Sifted:
        """Decide of each row; raises DataError where a column has another type than the contract's."""
        name, raw = part.source.name, part.rows
        parsed = ingest.parse(self._given(raw), name, self.derive, self.contract, first=part.first)
        table = Table(
            contract=self.contract,
            partitions={name: parsed.typed.lazy()},
            unparsed=parsed.unparsed.lazy(),
            height=raw.height,
        )
        ids = parsed.typed[ROW_ID]
        cells = clean.changed(table, plan.changes(self.repairs, table), self.derive)
        decided = clean.decide(table, flagged(self.checks, table), cells, self.checks, but_for=table.label)
        why = _reasons(ids, decided.quarantined, _damaged(raw, ids, part.source))
        sound = plan.mended(table.rows, cells, self.contract).collect().filter(why.is_null())
        names = raw[ROW_ID].cast(pl.String) if ROW_ID in raw.columns else ids
        return Sifted(raw=raw, names=names, why=why, sound=sound)

    def _given(self, raw: pl.DataFrame) -> pl.DataFrame:
        """The rows with nothing where something stands for missing, and with nothing in the columns that are absent."""
        absent = [c for c in self.contract.columns if c.name not in raw.columns and c.name not in self.derive]
        cell = by_dtype(pl.String)
        return raw.with_columns(
            pl.when(~cell.is_in(self.null_values)).then(cell),
            *(pl.lit(None, dtype=column.dtype).alias(column.name) for column in absent),
        )


def _damaged(raw: pl.DataFrame, ids: pl.Series, source: Source) -> pl.DataFrame:
    """The rows with bytes that could not be decoded, each column once: row_id, reason."""
    named = [column.name for column in raw if column.dtype == pl.String] if source.bad else []
    hit = [(name, ids.filter(raw[name].str.contains(UNDECODABLE, literal=True).fill_null(False))) for name in named]
    parts = [pl.DataFrame({ROW_ID: rows, REASON: [f"undecodable: {name}"] * len(rows)}) for name, rows in hit]
    return pl.concat([pl.DataFrame(schema={ROW_ID: pl.String, REASON: pl.String}), *parts])


def _reasons(ids: pl.Series, *told: pl.DataFrame) -> pl.Series:
    """(N,) all reasons of each row, joined by ` + `; null for none. Each table has row_id and reason."""
    of_row = pl.concat(told).group_by(ROW_ID, maintain_order=True).agg(pl.col(REASON).str.join(" + "))
    return ids.to_frame().join(of_row, on=ROW_ID, how="left", maintain_order="left")[REASON]


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    cell = by_name(name)
    return cell.dt.to_string() if dtype == pl.Duration else typed_as(cell, dtype, pl.String())


def free(name: str, taken: Sequence[str]) -> str:
    """The name, with underlines behind it where it is taken."""
    while name in taken:
        name += "_"
    return name
