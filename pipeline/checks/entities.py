"""Entity and history checks: series that are short, begin late or end early, and known history that changed.

They ask tables whose time axis is a series (nearly every step one row, per entity).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.checks.timeaxis import stamped
from pipeline.checks.timeline import ENTITY, STAMP, keyed, names, shown, timeline
from pipeline.contract import ROW_ID
from pipeline.quality.findings import EXAMPLES, Hit, Policy, Skipped, Table
from pipeline.wording import count


@dataclass(frozen=True, kw_only=True)
class ShortSeries:
    """Which entities have a much shorter series than others, vanish before the end or appear after the beginning?

    Vanished and appeared are told where at least `common_share` of the entities last to the end (stand at the
    beginning), give or take a tenth of the axis; short is under a tenth of the median length.
    """

    common_share: Annotated[float, Field(gt=0.5, le=1)] = 0.8
    minimum_entities: Annotated[int, Field(ge=3)] = 5
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_short_series"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "four in five: where more come and go, that is how the data are"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        line = timeline(table)
        if line is None or not line.series or line.entities.height < self.minimum_entities:
            yield Skipped(why=f"it needs a series of each of {self.minimum_entities} entities or more")
            return
        all_of_them, stamps, first, last = line.entities, pl.col("stamps"), pl.col("first"), pl.col("last")
        start, end, long = all_of_them.select(first.min(), last.max(), stamps.median()).row(0)
        early, late = start + (end - start) / 10, end - (end - start) / 10
        yield from self._told(table, all_of_them.filter(stamps < long / 10), "fewer than a tenth of the usual rows")
        whole = all_of_them.filter(stamps >= long / 10)
        yield from self._told(table, whole.filter(last < late), f"no row near the end, {shown(end)}")
        yield from self._told(table, whole.filter(first > early), f"no row near the beginning, {shown(start)}")

    def _told(self, table: Table, few: pl.DataFrame, what: str) -> Iterator[Hit]:
        line = timeline(table)
        if line is None or not 0 < few.height <= (1 - self.common_share) * line.entities.height:
            return
        called = sorted(names(table, few[ENTITY]).values())
        yield Hit(
            check=self.name,
            column=table.entities[0],
            rows=int(few["rows"].sum()),
            observed=few.height,
            threshold=0,
            message=f"{few.height:,} of {line.entities.height:,} values of {table.entities[0]} "
            f"{'has' if few.height == 1 else 'have'} {what}",
            suggestion="ask whether they ended, were renamed or were lost; a split by time sees them on one side alone",
            examples=called[:EXAMPLES],
        )


@dataclass(frozen=True, kw_only=True)
class LateArrival:
    """Which rows came after the fact, or changed, in the stretch that the reference already covers?

    Asked against a reference that is an earlier state of the same series: most of the rows of that stretch must
    stand in it.
    """

    policy: Policy = "warn"
    name: ClassVar[str] = "ts_late_arrival"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: each row of known history that is new or different is told"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        before, line = table.reference, timeline(table)
        if before is None or line is None or not line.series:
            yield Skipped(why="there is no reference, or the time axis is no series")
            return
        old = self._contents(before, before)
        end = old.select(pl.col(STAMP).max()).collect(engine="streaming").item()
        new = self._contents(table, before).filter(pl.col(STAMP) <= (end if end is not None else 0))
        kept = old.select(ENTITY, STAMP, old="content").unique([ENTITY, STAMP], keep="none")
        both = new.join(kept, on=[ENTITY, STAMP], how="left", maintain_order="left")
        is_late = pl.col("old").is_null()
        told = both.select(pl.len().alias("rows"), is_late.sum().alias("late")).collect(engine="streaming")
        if 2 * told["late"].item() > told["rows"].item():
            yield Skipped(why="the reference is no earlier state of this series")
            return
        is_changed = (pl.col("old") != pl.col("content")).fill_null(False)
        found = both.filter(is_late | is_changed).collect(engine="streaming")
        late, changed = found.filter(is_late), found.filter(~is_late)
        if found.height:
            yield self._hit(table, late, changed, end)

    def _contents(self, table: Table, columns: Table) -> pl.LazyFrame:
        """Entity, stamp and a hash of the columns that both tables have."""
        shared = [c.name for c in columns.data_columns if c.name in table.contract.names]
        content = pl.struct(by_name(*shared)).hash(seed=0).alias("content")
        return keyed(table, ROW_ID, *shared).select(ROW_ID, ENTITY, STAMP, content)

    def _hit(self, table: Table, late: pl.DataFrame, changed: pl.DataFrame, end: int) -> Hit:
        rows = pl.concat([late, changed])
        return Hit(
            check=self.name,
            column=table.time,
            rows=rows.height,
            observed=rows.height / table.height,
            threshold=0,
            message=f"before {shown(end)}, the reference's end, {count(late.height, 'row is', 'rows are')} new and "
            f"{count(changed.height, 'has', 'have')} changed",
            suggestion="rows come late or are corrected later: wait until a stretch is complete before you judge it",
            flags=stamped(rows),
        )


CHECKS = (ShortSeries, LateArrival)
