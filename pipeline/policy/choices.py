"""The group `monitor.retrain` of params.yaml: what asks for a training, what it needs, and what it learns from."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class WindowSettings(BaseModel):
    """Which rows a retraining learns from; what is left out is counted. Age is measured from the newest row.

    `all`; `sliding`: those of the last `days`; `since_drift`: those of the batches since the drift began that is not
    answered yet; `weighted`: a row is kept with the probability 2^(-age / half_life_days), drawn with the seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["all", "sliding", "since_drift", "weighted"] = "all"
    days: float = Field(default=365.0, gt=0, description="of a sliding window")
    half_life_days: float = Field(default=180.0, gt=0, description="of a weighted window")
    replay: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="the share of the rows before the window that is kept all the same, drawn with the seed",
    )


class RetrainSettings(BaseModel):
    """What asks for a training, what that needs, and what it learns from.

    What a training needs: labels of at least `monitor.min_labelled_rows` rows that no training has seen, the cool-down
    of `monitor.cooldown_batches`, and what is left of the budget. A live metric that is surely worse waits for no
    cool-down, and asks for no more than a label.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    drift: Literal["any", "harmful", "off"] = Field(
        default="any",
        description="whether drift of the outcome, or of enough features, asks; harmful: only beside a live metric "
        "that is worse by more than is tolerated, or surely worse at all, or an estimated one that is surely worse",
    )
    together: bool = Field(
        default=False,
        description="whether drift that is told of all columns together asks, of the kind that each alone may not show",
    )
    errors: bool = Field(
        default=False,
        description="whether errors that changed by at least two of the detectors ask, once labels are there",
    )
    metric: bool = Field(default=True, description="whether a live metric that is surely worse asks")
    estimate: bool = Field(
        default=True, description="whether, where there is no live metric, an estimated one that is surely worse asks"
    )
    new_rows: int | None = Field(default=None, ge=1, description="so many labelled rows that no training has seen ask")
    age_days: float | None = Field(
        default=None, gt=0, description="a batch whose newest row is so much newer than the last training's asks"
    )
    schedule: bool = Field(
        default=False,
        description="whether a scheduled training (serve.retraining) takes in new labelled batches that did not ask",
    )
    label_share: float = Field(
        default=0.9, gt=0, le=1, description="the share of a batch's rows whose labels are waited for"
    )
    label_wait_days: float = Field(
        default=0.0,
        ge=0,
        description="how long they are waited for; 0: it is decided on those that came with the batch",
    )
    budget_per_week: int | None = Field(default=None, ge=1, description="at most so many trainings within seven days")
    window: WindowSettings = Field(default_factory=WindowSettings)
    start: Literal["scratch", "champion"] = Field(
        default="scratch", description="the weights that a retraining starts from; champion: see `train.init_from`"
    )
    rollback: bool = Field(
        default=False,
        description="whether a champion that is surely worse on a batch than the version before it, on the same rows, "
        "gives its place back to that",
    )

    @model_validator(mode="after")
    def _remembers(self) -> Self:
        if self.start == "champion" and self.window.kind == "since_drift" and self.window.replay == 0:
            raise ValueError(
                "start: champion on a window since_drift forgets what was before: set window.replay, to 0.1"
            )
        return self
