"""`keepfit selftest`: how well do the checks tell defects in data like yours? Each is planted in a copy, and asked for.

The way: the user's rows as text → damaged, one defect at a time, at several rates → read as `keepfit check` reads
them → every check → what is said more than of the undamaged rows. Nothing on disk is changed. What the sound rows
already show is subtracted, so a defect that they hold themselves is no false alarm here.
"""

import dataclasses
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline import checks
from pipeline.artefacts import Record
from pipeline.commands.selftest import columns, copies, numbers, texts, times
from pipeline.commands.selftest.defect import Defect
from pipeline.commands.selftest.material import LEAST_ROWS, Material, gather
from pipeline.commands.selftest.score import scored
from pipeline.contract import Role
from pipeline.errors import DataError, SettingsError
from pipeline.quality.findings import Check
from pipeline.quality.inspection import Inspection, inspect

DEFECTS: tuple[Defect, ...] = (
    *numbers.DEFECTS,
    *texts.DEFECTS,
    *copies.DEFECTS,
    *columns.DEFECTS,
    *times.DEFECTS,
)
MODELS = ("label_error", "regression_label_error", "ambiguous_label", "underperforming_group")  # fit: seconds each time
MOST_ROWS = 50_000


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What is tried: files, the roles of columns, how many rows at most, the shares that are damaged, the seed.

    `thorough` asks the checks that fit models too, and plants what only they can tell: ten times as long.
    `only` names the defects that are planted; none are all.
    """

    paths: Sequence[str]
    roles: Mapping[str, Role] = field(default_factory=dict)
    rows: int = 10_000
    rates: tuple[float, ...] = (0.001, 0.01, 0.05)
    seed: int = 1
    thorough: bool = False
    only: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not LEAST_ROWS <= self.rows <= MOST_ROWS:
            what = f"must be from {LEAST_ROWS} to {MOST_ROWS:,}, got {self.rows:,}"
            raise SettingsError(what, where="--rows", fix="choose a number between")


class Outcome(Record):
    """One defect at one rate (None: a whole column), and what was said of it.

    `planted` and `found` count items: cells, rows, or pairs of rows; `recall` is null where rows cannot tell. `told`:
    a check that should named the column as a whole. `by`: items by check, 0 for one that named the column alone.
    """

    defect: str
    what: str
    rate: float | None
    columns: list[str]
    planted: int
    found: int
    recall: float | None
    told: bool
    by: dict[str, int]
    expected: list[str]
    false_rows: int
    false_findings: list[str]
    seconds: float

    @property
    def is_missed(self) -> bool:
        """Whether no check noticed anything."""
        return not self.found and not self.told


class SelfTest(Record):
    """The answer, in the shape of `--json`; `left_out` says why a defect was not planted."""

    rows: int
    columns: int
    seed: int
    thorough: bool
    baseline: dict[str, int]
    outcomes: list[Outcome]
    left_out: dict[str, str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """Sound rows, and what the checks say of them."""

    material: Material
    baseline: Inspection


def selftest(trial: Trial, scratch: Path) -> SelfTest:
    """Plant every defect that fits the data, at every rate; `scratch` is an empty folder for unpacked files.

    Raises DataError for files that cannot be read, hold too few rows, or where a name in `only` is no defect.
    """
    began = time.perf_counter()
    _require_known(trial.only)
    material = gather(trial.paths, trial.roles, scratch, trial.rows)
    asked = asked_checks(thorough=trial.thorough)
    plain = _ground(material, asked)
    planned, left_out = _planned(trial, material)
    other = _ground(material.against(), asked) if any(defect.against for defect in planned) else plain
    outcomes = [o for d in planned for o in _tried(trial, d, other if d.against else plain, asked)]
    tried = {outcome.defect for outcome in outcomes}
    left_out |= {defect.name: "as they change no cell here" for defect in planned if defect.name not in tried}
    return SelfTest(
        rows=material.height,
        columns=len(material.inferred.columns),
        seed=trial.seed,
        thorough=trial.thorough,
        baseline=_counted(plain.baseline),
        outcomes=outcomes,
        left_out=left_out,
        seconds=round(time.perf_counter() - began, 1),
    )


def asked_checks(*, thorough: bool) -> list[Check]:
    """Every check, without those that fit models unless `thorough`."""
    return checks.configured({} if thorough else dict.fromkeys(MODELS, "off"))


def _require_known(only: Sequence[str]) -> None:
    known = [defect.name for defect in DEFECTS]
    for name in only:
        if name not in known:
            raise DataError("is no defect", where=name, fix=f"use one of: {', '.join(known)}")


def _ground(material: Material, asked: Sequence[Check]) -> _Ground:
    return _Ground(material=material, baseline=inspect(material.table(material.rows), asked))


def _planned(trial: Trial, material: Material) -> tuple[list[Defect], dict[str, str]]:
    """The defects that can go into these rows, and why the others cannot."""
    planned, left_out = [], {}
    for defect in DEFECTS:
        if trial.only and defect.name not in trial.only:
            continue
        if defect.model and not trial.thorough:
            left_out[defect.name] = "the checks that tell these fit models (--thorough asks them)"
        elif not defect.places(material):
            left_out[defect.name] = "as no column takes them"
        else:
            planned.append(defect)
    return planned, left_out


def _tried(trial: Trial, defect: Defect, ground: _Ground, asked: Sequence[Check]) -> Iterator[Outcome]:
    """The defect at each rate, in the same columns; with a generator of its own, so that no defect changes another."""
    seed = [trial.seed, zlib.crc32(defect.name.encode())]
    chosen = defect.chosen(ground.material, np.random.default_rng(seed))
    if not chosen:  # of half the rows none may be left
        return
    for place, rate in enumerate(trial.rates if defect.rated else (None,)):
        began = time.perf_counter()
        count = max(1, round((rate or 0.0) * ground.material.height))
        damage = defect.plant(ground.material, chosen, count, np.random.default_rng([*seed, place]))
        if damage.rows.equals(ground.material.rows):
            continue
        score = scored(defect, damage, ground.baseline, inspect(ground.material.table(damage.rows), asked))
        yield Outcome(
            defect=defect.name,
            what=defect.what,
            rate=rate,
            columns=list(damage.columns or chosen),
            recall=score.found / score.planted if score.planted else None,
            expected=list(defect.told_by),
            seconds=round(time.perf_counter() - began, 2),
            **dataclasses.asdict(score),
        )


def _counted(baseline: Inspection) -> dict[str, int]:
    """Findings of the sound rows by check, without those that are worth knowing alone."""
    counted: dict[str, int] = {}
    for finding in baseline.findings:
        if finding.severity != "info":
            counted[finding.check] = counted.get(finding.check, 0) + 1
    return counted
