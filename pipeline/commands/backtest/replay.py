"""The replay: batches in the order of time, each answered by the model of that moment, decided on when its labels come.

Pure but for the steps that it is given: looking at a batch with a model, training, and the gates.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.commands.backtest.policies import NEVER, Policy
from pipeline.commands.backtest.record import Moment, Run
from pipeline.drift.decision import MonitorSettings
from pipeline.metrics import Metric, Scores
from pipeline.monitor.evidence import evidence
from pipeline.monitor.order import window
from pipeline.monitor.record import MonitoringRecord, Outcome, Rollback, Seen
from pipeline.monitor.rollback import beats
from pipeline.policy.decision import decide
from pipeline.policy.window import Window

DAY = timedelta(days=1)
START = datetime(2000, 1, 1, tzinfo=UTC)  # where no time is known, a batch comes each day from then on


@dataclass(frozen=True)
class Model:
    """A model that was trained; `key` names its training, `learnt_until` is its newest row, null without a time."""

    key: str
    identity: str
    learnt_until: str | None = None
    seconds: float = 0.0


class Look(Record):
    """What a batch shows of a model, and each metric on its labelled rows and their resamples; null without labels."""

    seen: Seen
    values: dict[Metric, list[float]] | None


class Verdict(Record):
    """Whether a model passes the gates, and why; `rows`: those of the asking batch that it was trained on."""

    promoted: bool
    reasons: list[str]
    rows: int
    seconds: float


class Steps(Protocol):
    """What takes time."""

    def look(self, model: Model, batch: str, before: Sequence[str]) -> Look:
        """What a batch shows of a model; `before`: the names of those that came before it."""

    def train(self, batches: Sequence[str], wanted: Window, champion: Model | None) -> Model:
        """A model of the first rows and these batches; `champion`: whose weights it starts from, if it does."""

    def judge(self, model: Model, champion: Model, batch: str) -> Verdict:
        """Whether the model may take the champion's place."""


@dataclass
class State:
    """Where the replay of one policy stands: the versions so far, the one in use, what was decided.

    `looks`: batch → that of the model which answered it.
    """

    versions: list[Model]
    champion: int = 0
    previous: int | None = None
    records: list[MonitoringRecord] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    looks: dict[str, Look] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The champion."""
        return self.versions[self.champion]


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A batch that came at a moment, answered by the version that was in use then."""

    batch: str
    at: datetime
    version: int


def replay(
    policy: Policy,
    steps: Steps,
    first: Model,
    *,
    batches: Sequence[tuple[str, str | None]],
    metric: Metric,
    delay: float,
) -> State:
    """What would have happened; `batches`: names and newest rows in their order, `delay` that of labels in days."""
    state, waiting = State(versions=[first]), list[Arrival]()
    for place, (batch, came) in enumerate(batches):
        at = START + place * DAY if came is None else datetime.fromisoformat(came).replace(tzinfo=UTC)
        while waiting and waiting[0].at + delay * DAY <= at:
            _labelled(policy.settings, steps, state, waiting.pop(0), metric=metric, delay=delay)
        waiting.append(Arrival(batch=batch, at=at, version=state.champion))
        if delay == 0:
            _labelled(policy.settings, steps, state, waiting.pop(0), metric=metric, delay=delay)
    for late in waiting:
        _labelled(policy.settings, steps, state, late, metric=metric, delay=delay)
    return state


def _labelled(
    settings: MonitorSettings, steps: Steps, state: State, arrival: Arrival, *, metric: Metric, delay: float
) -> None:
    """The labels of a batch have come: score who answered it, decide with who is champion now, and do it."""
    before = [record.batch for record in state.records if record.sound]
    look = steps.look(state.model, arrival.batch, before)
    answered = steps.look(state.versions[arrival.version], arrival.batch, before)
    state.looks[arrival.batch] = answered
    decider = state.champion
    left = _rolled_back(settings, steps, state, look, metric)
    now = arrival.at + delay * DAY
    showed = evidence(
        look.seen, metric, state.records, learnt_until=state.versions[0].learnt_until, first_seen=arrival.at, now=now
    )
    record = MonitoringRecord(
        **{name: getattr(look.seen, name) for name in Seen.model_fields} | {"champion": _name(decider)},
        monitored_at=now.isoformat(),
        first_seen_at=arrival.at.isoformat(),
        decision=decide(showed, settings),
        rollback=left,
    )
    state.records.append(record)
    seconds = 0.0
    if record.decision.retrain:
        outcome, seconds = _retrained(settings, steps, state, now)
        state.records[-1] = record = record.model_copy(update={"outcome": outcome})
    state.moments.append(
        Moment(
            batch=arrival.batch,
            came=look.seen.span[1] if look.seen.span else None,
            version=_name(arrival.version),
            scores=_scores(answered),
            decided_by=_name(decider),
            decision=record.decision,
            rollback=left,
            outcome=record.outcome,
            seconds=seconds,
        )
    )


def _name(version: int) -> str:
    return f"v{version + 1}"


def _scores(look: Look) -> Scores | None:
    if look.values is not None:
        return metrics.scores({name: np.asarray(values) for name, values in look.values.items()})
    return look.seen.live.champion if look.seen.live else None


def _rolled_back(settings: MonitorSettings, steps: Steps, state: State, look: Look, metric: Metric) -> Rollback | None:
    """Leave the champion for the version before it, if the settings say so and that is surely better on the batch."""
    asked = settings.retrain.rollback and look.seen.sound
    if not asked or state.previous is None or look.values is None:
        return None
    sound = [record.batch for record in state.records if record.sound]
    other = steps.look(state.versions[state.previous], look.seen.batch, sound)
    if other.values is None:
        return None
    own, earlier = ({metric: np.asarray(one.values[metric])} for one in (look, other) if one.values is not None)
    pair = metrics.paired(_name(state.previous), metric, own, earlier)
    if not beats(pair, float(earlier[metric][0]), settings):
        return None
    left = Rollback(left=_name(state.champion), version=_name(state.previous), paired=pair)
    state.champion, state.previous = state.previous, None
    return left


def _retrained(settings: MonitorSettings, steps: Steps, state: State, now: datetime) -> tuple[Outcome, float]:
    """Train on the window that the settings ask for, and let the candidate through the gates."""
    asking = state.records[-1].batch
    adopted = [record.batch for record in state.records if record.sound and record.labelled]
    champion = state.model if settings.retrain.start == "champion" else None
    model = steps.train(adopted, window(state.records, settings, "v1" if champion else None), champion)
    verdict = steps.judge(model, state.model, asking)
    version = None
    if verdict.promoted:
        state.versions.append(model)
        state.previous, state.champion = state.champion, len(state.versions) - 1
        version = _name(state.champion)
    outcome = Outcome(
        version=version,
        promoted=verdict.promoted,
        reasons=verdict.reasons,
        batch_rows_in_training=verdict.rows,
        candidate=model.identity,
        concluded_at=now.isoformat(),
    )
    return outcome, model.seconds + verdict.seconds


def summed(policy: Policy, replayed: State, never: State) -> Run:
    """One policy's run; its mean scores are over the batches that have labels, each counting alike."""
    batches = [batch for batch, look in replayed.looks.items() if look.values is not None]
    own, other = (_mean([state.looks[batch] for batch in batches]) for state in (replayed, never))
    outcomes = [moment.outcome for moment in replayed.moments if moment.outcome is not None]
    return Run(
        name=policy.name,
        words=policy.words,
        moments=replayed.moments,
        mean=metrics.scores(own),
        gain={name: metrics.paired(NEVER, name, own, other) for name in own},
        trainings=len(outcomes),
        promotions=sum(outcome.promoted for outcome in outcomes),
        rollbacks=sum(moment.rollback is not None for moment in replayed.moments),
        seconds=sum(moment.seconds for moment in replayed.moments),
    )


def _mean(looks: Sequence[Look]) -> dict[Metric, np.ndarray]:
    values = [look.values for look in looks if look.values is not None]
    return {name: np.mean([np.asarray(each[name]) for each in values], axis=0) for name in (values or [{}])[0]}
