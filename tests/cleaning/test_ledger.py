"""The ledger adds up, or it cannot be made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.cleaning.ledger import Entry, Ledger, reasons

few = st.integers(min_value=0, max_value=50)


def test_rows_in_are_kept_merged_or_quarantined() -> None:
    ledger = Ledger.of(
        [
            Entry(stage="ingest", rows_in=10, kept=10),
            Entry(stage="clean", rows_in=10, kept=6, repaired=2, merged=1, quarantined=3, reasons={"late": 3}),
        ]
    )

    assert (ledger.rows_in, ledger.kept, ledger.repaired, ledger.merged, ledger.quarantined) == (10, 6, 2, 1, 3)
    assert [entry.stage for entry in ledger.stages] == ["ingest", "clean"]


def test_what_became_of_the_rows_is_told_with_the_reasons_of_most_rows() -> None:
    left = {f"reason {i}": i for i in range(1, 8)}
    ledger = Ledger.of([Entry(stage="clean", rows_in=1030, kept=1002, repaired=2, quarantined=28, reasons=left)])

    assert ledger.words.split("\n") == [
        "1,030 rows in = 1,002 kept (2 repaired), 0 merged, 28 quarantined",
        *(f"  {i} rows reason {i}" for i in range(7, 2, -1)),
        "  and 2 more reasons: keepfit ledger",
    ]


def test_an_entry_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(ValidationError, match="rows in must equal kept"):
        Entry(stage="clean", rows_in=10, kept=6, merged=1, quarantined=2)


def test_repaired_rows_are_among_the_kept() -> None:
    with pytest.raises(ValidationError, match="repaired rows must be among the 1 kept, got 2"):
        Entry(stage="clean", rows_in=1, kept=1, repaired=2)


def test_counts_are_not_negative() -> None:
    with pytest.raises(ValidationError):
        Entry(stage="clean", rows_in=0, kept=1, merged=-1)


def test_a_stage_takes_in_what_the_one_before_kept() -> None:
    with pytest.raises(ValueError, match="clean took in 9 rows, ingest kept 10"):
        Ledger.of([Entry(stage="ingest", rows_in=10, kept=10), Entry(stage="clean", rows_in=9, kept=9)])


@given(st.lists(st.tuples(few, few), min_size=1, max_size=5), few)
def test_any_chain_of_stages_adds_up(losses: list[tuple[int, int]], left: int) -> None:
    entries: list[Entry] = []
    kept = left
    for place, (merged, quarantined) in reversed(list(enumerate(losses))):
        rows_in = kept + merged + quarantined
        entries.insert(0, Entry(stage=f"s{place}", rows_in=rows_in, kept=kept, merged=merged, quarantined=quarantined))
        kept = rows_in

    ledger = Ledger.of(entries)

    assert ledger.rows_in == ledger.kept + ledger.merged + ledger.quarantined
    assert ledger.kept == left


def test_a_ledger_survives_json() -> None:
    ledger = Ledger.of([Entry(stage="ingest", rows_in=1, kept=1)])

    assert Ledger.model_validate_json(ledger.model_dump_json()) == ledger


def test_reasons_come_by_falling_count_then_name() -> None:
    assert list(reasons({"b": 1, "none": 0, "a": 1, "c": 5}).items()) == [("c", 5), ("a", 1), ("b", 1)]
