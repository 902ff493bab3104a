"""Symptoms of the curves: what the losses of train and val say, and what there is to learn from."""

from collections.abc import Callable, Sequence
from statistics import median

from pipeline.models.epoch import Epoch
from pipeline.models.health.pulse import Spike
from pipeline.models.health.symptom import Observed, Symptom, since, told
from pipeline.wording import count

DIVERGED = 2.0  # times the loss of a constant answer
JUMP = 0.1  # of the loss of a constant answer: a smaller rise does not matter
RISE = 1.5  # times the loss before
BEFORE_EPOCHS = 3  # what an epoch's loss is held against
LEARNT = 0.01  # of the loss of a constant answer: who gains less has learnt nothing
OF_LINEAR = 0.8  # of what a linear model gains
TURNED_EPOCHS = 3
HELD = 0.5  # of what train learnt should hold on val
LOST = 0.5  # of what was gained on val: with more lost again, overfitting is told even where the best epoch is kept
PLATEAU_PATIENCE = 3  # a training that stops by patience has one of it behind its best epoch
NOISE = 0.25  # of the half-width of val's interval: who gains less in so many epochs gains nothing that one could tell
FEW_ROWS = 20  # an output: wines are told apart from 48 a class, and of 160 a linear model is as good as TabM
WEIGHTS_A_ROW = 10
WIDE_SCORE, WIDE_ERROR = 0.1, 0.2  # half an interval: of a score of 0..1, and as a share of an error
RATE = "train.optimizer.learning_rate"


def diverged(seen: Observed) -> Symptom | None:
    """The loss is far above that of an answer that does not look."""
    constant = seen.facts.constant_loss
    if not constant or constant <= 0:
        return None
    first = since([epoch.train_loss >= DIVERGED * constant for epoch in seen.epochs])
    if first is None or (len(seen.epochs) < 2 and not seen.over):
        return None
    return Symptom(
        name="diverged",
        severity="error",
        since=first,
        seen={"train_loss": seen.last.train_loss, "constant_loss": constant},
        message=f"the loss on train is {told(seen.last.train_loss)}; an answer that looks at nothing has "
        f"{told(constant)}",
        suggestion=f"lower {RATE} ({seen.facts.learning_rate:g}){seen.facts.far_out}",
    )


def loss_spikes(seen: Observed) -> Symptom | None:
    """The loss jumped within an epoch, or from epochs to the next."""
    constant = seen.facts.constant_loss or 0.0
    found = [each for each in _spikes(seen) if each[1].height - each[1].before >= JUMP * constant]
    if not found or diverged(seen):
        return None
    first, _ = found[0]
    epoch, highest = max(found, key=lambda each: each[1].height - each[1].before)
    where = f"at step {highest.step:,} of epoch {epoch}" if highest.step else f"in epoch {epoch}"
    often = "once" if len(found) == 1 else f"{len(found)} times, most"
    recovered = seen.last.train_loss <= highest.before * RISE
    return Symptom(
        name="loss_spikes",
        severity="info" if recovered else "warning",
        since=first,
        seen={"spikes": len(found), "before": highest.before, "height": highest.height},
        message=f"the loss jumped {often} {where}: from {told(highest.before)} to "
        f"{told(highest.height)}{', and came back' if recovered else ''}",
        suggestion=f"lower {RATE} ({seen.facts.learning_rate:g}), cut gradients to less "
        "(train.optimizer.gradient_norm), or warm up longer (train.schedule.warmup_share)",
    )


def plateau(seen: Observed) -> Symptom | None:
    """For many epochs val gained less than one could tell from its rows; since the first of these."""
    length = seen.settings.plateau_epochs or max(4, PLATEAU_PATIENCE * seen.facts.patience)
    flat = [_flat(seen, seen.epochs[:ran], length) for ran in range(1, len(seen.epochs) + 1)]
    first = since([each is not None for each in flat])
    if first is None or flat[-1] is None:
        return None
    gained, noise = flat[-1]
    return Symptom(
        name="plateau",
        severity="info",
        since=first - length + 1,
        seen={"epochs": length, "gained": gained, "noise": noise},
        message=f"in the last {length} epochs val gained {told(max(gained, 0.0))} in {seen.last.metric}, which its "
        f"rows tell to ± {told(noise)}",
        suggestion="stop sooner (train.patience, train.epochs), or let the rate fall (train.schedule: plateau)",
    )


def _flat(seen: Observed, epochs: Sequence[Epoch], length: int) -> tuple[float, float] | None:
    """What the last `length` of these epochs gained on val, and its noise; None where that is more than noise."""
    noise = next((epoch.pulse.interval for epoch in reversed(epochs) if epoch.pulse.interval is not None), None)
    if noise is None or len(epochs) <= length:
        return None
    sign = -1.0 if seen.facts.lower_is_better else 1.0
    scores = [sign * epoch.val_score for epoch in epochs]
    gained = max(scores[-length:]) - max(scores[:-length])
    losses = [epoch.val_loss for epoch in epochs]
    fell = min(losses[:-length]) - min(losses[-length:])
    return None if gained >= NOISE * noise or fell >= LEARNT * _constant(seen) else (gained, noise)


def underfit(seen: Observed) -> Symptom | None:
    """Train is no better than a constant answer, or than a linear model."""
    constant, linear = seen.facts.constant_loss, seen.facts.linear_loss
    if not constant or constant <= 0 or not seen.settled or diverged(seen):
        return None
    gained, can = max(seen.gains[0]), constant - (constant if linear is None else linear)
    nothing = gained < LEARNT * constant
    less = seen.over and not seen.facts.mixed and can >= LEARNT * constant and gained < OF_LINEAR * can
    if not nothing and not less:
        return None
    best, known = constant - gained, f"{told(constant)} of an answer that looks at nothing"
    linear_words = f"; a linear model has {told(linear)}" if less else ""
    return Symptom(
        name="underfit",
        severity="warning",
        since=1,
        seen={"train_loss": best, "constant_loss": constant} | ({"linear_loss": linear} if less and linear else {}),
        message=f"the loss on train is {told(best)} at best, against {known}{linear_words}",
        suggestion=_more_to_learn(seen, known_to_linear=bool(less)),
    )


def _more_to_learn(seen: Observed, *, known_to_linear: bool) -> str:
    if known_to_linear:
        return f"train longer (train.epochs), at another {RATE} ({seen.facts.learning_rate:g}), or `model: linear`"
    return (
        f"try another {RATE} ({seen.facts.learning_rate:g}) and a larger network; if that changes nothing, the columns "
        "tell nothing of the label: is it the right one, row by row?"
    )


def overfit(seen: Observed) -> Symptom | None:
    """Train goes on falling while val rises, and what was learnt does not hold on val."""
    turned = _turned(seen)
    if turned is None:
        return None
    train, val = seen.gains
    best = max(val)
    least = _constant(seen) - best
    holds = best >= max(HELD * train[turned - 1], LEARNT * _constant(seen))
    if holds and best - val[-1] <= LOST * best:
        return None
    lasting = "what is kept is from before" if holds else "little of what it learnt holds on other rows"
    return Symptom(
        name="overfit",
        severity="info" if holds else "warning",
        since=turned + 1,
        seen={
            "train_loss": seen.last.train_loss,
            "val_loss": seen.last.val_loss,
            "best_val_loss": least,
        },
        message=f"the loss goes on falling on train, to {told(seen.last.train_loss)}, and rises on val, from "
        f"{told(least)} in epoch {turned} to {told(seen.last.val_loss)}: {lasting}",
        suggestion="more rows, a smaller network or `model: linear`, more dropout or train.optimizer.weight_decay; "
        "check the labels",
    )


def _turned(seen: Observed) -> int | None:
    """The epoch (from 1) of the least loss on val, if train learnt on since then and val lost again for some epochs."""
    constant, (train, val) = seen.facts.constant_loss, seen.gains
    if not constant or constant <= 0 or diverged(seen):
        return None
    turned = val.index(max(val)) + 1
    if len(val) - turned < TURNED_EPOCHS or max(val[-TURNED_EPOCHS:]) >= max(val):
        return None
    learnt = train[-1] - max(train[turned - 1], 0.0)
    # val's best may come of no learning at all: then it is what train learnt in the end that does not hold
    return turned if learnt >= LEARNT * constant and train[-1] >= JUMP * constant else None


def _constant(seen: Observed) -> float:
    return seen.facts.constant_loss or 0.0


def few_rows(seen: Observed) -> Symptom | None:
    """Less rows an output than a network can learn from, and many weights to each."""
    facts = seen.facts
    needed = FEW_ROWS * max(2, facts.outputs)
    if facts.rows >= needed or facts.weights < WEIGHTS_A_ROW * facts.rows:
        return None
    return Symptom(
        name="few_rows",
        severity="warning",
        since=1,
        seen={"rows": facts.rows, "weights": facts.weights},
        message=f"{count(facts.rows, 'row')} to learn {facts.weights:,} weights from: it can know them all by heart",
        suggestion="more rows, or `model: linear`, or a smaller network",
    )


def small_val(seen: Observed) -> Symptom | None:
    """The score on val is hardly known: it cannot tell a good epoch from a bad one."""
    widths = [epoch.pulse.interval for epoch in seen.epochs if epoch.pulse.interval is not None]
    score = seen.last.val_score
    if not widths or not seen.settled:
        return None
    if widths[-1] <= (WIDE_ERROR * abs(score) if seen.facts.lower_is_better else WIDE_SCORE):
        return None
    return Symptom(
        name="small_val",
        severity="warning",
        since=1,
        seen={"rows": seen.facts.val_rows, "score": score, "interval": widths[-1]},
        message=f"the {seen.last.metric} of {count(seen.facts.val_rows, 'row')} of val is known to ± {told(widths[-1])}"
        ": which epoch is best is hardly more than chance",
        suggestion="a larger share for val (split.val_share), or more rows",
    )


RULES: tuple[Callable[[Observed], Symptom | None], ...] = (
    diverged,
    loss_spikes,
    plateau,
    underfit,
    overfit,
    few_rows,
    small_val,
)


def _spikes(seen: Observed) -> list[tuple[int, Spike]]:
    """The jumps within epochs that are high enough, and those of whole epochs (step 0), with their epoch."""
    limit = seen.settings.spike_score
    within = [
        (epoch.epoch, spike)
        for epoch in seen.epochs
        for spike in epoch.pulse.spikes
        if spike.height >= RISE * spike.before and (spike.score is None or spike.score >= limit)
    ]
    losses = [epoch.train_loss for epoch in seen.epochs]
    for place in range(BEFORE_EPOCHS, len(losses)):
        before = losses[place - BEFORE_EPOCHS : place]
        if losses[place] >= RISE * max(before):
            within.append((place + 1, Spike(step=0, before=median(before), height=losses[place], score=None)))
    return sorted(within, key=lambda each: (each[0], each[1].step))
