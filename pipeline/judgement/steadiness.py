"""How steady the answers are: small changes of the rows should hardly move them, and nothing may break them.

Shapes: N rows, K answers a row. How far an answer moves is a share: of classes half the sum of what all probabilities
move, of tags the most that one moves, of a number its way in deviations that the label has in train.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features.target import Classes, Ordinal, Tags, Target
from pipeline.judgement.case import CANDIDATE, Case
from pipeline.judgement.changes import ON_CELLS, ON_TENSORS, Scale, Size
from pipeline.judgement.hostile import Edge, edges
from pipeline.judgement.probe import WINDOWS, Probe, drawn
from pipeline.judgement.remark import Remark
from pipeline.judgement.stretches import ON_WINDOWS, Layout
from pipeline.metrics import LOWER_IS_BETTER, Metric
from pipeline.wording import listed, number

NEARLY_ALL = 0.99
CHANGES_A_COLUMN = 3
SPREAD = "of the label's spread"
PROBABILITY = "of probability"


class SteadinessSettings(BaseModel):
    """How steady the answers must be: our own choice, no law. `steadiness: false` leaves it out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: int = Field(default=400, ge=10, description="rows of test that are changed, drawn by the seed")
    jump: float = Field(
        default=0.05,
        gt=0,
        description="how far 99 of 100 answers may move after a small change: of probability, or of the label's "
        "deviation in train",
    )


class Moved(Record):
    """What a change did to the answers; `column` None: of all that are of its kind.

    `mean` and `most` (of 99 in 100 rows) say how far answers moved, `changed` in which share of the rows another answer
    is given (None of a number), `score` what the main metric is then (None where one has no number for an answer, as
    `broken` rows have).
    """

    change: str
    size: Size
    column: str | None
    mean: float
    most: float
    changed: float | None
    score: float | None
    broken: int = 0


class Steadiness(Record):
    """How far answers move; `jump` is the most after any small change, None where no column can change a little."""

    rows: int
    metric: Metric
    score: float
    blind: float
    unit: str
    tolerated: float
    jump: float | None
    moved: list[Moved]
    edges: list[Edge]
    remarks: list[Remark]

    @property
    def words(self) -> str:
        """Whether results jump, in a sentence."""
        if self.jump is None:
            return "No column can be changed a little, so nothing is said of jumps."
        worst = max((one for one in self.moved if one.size == "small"), key=lambda one: one.most)
        verdict = "they do not jump" if self.jump <= self.tolerated else "they jump"
        of = f" in {worst.column}" if worst.column else ""
        return (
            f"After any small change 99 of 100 answers move by at most {number(self.jump)} {self.unit}, most after "
            f"{worst.change}{of}: {verdict} ({self.tolerated:g} is tolerated)."
        )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A change that is to be made, and the blocks that it makes of columns."""

    name: str
    size: Size
    column: str | None
    blocks: Mapping[str, np.ndarray]


def steadiness(case: Case, settings: SteadinessSettings) -> Steadiness:
    """Change rows of test, of series their windows, and see what becomes of their answers."""
    fitted, test = case.model.preprocessor, case.rows["test"]
    questions = CHANGES_A_COLUMN * len(fitted.encoders)
    chosen = drawn(test.height, settings.rows, case.seed, fitted, questions=questions)
    y_N, own_NK = case.truth["test"][chosen], case.own("test")[chosen]
    if fitted.series:
        asked = Probe.of_series(case.predictor("test"), test, chosen)
        own_NK = asked.answers()
    else:
        asked = Probe.of(case.model, test[chosen])
    judge = Judge.of(case, y_N, own_NK)
    made = of_windows(asked, case) if fitted.series else trials(asked, case)
    found = [judge.moved(trial, asked) for trial in made]
    modalities = {name: encoder.kind for name, encoder in asked.encoders.items()}
    broken = edges(asked.rows.select(fitted.columns), modalities, case.target, asked.asked_of)
    small = [one.most for one in found if one.size == "small"]
    told = Steadiness(
        rows=len(chosen),
        metric=metrics.OF[case.target.kind].main,
        score=judge.score(own_NK),
        blind=judge.score(np.broadcast_to(own_NK.mean(axis=0), own_NK.shape)),
        unit=judge.unit,
        tolerated=settings.jump,
        jump=max(small, default=None),
        moved=found,
        edges=broken,
        remarks=[],
    )
    return told.model_copy(update={"remarks": [*remarks(told)]})


def trials(asked: Probe, case: Case) -> Iterator[Trial]:
    """Every change that applies to a column of the model, in the order of the table of changes."""
    random = np.random.default_rng(case.seed)
    train = case.rows["train"]
    for modality, changes in ON_CELLS.items():
        columns = [name for name, encoder in asked.encoders.items() if encoder.kind == modality]
        scales = {name: Scale.of(train[name]) if modality == "numeric" else Scale() for name in columns}
        for change in changes:
            made = {name: asked.encoded(name, change.made(asked.rows[name], scales[name], random)) for name in columns}
            if change.together and made:
                yield Trial(name=change.name, size=change.size, column=None, blocks=made)
            elif not change.together:
                yield from (
                    Trial(name=change.name, size=change.size, column=name, blocks={name: block})
                    for name, block in made.items()
                )
        yield from _of_tensors(asked, modality, columns, random)


def of_windows(asked: Probe, case: Case) -> Iterator[Trial]:
    """Every change of the windows of series."""
    random, layout = np.random.default_rng(case.seed), Layout.of(asked.fitted)
    windows_NWC = asked.block(WINDOWS)
    for change in ON_WINDOWS:
        block = change.made(windows_NWC, layout, random)
        yield Trial(name=change.name, size=change.size, column=None, blocks={WINDOWS: block})


def _of_tensors(asked: Probe, modality: Modality, columns: list[str], random: np.random.Generator) -> Iterator[Trial]:
    for change in ON_TENSORS.get(modality, ()):
        for name in columns:
            block = asked.block(name)
            if np.issubdtype(block.dtype, np.integer):  # not the vectors of a pre-trained network
                changed = change.made(block, random)
                yield Trial(name=change.name, size=change.size, column=name, blocks={name: changed})


@dataclass(frozen=True, kw_only=True)
class Judge:
    """By what answers are held beside those that were given before a change."""

    target: Target
    y_N: np.ndarray
    own_NK: np.ndarray
    threshold: float
    spread: float

    @classmethod
    def of(cls, case: Case, y_N: np.ndarray, own_NK: np.ndarray) -> "Judge":
        label = np.asarray(case.truth["train"], dtype=np.float64)
        spread = float(np.nanstd(label)) or 1.0
        threshold = case.thresholds.get(CANDIDATE, 0.5)
        return cls(target=case.target, y_N=y_N, own_NK=own_NK, threshold=threshold, spread=spread)

    @property
    def unit(self) -> str:
        """What a way of 1 is."""
        return PROBABILITY if isinstance(self.target, Classes | Ordinal | Tags) else SPREAD

    def moved(self, trial: Trial, asked: Probe) -> Moved:
        """What the change did."""
        a_NK = asked.answers(trial.blocks)
        whole_N = np.isfinite(a_NK).all(axis=1)
        way_N = self.way(a_NK)[whole_N]
        return Moved(
            change=trial.name,
            size=trial.size,
            column=trial.column,
            mean=float(way_N.mean()) if len(way_N) else 0.0,
            most=float(np.quantile(way_N, NEARLY_ALL)) if len(way_N) else 0.0,
            changed=self.changed(a_NK),
            score=self.score(a_NK) if whole_N.all() else None,
            broken=int((~whole_N).sum()),
        )

    def way(self, a_NK: np.ndarray) -> np.ndarray:
        """(N,) how far each answer moved."""
        off_NK = np.abs(a_NK - self.own_NK)
        if isinstance(self.target, Tags):
            most_N: np.ndarray = off_NK.max(axis=1)
            return most_N
        if isinstance(self.target, Classes | Ordinal):
            return off_NK.sum(axis=1) / 2
        return off_NK.mean(axis=1) / self.spread

    def changed(self, a_NK: np.ndarray) -> float | None:
        """The share of rows of which another answer is given; None of a number."""
        if not isinstance(self.target, Classes | Ordinal | Tags):
            return None
        before, after = (self.target.said(each, self.threshold)["answer"] for each in (self.own_NK, a_NK))
        return float(before.ne_missing(after).to_numpy().mean())

    def score(self, a_NK: np.ndarray) -> float:
        """The main metric of these answers."""
        return metrics.OF[self.target.kind].main_score(self.y_N, a_NK, self.target.at)


def remarks(told: Steadiness) -> Iterator[Remark]:
    """What somebody should look at."""
    if told.jump is not None and told.jump > told.tolerated:
        yield Remark(
            name="jumps",
            severity="warning",
            message=told.words,
            suggestion="more weight decay, dropout (of texts train.text.token_dropout) or augmentation make answers "
            "steadier, and so do fewer bins of numbers",
        )
    yield from _broken(told)
    yield from _without(told)


def _broken(told: Steadiness) -> Iterator[Remark]:
    """Where there was no number for an answer."""
    faults = [f"{edge.case}: {edge.fault}" for edge in told.edges if edge.fault]
    faults += [f"{one.change}: {one.broken} answers are no numbers" for one in told.moved if one.broken]
    if faults:
        yield Remark(
            name="no_answer",
            severity="error",
            message=f"asked about hostile rows it fails: {listed(faults)}",
            suggestion="keep such rows out by the contract, and report it: a model should answer them, or say why not",
        )


def _without(told: Steadiness) -> Iterator[Remark]:
    """Which single columns take all with them where they break, by the change that costs most, the worst first."""
    sign = -1.0 if told.metric in LOWER_IS_BETTER else 1.0
    worst: dict[str, tuple[float, str]] = {}
    for one in told.moved:
        if one.column is not None and one.score is not None and sign * (one.score - told.blind) < 0:
            gain, words = sign * one.score, f"{one.column} with {one.change} ({number(one.score)})"
            worst[one.column] = min(worst.get(one.column, (gain, words)), (gain, words))
    if worst:
        columns = sorted(worst, key=lambda column: worst[column])
        yield Remark(
            name="breaks_down",
            severity="info",
            column=columns[0] if len(columns) == 1 else None,
            message=f"{told.metric.replace('_', ' ')} worse than that of one answer to all rows "
            f"({number(told.blind)}): {listed([worst[column][1] for column in columns])}",
            suggestion="let a check stop or quarantine batches in which such a column is broken",
        )
