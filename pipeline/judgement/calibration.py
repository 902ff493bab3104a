"""Whether probabilities mean what they say: of rows that were told 70%, 70% should be so.

Shapes: N answers that can be right or wrong, B bins, D draws.
"""

from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.features.target import Classes, Ordinal, Tags, Target
from pipeline.judgement.case import CANDIDATE, Case
from pipeline.judgement.loss import losses
from pipeline.models import temperature
from pipeline.models.temperature import least
from pipeline.wording import number, share

Asked: TypeAlias = Literal["the class that counts as yes", "the likeliest class", "every tag"]
BINS = 15
ROWS_A_BIN = 20
DRAWS = 1000
BY_CHANCE = 0.95
ROWS_ANEW, ROWS_OF_FILES = 5000, 1000  # that are asked anew without the temperature
TINY = 1e-7
FARTHEST = 5.0  # in log odds


class Bin(Record):
    """Answers of like probability: what they were `told` on the mean, the share that was `found` to be so.

    95% of the shares that chance would make of these answers, if they were right, lie between `low` and `high`.
    """

    rows: int
    told: float
    found: float
    low: float
    high: float


class Reliability(Record):
    """One model's probabilities on test.

    `ece`: the mean distance of told and found over the bins, each by its rows (Naeini et al. 2015, with bins of equal
    rows: Nguyen & O'Connor 2015). `chance`: what 95% of models whose probabilities are right would have at most, on as
    many rows (Bröcker & Smith 2007; Vaicenavicius et al. 2019): nobody has 0. `temperature` and `shift`: what the log
    odds would best be divided by on these rows, or what best be added to them, one without the other (Cox 1958);
    `mainly` says which of the two mends more.
    """

    model: str
    ece: float
    chance: float
    told: float
    found: float
    temperature: float
    shift: float
    mainly: Literal["temperature", "shift"]
    bins: list[Bin]

    @property
    def word(self) -> Literal["calibrated", "too high", "too low", "too sure", "not sure enough"]:
        """What is wrong, if more is than chance makes: the mean, or how sure answers are."""
        if self.ece <= self.chance:
            return "calibrated"
        if self.mainly == "shift":
            return "too high" if self.shift < 0 else "too low"
        return "too sure" if self.temperature > 1 else "not sure enough"

    @property
    def words(self) -> str:
        """The answer in a sentence."""
        seen = f"calibration error {number(self.ece)}, {number(self.chance)} at most by chance"
        return f"{self.word}: {seen}; told {share(self.told)} on the mean, found {share(self.found)}"


class Tempered(Record):
    """What the temperature did to the candidate on `rows` of test: error and log loss without and with it."""

    temperature: float
    rows: int
    ece_without: float
    ece_with: float
    log_loss_without: float
    log_loss_with: float


class Calibration(Record):
    """Each model's probabilities on test, and what the temperature did; `of`: what they are probabilities of."""

    of: Asked
    rows: int
    models: list[Reliability]
    tempered: Tempered | None = Field(default=None, exclude_if=lambda part: part is None)

    @property
    def candidate(self) -> Reliability:
        """That of the candidate."""
        return next(one for one in self.models if one.model == CANDIDATE)

    @property
    def words(self) -> str:
        """Whether the candidate's mean what they say, in a sentence."""
        return f"Its probabilities of {self.of} are {self.candidate.words}."


def calibration(case: Case) -> Calibration | None:
    """How well every model's probabilities are calibrated on test; None for a label that has none."""
    target, y_N = case.target, case.truth["test"]
    if not isinstance(target, Classes | Ordinal | Tags):
        return None
    pairs = {model: told(target, y_N, a_NK) for model, a_NK in case.answers["test"].items()}
    return Calibration(
        of=_asked(target),
        rows=len(y_N),
        models=[reliability(model, p_N, hit_N, case.seed) for model, (p_N, hit_N) in pairs.items()],
        tempered=_tempered(case, target),
    )


def _asked(target: Classes | Ordinal | Tags) -> Asked:
    if isinstance(target, Tags):
        return "every tag"
    return "the class that counts as yes" if len(target.classes) == 2 else "the likeliest class"


def told(target: Target, y_N: np.ndarray, a_NK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) probabilities and whether it was so: of two classes of the second, of more of the likeliest, of all tags."""
    if isinstance(target, Tags):
        return a_NK.ravel(), y_N.ravel().astype(bool)
    if a_NK.shape[1] == 2:
        return a_NK[:, 1], y_N == 1
    return a_NK.max(axis=1), a_NK.argmax(axis=1) == y_N


def reliability(model: str, p_N: np.ndarray, hit_N: np.ndarray, seed: int) -> Reliability:
    """Told beside found, in at most BINS bins of like rows; answers alike are in one bin."""
    count = max(1, min(BINS, len(p_N) // ROWS_A_BIN))
    edges = np.unique(np.quantile(p_N, np.linspace(0, 1, count + 1)[1:-1]))
    bin_N = np.searchsorted(edges, p_N, side="left")
    rows_B = np.bincount(bin_N, minlength=len(edges) + 1)
    kept = rows_B > 0
    told_B, found_B = (np.bincount(bin_N, weights=v_N, minlength=len(rows_B))[kept] for v_N in (p_N, hit_N))
    rows_B = rows_B[kept]
    mean_B = (told_B / rows_B).clip(0, 1)
    drawn_DB = np.random.default_rng(seed).binomial(rows_B, mean_B, (DRAWS, len(rows_B))) / rows_B
    low_B, high_B = np.quantile(drawn_DB, [(1 - BY_CHANCE) / 2, (1 + BY_CHANCE) / 2], axis=0)
    by_chance_D = (np.abs(drawn_DB - mean_B) * rows_B).sum(axis=1) / rows_B.sum()
    return Reliability(
        model=model,
        ece=float(np.abs(told_B - found_B).sum() / rows_B.sum()),
        chance=float(np.quantile(by_chance_D, BY_CHANCE)),
        told=float(p_N.mean()),
        found=float(hit_N.mean()),
        **_mending(*_some(p_N, hit_N, seed)),
        bins=[
            Bin(rows=int(rows), told=float(mean), found=float(found), low=float(low), high=float(high))
            for rows, mean, found, low, high in zip(rows_B, mean_B, found_B / rows_B, low_B, high_B, strict=True)
        ],
    )


def _some(p_N: np.ndarray, hit_N: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """As many answers as are enough for one number, drawn: every so many of a row's tags would be the same tags."""
    most = temperature.CELLS // 2
    if len(p_N) <= most:
        return p_N, hit_N
    chosen = np.sort(np.random.default_rng(seed).choice(len(p_N), most, replace=False))
    return p_N[chosen], hit_N[chosen]


def _mending(p_N: np.ndarray, hit_N: np.ndarray) -> dict[str, Any]:
    """What the log odds would best be divided by, and what be added to them, and which of the two leaves less loss."""
    sure_N, hit_N = p_N.clip(TINY, 1 - TINY), hit_N.astype(np.int64)
    odds_N = np.log(sure_N) - np.log1p(-sure_N)
    warmer = temperature.losses(_logits(odds_N), hit_N)

    def moved(by: float) -> float:
        return float(temperature.losses(_logits(odds_N + by), hit_N)(1.0).mean())

    best, shift = temperature.best(warmer), least(moved, -FARTHEST, FARTHEST)
    mainly = "temperature" if warmer(best).mean() < moved(shift) else "shift"
    return {"temperature": best, "shift": shift, "mainly": mainly}


def _logits(odds_N: np.ndarray) -> np.ndarray:
    """(N, 1, 2) of yes and no."""
    return np.stack([np.zeros_like(odds_N), odds_N], axis=1)[:, None]


def _tempered(case: Case, target: Classes | Ordinal | Tags) -> Tempered | None:
    """Rows of test asked anew without the temperature; None where the model has none."""
    if target.temperature == 1:
        return None
    model, rows = case.predictor("test"), case.rows["test"]
    most = ROWS_OF_FILES if model.preprocessor.own else ROWS_ANEW
    chosen = np.unique(np.linspace(0, rows.height - 1, min(most, rows.height)).round().astype(np.int64))
    plain = replace(model.preprocessor, target=target.model_copy(update={"temperature": 1.0}))
    without_NK = replace(model, preprocessor=plain).answers(rows[chosen])
    known = np.isfinite(without_NK).all(axis=1)
    y_N, with_NK, without_NK = case.truth["test"][chosen][known], case.own("test")[chosen][known], without_NK[known]
    before, after = (reliability("", *told(target, y_N, a_NK), case.seed).ece for a_NK in (without_NK, with_NK))
    return Tempered(
        temperature=target.temperature,
        rows=len(y_N),
        ece_without=before,
        ece_with=after,
        log_loss_without=float(losses(target, y_N, without_NK).mean()),
        log_loss_with=float(losses(target, y_N, with_NK).mean()),
    )
