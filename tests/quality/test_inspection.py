"""Inspection fails closed, and hides what a check calls private, wherever it is told."""

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Barrier
from typing import ClassVar

import polars as pl
import pytest

from pipeline.checks.duplicates import DuplicateKey
from pipeline.checks.formats import SurroundingWhitespace
from pipeline.checks.privacy import PiiPresent
from pipeline.errors import DataError
from pipeline.quality.findings import Hit, Policy, Table
from pipeline.quality.inspection import CHECK_FAILED, WORKERS, inspect
from tests.checks.conftest import made


@dataclass(frozen=True, kw_only=True)
class Strict:
    """Does an expression that cannot be evaluated end everything?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "strict"
    policies: ClassVar[tuple[Policy, ...]] = ("warn",)
    source: ClassVar[str] = "made for a test"

    def hits(self, table: object) -> Iterator[Hit]:
        yield Hit(check=self.name, message="-", suggestion="-", where=pl.col("mail").cast(pl.Int64) > 3)


def mails(rows: int) -> dict[str, list[str]]:
    return {"mail": [f"user{i}@example.org" for i in range(rows)], "x": [f"{i}" for i in range(rows)]}


def test_an_expression_that_fails_is_the_fault_of_its_own_check_alone() -> None:
    rows = mails(60) | {"shop": ["north"] * 59 + [" north"]}
    said = inspect(made(rows), [Strict(), SurroundingWhitespace()])

    assert [(f.check, f.severity, f.rows) for f in said.findings] == [
        (CHECK_FAILED, "error", 0),
        ("surrounding_whitespace", "warning", 1),
    ]
    assert [(account.check, account.examined) for account in said.accounts] == [
        ("strict", 0),
        ("surrounding_whitespace", 60),
    ]


def test_a_private_key_is_in_no_flag() -> None:
    rows = {name: [*values, values[0]] for name, values in mails(60).items()}
    rows["x"][-1] = "other"
    said = inspect(made(rows, key=["mail"]), [PiiPresent(), DuplicateKey()])

    assert said.flags.filter(check="duplicate_key")["value"].to_list() == ["***", "***"]
    assert not any("@" in text for text in said.flags["value"].drop_nulls())


def test_a_column_may_be_called_like_a_mark() -> None:
    said = inspect(made({"#0": ["a"] * 99 + [" b"], "y": ["a"] * 100}), [SurroundingWhitespace()])

    assert said.flags["value"].to_list() == [" b"]


@dataclass(frozen=True, kw_only=True)
class Meets:
    """Do two checks look at the table at once?"""

    met: Barrier
    made: list[int]
    policy: Policy = "warn"
    name: ClassVar[str] = "meets"
    policies: ClassVar[tuple[Policy, ...]] = ("warn",)
    source: ClassVar[str] = "no threshold"

    def hits(self, table: Table) -> Iterator[Hit]:
        self.met.wait(timeout=10)
        shared = table.once("shared", self._make)
        yield Hit(check=self.name, message=f"made {shared}", suggestion="")

    def _make(self, table: Table) -> int:
        self.made.append(table.height)
        return len(self.made)


@dataclass(frozen=True, kw_only=True)
class Refuses:
    """Is there something that a person must mend?"""

    policy: Policy = "warn"
    name: ClassVar[str] = "refuses"
    policies: ClassVar[tuple[Policy, ...]] = ("warn",)
    source: ClassVar[str] = "no threshold"

    def hits(self, table: Table) -> Iterator[Hit]:
        raise DataError("has no rows", where="rows.csv", fix="add some")


@pytest.mark.skipif(WORKERS < 2, reason="one core: checks are asked one by one")
def test_checks_are_asked_side_by_side_and_share_what_is_made_of_the_table() -> None:
    check = Meets(met=Barrier(2), made=[])
    inspection = inspect(made({"a": [1, 2]}), [check, check])
    assert [f.message for f in inspection.findings] == ["made 1", "made 1"]
    assert check.made == [2]


def test_what_a_person_must_mend_is_raised() -> None:
    with pytest.raises(DataError, match="has no rows"):
        inspect(made({"a": [1, 2]}), [Refuses(), SurroundingWhitespace()])
