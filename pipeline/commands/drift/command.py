"""`keepfit drift`: its options, and what it prints."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands import options

if TYPE_CHECKING:
    from pipeline.commands.drift.answer import Compared

Add = Callable[[str, object, str], argparse.ArgumentParser]
Say = Callable[[str], None]
TOGETHER = {"c2st": "as a classifier tells old and new rows apart", "mmd": "as a kernel sees them"}
SHOWN = 20  # columns that a line names


def add(add: Add, say: Say) -> None:
    """The command."""
    command = add(
        "drift", lambda chosen: run(chosen, say), "say whether new data differ from old: in what, how much, since when"
    )
    command.add_argument("reference", metavar="REFERENCE", help="what was: a file or folder, such as the training data")
    command.add_argument("current", metavar="CURRENT", help="what came")
    command.add_argument("--contract", type=Path, metavar="FILE", help="a schemas/x.py (default: inferred)")
    options.add_roles(command)
    command.add_argument(
        "--in-order", action="store_true", help="rows stand in the order of time, though no column says so"
    )
    command.add_argument(
        "--false-alarms",
        type=options.between,
        default=0.01,
        metavar="SHARE",
        help="of batches in which nothing changed, so many may raise an alarm (default: 0.01)",
    )
    command.add_argument(
        "--least-effect",
        type=options.between,
        default=0.05,
        metavar="EFFECT",
        help="a Jensen-Shannon distance from which on a change counts, of 0 to 1 (default: 0.05)",
    )
    command.add_argument("--all-methods", action="store_true", help="ask every statistic, not only the usual ones")
    command.add_argument("--columns-alone", action="store_true", help="test no columns together, which takes longest")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the answer there")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a report there")
    command.add_argument("--fail-on-drift", action="store_true", help="exit with 1 where there is drift")


def run(chosen: argparse.Namespace, say: Say) -> int:
    """`keepfit drift REFERENCE CURRENT`."""
    from tempfile import TemporaryDirectory

    from pipeline import artefacts
    from pipeline.commands.drift import answer
    from pipeline.drift.univariate import FAMILIES, USUAL

    asked = answer.Asked(
        reference=chosen.reference,
        current=chosen.current,
        contract=chosen.contract,
        roles=options.roles(chosen),
        in_order=chosen.in_order,
        false_alarms=chosen.false_alarms,
        least_effect=chosen.least_effect,
        methods=tuple(FAMILIES) if chosen.all_methods else USUAL,
        together=not chosen.columns_alone,
    )
    with TemporaryDirectory(prefix="keepfit-drift-") as scratch:
        compared = answer.compare(asked, Path(scratch))
    if chosen.json:
        compared.answer.write(chosen.json)
    if chosen.html:
        from pipeline.reports import drift

        artefacts.write_text(chosen.html, drift.page(compared))
    for line in lines(compared):
        say(line)
    return int(chosen.fail_on_drift and compared.answer.drift)


def lines(compared: "Compared") -> list[str]:
    """The answer as it is printed: each alarm, then the whole in one line."""
    from pipeline.drift.alarms import starts
    from pipeline.wording import clip, count

    told: list[str] = []
    for alarm in compared.alarms:
        methods = ", ".join(alarm.methods)
        told.append(f"drift {clip(alarm.column)}: {alarm.moved} (effect {alarm.effect:.2f} by {methods})")
        if compared.ordered:
            told.append(f"        when: {starts(alarm, compared.starts)}")
        if alarm.examples:
            told.append(f"        rows: {'; '.join(alarm.examples)}")
    told += _expected(compared)
    columns = len({verdict.column for verdict in compared.answer.columns})
    word = "drift" if compared.answer.drift else "no drift"
    together = [name for name, whole in compared.answer.multivariate.items() if whole["drift"]]
    for name in together:
        whole = compared.answer.multivariate[name]
        by = f", mostly by {', '.join(whole['columns'])}" if whole["columns"] else ""
        told.append(
            f"drift of all columns together, {TOGETHER[name]} ({name}): {whole['statistic']:.2f}, usual up to "
            f"{whole['threshold']:.2f}{by}"
        )
    told += _not_compared(compared)
    told.append(
        f"{word}: {len(compared.alarms)} of {count(columns, 'column')} drifted; what is chance is told by {compared.by}"
    )
    return told


def _not_compared(compared: "Compared") -> list[str]:
    """What cannot be told of the columns, or hardly."""
    from pipeline.commands.drift.answer import LEAST_ROWS
    from pipeline.wording import count, listed

    told = []
    if compared.moving:
        told.append(f"not compared, as moments and ids move on by nature: {listed(compared.moving, SHOWN)}")
    if compared.unknown:
        told.append(f"not compared, as the reference has no such column: {listed(compared.unknown, SHOWN)}")
    if compared.rows[1] < LEAST_ROWS:
        told.append(f"of {count(compared.rows[1], 'new row')} only large changes can be told from chance")
    return told


def _expected(compared: "Compared") -> list[str]:
    """What it may cost, where a column is the label."""
    from pipeline.wording import number

    found = compared.answer.estimated_metric
    if not found:
        return []
    value, low, high, was = (number(found[name]) for name in ("value", "low", "high", "reference"))
    told = [f"{found['metric']} to be expected: {value} (95% interval {low} to {high}), {was} on the reference"]
    told[0] += f", by {found['model']}"
    if found["live"] is not None:
        told.append(f"        measured on the new rows that have labels: {number(found['live'])}")
    if found["changed"]:
        places = ", ".join(f"row {row:,} ({name})" for name, row in found["changed"].items())
        told.append(f"        its errors changed at {places}")
    return told
