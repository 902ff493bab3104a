"""Header checks: the columns of the input against those of the contract."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from pipeline.quality.findings import Hit, Policy, Skipped, Table

UNKNOWN = Skipped(why="the columns are the contract's own")


@dataclass(frozen=True, kw_only=True)
class ColumnAbsent:
    """Which columns of the contract are not in the input?"""

    policy: Policy = "stop"
    name: ClassVar[str] = "column_absent"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: the contract names what must be there"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.header is None:
            yield UNKNOWN
            return
        for name in table.contract.names:
            if name not in table.header and name not in table.derived:
                yield Hit(
                    check=self.name,
                    column=name,
                    rows=table.height,
                    observed="absent",
                    threshold="present",
                    message=f"the column {name} of the contract is not in the data",
                    suggestion="was it renamed or left out? bring it back, or take it out of the contract",
                    severity="error",
                )


@dataclass(frozen=True, kw_only=True)
class ColumnUnexpected:
    """Which columns of the input does the contract not know?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "column_unexpected"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: the contract names what is known"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.header is None:
            yield UNKNOWN
            return
        for name in table.header:
            if name not in table.contract.names:
                yield Hit(
                    check=self.name,
                    column=name,
                    observed="present",
                    threshold="absent",
                    message=f"the data have a column {name} that the contract does not name",
                    suggestion="add it to the contract with a role, or drop it: until then nothing looks at it",
                )


@dataclass(frozen=True, kw_only=True)
class ColumnOrderChanged:
    """Do the contract's columns stand in another order in the input?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "column_order_changed"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "no threshold: columns are found by name, so another order is only worth knowing"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        if table.header is None:
            yield UNKNOWN
            return
        stated = [name for name in table.contract.names if name in table.header]
        found = [name for name in table.header if name in stated]
        if found != stated:
            first = next(name for name, other in zip(found, stated, strict=True) if name != other)
            yield Hit(
                check=self.name,
                column=first,
                observed=first,
                threshold=stated[found.index(first)],
                message=f"the columns stand in another order than in the contract: {first}, where "
                f"{stated[found.index(first)]} was to come",
                suggestion="nothing, where the values are right; but look at them: a header that slipped looks so too",
                severity="info",
            )


CHECKS = (ColumnAbsent, ColumnUnexpected, ColumnOrderChanged)
