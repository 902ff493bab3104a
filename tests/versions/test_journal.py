"""The journal: what is added stays, and whatever is changed of it afterwards is named."""

from pathlib import Path

import pytest

from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.versions.journal import Journal


class Said(Record):
    words: str
    share: float


@pytest.fixture
def journal(tmp_path: Path) -> Journal[Said]:
    made = Journal(tmp_path / "said.jsonl", Said)
    for place, words in enumerate(("one", "two · zwei", "three")):
        made.append(Said(words=words, share=place / 3))
    return made


def test_what_was_added_is_read_in_its_order(journal: Journal[Said]) -> None:
    assert [entry.words for entry in journal.entries()] == ["one", "two · zwei", "three"]
    assert [line.number for line in journal.lines()] == [1, 2, 3]


def test_without_a_file_there_is_nothing(tmp_path: Path) -> None:
    empty = Journal(tmp_path / "none.jsonl", Said)

    assert empty.entries() == []
    assert empty.head is None


def test_adding_leaves_the_lines_before_as_they_are_and_moves_the_head(journal: Journal[Said]) -> None:
    before, head = journal.path.read_bytes(), journal.head

    added = journal.append(Said(words="four", share=1.0))

    assert journal.path.read_bytes().startswith(before)
    assert added == journal.head != head


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (lambda at: [at[0], at[1].replace(b"zwei", b"drei"), at[2]], 2),
        (lambda at: [at[0].replace(b"0.0", b"0.1"), at[1], at[2]], 1),
        (lambda at: [at[0], at[2]], 2),
        (lambda at: [at[1], at[2]], 1),
        (lambda at: [at[0], at[2], at[1]], 2),
        (lambda at: [at[0], at[0], at[1], at[2]], 2),
        (lambda at: [at[0], b"", at[1], at[2]], 2),
        (lambda at: [at[0], at[1], at[2][:-5]], 3),
        (lambda at: [at[0], at[1], b"\xff\xfe"], 3),
        (lambda at: [at[0].replace(b'"number":1', b'"number":7'), at[1], at[2]], 1),
    ],
)
def test_whatever_is_changed_is_named_by_its_line_and_nothing_is_added_to_it(
    lines: object, named: int, journal: Journal[Said]
) -> None:
    changed = lines(journal.path.read_bytes().splitlines())  # type: ignore[operator]
    journal.path.write_bytes(b"\n".join(changed) + b"\n")
    before = journal.path.read_bytes()

    with pytest.raises(WorkspaceError, match=rf"said\.jsonl: line {named} is not what was written there"):
        journal.entries()
    with pytest.raises(WorkspaceError, match=f"line {named}"):
        journal.append(Said(words="more", share=0.5))
    assert journal.path.read_bytes() == before


def test_a_line_made_anew_with_its_hash_breaks_the_one_after_it(journal: Journal[Said], tmp_path: Path) -> None:
    other = Journal(tmp_path / "other.jsonl", Said)
    other.append(Said(words="forged", share=0.0))
    lines = journal.path.read_bytes().splitlines()
    journal.path.write_bytes(b"\n".join([other.path.read_bytes().strip(), *lines[1:]]) + b"\n")

    with pytest.raises(WorkspaceError, match="line 2"):
        journal.entries()


def test_lines_cut_off_at_the_end_move_the_head(journal: Journal[Said]) -> None:
    head = journal.head
    journal.path.write_bytes(b"\n".join(journal.path.read_bytes().splitlines()[:2]) + b"\n")

    assert len(journal.entries()) == 2
    assert journal.head != head


def test_entries_of_another_kind_are_refused(journal: Journal[Said]) -> None:
    class Other(Record):
        number: int

    with pytest.raises(WorkspaceError, match="line 1"):
        Journal(journal.path, Other).entries()
