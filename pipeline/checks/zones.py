"""Clock checks: stamps in the local time of a zone whose clocks change, and stamps with offsets among those without."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.checks.timeaxis import EVENTS, NO_TIME
from pipeline.checks.timeline import ELAPSED, ENTITY, SECOND, STAMP, Timeline, timeline
from pipeline.contract import ROW_ID
from pipeline.quality.findings import Hit, Policy, Skipped, Table
from pipeline.tables.cells import ISO_ZONE
from pipeline.wording import count, listed

HOUR = 3600 * SECOND
# one zone for each rule by which clocks change, seen in local time
ZONES = (
    *("America/New_York", "Europe/Berlin", "Europe/London", "Europe/Athens", "Australia/Sydney", "Pacific/Auckland"),
    *("America/Santiago", "America/Sao_Paulo", "America/Mexico_City", "Asia/Jerusalem", "Asia/Tehran", "Africa/Cairo"),
)


@dataclass(frozen=True, kw_only=True)
class TimezoneOrDst:
    """Does the time axis lack an hour in spring and repeat one in autumn, or do some stamps have an offset?

    Asked of series with steps of at most an hour: for each zone, at how many of its changes within the series does
    the hour that a local clock skips have no row, between rows just before and after, and the hour that it shows
    twice have repeated stamps. Told where that is so at two changes or more, and at `minimum_share` of all.
    """

    minimum_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    policy: Policy = "warn"
    name: ClassVar[str] = "ts_timezone_or_dst"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "three of four changes: a hole or a repeat by chance hits few of these hours"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from self._offsets(table)
        line = timeline(table)
        if line is None or not line.series or (line.step or HOUR + 1) > HOUR:
            yield NO_TIME if line is None else EVENTS if not line.series else Skipped(why="steps are over an hour")
            return
        found = [(zone, *_seen(line, changes(line, zone))) for zone in ZONES]
        zone, seen, asked = max(found, key=lambda each: each[1] / max(each[2], 1))
        if seen >= 2 and seen >= self.minimum_share * asked:
            yield Hit(
                check=self.name,
                column=table.time,
                observed=seen / asked,
                threshold=self.minimum_share,
                message=f"the stamps are local time of a zone with daylight saving, such as {zone}: at {seen} of "
                f"{asked} changes of its clock an hour is missing, or there twice",
                suggestion="store UTC, or local time with its offset: differences and joins are an hour off otherwise",
            )

    def _offsets(self, table: Table) -> Iterator[Hit]:
        if table.time is None:
            return
        cells = table.unparsed.filter(pl.col("column") == table.time, pl.col("raw").str.contains(ISO_ZONE))
        mixed = cells.select(ROW_ID, value="raw").collect()
        if mixed.height:
            offsets = mixed["value"].str.extract(r"(Z|[+-]\d{2}:?\d{2})$").unique().sort().to_list()
            yield Hit(
                check=self.name,
                column=table.time,
                rows=mixed.height,
                observed=mixed.height / max(table.height, 1),
                threshold=0,
                message=f"{count(mixed.height, 'stamp has', 'stamps have')} an offset ({listed(offsets)}), "
                "the others have none",
                suggestion="write all stamps in UTC, and give the column a time zone in the contract",
                flags=mixed,
            )


CHECKS = (TimezoneOrDst,)


def changes(line: Timeline, zone: str) -> pl.DataFrame:
    """The clock's changes from the first stamp to the last: at (the local hour, in microseconds), skipped or double."""
    first, last = line.entities.filter("regular").select(pl.col("first").min(), pl.col("last").max()).row(0)
    begin = max(datetime(1970, 1, 1), datetime(1970, 1, 1) + timedelta(microseconds=first)) - timedelta(days=1)
    end = min(datetime(2100, 1, 1), datetime(1970, 1, 1) + timedelta(microseconds=last)) + timedelta(days=1)
    hours = pl.datetime_range(begin, end, "1h", time_zone="UTC", eager=True).dt.truncate("1h")
    local = hours.dt.convert_time_zone(zone).dt.replace_time_zone(None, ambiguous="earliest").cast(pl.Int64)
    steps = pl.DataFrame({"at": local, "step": local.diff()})
    skipped = steps.filter(pl.col("step") == 2 * HOUR).select(pl.col("at") - HOUR, skipped=True)
    double = steps.filter(pl.col("step") == 0).select("at", skipped=False)
    return pl.concat([skipped, double])


def _seen(line: Timeline, changes: pl.DataFrame) -> tuple[int, int]:
    """At how many changes, counted for each entity, the series does as that clock does; and at how many it could."""
    entities = line.entities.filter("regular").select(ENTITY, "first", "last")
    at = pl.col("at")
    asked = entities.join(changes, how="cross").filter(pl.col("first") < at - HOUR, at + 2 * HOUR < pl.col("last"))
    stamp, before = pl.col(STAMP), pl.col(STAMP) - pl.col(ELAPSED)
    holes = line.breaks.filter(pl.col(ELAPSED) == HOUR + pl.col("step")).select(ENTITY, at=before + pl.col("step"))
    twice = line.breaks.filter(pl.col(ELAPSED) == 0).select(ENTITY, at=stamp // HOUR * HOUR).unique()
    skipped = asked.filter("skipped").join(holes, on=[ENTITY, "at"], how="semi").height
    double = asked.filter(~pl.col("skipped")).join(twice, on=[ENTITY, "at"], how="semi").height
    return skipped + double, asked.height
