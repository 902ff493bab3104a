"""Split checks: what stands in the table and in its reference, though a fair split keeps it on one side.

Groups and ids are looked up for the table's sample: rows of the sample are told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.contract import ROW_ID
from pipeline.profile import Numeric
from pipeline.quality.findings import HIT_ROWS, NO_REFERENCE, Hit, Policy, Skipped, Table, outside_sample
from pipeline.wording import count, share


@dataclass(frozen=True, kw_only=True)
class LeakGroup:
    """Which groups have rows here and in the reference, so that a score tells how well groups are remembered?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "leak_group"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: the contract says which rows belong together"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None or not table.contract.groups:
            yield NO_REFERENCE if table.reference is None else Skipped(why="no column has the role group")
            return
        yield from outside_sample(table)
        for name in table.contract.groups:
            shared = shared_rows(table, table.reference, [name])
            groups = shared["value"].n_unique()
            if groups:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=shared.height,
                    observed=groups,
                    threshold=0,
                    message=f"{count(shared.height, 'row is', 'rows are')} of {count(groups, 'group')} of {name} "
                    f"that {'has' if groups == 1 else 'have'} rows in the reference too",
                    suggestion="split by group: else a score tells how well groups are remembered",
                    flags=shared,
                )


@dataclass(frozen=True, kw_only=True)
class LeakIndexOverlap:
    """Which rows have a key or an id that stands in the reference: the same thing in both?

    It looks at the contract's key, else at each id that stands once here; ids that repeat name no row.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "leak_index_overlap"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "no threshold: each row is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        keys = [table.contract.key] if table.contract.key else _single_ids(table)
        if table.reference is None or not keys:
            yield NO_REFERENCE if table.reference is None else Skipped(why="no key, and no id that stands once")
            return
        yield from outside_sample(table)
        for key in keys:
            shared = shared_rows(table, table.reference, key)
            if shared.height:
                yield Hit(
                    check=self.name,
                    column=key[0] if len(key) == 1 else None,
                    rows=shared.height,
                    observed=shared.height / table.sample.height,
                    threshold=0,
                    message=f"{count(shared.height, 'row has', 'rows have')} the {', '.join(key)} of a row "
                    "in the reference",
                    suggestion="take them out of one side: a model is not judged on what it was fitted on",
                    flags=shared,
                    shows=key,
                )


@dataclass(frozen=True, kw_only=True)
class LeakDateOverlap:
    """Which rows lie within the reference's stretch of time, so that the past is told from its own future?

    The reference's last moment itself may be shared. A warning over `maximum_share` of the rows, below it worth
    knowing: a few rows arrive late.
    """

    maximum_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    policy: Policy = "warn"
    name: ClassVar[str] = "leak_date_overlap"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "a hundredth: more is no late arrival but another split"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.reference is None or table.time is None or table.reference.time is None:
            yield NO_REFERENCE if table.reference is None else Skipped(why="no time axis")
            return
        here = table.profile.columns.get(table.time)
        there = table.reference.profile.columns.get(table.reference.time)
        if not isinstance(here, Numeric) or not isinstance(there, Numeric):
            return
        if None in (here.min, there.min) or here.min >= there.max or here.max < there.min:  # type: ignore[operator]
            return
        seconds = by_name(table.time).cast(pl.Datetime("us")).dt.epoch("s")
        within = (seconds >= there.min) & (seconds < there.max)
        rows = table.rows.select(within.sum()).collect(engine="streaming").item()
        within_share = rows / table.height
        yield Hit(
            check=self.name,
            column=table.time,
            observed=within_share,
            threshold=self.maximum_share,
            message=f"{table.time} lies within the time of the reference in {HIT_ROWS} ({share(within_share)})",
            suggestion="split by time, the reference before and these rows after: a model is not to know the future",
            severity="warning" if within_share > self.maximum_share else "info",
            where=within,
        )


CHECKS = (LeakGroup, LeakIndexOverlap, LeakDateOverlap)


def shared_rows(table: Table, reference: Table, names: Sequence[str]) -> pl.DataFrame:
    """The rows of the table's sample whose values in `names` stand together in the reference: row_id, value (text).

    Null is no value. Only the sample's values are held in memory, however long the reference is.
    """
    texts = [by_name(name).cast(pl.String).alias(f"{place}") for place, name in enumerate(names)]
    columns = [f"{place}" for place in range(len(names))]
    if not set(names) <= set(reference.contract.names):
        return pl.DataFrame(schema={ROW_ID: pl.String, "value": pl.String})
    here = table.sample.select(ROW_ID, *texts).drop_nulls(columns)
    asked = here.select(columns).unique().lazy()
    known = reference.rows.select(texts).join(asked, on=columns, how="semi").unique().collect(engine="streaming")
    found = here.join(known, on=columns, how="semi", maintain_order="left")
    return found.select(ROW_ID, value=pl.concat_str(columns, separator=" "))


def _single_ids(table: Table) -> list[list[str]]:
    ids = [column.name for column in table.contract.of_role("id")]
    held = [table.sample.select(by_name(name).alias("value")).to_series().drop_nulls() for name in ids]
    return [[name] for name, values in zip(ids, held, strict=True) if len(values) and values.n_unique() == len(values)]
