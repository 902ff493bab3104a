"""The columns of the input against those of the contract."""

import dataclasses
from typing import Any

from pipeline.checks.header import ColumnAbsent, ColumnOrderChanged, ColumnUnexpected
from pipeline.quality.findings import Check, Table
from pipeline.quality.inspection import hits, inspect

from .conftest import Make, made

ROWS: dict[str, list[Any]] = {"x": [1.0, 2.0], "shop": ["a", "b"], "y": [True, False]}


def with_header(*header: str, parts: int = 1) -> Table:
    return dataclasses.replace(made(ROWS, parts=parts), header=header)


PLANTED = {
    "column_absent": lambda parts: with_header("x", "y", parts=parts),
    "column_unexpected": lambda parts: with_header("x", "shop", "y", "new", parts=parts),
    "column_order_changed": lambda parts: with_header("shop", "x", "y", parts=parts),
}


def columns(check: Check, table: Table) -> list[str | None]:
    return [hit.column for hit in hits(check, table)]


def test_a_column_that_is_gone_is_an_error() -> None:
    assert columns(ColumnAbsent(), with_header("x", "y")) == ["shop"]
    assert columns(ColumnAbsent(), with_header("y", "shop", "x")) == []


def test_a_derived_column_need_not_be_in_the_input() -> None:
    assert columns(ColumnAbsent(), dataclasses.replace(with_header("x", "shop"), derived=("y",))) == []


def test_a_new_column_is_told() -> None:
    assert columns(ColumnUnexpected(), with_header("x", "shop", "y", "new")) == ["new"]
    assert columns(ColumnUnexpected(), with_header("x", "shop", "y")) == []


def test_another_order_is_told_once_and_an_absent_column_is_none() -> None:
    assert columns(ColumnOrderChanged(), with_header("shop", "x", "y")) == ["shop"]
    assert columns(ColumnOrderChanged(), with_header("x", "y")) == []


def test_without_a_header_nothing_is_asked(make: Make) -> None:
    for check in (ColumnAbsent(), ColumnUnexpected(), ColumnOrderChanged()):
        (account,) = inspect(make(ROWS), [check]).accounts
        assert (account.examined, account.skipped, account.findings) == (0, 2, 0)
