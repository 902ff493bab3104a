"""Privacy: each kind of private value is told and masked, and numbers and codes that only look like one are not."""

import dataclasses
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from pipeline.checks.privacy import PiiPresent, SecretPresent
from pipeline.quality import private
from pipeline.quality.findings import Table
from pipeline.quality.inspection import inspect

from .conftest import made
from .media import SHARED

Make = Callable[..., Table]

PRIVATE: dict[str, tuple[str, list[Any]]] = {  # the numbers are the issuers' own examples
    "contact": ("mail addresses", ["jane.doe@example.org", "bob+x@mail.example.co.uk", "ann@example.com"]),
    "paid_with": ("payment cards", ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005"]),
    "card_as_number": ("payment cards", [4111111111111111, 5555555555554444, 6011111111111117]),
    "account": (
        "account numbers (IBAN)",
        ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR14 2004 1010 0505 0001 3M02 606"],
    ),
    "code": ("United States social security numbers", ["078-05-1120", "219-09-9999", "123-45-6789"]),
    "reference": (
        "British national insurance numbers",
        ["AB123456C", "JG 12 13 16 A", "QQ123456C".replace("QQ", "CE")],
    ),
    "number": ("German tax numbers", ["86095742719", "47036892816", "65929970489"]),
    "key": ("French social security numbers", ["255081416802538", "2 55 08 14 168 025 38", "1 84 12 76 451 089 46"]),
    "national": ("Spanish identity numbers", ["12345678Z", "00000000T", "99999999R"]),
    "fiscal": ("Italian tax codes", ["RSSMRA85T10A562S", "MRTMTT91D08F205J", "VRDLGU80A01H501X"]),
    "soc_sec_id": ("social security numbers", [7844720, 2391105, 6143528]),
    "source": ("internet addresses", ["192.168.0.1", "10.0.0.254", "2001:db8::8a2e:370:7334"]),
    "call": ("telephone numbers", ["+49 30 901820", "+1 (555) 010-9999", "0044 20 7946 0958"]),
    "reach": ("telephone numbers", ["(555) 010-9999", "555-010-1234", "555.010.4321"]),
    "PhoneNumber": ("telephone numbers", [2055550123, 3345550198, 2565550142]),
    "home": ("street addresses", ["12 Main Street", "4 Elm Rd.", "1600 Pennsylvania Avenue NW"]),
    "Address1": ("street addresses", ["Hauptstr. 5", "knox street", "rue de la Paix 12"]),
    "First Name": ("names of persons", ["Jane", "Jean-Luc", "Zoë"]),
    "surname": ("names of persons", ["Doe", "O'Hara", "van der Berg"]),
    "date_of_birth": ("dates of birth", [date(1981, 3, 5), date(1990, 12, 31), date(2001, 1, 1)]),
}


def private_rows(parts: int) -> Table:
    return made({name: values for name, (_, values) in PRIVATE.items()}, parts=parts)


def secret_rows(parts: int) -> Table:
    notes = ["fine", "see ghp_" + "a1B2" * 9, None, "fine", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"]
    return made(
        {"note": notes, "password": ["hunter22", "s3cr3t!!", "correct-horse", "abcdef1", "qwerty"]}, parts=parts
    )


PLANTED: dict[str, Callable[[int], Table]] = {"pii_present": private_rows, "secret_present": secret_rows}


def test_each_kind_is_told_by_its_column() -> None:
    found = {finding.column: finding for finding in inspect(private_rows(1), [PiiPresent()]).findings}

    assert {column: finding.message.split(" holds ")[1].split(":")[0] for column, finding in found.items()} == {
        column: what for column, (what, _) in PRIVATE.items()
    }
    assert {finding.rows for finding in found.values()} == {3}


def test_no_value_stands_in_a_finding() -> None:
    said = "\n".join(f.model_dump_json() for f in inspect(private_rows(1), [PiiPresent()]).findings)

    assert "j***@e***.org" in said
    for _, values in PRIVATE.values():
        assert not [value for value in map(str, values) if value in said]


def codes() -> Iterator[tuple[str, list[Any]]]:
    """Columns that only look private."""
    draw = random.Random(1)
    start = datetime(2024, 1, 1)
    yield "tailnum", [f"N{draw.randrange(10_000, 99_999)}" for _ in range(200)]
    yield "flight", [draw.randrange(1, 9_000) for _ in range(200)]
    yield "stamp", [start + timedelta(seconds=draw.randrange(10**8)) for _ in range(200)]
    yield "stamp_text", [str(start + timedelta(seconds=draw.randrange(10**8))) for _ in range(200)]
    yield "clock", [f"{draw.randrange(24):02}:{draw.randrange(60):02}:{draw.randrange(60):02}" for _ in range(200)]
    yield "epoch_ms", [1_700_000_000_000 + draw.randrange(10**11) for _ in range(200)]
    yield "epoch_ns", [1_700_000_000_000_000_000 + draw.randrange(10**15) for _ in range(200)]
    yield "zip", [f"{draw.randrange(10**5):05}" for _ in range(200)]
    yield "zip_plus", [f"{draw.randrange(10**5):05}-{draw.randrange(10**4):04}" for _ in range(200)]
    yield "price", [f"{draw.uniform(1, 999):.2f}" for _ in range(200)]
    yield "id_16", [4 * 10**15 + draw.randrange(10**15) for _ in range(200)]
    yield "id_11", [draw.randrange(10**10, 10**11) for _ in range(200)]
    yield "id_15", [draw.randrange(10**14, 3 * 10**14) for _ in range(200)]
    yield "id_9", [draw.randrange(10**8, 10**9) for _ in range(200)]
    yield "padded", [f"{draw.randrange(10**8):010}" for _ in range(200)]
    yield "uuid", [f"{draw.getrandbits(128):032x}" for _ in range(200)]
    yield "letter_code", [f"{draw.randrange(10**8):08}{draw.choice('ABCDEFGH')}" for _ in range(200)]
    yield "version", [f"{draw.randrange(9)}.{draw.randrange(20)}.{draw.randrange(400)}" for _ in range(200)]
    yield "product_name", [draw.choice(["Chair", "Table", "Lamp"]) for _ in range(200)]
    yield "phone_calls", [draw.randrange(100) for _ in range(200)]
    yield "address", [f"0x{draw.getrandbits(160):040x}" for _ in range(200)]
    yield "text", [f"write to me@example.org about {draw.random()}" if i % 5 == 0 else "a word" for i in range(200)]
    yield "handle", [f"@user{i}" for i in range(200)]
    yield "plus", [f"+{draw.uniform(1, 99):.1f}" for _ in range(200)]


@pytest.mark.parametrize(("name", "values"), list(codes()))
def test_what_only_looks_private_is_not_told(make: Make, name: str, values: list[Any]) -> None:
    assert inspect(make({name: values}), [PiiPresent(), SecretPresent()]).findings == []


def test_one_short_number_does_not_hide_a_column_of_cards(make: Make) -> None:
    cards = [number for number in range(4111111111111111, 4111111111111511) if private.luhn(str(number))]

    (found,) = inspect(make({"paid": [*cards, 9]}), [PiiPresent()]).findings

    assert (found.check, found.column) == ("pii_present", "paid")


def test_whole_numbers_that_are_names_are_asked(make: Make) -> None:
    table = make({"phone": [2055550123, 3345550198, 2565550142]})
    (column,) = table.contract.columns
    named = dataclasses.replace(column, modality="categorical")
    table = dataclasses.replace(table, contract=dataclasses.replace(table.contract, columns=(named,)))

    (found,) = inspect(table, [PiiPresent()]).findings

    assert "telephone numbers" in found.message


def test_json_in_a_column_called_address_is_no_address(make: Make) -> None:
    cells = [f'{{"city": "K\u00f6ln", "zip": {i}}}' for i in range(40)]

    assert inspect(make({"address": [None, "[]", *cells]}), [PiiPresent()]).findings == []
    assert inspect(make({"address": [f"{i} Main Street" for i in range(40)]}), [PiiPresent()]).findings


def test_a_secret_is_located_and_never_shown() -> None:
    found = inspect(secret_rows(1), [SecretPresent()])

    assert [(f.column, f.severity, f.rows) for f in found.findings] == [("password", "error", 5), ("note", "error", 2)]
    assert found.findings[1].message == "note holds a GitHub token in 2 rows"
    assert found.flags.filter(pl.col("column") == "note").select("row_id", "value").rows() == [
        ("rows#1", "***"),
        ("rows#4", "***"),
    ]


@pytest.mark.parametrize(
    "value",
    [
        "AKIA" + "IOSFODNN7EXAMPLE",
        "postgresql://app:hunter2@db.example.org/main",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "xoxb-" + "123456789012-abcdef",
        "sk_live_" + "abcdefghijklmnopqrst",
    ],
)
def test_one_secret_in_a_text_is_enough(make: Make, value: str) -> None:
    found = inspect(make({"note": ["fine"] * 20 + [f"use {value} for it"]}), [SecretPresent()]).findings

    assert [(f.rows, f.examples) for f in found] == [(1, ["rows#20: ***"])]
    assert value not in found[0].model_dump_json()


@pytest.mark.parametrize(
    "values",
    [
        ["https://example.org:8080/a@b", "http://example.org/x:y@z", "mailto:jane@example.org"],
        ["risk-management-and-compliance-in-the-banking-sector", "sk-SK", "task-1234567890"],
        ["AKIAB", "ghp_short", "a key to success", "password"],
    ],
)
def test_what_only_looks_secret_is_not_told(make: Make, values: list[str]) -> None:
    assert inspect(make({"note": values}), [SecretPresent()]).findings == []


def test_a_large_table_is_judged_by_its_sample(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.quality.findings.SAMPLE_ROWS", 50)
    table = make({"contact": [f"{name}@example.org" for name in range(400)]}, parts=3)
    inspected = inspect(table, [PiiPresent()])

    assert inspected.findings[0].rows == 400
    assert inspected.accounts[0].examined == table.sample.height < 400


@pytest.mark.parametrize("number", ["4012888888881881", "30569309025904", "3530111333300000", "6200000000000005"])
def test_the_issuers_test_cards_are_cards(number: str) -> None:
    assert private.card(number)
    assert not private.card(number[:-1] + str((int(number[-1]) + 1) % 10))


def test_a_card_needs_an_issuer_and_a_length() -> None:
    assert private.luhn("9999999999999995") and not private.card("9999999999999995")
    assert private.luhn("42") and not private.card("42")
    assert not private.card("4444444444444444")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are absent")
@pytest.mark.parametrize(
    ("file", "private_columns"),
    [
        ("flights/2013-01.csv.gz", set()),
        ("demos/diamonds.csv.gz", set()),
        ("demos/weather_hourly.csv.gz", set()),
        ("demos/austen.csv.gz", set()),
        ("tables/adult/test.csv", set()),
        ("duplicates/dataset1.csv", {" given_name", " surname", " address_1", " date_of_birth", " soc_sec_id"}),
        ("cells/tax/clean.csv", {"f_name", "l_name", "phone"}),
    ],
)
def test_real_tables_are_told_where_they_hold_persons(make: Make, file: str, private_columns: set[str]) -> None:
    rows = pl.read_csv(SHARED / file, null_values="NA", n_rows=5_000, infer_schema_length=5_000, try_parse_dates=True)

    assert {f.column for f in inspect(make(rows), [PiiPresent(), SecretPresent()]).findings} == private_columns
