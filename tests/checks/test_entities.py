"""Entities that are short, begin late or end early, and history that changed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import polars as pl

from pipeline.checks.entities import LateArrival, ShortSeries
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .conftest import made

Make = Callable[..., Table]
START = datetime(2024, 1, 1)


def hours(count: int) -> list[datetime]:
    return [START + timedelta(hours=i) for i in range(count)]


def shops(lengths: list[int], parts: int = 1, late: int = 0) -> Table:
    """A daily series of each shop; the last one begins `late` days later."""
    rows = [
        (chr(97 + shop), START + timedelta(days=day + (late if shop == len(lengths) - 1 else 0)))
        for shop, length in enumerate(lengths)
        for day in range(length)
    ]
    return made(pl.DataFrame(rows, schema=["g", "t"], orient="row"), parts=parts)


def revised(parts: int = 1) -> Table:
    """Against its reference: row 5 has changed, row 7 is new, and four hours were added."""
    now = pl.DataFrame({"t": hours(44), "x": [float(i) for i in range(44)]})
    changed = now.with_columns(x=pl.when(pl.col("x") == 5).then(-1.0).otherwise("x"))
    return replace(made(changed, parts=parts), reference=made(now[:40].filter(pl.col("x") != 7)))


PLANTED: dict[str, Callable[[int], Table]] = {
    "ts_short_series": lambda parts: shops([60, 60, 60, 60, 60, 25], parts),
    "ts_late_arrival": revised,
}


def test_an_entity_that_vanishes_begins_late_or_is_short_is_named() -> None:
    (vanished,) = hits(ShortSeries(), shops([60, 60, 60, 60, 60, 25]))
    (appeared,) = hits(ShortSeries(), shops([60, 60, 60, 60, 60, 25], late=35))
    (short,) = hits(ShortSeries(), shops([200, 200, 200, 200, 200, 12]))

    assert "has no row near the end" in vanished.message
    assert "has no row near the beginning" in appeared.message
    assert "has fewer than a tenth of the usual rows" in short.message
    assert vanished.examples == appeared.examples == short.examples == ["f"]


def test_where_many_come_and_go_nothing_is_told() -> None:
    assert hits(ShortSeries(), shops([60, 50, 40, 30, 20, 25])) == []
    assert hits(ShortSeries(), shops([60, 60, 60, 60, 60, 58])) == []


def test_new_and_changed_history_is_flagged() -> None:
    (hit,) = hits(LateArrival(), revised())

    assert hit.flags is not None
    assert hit.flags["row_id"].to_list() == ["rows#7", "rows#5"]
    assert "1 row is new and 1 has changed" in hit.message


def test_history_that_is_the_same_is_not_told(make: Make) -> None:
    old = make({"t": hours(40), "x": list(range(40))})

    assert hits(LateArrival(), replace(make({"t": hours(50), "x": list(range(50))}), reference=old)) == []


def test_rows_that_the_reference_never_had_are_another_series(make: Make) -> None:
    odd, even = hours(80)[::2], hours(80)[1::2]
    table = replace(make({"t": odd, "x": list(range(40))}), reference=make({"t": even, "x": list(range(40))}))

    (said,) = LateArrival().hits(table)

    assert isinstance(said, Skipped)
