"""No finding tells a value of a private column, whatever the column is called."""

from dataclasses import replace

import pytest

from pipeline.quality.findings import Finding, Hit, finding
from pipeline.quality.masking import masked
from tests.checks.conftest import made


@pytest.mark.parametrize("name", ["mail", "^mail$", "*"])
def test_a_value_of_a_private_column_is_told_nowhere(name: str) -> None:
    table = made({name: ["jane@example.org", "joe@example.org"], "x": [1, 2]})
    hits = [told("pii_present", name, private=True), told("a", "x", "1: JANE@example.org and more"), told("b", name)]

    found = masked(table, [(hit, finding(hit, "warn", table.height)) for hit in hits])

    assert [said.message for said in found] == ["as in ***"] * 3
    assert [said.examples for said in found] == [[], ["1: *** and more"], []]


def test_what_another_check_quotes_of_a_private_column_is_hidden_even_when_it_is_no_cell_of_it() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYW5lIn0" * 3
    table = made({"token": [token, "x"], "x": [1, 2]})
    spoken = [f"'{token[:39]}…' and 'eyJ\\n' stand \"once\"", f"x holds {token[:39]}…, it seems"]
    hits = [told("secret_present", "token", private=True)]
    hits += [replace(told("b", column), message=text) for column, text in zip(("token", "x"), spoken, strict=True)]

    found = masked(table, [(hit, finding(hit, "warn", table.height)) for hit in hits])

    assert [said.message for said in found[1:]] == ["*** stand ***", "x holds ***…, it seems"]


def test_a_rare_value_beyond_the_sample_is_hidden_too() -> None:
    names = ["Maria", "Josef"] * 26_000
    table = made({"name": names, "x": [1] * len(names)})
    drawn = set(table.sample["row_id"])
    place = next(at for at in range(len(names)) if f"rows#{at}" not in drawn)
    table = made({"name": [*names[:place], "Zebulon", *names[place + 1 :]], "x": [1] * len(names)})
    hits = [told("pii_present", "name", private=True), replace(told("b", "x"), message="x follows Zebulon")]

    found = masked(table, [(hit, finding(hit, "warn", table.height)) for hit in hits])

    assert found[1].message == "x follows ***"


def test_without_a_private_column_all_is_told() -> None:
    hit = told("a", "x", "0: jane@example.org")
    said: Finding = finding(hit, "warn", 1)

    assert masked(made({"x": ["jane@example.org"]}), [(hit, said)]) == [said]


def told(check: str, column: str, *examples: str, private: bool = False) -> Hit:
    return Hit(
        check=check,
        column=column,
        rows=1,
        message="as in jane@example.org",
        suggestion="look",
        examples=list(examples),
        private=private,
    )
