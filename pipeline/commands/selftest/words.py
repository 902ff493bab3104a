"""The self-test as lines of text: one line a defect, one column a rate."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.commands.selftest import Outcome, SelfTest

WIDTH = 13
CHECKS = 3


def lines(tested: "SelfTest") -> Iterator[str]:
    """The table, what was not planted and why, and a line of totals."""
    rates = sorted({outcome.rate for outcome in tested.outcomes if outcome.rate is not None})
    widest = max((len(outcome.defect) for outcome in tested.outcomes), default=0)
    heads = "".join(f"{f'{rate:.1%}':>{WIDTH}}" for rate in rates)
    yield f"{'planted':{widest}}{heads}  false rows  told by"
    for name in dict.fromkeys(outcome.defect for outcome in tested.outcomes):
        yield _line(name, [o for o in tested.outcomes if o.defect == name], rates, widest)
    for outcome in tested.outcomes:
        if outcome.false_findings:
            at = "" if outcome.rate is None else f" at {outcome.rate:.1%}"
            yield f"beside {outcome.defect}{at}: {', '.join(outcome.false_findings)}"
    for why in dict.fromkeys(tested.left_out.values()):
        yield f"not planted, {why}: {', '.join(name for name, reason in tested.left_out.items() if reason == why)}"
    missed = [outcome for outcome in tested.outcomes if outcome.is_missed]
    yield (
        f"{tested.rows:,} rows, {tested.columns:,} columns, seed {tested.seed}: {len(tested.outcomes)} damaged copies, "
        f"{len(missed)} not noticed at all, {sum(o.false_rows > 0 for o in tested.outcomes)} with false alarms; "
        f"{tested.seconds:.0f} s"
    )


def _line(name: str, outcomes: Sequence["Outcome"], rates: Sequence[float], widest: int) -> str:
    by_rate = {outcome.rate: outcome for outcome in outcomes}
    shown = [_cell(by_rate[rate]) if rate in by_rate else "" for rate in rates]
    if None in by_rate:
        shown[0:1] = [_cell(by_rate[None])]
    checks = [check for outcome in reversed(outcomes) for check in outcome.by]
    told = ", ".join(list(dict.fromkeys(checks))[:CHECKS]) or "-"
    false_rows = max(outcome.false_rows for outcome in outcomes)
    return f"{name:{widest}}{''.join(f'{cell:>{WIDTH}}' for cell in shown)}{false_rows:>12}  {told}"


def _cell(outcome: "Outcome") -> str:
    """Items found of those planted; `told` where only the column was named, `-` where nothing was noticed."""
    if not outcome.found:
        return "told" if outcome.told else "-"
    return f"{outcome.found:,}/{outcome.planted:,}"
