"""`keepfit init --horizon`: what is written into a workspace whose label is forecast."""

from dataclasses import dataclass, replace

from pipeline.errors import DataError, SettingsError
from pipeline.infer import Inferred

WINDOW = 168  # steps: a week of hours
PASTS = 4  # windows that train has at least
TRAIN, VAL = 0.7, 0.15  # shares of the steps


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many steps a row looks back over, and how many are forecast."""

    window: int
    horizon: int

    @property
    def split(self) -> str:
        """The settings of the split, from its method on."""
        return (
            "time # the last rows by the time column are val and test\n  together: false # series are cut by time alone"
        )

    @property
    def series(self) -> str:
        """The settings of the series."""
        return f"  series: {{window: {self.window}, horizon: {self.horizon}}} # steps back, and steps ahead\n"

    @property
    def network(self) -> str:
        """The settings of the network."""
        return "model: linear # of what stands beside the window\n  series: {kind: dlinear} # or gru, tcn, transformer"


def plan(found: Inferred, horizon: int) -> tuple[Inferred, Plan]:
    """The columns with a label that is a number, and the plan; SettingsError without a time axis.

    Raises DataError where the label is no number, or the last part of the steps is shorter than the horizon.
    """
    axis = next((column for column in found.columns if column.role == "time"), None)
    if axis is None:
        raise SettingsError("needs the time axis", where="--horizon", fix="name its column with --time")
    steps = axis.distinct
    if round(VAL * steps) <= horizon:
        raise DataError(
            f"has {steps:,} steps, of which {round(VAL * steps):,} are val: no row there has {horizon} to come",
            where=f"{found.name}: {axis.name}",
            fix="bring more rows, or lower --horizon",
        )
    label = next((column for column in found.columns if column.role == "label"), None)
    if label is None or not label.dtype.is_numeric():
        what = "is no number, and only numbers can be forecast"
        raise DataError(what, where=f"{found.name}: {'' if label is None else label.name}", fix="name another --label")
    numeric = replace(label, modality="numeric", why=f"{label.why}; forecast as a number")
    columns = tuple(numeric if column is label else column for column in found.columns)
    window = max(1, min(max(WINDOW, 2 * horizon), round(TRAIN * steps) // PASTS))
    return replace(found, columns=columns), Plan(window=window, horizon=horizon)
