"""A whole backtest: the first model, then policy after policy; and what it found, in lines (used by backtest)."""

import time
from collections.abc import Callable, Sequence

from pipeline import metrics
from pipeline.commands.backtest.policies import NEVER, OURS, policies
from pipeline.commands.backtest.record import Backtest, Run
from pipeline.commands.backtest.replay import Model, State, replay, summed
from pipeline.commands.backtest.steps import Scratch
from pipeline.drift.decision import MonitorSettings
from pipeline.metrics import IN_UNIT, Kind, Metric, Paired, Score
from pipeline.metrics.verdict import signed
from pipeline.models import saved
from pipeline.policy.window import Window
from pipeline.predictor import Predictor
from pipeline.wording import count, number
from pipeline.workspace import Workspace


def run(
    workspace: Workspace, *, names: Sequence[str] | None, delay_days: float, say: Callable[[str], None]
) -> Backtest:
    """Replay all batches under the policies of these `names`, or all; raises KeepfitError where a person must mend."""
    began = time.monotonic()
    settings = workspace.section(MonitorSettings)
    chosen = policies(settings, list(names) if names else None)
    batches = Scratch(workspace=workspace, metrics=(), say=say).batches()
    first = Scratch(workspace=workspace, metrics=(), say=say).train([], Window(), None)
    model = Predictor.load(workspace.state / "backtest" / first.key / "models" / "candidate")
    kind = model.preprocessor.target.kind
    metric, told = settings.chosen(kind), _told(settings, kind)
    steps = Scratch(workspace=workspace, metrics=told, say=say)
    came = [(batch, _newest(steps, first, batches[:place], batch)) for place, batch in enumerate(batches)]
    states: dict[str, State] = {}
    for policy in chosen:
        say(f"policy {policy.name}: {policy.words}")
        states[policy.name] = replay(policy, steps, first, batches=came, metric=metric, delay=delay_days)
    steps.sweep()
    manifest = saved.Manifest.read(workspace.state / "backtest" / first.key / "models" / "candidate" / saved.MANIFEST)
    return Backtest(
        dataset=workspace.dataset,
        metric=metric,
        metrics=list(told),
        delay_days=delay_days,
        batches=batches,
        first=manifest.rows["train"],
        seconds=time.monotonic() - began,
        runs=[summed(policy, states[policy.name], states[NEVER]) for policy in chosen],
    )


def _told(settings: MonitorSettings, kind: Kind) -> tuple[Metric, ...]:
    """The metric that decides, and those in which two models are compared."""
    return tuple(dict.fromkeys([settings.chosen(kind), *metrics.OF[kind].paired]))


def _newest(steps: Scratch, first: Model, before: Sequence[str], batch: str) -> str | None:
    span = steps.look(first, batch, before).seen.span
    return span[1] if span else None


def lines(found: Backtest) -> list[str]:
    """The table and, of the workspace's own policy, what it would have brought."""
    shown = [m for m in (found.metric, "log_loss") if m in found.metrics]
    shown = list(dict.fromkeys(shown))
    head = [
        "policy",
        *(cell for m in shown for cell in (f"mean {m}", "gain over never")),
        "trainings",
        "promoted",
        "CPU",
    ]
    rows = [head, *(_row(run, shown) for run in found.runs)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return [*table, *verdict(found)]


def _row(run: Run, shown: Sequence[Metric]) -> list[str]:
    scores = [cell for m in shown for cell in (score(m, run.mean.get(m)), gained(run.gain.get(m), run.name))]
    back = f" ({count(run.rollbacks, 'rollback')})" if run.rollbacks else ""
    return [run.name, *scores, str(run.trainings), f"{run.promotions}{back}", f"{run.seconds:.0f} s"]


def score(metric: Metric, held: Score | None) -> str:
    """A mean score with its interval."""
    if held is None:
        return "-"
    said = number if metric in IN_UNIT else "{:.4f}".format
    known = held.low is not None and held.high is not None
    return said(held.value) + (f" ({said(held.low)} to {said(held.high)})" if known else "")


def gained(pair: Paired | None, name: str) -> str:
    """How much better than `never`, with its interval."""
    if pair is None or name == NEVER:
        return "-"
    gain, low, high = (signed(pair.metric, value) for value in (pair.difference, pair.low, pair.high))
    return f"{gain} ({low} to {high})"


def verdict(found: Backtest) -> list[str]:
    """What the workspace's own policy would have brought, in a sentence; nothing where it was not replayed."""
    ours, metric = found.run(OURS), found.metric
    pair = ours.gain.get(metric) if ours else None
    if ours is None:
        return []
    if pair is None:
        return ["no batch has labels, so nothing can be said of how good any policy would have been"]
    word = "better than" if pair.low > 0 else "worse than" if pair.high < 0 else "about as good as"
    spent = f"{count(ours.trainings, 'training')}, {ours.seconds:.0f} s of processor time"
    others = [run for run in found.runs if run.name not in (OURS, NEVER) and metric in run.mean]
    best = max(others, key=lambda run: run.gain[metric].difference, default=None)
    said = f"this policy would have been {word} never retraining: mean {metric} {gained(pair, OURS)}, for {spent}"
    if best is None:
        return [said]
    beside = f"{gained(best.gain[metric], best.name)} for {count(best.trainings, 'training')}, {best.seconds:.0f} s"
    return [said, f"the best of the others, {best.name}: {beside}"]
