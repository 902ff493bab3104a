"""The policies that a backtest compares: the usual ones, and that of the workspace (used by backtest)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.drift.decision import MonitorSettings
from pipeline.errors import SettingsError, instead

MONTH_DAYS = 28
OURS = "this one"
NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A name, what it does in words, and the settings that do it."""

    name: str
    words: str
    settings: MonitorSettings


def _asking(settings: MonitorSettings, **asks: object) -> MonitorSettings:
    """Nothing asks for a training but `asks`, no cool-down, no budget; window and start are the workspace's."""
    quiet = {"drift": "off", "metric": False, "estimate": False, "new_rows": None, "age_days": None}
    free = {"budget_per_week": None, "rollback": False, "schedule": False}
    changed = settings.retrain.model_copy(update={**quiet, **free, **asks})
    return settings.model_copy(update={"retrain": changed, "cooldown_batches": 0})


MADE: Mapping[str, tuple[str, Callable[[MonitorSettings], MonitorSettings]]] = {
    NEVER: ("the first model, for ever", _asking),
    "every batch": (
        "a training on each batch that has labels",
        lambda settings: _asking(settings, new_rows=1).model_copy(update={"min_labelled_rows": 1}),
    ),
    "monthly": (
        f"a training when a batch reaches {MONTH_DAYS} days beyond the last one",
        lambda settings: _asking(settings, age_days=MONTH_DAYS),
    ),
    "on drift": (
        "a training whenever the outcome, or enough features, drifted",
        lambda settings: _asking(settings, drift="any"),
    ),
    OURS: ("as the settings under monitor say", lambda settings: settings),
}


def policies(settings: MonitorSettings, names: list[str] | None = None) -> list[Policy]:
    """Those of the `names`, or all, in their order; `never` is always there, as the others are held against it.

    Raises SettingsError for a name that is none.
    """
    for name in names or []:
        if name not in MADE:
            raise SettingsError(f"{name} is no policy", where="--policy", fix=instead(name, list(MADE)))
    wanted = [name for name in MADE if not names or name in names or name == NEVER]
    return [Policy(name=name, words=MADE[name][0], settings=MADE[name][1](settings)) for name in wanted]
