"""What a decision looks at: a batch beside those that were watched before it, at a given moment (used by monitor)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline.drift.decision import Evidence, MonitorSettings
from pipeline.metrics import Metric
from pipeline.monitor.record import MonitoringRecord, Seen
from pipeline.policy.conditions import WEEK_DAYS


def evidence(
    seen: Seen,
    metric: Metric,
    before: Sequence[MonitoringRecord],
    *,
    learnt_until: str | None,
    first_seen: datetime,
    now: datetime,
    scheduled: bool = False,
) -> Evidence:
    """The evidence for a batch; `before`: the records of earlier batches in their order.

    `learnt_until`: the newest row that the champion's training read, for as long as none of `before` was trained on.
    """
    since = unanswered(before)
    trained = [record for record in before if record.outcome is not None]
    last = trained[-1].span[1] if trained and trained[-1].span else learnt_until
    return Evidence(
        drift=seen.drift,
        metric=metric,
        reference=seen.reference[metric],
        live=seen.live.champion[metric] if seen.live else None,
        estimate=seen.estimate,
        rows=seen.rows if seen.usable is None else seen.usable,
        labelled_rows=seen.labelled,
        earlier_labelled_rows=sum(record.labelled for record in since if record.sound),
        batches_since_training=len(since) + 1,
        age_days=_days(last, seen.span[1]) if last and seen.span else None,
        trainings_this_week=trainings(before, now),
        waited_days=(now - first_seen) / timedelta(days=1),
        findings=seen.findings,
        scheduled=scheduled,
        together=seen.told.together,
        changed=seen.told.changed,
    )


def unanswered(before: Sequence[MonitoringRecord]) -> list[MonitoringRecord]:
    """The records since the last one that led to a training, that one left out."""
    last = max((place for place, record in enumerate(before) if record.outcome is not None), default=-1)
    return list(before[last + 1 :])


def trainings(records: Sequence[MonitoringRecord], now: datetime) -> int:
    """How many trainings ended within the week before `now`; batches that one training answered count once."""
    outcomes = [record.outcome for record in records if record.outcome is not None]
    ended = {outcome.candidate: outcome.concluded_at for outcome in outcomes if outcome.concluded_at}
    return sum(now - datetime.fromisoformat(moment) < timedelta(days=WEEK_DAYS) for moment in ended.values())


def drift_since(records: Sequence[MonitoringRecord], settings: MonitorSettings) -> str | None:
    """The oldest row of the drift that is not answered yet: of the batches up to the last that drifted, without a gap.

    None where none of the last batches drifted, or their times are not known.
    """
    found = None
    for record in reversed(unanswered(records)):
        if not moved(record, settings) or record.span is None:
            break
        found = record.span[0]
    return found


def moved(record: MonitoringRecord, settings: MonitorSettings) -> bool:
    """Whether the outcome drifted, or enough features."""
    drift = record.drift
    outcome = any(one is not None and one.drifted for one in (drift.prediction, drift.label))
    return outcome or drift.weight >= settings.drifted_share


def _days(earlier: str, later: str) -> float:
    first, last = (datetime.fromisoformat(moment).replace(tzinfo=None) for moment in (earlier, later))
    return (last - first) / timedelta(days=1)
