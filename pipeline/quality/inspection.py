"""Ask checks of a table. It fails closed: an error inside a check, or a check that saw no row, is itself a finding.

Hits that are told by an expression are located together, in one pass over the rows.
"""

import dataclasses
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread

import polars as pl
from polars.selectors import by_name

from pipeline.artefacts import Record
from pipeline.contract import ROW_ID
from pipeline.errors import KeepfitError
from pipeline.quality.findings import (
    EXAMPLES,
    FLAG_SCHEMA,
    HIT_ROWS,
    Check,
    Finding,
    Hit,
    Skipped,
    Table,
    finding,
    flags,
)
from pipeline.quality.masking import masked, private_columns
from pipeline.tables.frames import batches, compact
from pipeline.wording import count

CHECK_FAILED = "check_failed"
NOTHING_EXAMINED = "nothing_examined"
SEVERITIES = {"error": 0, "warning": 1, "info": 2}
BATCH_ROWS = 1 << 18
WORKERS = min(2, pl.thread_pool_size())  # a second check fills what the first leaves idle; each more needs its memory
SIDE_BY_SIDE = 1 << 25  # rows; of more, what two checks hold is too much
ABSENT = pl.lit(None, dtype=pl.String)
ERRORS = (Exception, pl.exceptions.PanicException)  # a panic of Polars is a BaseException


class Account(Record):
    """What one check did: the rows that it looked at, those that it did not and why, and what it found."""

    check: str
    examined: int
    skipped: int
    why: str
    findings: int


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """Findings, worst first; flags in the shape of data/flags.parquet; an account and the seconds of each check.

    `private`: the columns whose values no report may show; in the flags only what is suggested for them is left.
    """

    findings: list[Finding]
    flags: pl.DataFrame
    accounts: list[Account]
    seconds: dict[str, float]
    private: frozenset[str]


@dataclass
class _Answer:
    """What one check said."""

    check: Check
    hits: list[Hit] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    seconds: float = 0.0


def inspect(table: Table, asked: Sequence[Check], *, flagged: bool = True) -> Inspection:
    """Ask every check of the table; without `flagged` rows are counted, but `flags` stays without those located."""
    answers = _answers([check for check in asked if check.policy != "off"], table)
    began = time.perf_counter()
    _locate(table, answers, flagged=flagged)
    seconds = {answer.check.name: answer.seconds for answer in answers} | {"locate": time.perf_counter() - began}
    hits = [(hit, answer.check.policy) for answer in answers for hit in answer.hits]
    found = masked(table, [(hit, finding(hit, policy, table.height)) for hit, policy in hits])
    private = private_columns(hit for hit, _ in hits)
    empty = pl.DataFrame(schema=FLAG_SCHEMA)
    return Inspection(
        findings=sorted(found, key=lambda f: (SEVERITIES[f.severity], -f.rows, f.check, f.column or "")),
        flags=pl.concat([empty, *(_hidden(flags(hit, policy), hit, private) for hit, policy in hits)]),
        accounts=[_account(answer, table.height) for answer in answers],
        seconds=seconds,
        private=frozenset(private),
    )


def _hidden(found: pl.DataFrame, hit: Hit, private: set[str]) -> pl.DataFrame:
    if not private:
        return found
    shows_private = not private.isdisjoint(hit.shows)
    told = pl.col("column").is_in(sorted(private)).fill_null(shows_private) & pl.col("value").is_not_null()
    return found.with_columns(pl.when(told).then(pl.lit("***")).otherwise("value").alias("value"))


def hits(check: Check, table: Table) -> list[Hit]:
    """What one check finds, located; what it raises is raised."""
    answer = _Answer(check, hits=[said for said in check.hits(table) if isinstance(said, Hit)])
    _fill(table, [answer], flagged=True)
    return answer.hits


def _answers(checks: Sequence[Check], table: Table) -> list[_Answer]:
    """The checks' answers in their order, asked by `WORKERS` threads; what one of them raises, is raised.

    The threads are daemons: an interrupt need not wait for a check that may take a minute more.
    """
    waiting, answers, errors = deque(enumerate(checks)), dict[int, _Answer](), list[BaseException]()

    def work() -> None:
        with suppress(IndexError):
            while not errors:
                place, check = waiting.popleft()
                try:
                    answers[place] = _ask(check, table)
                except BaseException as error:
                    errors.append(error)

    workers = WORKERS if table.height <= SIDE_BY_SIDE else 1
    threads = [Thread(target=work, daemon=True, name=f"checks {number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [answers[place] for place in range(len(checks))]


def _ask(check: Check, table: Table) -> _Answer:
    """The check's answer; what it raises becomes a finding, but for what a person must mend first."""
    answer, began = _Answer(check), time.perf_counter()
    try:
        for said in check.hits(table):
            if isinstance(said, Skipped):
                answer.skipped.append(said)
            else:
                answer.hits.append(said)
    except KeepfitError:
        raise
    except ERRORS as error:
        answer.hits = [_failed(check, error)]
        answer.skipped = [Skipped(why="it stopped with an error")]
    if _examined(answer, table.height) == 0 and table.height and not answer.skipped:
        answer.hits.append(_nothing_examined(check))
    answer.seconds = time.perf_counter() - began
    return answer


def _failed(check: Check, error: BaseException) -> Hit:
    words = " ".join(str(error).split())[:200]
    return Hit(
        check=CHECK_FAILED,
        severity="error",
        observed=check.name,
        message=f"the check {check.name} stopped: {type(error).__name__}: {words}",
        suggestion=f"this is a defect of the check, not of the data: report it; `{check.name}: off` leaves it out",
    )


def _nothing_examined(check: Check) -> Hit:
    return Hit(
        check=NOTHING_EXAMINED,
        severity="error",
        observed=check.name,
        message=f"the check {check.name} looked at no row and does not say why",
        suggestion="this is a defect of the check: report it",
    )


def _examined(answer: _Answer, height: int) -> int:
    if any(skipped.rows is None for skipped in answer.skipped):
        return 0
    return max(0, height - sum(skipped.rows or 0 for skipped in answer.skipped))


def _account(answer: _Answer, height: int) -> Account:
    examined = _examined(answer, height)
    return Account(
        check=answer.check.name,
        examined=examined,
        skipped=height - examined,
        why="; ".join(dict.fromkeys(skipped.why for skipped in answer.skipped)),
        findings=len(answer.hits),
    )


def _locate(table: Table, answers: Sequence[_Answer], *, flagged: bool) -> None:
    """Fill in the hits that are told by an expression; where one fails on these rows, its check has failed."""
    try:
        _fill(table, answers, flagged=flagged)
    except ERRORS as error:
        if len(answers) > 1:
            for answer in answers:
                _locate(table, [answer], flagged=flagged)
        else:
            answers[0].hits = [_failed(answers[0].check, error)]
            answers[0].skipped = [Skipped(why="it stopped with an error")]


def _fill(table: Table, answers: Sequence[_Answer], *, flagged: bool) -> None:
    """Fill in rows, flags and examples of the hits that are told by an expression; one of no row is dropped."""
    places = [(answer, i) for answer in answers for i, hit in enumerate(answer.hits) if hit.where is not None]
    if not places:
        return
    counts, kept = located(table, [answer.hits[i] for answer, i in places], flagged=flagged)
    for place, (answer, i) in enumerate(places):
        hit, rows = answer.hits[i], counts[place]
        observed = hit.observed if hit.observed is not None else rows / max(table.height, 1)
        message = hit.message.replace(HIT_ROWS, count(rows, "row"))
        answer.hits[i] = dataclasses.replace(hit, rows=rows, observed=observed, message=message, flags=kept[place])
    for answer in answers:
        answer.hits = [hit for hit in answer.hits if hit.where is None or hit.rows]


def located(table: Table, hits: Sequence[Hit], *, flagged: bool) -> tuple[list[int], list[pl.DataFrame]]:
    """Rows and flags of each hit by its `where`, in one streamed pass; unless `flagged`, a few flags as examples."""
    names = [f"\0{place}" for place in range(len(hits))]  # no column's name begins so
    marks = [
        hit.where.fill_null(False).alias(name) for hit, name in zip(hits, names, strict=True) if hit.where is not None
    ]
    cells = [_cell(hit).alias(f"{name} cell") for hit, name in zip(hits, names, strict=True)]
    marked = table.rows.with_columns(marks).filter(pl.any_horizontal(names)).select(ROW_ID, *names, *cells)
    counts, kept = [0] * len(hits), [list[pl.DataFrame]() for _ in hits]
    for batch in batches(marked, BATCH_ROWS):
        for place, name in enumerate(names):
            cell = batch.lazy().filter(name).select(ROW_ID, pl.col(f"{name} cell").struct.unnest()).collect()
            wanted = cell if flagged else cell.head(max(0, EXAMPLES - counts[place]))
            counts[place] += cell.height
            if wanted.height:
                kept[place].append(compact(wanted))
    nothing = pl.DataFrame(schema={ROW_ID: table.rows.collect_schema()[ROW_ID], "value": pl.String})
    return counts, [pl.concat(parts) if parts else nothing for parts in kept]


def _cell(hit: Hit) -> pl.Expr:
    """value, score and suggested of a row that is hit."""
    value = hit.value if hit.value is not None else ABSENT if hit.column is None else by_name(hit.column)
    score = pl.lit(1.0) if hit.score is None else hit.score
    suggested = ABSENT if hit.suggested is None else hit.suggested
    return pl.struct(
        value.cast(pl.String).alias("value"),
        score.cast(pl.Float64).alias("score"),
        suggested.cast(pl.String).alias("suggested"),
    )
