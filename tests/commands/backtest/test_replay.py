"""The replay in the order of time: who answers a batch, when its labels decide, and what that leads to."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from pipeline import cli
from pipeline.cleaning.ledger import Entry
from pipeline.commands.backtest.policies import NEVER, OURS, policies
from pipeline.commands.backtest.record import Backtest
from pipeline.commands.backtest.replay import Look, Model, State, Verdict, replay, summed
from pipeline.commands.backtest.running import gained, score, verdict
from pipeline.drift.columns import DriftReport
from pipeline.drift.decision import MonitorSettings
from pipeline.errors import SettingsError
from pipeline.metrics import Paired, Score
from pipeline.monitor.record import Live, Seen
from pipeline.policy.choices import RetrainSettings
from pipeline.policy.window import Window
from pipeline.workspace import Workspace

BATCHES = [("1", "2024-01-31T00:00:00"), ("2", "2024-02-29T00:00:00"), ("3", "2024-03-31T00:00:00")]
DAYS = ("2024-01-01T00:00:00", "2024-01-05T00:00:00", "2024-01-09T00:00:00")
FIRST = Model(key="first", identity="first", learnt_until="2023-12-31T00:00:00")
NO_DRIFT = DriftReport(columns=[], drifted_share=0.0, prediction=None, label=None)
SETTINGS = MonitorSettings(min_labelled_rows=10)


@dataclass
class Fakes:
    """A model scores by how many batches it was trained on; `accuracy`: of each by its key, beside that."""

    promotes: bool = True
    accuracy: dict[str, float] = field(default_factory=dict)
    trained: list[tuple[list[str], Window, str | None]] = field(default_factory=list)
    judged: list[tuple[str, str]] = field(default_factory=list)

    def look(self, model: Model, batch: str, before: Sequence[str]) -> Look:
        """As good as the model is."""
        value = self.accuracy.get(model.key, 0.5 + 0.1 * model.key.count("+"))
        score = Score(value=value, low=value - 0.01, high=value + 0.01)
        span = ("2024-01-01T00:00:00", dict(BATCHES)[batch])
        seen = Seen(
            batch=batch, sha256=batch, rows=100, usable=100, labelled=100, span=span, champion="model", findings=[],
            ledger=[Entry(stage="ingest", rows_in=100, kept=100)], drift=NO_DRIFT,
            live=Live(champion={"auc": score}, first={"auc": score}), reference={"auc": Score(value=0.5)},
        )  # fmt: skip
        return Look(seen=seen, values={"auc": [value, value - 0.01, value + 0.01]})

    def train(self, batches: Sequence[str], wanted: Window, champion: Model | None) -> Model:
        """Note it."""
        self.trained.append((list(batches), wanted, champion.key if champion else None))
        return Model(key="+".join(["", *batches]), identity="".join(batches), seconds=10.0)

    def judge(self, model: Model, champion: Model, batch: str) -> Verdict:
        """As the test says."""
        self.judged.append((model.key, champion.key))
        return Verdict(promoted=self.promotes, reasons=["so"], rows=70, seconds=1.0)


def replayed(
    name: str,
    fakes: Fakes,
    delay: float = 0,
    settings: MonitorSettings = SETTINGS,
    batches: Sequence[tuple[str, str]] = BATCHES,
) -> State:
    """The state after all batches under a policy."""
    chosen = next(policy for policy in policies(settings) if policy.name == name)
    return replay(chosen, fakes, FIRST, batches=batches, metric="auc", delay=delay)


def test_never_trains_never() -> None:
    fakes = Fakes()

    state = replayed(NEVER, fakes)

    assert [moment.version for moment in state.moments] == ["v1", "v1", "v1"]
    assert not fakes.trained
    assert not any(moment.decision.retrain for moment in state.moments)


def test_every_batch_is_answered_by_the_model_of_those_before_it() -> None:
    fakes = Fakes()

    state = replayed("every batch", fakes)

    assert [moment.version for moment in state.moments] == ["v1", "v2", "v3"]
    assert [files for files, _, _ in fakes.trained] == [["1"], ["1", "2"], ["1", "2", "3"]]
    assert fakes.judged == [("+1", "first"), ("+1+2", "+1"), ("+1+2+3", "+1+2")]
    assert [moment.scores["auc"].value for moment in state.moments if moment.scores] == [0.5, 0.6, 0.7]


def test_labels_that_come_late_decide_late_and_the_answer_was_that_of_the_moment() -> None:
    fakes = Fakes()

    state = replayed("every batch", fakes, delay=40)

    assert [moment.version for moment in state.moments] == ["v1", "v1", "v2"]
    assert [moment.decided_by for moment in state.moments] == ["v1", "v2", "v3"]
    assert [files for files, _, _ in fakes.trained] == [["1"], ["1", "2"], ["1", "2", "3"]]


def test_a_candidate_that_the_gates_refuse_is_not_used() -> None:
    fakes = Fakes(promotes=False)

    state = replayed("every batch", fakes)

    assert [moment.version for moment in state.moments] == ["v1", "v1", "v1"]
    assert [moment.outcome.promoted for moment in state.moments if moment.outcome] == [False] * 3


def test_monthly_goes_by_the_age_of_the_last_training() -> None:
    state = replayed("monthly", Fakes())

    assert [moment.decision.retrain for moment in state.moments] == [True, True, True]
    ages = [moment.decision.evidence["age_days"] for moment in state.moments]
    assert ages == [31, 29, 31]


def test_a_budget_counts_trainings_in_the_time_of_the_batches() -> None:
    retrain = RetrainSettings(new_rows=1, budget_per_week=1)
    settings = SETTINGS.model_copy(update={"retrain": retrain})

    state = replayed(OURS, Fakes(), settings=settings)
    close = replayed(OURS, Fakes(), settings=settings, batches=[("1", DAYS[0]), ("2", DAYS[1]), ("3", DAYS[2])])

    assert [moment.decision.retrain for moment in state.moments] == [True, True, True]
    assert [moment.decision.retrain for moment in close.moments] == [True, False, True]


def test_a_champion_that_is_worse_than_the_one_before_it_gives_its_place_back_if_the_settings_say_so() -> None:
    retrain = RetrainSettings(new_rows=150, metric=False, rollback=True)
    fakes = Fakes(accuracy={"first": 0.8, "+1+2": 0.6})
    settings = SETTINGS.model_copy(update={"retrain": retrain})

    state = replayed(OURS, fakes, settings=settings)
    kept = replayed(OURS, fakes, settings=settings.model_copy(update={"retrain": RetrainSettings(new_rows=150)}))

    assert [moment.version for moment in state.moments] == ["v1", "v1", "v2"]
    [left] = [moment.rollback for moment in state.moments if moment.rollback]
    assert (left.left, left.version) == ("v2", "v1")
    assert left.paired.difference == pytest.approx(-0.2)
    assert not any(moment.rollback for moment in kept.moments)


def test_a_champion_is_started_from_where_the_settings_say_so() -> None:
    retrain = RetrainSettings(new_rows=1, start="champion")
    fakes = Fakes()

    replayed(OURS, fakes, settings=SETTINGS.model_copy(update={"retrain": retrain}))

    assert [champion for _, _, champion in fakes.trained] == ["first", "+1", "+1+2"]
    assert {wanted.start for _, wanted, _ in fakes.trained} == {"v1"}


def test_a_run_sums_up_what_it_cost_and_brought() -> None:
    fakes = Fakes()
    every, never = (next(p for p in policies(SETTINGS) if p.name == name) for name in ("every batch", NEVER))

    run = summed(every, replayed(every.name, fakes), replayed(never.name, fakes))

    assert (run.trainings, run.promotions, run.seconds) == (3, 3, 33.0)
    assert run.mean["auc"].value == pytest.approx((0.5 + 0.6 + 0.7) / 3)
    assert run.gain["auc"].difference == pytest.approx(0.1)


def test_a_policy_that_is_none_is_one_line() -> None:
    with pytest.raises(SettingsError, match="sometimes is no policy"):
        policies(SETTINGS, ["sometimes"])


def test_never_is_always_there() -> None:
    assert [policy.name for policy in policies(SETTINGS, [OURS])] == [NEVER, OURS]


def test_scores_and_gains_are_told_in_the_digits_of_their_metric() -> None:
    pair = Paired(model=NEVER, metric="rmse", difference=12_345.6, low=-0.5, high=20_000.0, resamples=50)

    assert score("auc", Score(value=-0.1, low=-0.2, high=0.0)) == "-0.1000 (-0.2000 to 0.0000)"
    assert score("auc", Score(value=0.7)) == "0.7000"
    assert gained(pair, OURS) == "+12,346 (-0.500 to +20,000)"


@pytest.mark.parametrize("days", ["nan", "inf", "-1", "1e300"])
def test_a_delay_that_is_no_number_of_days_is_one_line(
    tiny_once: Workspace, capsys: pytest.CaptureFixture[str], days: str
) -> None:
    assert cli.main(["-w", str(tiny_once.root), "backtest", f"--label-delay={days}"]) == 2
    assert capsys.readouterr().err == "keepfit: --label-delay: must be from 0 to 36,525; name the days\n"


def test_nothing_is_claimed_of_a_policy_that_was_not_replayed() -> None:
    found = Backtest(
        dataset="d", metric="auc", metrics=["auc"], delay_days=0, batches=["1"], first=1, seconds=0, runs=[]
    )
    assert verdict(found) == []
