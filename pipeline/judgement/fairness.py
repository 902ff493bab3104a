"""Are groups of people treated alike? What each group is answered on test, and whether the group alone moves an answer.

Rates are those of Hardt et al. 2016 (https://arxiv.org/abs/1610.02413): how many of a group are chosen (demographic
parity), of those who should be (equal opportunity), and of those who should not (with it, equalised odds). That they
are equal is no proof of fairness, and not all of them can be where the groups' own rates differ (Chouldechova 2017).

Shapes: N rows of test, R resamples, S rows that are asked about again.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from pipeline.artefacts import Record
from pipeline.contract import Contract
from pipeline.errors import SettingsError
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.target import Classes, Ordinal, Quantity, Target
from pipeline.judgement.case import CANDIDATE, Case
from pipeline.judgement.cost import answered
from pipeline.judgement.probe import Probe, drawn
from pipeline.metrics import Score
from pipeline.metrics.score import mean, of_resamples
from pipeline.wording import listed, number, share

KEY = "params.yaml: evaluate.fairness"
MISSING = "missing"
MOST_GROUPS = 20  # a number of more values than these is cut at train's quartiles
Measure: TypeAlias = Literal[
    "selection_rate", "true_positive_rate", "false_positive_rate", "mean_error", "mean_absolute_error"
]
RATES: tuple[Measure, ...] = ("selection_rate", "true_positive_rate", "false_positive_rate")


class FairnessSettings(BaseModel):
    """Between which groups answers are compared. `fairness: false`, as it is unless set, leaves it out."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    columns: list[str] = Field(min_length=1, description="each says of a row which group it is of; a feature or not")
    chosen: str | None = Field(default=None, description="the class that is good for a person; of two, else the second")
    minimum_rows: int = Field(default=50, ge=2, description="of test; smaller groups are counted, and not compared")
    rows: int = Field(default=400, ge=10, description="rows of test that are asked about again as of another group")


class Group(Record):
    """One group: its rows of test, and each rate or error with its interval; without those it has no rows for."""

    name: str
    rows: int
    measures: dict[Measure, Score]


class Between(Record):
    """How far apart the groups are in one measure: the largest less the smallest, and whose they are."""

    measure: Measure
    largest: str
    smallest: str
    gap: Score
    ratio: float | None = None


class Swapped(Record):
    """What comes of telling the model another group: `moved` of the `rows` asked got another answer.

    Of a number, `moved` is the mean of how far answers went, each to its farthest, in the label's unit.
    """

    rows: int
    moved: float


class Compared(Record):
    """One column: its groups, how far they are apart, and what the column alone does."""

    column: str
    chosen: str | None
    groups: list[Group]
    small: int
    between: list[Between]
    swapped: Swapped | None = None

    @property
    def words(self) -> str:
        """How far the groups are apart, and what the column alone does."""
        said = [self._gap(one) for one in self.between] or ["no two groups have rows enough"]
        if self.swapped is not None:
            moved = self.swapped.moved
            told = f"moves {share(moved)} of the answers" if self.chosen else f"moves an answer by {number(moved)}"
            said.append(f"another {self.column} alone {told}")
        return f"By {self.column}: {'; '.join(said)}."

    def _gap(self, one: Between) -> str:
        write = share if self.chosen else number
        high, low = (self._of(name).measures[one.measure].value for name in (one.largest, one.smallest))
        return f"{one.measure.replace('_', ' ')} {write(high)} of {one.largest}, {write(low)} of {one.smallest}"

    def _of(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)


class Fairness(Record):
    """Every column by which groups were compared."""

    columns: list[Compared]

    @property
    def words(self) -> str:
        """A sentence a column."""
        return " ".join(one.words for one in self.columns)


def require(settings: FairnessSettings, agreed: Contract) -> None:
    """Raise SettingsError for columns that the contract lacks."""
    known = [column.name for column in agreed.columns]
    for name in settings.columns:
        if name not in known:
            raise SettingsError(
                f"{name!r} is no column", where=f"{KEY}.columns", fix=f"use one of: {listed(known, 20)}"
            )


def fairness(case: Case, settings: FairnessSettings) -> Fairness | None:
    """Every column in the order of the settings; None for a label that is neither classes nor one number."""
    if not isinstance(case.target, Classes | Ordinal | Quantity):
        return None
    chosen = _chosen(settings, case.target)
    return Fairness(columns=[_of_column(case, settings, name, chosen) for name in settings.columns])


def _chosen(settings: FairnessSettings, target: Target) -> str | None:
    """The class that is good for a person; None of a number."""
    if not isinstance(target, Classes | Ordinal):
        return None
    if settings.chosen in target.classes or (settings.chosen is None and len(target.classes) == 2):
        return settings.chosen or target.classes[1]
    what = f"{settings.chosen!r} is no class of the label" if settings.chosen else "which class is good is not said"
    raise SettingsError(what, where=f"{KEY}.chosen", fix=f"use one of: {listed(target.classes, 20)}")


def _of_column(case: Case, settings: FairnessSettings, column: str, chosen: str | None) -> Compared:
    group_N, order = groups(case.rows["train"][column], case.rows["test"][column])
    counts = {name: int((group_N == name).sum()) for name in order or sorted(set(group_N.tolist()))}
    large = [name for name, rows in counts.items() if rows >= settings.minimum_rows]
    value_N = _values(case, chosen)
    found = [_group(name, group_N == name, value_N, case.w_RN) for name in large]
    asked = len(large) > 1 and not order and _may_be_told(case.model.preprocessor, column)
    return Compared(
        column=column,
        chosen=chosen,
        groups=[_told(name, rows, measured) for name, rows, measured in found],
        small=sum(rows for name, rows in counts.items() if name not in large),
        between=list(_between(found)),
        swapped=_swapped(case, settings, column, large, group_N) if asked else None,
    )


def _may_be_told(fitted: Preprocessor, column: str) -> bool:
    """Whether the model reads the column, and its rows are no part of each other's."""
    return column in fitted.columns and fitted.series is None


def _told(name: str, rows: int, measured: Mapping[Measure, np.ndarray]) -> Group:
    return Group(
        name=name, rows=rows, measures={measure: of_resamples(value_R) for measure, value_R in measured.items()}
    )


def groups(train: pl.Series, values: pl.Series) -> tuple[np.ndarray, list[str]]:
    """(N,) the name of each row's group; and of a number that was cut at train's quartiles all names, in their order.

    >>> groups(pl.Series([1, 2]), pl.Series([1, None]))
    (array(['1', 'missing'], dtype='<U7'), [])
    """
    if not (train.dtype.is_numeric() and train.drop_nulls().n_unique() > MOST_GROUPS):
        return values.cast(pl.String).fill_null(MISSING).to_numpy().astype(str), []
    at = np.unique(np.quantile(train.drop_nulls().to_numpy(), (0.25, 0.5, 0.75)))
    place_N = np.searchsorted(at, values.cast(pl.Float64).fill_null(0.0).to_numpy(), side="right")
    names = np.array([*_ranges(at), MISSING])
    return np.where(values.is_null().to_numpy(), MISSING, names[place_N]), names.tolist()


def _ranges(at: np.ndarray) -> list[str]:
    inner = [f"{low:g} to under {high:g}" for low, high in itertools.pairwise(at)]
    return [f"under {at[0]:g}", *inner, f"{at[-1]:g} or more"]


def _values(case: Case, chosen: str | None) -> Mapping[Measure, tuple[np.ndarray, np.ndarray]]:
    """Of each measure (N,) what it is the mean of, and (N,) over which rows."""
    y_N, own_NK, target = case.truth["test"], case.own("test"), case.target
    every = np.ones(len(y_N), dtype=bool)
    if not isinstance(target, Classes | Ordinal):
        error_N = own_NK[:, 0] - y_N
        return {"mean_error": (error_N, every), "mean_absolute_error": (np.abs(error_N), every)}
    place = target.classes.index(str(chosen))
    said_N = answered(target, own_NK, case.thresholds.get(CANDIDATE, 0.5)) == place
    return dict(zip(RATES, ((said_N, every), (said_N, y_N == place), (said_N, y_N != place)), strict=True))


def _group(
    name: str, of_N: np.ndarray, values: Mapping[Measure, tuple[np.ndarray, np.ndarray]], w_RN: np.ndarray
) -> tuple[str, int, dict[Measure, np.ndarray]]:
    """The group's rows, and (1 + R,) of each measure that it has rows for; NaN in a resample that has none of them."""
    measured = {}
    for measure, (value_N, over_N) in values.items():
        inside_N = of_N & over_N
        if inside_N.any():
            w_RM = w_RN[:, inside_N]
            with np.errstate(invalid="ignore"):
                measured[measure] = mean(value_N[inside_N], w_RM)
    return name, int(of_N.sum()), measured


def _between(found: Sequence[tuple[str, int, Mapping[Measure, np.ndarray]]]) -> Iterator[Between]:
    """Of each measure that two groups have, how far the two are apart that are farthest."""
    for measure in dict.fromkeys(measure for *_, measured in found for measure in measured):
        known = {name: measured[measure] for name, _, measured in found if measure in measured}
        if len(known) < 2:
            continue
        largest, smallest = (end(known, key=lambda name: float(known[name][0])) for end in (max, min))
        high, low = float(known[largest][0]), float(known[smallest][0])
        gap = of_resamples(known[largest] - known[smallest])
        ratio = low / high if measure in RATES and high > 0 else None
        yield Between(measure=measure, largest=largest, smallest=smallest, gap=gap, ratio=ratio)


def _swapped(case: Case, settings: FairnessSettings, column: str, names: Sequence[str], group_N: np.ndarray) -> Swapped:
    """Each row is asked about anew as if it were of each other group."""
    rows = case.rows["test"]
    chosen_S = drawn(rows.height, settings.rows, case.seed, case.model.preprocessor, questions=len(names))
    asked = Probe.of(case.model, rows[chosen_S])
    values = {name: rows[column].filter(pl.Series(group_N == name))[0] for name in names}
    told = [
        asked.answers({column: asked.encoded(column, pl.Series([value] * len(chosen_S), dtype=rows[column].dtype))})
        for value in values.values()
    ]
    return Swapped(rows=len(chosen_S), moved=_moved(case, asked.answers(), told))


def _moved(case: Case, own_SK: np.ndarray, told: Sequence[np.ndarray]) -> float:
    target = case.target
    if not isinstance(target, Classes | Ordinal):
        return float(np.max([np.abs(each_SK[:, 0] - own_SK[:, 0]) for each_SK in told], axis=0).mean())
    threshold = case.thresholds.get(CANDIDATE, 0.5)
    said_S = answered(target, own_SK, threshold)
    return float(np.any([answered(target, each_SK, threshold) != said_S for each_SK in told], axis=0).mean())
