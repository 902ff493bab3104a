"""What a search has found, on the screen: the trials, which settings mattered, how much to believe."""

from collections.abc import Iterator, Mapping

from pipeline.commands.summary import show_table
from pipeline.commands.tune.study import Study, Tried
from pipeline.wording import count

SHOWN = 40  # trials
TOLD_SHARE = 0.02  # of the differences; what explains less is not named
STATES = {"complete": "", "pruned": "ended early", "failed": "failed", "running": "not ended"}


def show_trials(found: Study) -> None:
    """A row for each trial, the best first."""
    scored = sorted(found.trials, key=lambda trial: _rank(found, trial))
    best = found.best
    rows = [
        [
            str(trial.number),
            "-" if trial.score is None else f"{trial.score:.5g}",
            str(len(trial.scores)),
            f"{trial.seconds:.0f}",
            "best" if best is not None and trial.number == best.number else trial.why or STATES[trial.state],
            _changed(trial),
        ]
        for trial in scored[:SHOWN]
    ]
    title = f"{_trials(found)}; the best {SHOWN}" if len(scored) > SHOWN else _trials(found)
    show_table(title, ["trial", f"val {found.metric}", "epochs", "seconds", "", "settings of train"], rows)


def verdict(found: Study) -> Iterator[str]:
    """The best against today's settings, and how much to believe of it."""
    best, today = found.best, found.trials[0] if found.trials else None
    if best is None or best.score is None or today is None or today.score is None:
        yield "no trial has come to its end yet"
        return
    reached = f"{found.metric} {best.score:.5g} on val"
    if best.number == 0:
        yield f"the settings as they are were the best: {reached}"
    else:
        yield f"trial {best.number} is the best: {reached}, against {today.score:.5g} of the settings as they were"
    compared = len(found.of_state("complete", "pruned"))
    if best.number and compared > 1:
        yield (
            f"of {compared} scores on the same rows of val the best is partly luck: expect less of it on new rows. "
            "The test split was not looked at: `dvc repro` judges the settings there"
        )


def mattered(shares: Mapping[str, float]) -> Iterator[str]:
    """Which settings explain the differences between trials."""
    if not shares:
        yield "which settings mattered is told from 10 whole trials on"
        return
    told = [f"{name} {share:.0%}" for name, share in shares.items() if share >= TOLD_SHARE]
    yield f"of the differences between trials were due to: {', '.join(told)} (fANOVA)"


def standing(found: Study, pid: int | None) -> Iterator[str]:
    """How far the search is; `pid`: the process that works at it now, if one does."""
    yield f"process {pid} tunes" if pid else "nobody tunes here now"
    yield _trials(found)
    for trial in found.of_state("running"):
        score = "" if trial.score is None else f", {found.metric} {trial.score:.5g} on val so far"
        after = count(len(trial.scores), "epoch", "epochs")
        yield f"trial {trial.number}{'' if pid else ' is not ended'}: {after}{score}"
    yield from verdict(found)


def _trials(found: Study) -> str:
    whole, pruned, failed = (len(found.of_state(state)) for state in ("complete", "pruned", "failed"))
    return f"{len(found.ended)} of {found.wanted} trials: {whole} whole, {pruned} ended early, {failed} failed"


def _rank(found: Study, trial: Tried) -> tuple[bool, float]:
    whole = trial.state == "complete" and trial.score is not None
    return not whole, -found.sign * (trial.score or 0.0)


def _changed(trial: Tried) -> str:
    return ", ".join(f"{key} {value}" for key, value in trial.changed.items()) or "as they are"
