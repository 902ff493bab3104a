"""What one pass over train gave: the curves' points, and what was measured of the network."""

from pipeline.artefacts import Record
from pipeline.models.health.pulse import Pulse


class Epoch(Record):
    """What one pass over train, and the look at val after it, gave; `metric` is the name of the scores."""

    epoch: int
    metric: str
    train_loss: float
    train_score: float
    val_loss: float
    val_score: float
    pulse: Pulse = Pulse()

    def curves(self) -> dict[str, float]:
        """The four figures by their names, `train_loss` or `val_auc`."""
        score = {f"{part}_{self.metric}": getattr(self, f"{part}_score") for part in ("train", "val")}
        losses = {"train_loss": self.train_loss, "val_loss": self.val_loss}
        return {name: (losses | score)[name] for name in _curve_names(self.metric)}

    @property
    def named(self) -> dict[str, float]:
        """The epoch's number and its curves, as the history has them."""
        return {"epoch": self.epoch, **self.curves()}


def _curve_names(metric: str) -> tuple[str, ...]:
    return ("train_loss", f"train_{metric}", "val_loss", f"val_{metric}")
