"""What a backtest found: reports/backtest.json (used by backtest)."""

from pipeline.artefacts import Record
from pipeline.metrics import Metric, Paired, Score, Scores
from pipeline.monitor.record import Outcome, Rollback
from pipeline.policy.decision import Decision


class Moment(Record):
    """One batch under one policy. `version`: the model that answered when it arrived, `scores`: how well, null where
    it has no labels; `decided_by`: the model when its labels came; `seconds`: of the training that it led to.

    `came`: its newest row, null where the contract has no time.
    """

    batch: str
    came: str | None
    version: str
    scores: Scores | None
    decided_by: str
    decision: Decision
    rollback: Rollback | None = None
    outcome: Outcome | None = None
    seconds: float = 0.0


class Run(Record):
    """One policy over all batches. `mean`: of the scores over the batches that have any, each batch counting alike;
    `gain`: how much better that is than under `never` (positive is better), on the same rows and resamples.

    `seconds`: of processor time that its trainings took, as if each had been made for it alone.
    """

    name: str
    words: str
    moments: list[Moment]
    mean: Scores
    gain: dict[Metric, Paired]
    trainings: int
    promotions: int
    rollbacks: int
    seconds: float


class Backtest(Record):
    """All policies over the same batches; `metric` is the one that decides, `metrics` those that are told of.

    `first`: the rows that the first model was trained on; `delay_days`: how long after a batch its labels come.
    """

    dataset: str
    metric: Metric
    metrics: list[Metric]
    delay_days: float
    batches: list[str]
    first: int
    seconds: float
    runs: list[Run]

    def run(self, name: str) -> Run | None:
        """The run of a policy."""
        return next((run for run in self.runs if run.name == name), None)

    def score(self, run: Run, metric: Metric) -> Score | None:
        """The mean score of a run; None where no batch has labels."""
        return run.mean.get(metric)
