"""The seal of the test set: each time that a candidate is scored on it is written down, and told with every result.

Who looks often and keeps the best keeps luck as well. So the count belongs to the test set, by what its rows and labels
are, and not to a file or a run.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl

from pipeline.artefacts import Record
from pipeline.contract import ROW_ID
from pipeline.versions.journal import Journal
from pipeline.wording import count, share
from pipeline.workspace import Workspace

ONE_SIDED = 0.025  # how often a difference that is none lies wholly above 0 by its 95% interval


class Scoring(Record):
    """One line of models/scorings.jsonl: a candidate was scored on the test set `test`, beside a champion or none."""

    at: str
    test: str
    rows: int
    candidate: str
    champion: str | None


class Seal(Record):
    """How often a test set was opened: `scorings` in all, of so many different `candidates`.

    `earlier`: how many other test sets this workspace had before it.
    """

    test: str
    rows: int
    scorings: int
    candidates: int
    earlier: int


def journal(workspace: Workspace) -> Journal[Scoring]:
    """Every scoring, oldest first."""
    return Journal(workspace.scorings, Scoring)


def open_test(workspace: Workspace, test: pl.DataFrame, label: str, *, candidate: str, champion: str | None) -> Seal:
    """Write down that the candidate is scored on these test rows, before anybody sees the score."""
    scoring = Scoring(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        test=identity(test, label),
        rows=test.height,
        candidate=candidate,
        champion=champion,
    )
    journal(workspace).append(scoring)
    return _of(journal(workspace).entries())


def identity(test: pl.DataFrame, label: str) -> str:
    """Twelve digits that say which rows, with which labels, in whatever order.

    >>> one = pl.DataFrame({"row_id": ["a#0", "a#1"], "y": [1, 2], "x": [0.5, None]})
    >>> identity(one, "y") == identity(one.reverse().drop("x"), "y")
    True
    >>> identity(one, "y") == identity(one.with_columns(y=3), "y")
    False
    """
    told = test.sort(ROW_ID).select(pl.struct(ROW_ID, label).struct.json_encode()).to_series()
    return digest(told)[:12]


def digest(lines: Iterable[str]) -> str:
    """The SHA-256 of texts, one after the other."""
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line.encode())
    return whole.hexdigest()


def seal(workspace: Workspace) -> Seal | None:
    """How often the test set that was scored last was opened; None before the first scoring."""
    known = journal(workspace).entries()
    return _of(known) if known else None


def _of(known: Sequence[Scoring]) -> Seal:
    last = known[-1]
    same = [scoring for scoring in known if scoring.test == last.test]
    return Seal(
        test=last.test,
        rows=last.rows,
        scorings=len(same),
        candidates=len({scoring.candidate for scoring in same}),
        earlier=len({scoring.test for scoring in known}) - 1,
    )


def words(found: Seal) -> str:
    """The seal in a sentence, with what looking so often does to a gate.

    >>> words(Seal(test="3f2a", rows=90, scorings=1, candidates=1, earlier=0))
    'the test set 3f2a (90 rows) was opened once, for this candidate'
    >>> words(Seal(test="3f2a", rows=90, scorings=6, candidates=5, earlier=1))[:78]
    'the test set 3f2a (90 rows) was opened 6 times, for 5 candidates: of so many t'
    """
    often = {1: "once", 2: "twice"}.get(found.scorings) or count(found.scorings, "time")
    whom = "this candidate" if found.candidates == 1 else f"{found.candidates:,} candidates"
    told = f"the test set {found.test} ({count(found.rows, 'row')}) was opened {often}, for {whom}"
    if found.candidates == 1:
        return told
    luck = share(1 - (1 - ONE_SIDED) ** found.candidates)
    return f"{told}: of so many that are no better at all, one looks surely better in up to {luck} of cases"
