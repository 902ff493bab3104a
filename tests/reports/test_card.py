"""The model card: it says what the records say, what nobody has stated, and shows text from the data as text."""

from dataclasses import replace

import pytest

from pipeline.judgement.record import Diagnosis
from pipeline.judgement.remark import Remark
from pipeline.reports import card, report
from pipeline.reports.chapter import Chapter, Table, html, markdown, plain
from pipeline.versions import registry
from pipeline.workspace import Workspace

HOSTILE = "<script>alert(1)</script> | *a* `b` [c](javascript:d) \n# e"


@pytest.fixture(scope="module")
def written(trained_once: Workspace) -> str:
    return markdown("tiny: slow", card.chapters(card.read(trained_once)))


def test_it_has_every_chapter_that_a_card_needs(written: str) -> None:
    titles = [line for line in written.splitlines() if line.startswith("#")]

    assert titles == [
        "# tiny: slow",
        "## What it is",
        "## What it is for",
        "## What it learnt from",
        "## What it looks at",
        "## How good it is",
        "## How it behaves",
        "## What to mind",
        "## How it was made",
    ]


def test_the_numbers_are_those_of_the_records(trained_once: Workspace, written: str) -> None:
    facts = card.read(trained_once)
    diagnosis = facts.diagnosis

    assert facts.manifest.identity in written
    assert f"{facts.evaluation['rows']['test']} rows of test" in written
    assert diagnosis is not None and diagnosis.steadiness is not None and diagnosis.speed is not None
    assert plain(diagnosis.steadiness.words) in written
    assert plain(diagnosis.speed.words) in written
    assert facts.evaluation["fit"]["why"] in written
    for column in facts.agreed.features:
        assert f"| {column.name} |" in written


def test_what_nobody_has_stated_is_said_to_be_unknown(trained: Workspace) -> None:
    params = trained.params_file.read_text()
    trained.params_file.write_text(params + "card: {purpose: to warn the kitchen, owner: Anna}\n")

    found = markdown("tiny", card.chapters(card.read(Workspace.open(trained.root))))

    assert "- Purpose: to warn the kitchen" in found
    assert "- Answered for by: Anna" in found
    assert "- Licence: nobody has said (params.yaml: card.licence)" in found


def test_what_is_wrong_is_told_the_worst_first(trained_once: Workspace) -> None:
    facts = card.read(trained_once)
    assert facts.diagnosis is not None and facts.diagnosis.steadiness is not None
    broken = Remark(name="no_answer", severity="error", message="fails", suggestion="mend")
    ill = facts.diagnosis.steadiness.model_copy(update={"remarks": [broken]})
    diagnosis = facts.diagnosis.model_copy(update={"steadiness": ill})

    told = card.chapters(replace(facts, diagnosis=diagnosis))

    table = next(chapter.table for chapter in told if chapter.title == "What to mind")
    assert table is not None
    assert table.rows[0] == ("error", "no_answer: fails", "mend")


def test_a_model_that_nobody_looked_at_has_a_card_too(trained_once: Workspace) -> None:
    told = card.chapters(replace(card.read(trained_once), diagnosis=None, ledger=None, quality=None, champion=None))

    assert "Nobody has looked" in markdown("x", told)


def test_the_report_writes_both_forms_twice_the_same(trained: Workspace) -> None:
    pages = []
    for _ in range(2):
        report.write(trained)
        pages.append([trained.model_card.with_suffix(end).read_bytes() for end in (".md", ".html")])

    assert pages[0] == pages[1]
    assert b"<script>" in pages[0][1]  # the page's own


def test_a_candidate_that_was_not_judged_gets_no_card_of_another(trained: Workspace) -> None:
    evaluation = trained.evaluation.read_text()
    identity = card.read(trained).manifest.identity
    trained.evaluation.write_text(evaluation.replace(identity, "0" * 12))

    assert card.write(trained) is None
    assert not trained.model_card.is_file()


def test_a_version_keeps_its_card(trained: Workspace) -> None:
    report.write(trained)

    version = registry.register(trained)

    kept = registry.folder(trained, version)
    assert (kept / "model_card.md").read_text() == trained.model_card.read_text()
    assert (kept / "model_card.html").is_file()


def test_text_from_the_data_stays_text() -> None:
    told = [Chapter(title="A", points=[HOSTILE], table=Table(head=("x",), rows=[(HOSTILE,)]))]

    page, text = html("t", told), markdown("t", told)

    assert "<script>alert" not in page
    assert "\\<script\\>" in text
    assert "\n# e" not in text
    assert text.splitlines()[-1].count("|") == 3  # the ends of the row, and one that is escaped
    assert "\\|" in text.splitlines()[-1]


def test_every_part_that_says_something_has_a_sentence(trained_once: Workspace) -> None:
    diagnosis = card.read(trained_once).diagnosis
    assert diagnosis is not None
    spoken = [getattr(diagnosis, name).words for name in ("calibration", "steadiness", "speed")]

    chapter = next(c for c in card.chapters(card.read(trained_once)) if c.title == "How it behaves")

    assert set(spoken) <= set(chapter.points)
    assert set(Diagnosis.model_fields) >= {"steadiness", "importance", "speed", "learning_curve"}


def test_a_diagnosis_of_another_candidate_is_told_neither_by_card_nor_by_report(trained: Workspace) -> None:
    told = Diagnosis.read(trained.diagnosis)
    told.model_copy(update={"candidate": "another"}).write(trained.diagnosis)

    report.write(trained)

    assert "Nobody has looked" in trained.model_card.read_text()
    assert 'id="steadiness"' not in trained.report.read_text()
