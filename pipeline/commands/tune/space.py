"""Which settings are searched, and between which values: taken from the typed settings, then from the user's bounds.

A knob is a setting by its key below `train`, or a part of one: `mlp.hidden.width` and `mlp.hidden.depth` are of the
list `mlp.hidden`.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic import BaseModel

from pipeline.errors import SettingsError
from pipeline.models.choices.tuning import Bounds, TuneSettings
from pipeline.stages.train import TrainSettings
from pipeline.workspace import Workspace, parse_section

Value: TypeAlias = Any  # of JSON
Values: TypeAlias = Mapping[str, Value]

HIGHEST_DROPOUT = 0.5  # as in the search spaces of Gorishniy et al. 2021
DEEPEST = 4
DECADE = 10.0
DIGITS = 3  # of a number: what is tried is what is written into params.yaml
DECAYS = [0.0, 1e-4, 1e-3, 1e-2]  # where there is none so far
DEPTHS, WIDTHS = ("depth", "blocks", "layers"), ("width",)


@dataclass(frozen=True, kw_only=True)
class Knob:
    """A setting that is searched: `today` is what it is now; between `low` and `high`, or among `values`.

    `backbone`: the one whose trials have it, None for all. `whole`: whether only whole numbers are meant.
    """

    key: str
    today: Value
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    values: tuple[Value, ...] = ()
    backbone: str | None = None

    @property
    def name(self) -> str:
        """What the trials call it: what each backbone has its own of, says whose it is."""
        shared = self.backbone is None or self.key.startswith(f"{self.backbone}.")
        return self.key if shared else f"{self.key} of {self.backbone}"

    def rounded(self, value: Value) -> Value:
        """The value as it is tried; today's is never changed."""
        if self.values or self.whole or value == self.today:
            return value
        return min(max(_short(value), self.low), self.high)


def knobs(
    settings: TrainSettings, backbone: str, batch: int, modalities: Sequence[str], tune: TuneSettings
) -> list[Knob]:
    """Everything that is searched; the first knob is the backbone where several are tried.

    `backbone` and `batch` are those in use; `modalities`: the keys of `train` that say how columns with an encoder of
    their own are read.
    """
    tried: list[str] = list(tune.backbones) if tune.backbones else [backbone]
    found = [Knob(key="model", today=backbone, values=_among(tried, backbone))] if len({*tried, backbone}) > 1 else []
    found.append(
        Knob(key="batch_size", today=batch, values=_among([batch // 2 or 1, batch, 2 * batch, 4 * batch], batch))
    )
    names = [*dict.fromkeys([backbone, *tried])]
    for name in names:
        own = [*_pace(settings, name), *_group(getattr(settings, name), name)]
        found += [replace(knob, backbone=name) for knob in own] if len(names) > 1 else own
    for modality in modalities:
        found += _group(getattr(settings, modality), modality)
    return [*_bounded(found, settings, tune)]


def _pace(settings: TrainSettings, backbone: str) -> Iterator[Knob]:
    pace = settings.optimizer.pace(backbone)
    rate, decay = pace.learning_rate, pace.weight_decay
    yield Knob(
        key="optimizer.learning_rate", today=rate, low=_short(rate / DECADE), high=_short(rate * DECADE), log=True
    )
    if decay:
        low, high = _short(decay / DECADE**2), _short(decay * DECADE)
        yield Knob(key="optimizer.weight_decay", today=decay, low=low, high=high, log=True)
    else:
        yield Knob(key="optimizer.weight_decay", today=decay, values=tuple(DECAYS))


def _short(value: float) -> float:
    """The value with so few digits as are tried.

    >>> _short(0.00012345)
    0.000123
    """
    return float(f"{value:.{DIGITS}g}")


def _group(settings: BaseModel, key: str) -> Iterator[Knob]:
    """The knobs of a group of settings, by the names of its fields."""
    for name in type(settings).model_fields:
        today = getattr(settings, name)
        if name.endswith("dropout"):
            yield Knob(key=f"{key}.{name}", today=today, high=max(HIGHEST_DROPOUT, today))
        elif name in DEPTHS:
            yield Knob(key=f"{key}.{name}", today=today, low=1, high=max(DEEPEST, today), whole=True)
        elif name in WIDTHS:
            heads = getattr(settings, "heads", 1)
            sizes = [size for size in (today // 2, today, 2 * today) if size and size % heads == 0]
            yield Knob(key=f"{key}.{name}", today=today, values=tuple(sizes))
        elif name == "hidden":
            first = today[0]
            yield Knob(
                key=f"{key}.hidden.width", today=first, values=_among([first // 2 or 1, first, 2 * first], first)
            )
            yield Knob(key=f"{key}.hidden.depth", today=len(today), low=1, high=max(DEEPEST, len(today)), whole=True)


def _among(values: Sequence[Value], today: Value) -> tuple[Value, ...]:
    return tuple(values if today in values else [today, *values])


def _bounded(found: list[Knob], settings: TrainSettings, tune: TuneSettings) -> Iterator[Knob]:
    """The same with the user's bounds, widened to hold today's value, and the knobs that only the user has."""
    for knob in found:
        bounds = tune.space.get(knob.key)
        if bounds != "off" and not any(knob.key.startswith(f"{key}.") for key in tune.space):
            yield knob if bounds is None else _with(knob, bounds)
    for key, bounds in tune.space.items():
        if bounds != "off" and not any(knob.key == key for knob in found):
            yield _with(Knob(key=key, today=_today(settings, key)), bounds)


def _with(knob: Knob, bounds: Bounds) -> Knob:
    if bounds.values is not None:
        return replace(knob, values=_among(bounds.values, knob.today), low=0.0, high=0.0, log=False)
    assert bounds.low is not None and bounds.high is not None  # or it would have values
    if not isinstance(knob.today, int | float) or isinstance(knob.today, bool):
        raise SettingsError(
            f"is {knob.today!r} now, which is no number between {bounds.low:g} and {bounds.high:g}",
            where=f"params.yaml: tune.space.{knob.key}",
            fix="list the values instead, or set it to a number under train",
        )
    low, high = min(bounds.low, knob.today), max(bounds.high, knob.today)
    whole = isinstance(knob.today, int) and bounds.low == int(bounds.low) and bounds.high == int(bounds.high)
    return replace(knob, low=low, high=high, log=bounds.log and low > 0, whole=whole, values=())


def _today(settings: TrainSettings, key: str) -> Value:
    """The value of a key below `train`; raises SettingsError where there is no such key."""
    found: object = settings.model_dump(mode="json")
    for part in key.split("."):
        if not isinstance(found, dict) or part not in found:
            raise SettingsError(
                f"train has no setting {key}", where="params.yaml: tune.space", fix="take it from docs/settings.md"
            )
        found = found[part]
    return found


def changes(settings: TrainSettings, knobs: Sequence[Knob], values: Values) -> dict[str, Value]:
    """What of `train` is to be set for a trial of these values, by its key: what is as today is left alone."""
    found: dict[str, Value] = {}
    for knob in knobs:
        if knob.name in values and values[knob.name] != knob.today:
            if knob.key.endswith((".hidden.width", ".hidden.depth")):
                key = knob.key.rpartition(".")[0]
                found[key] = _hidden(getattr(settings, key.partition(".")[0]).hidden, key, values)
            else:
                found[knob.key] = values[knob.name]
    return found


def _hidden(today: list[int], key: str, values: Values) -> list[int]:
    """The widths of so many layers, as far apart as today's; further ones are as wide as the last."""
    depth, width = values.get(f"{key}.depth", len(today)), values.get(f"{key}.width", today[0])
    sizes = [*today, *[today[-1]] * depth][:depth]
    return [max(1, round(size * width / today[0])) for size in sizes]


def require_as_tuned(workspace: Workspace, then: Values, changed: Values) -> None:
    """Raise SettingsError when the section `train` is neither what it was then nor that with these changes."""
    now = workspace.section(TrainSettings)
    if now not in (parse_section(TrainSettings, dict(then)), settled(then, changed)):
        raise SettingsError(
            "is another now than when it was tuned", where="params.yaml: train", fix="run `keepfit tune` again"
        )


def settled(raw: Mapping[str, Value], changed: Mapping[str, Value]) -> TrainSettings:
    """The settings of `train`, as params.yaml has them, with these changes; SettingsError where that breaks a rule."""
    found = deepcopy(dict(raw))
    for key, value in changed.items():
        *path, last = key.split(".")
        group = found
        for part in path:
            inner = group.get(part)
            group[part] = {"kind": inner} if isinstance(inner, str) else dict(inner or {})
            group = group[part]
        group[last] = value
    return parse_section(TrainSettings, found)
