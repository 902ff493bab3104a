"""The seal of the test set: every scoring is counted by what the rows are, and told in words."""

import polars as pl
import pytest

from pipeline import artefacts, progress
from pipeline.contract import ROW_ID
from pipeline.errors import WorkspaceError
from pipeline.stages import evaluate
from pipeline.versions import sealed
from pipeline.versions.sealed import ONE_SIDED, Seal
from pipeline.workspace import Workspace

TEST = pl.DataFrame({ROW_ID: ["a#0", "a#2", "a#4"], "slow": [True, False, None], "distance": [1.0, 2.0, 3.0]})


def opened(workspace: Workspace, candidate: str, test: pl.DataFrame = TEST) -> Seal:
    return sealed.open_test(workspace, test, "slow", candidate=candidate, champion=None)


def test_before_the_first_scoring_there_is_no_seal(tiny: Workspace) -> None:
    assert sealed.seal(tiny) is None


def test_scorings_are_counted_and_candidates_once_each(tiny: Workspace) -> None:
    for candidate in ("one", "two", "one", "one"):
        last = opened(tiny, candidate)

    assert (last.rows, last.scorings, last.candidates, last.earlier) == (3, 4, 2, 0)
    assert sealed.seal(tiny) == last


@pytest.mark.parametrize(
    "other",
    [
        TEST.head(2),
        TEST.with_columns(pl.Series(ROW_ID, ["a#0", "a#2", "a#5"])),
        TEST.with_columns(slow=pl.lit(True)),
    ],
)
def test_other_rows_or_labels_are_another_test_set(other: pl.DataFrame, tiny: Workspace) -> None:
    opened(tiny, "one")

    found = opened(tiny, "two", other)

    assert (found.scorings, found.candidates, found.earlier) == (1, 1, 1)


@pytest.mark.parametrize(
    "same", [TEST.reverse(), TEST.with_columns(distance=-pl.col("distance")), TEST.drop("distance")]
)
def test_other_features_or_another_order_are_the_same_test_set(same: pl.DataFrame) -> None:
    assert sealed.identity(same, "slow") == sealed.identity(TEST, "slow")


@pytest.mark.parametrize("label", [[1.5, None, 2.0], ["x", "y", None], [["a", "b"], [], None]])
def test_labels_of_any_kind_tell_test_sets_apart(label: list[object]) -> None:
    told = TEST.with_columns(pl.Series("slow", label, strict=False))
    other = TEST.with_columns(pl.Series("slow", [label[1], *label[1:]], strict=False))

    assert sealed.identity(told, "slow") != sealed.identity(other, "slow")


def test_the_words_say_what_looking_often_does() -> None:
    seal = Seal(test="3f2a", rows=1200, scorings=50, candidates=40, earlier=0)

    assert "the test set 3f2a (1,200 rows) was opened 50 times, for 40 candidates" in sealed.words(seal)
    assert f"{100 * (1 - (1 - ONE_SIDED) ** 40):.1f}%" in sealed.words(seal)


def test_evaluate_opens_the_seal_and_says_so(trained: Workspace) -> None:
    before = sealed.seal(trained)
    heard: list[str] = []

    with progress.listening(lambda _, words: heard.append(words)):
        record = evaluate.run(trained)

    after = sealed.seal(trained)
    assert before is not None and after is not None
    assert (after.test, after.rows) == (before.test, record.rows["test"])
    assert (after.scorings, after.candidates) == (before.scorings + 1, 1)
    assert sealed.words(after) in "\n".join(heard)


def test_a_count_that_was_changed_is_an_error_of_the_next_scoring_and_leaves_the_old_result(trained: Workspace) -> None:
    text = trained.scorings.read_text()
    trained.scorings.write_text(text.replace('"champion":null', '"champion":"v9"', 1))
    before = artefacts.sha256(trained.evaluation)

    with pytest.raises(WorkspaceError, match=r"scorings\.jsonl: line 1 is not what was written there"):
        evaluate.run(trained)

    assert artefacts.sha256(trained.evaluation) == before
