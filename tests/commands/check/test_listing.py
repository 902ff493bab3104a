"""What is printed of findings and checks: nothing of the data moves the cursor, and docs/checks.md is the code's."""

from pathlib import Path

import pytest

from pipeline import checks
from pipeline.commands.check import listing

ROOT = Path(__file__).parents[3]


def test_docs_list_the_checks_as_they_are() -> None:
    written = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")

    assert written == listing.markdown(), "run `python -m pipeline.commands.check.listing > docs/checks.md`"


@pytest.mark.parametrize("name", checks.registered())
def test_every_check_has_one_row_of_five_cells(name: str) -> None:
    rows = [line for line in listing.markdown().splitlines() if line.startswith(f"| `{name}` |")]

    assert len(rows) == 1
    assert rows[0].count("|") == 6
    assert "**" in rows[0]


def test_checks_are_printed_with_their_question_and_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    listing.show_checks()

    printed = capsys.readouterr().out
    assert "duplicates\n  duplicate_rows_exact: Which rows equal an earlier row" in printed
    assert "maximum_share=0.05, policy=warn" in printed


def test_a_sign_that_is_not_seen_is_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    listing.say("a\x1b[31mb\u202e")

    assert capsys.readouterr().out == "a\\x1b[31mb\\u202e\n"
