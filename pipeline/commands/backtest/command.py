"""`keepfit backtest`: its options, and what it does."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pipeline.workspace import Workspace

Open = Callable[[argparse.Namespace], "Workspace"]
Say = Callable[[str], None]
MOST_DAYS = 36_525  # a century


def add(add: Callable[[str, object, str], argparse.ArgumentParser], opened: Open, say: Say) -> None:
    """The command; `opened` gives the workspace that was named, with its settings checked."""
    made = add(
        "backtest",
        lambda chosen: backtest(chosen, opened(chosen), say),
        "replay the past batches under several retraining policies, and show what each would have done",
    )
    made.add_argument(
        "--policy",
        action="append",
        metavar="NAME",
        help="only this one, beside `never`; may be repeated (default: all)",
    )
    made.add_argument(
        "--label-delay",
        type=float,
        default=0.0,
        metavar="DAYS",
        help="how long after a batch its labels come (default: 0)",
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="default: reports/backtest.json")
    made.add_argument("--html", type=Path, metavar="FILE", help="default: reports/backtest.html")


def backtest(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit backtest`; a run that was killed goes on where it was."""
    from pipeline import artefacts
    from pipeline.commands.backtest import running
    from pipeline.reports import backtest as page

    if not 0 <= chosen.label_delay <= MOST_DAYS:
        raise SettingsError(f"must be from 0 to {MOST_DAYS:,}", where="--label-delay", fix="name the days")
    with workspace.backtest_lock():
        found = running.run(workspace, names=chosen.policy, delay_days=chosen.label_delay, say=say)
    found.write(chosen.json or workspace.backtest)
    html = chosen.html or workspace.backtest.with_suffix(".html")
    artefacts.write_text(html, page.page(found))
    for line in running.lines(found):
        say(line)
    say(f"report: {html}")
    return 0
