"""The course of a training: how far its mean of weights goes at each step."""

import pytest

from pipeline.models.choices.optimization import AveragingSettings, OptimizerSettings, ScheduleSettings
from pipeline.models.course import MEAN_STEPS, MEANS_AN_EPOCH, Course

LONG = MEAN_STEPS * MEANS_AN_EPOCH + 3


def course(batches: int, **averaging: object) -> Course:
    return Course(
        optimizer=OptimizerSettings(),
        schedule=ScheduleSettings(),
        averaging=AveragingSettings.model_validate(averaging),
        backbone="mlp",
        mixup=0.0,
        batches=batches,
        epochs=3,
        seed=0,
    )


def test_in_short_epochs_the_mean_takes_every_step() -> None:
    short = course(MEANS_AN_EPOCH)
    assert all(short.share(step) > 0 for step in range(short.steps))


@pytest.mark.parametrize("averaging", [{}, {"kind": "none"}, {"kind": "swa", "start_share": 0.5}])
def test_several_steps_at_once_go_as_far_as_each_by_itself(averaging: dict[str, object]) -> None:
    long = course(LONG, **averaging)
    mean = each = 0.0
    shares = [long.share(step) for step in range(long.steps)]

    assert 0 < sum(share > 0 for share in shares) <= 3 * (LONG / MEAN_STEPS + 1)
    for epoch in range(3):
        for step in range(epoch * LONG, (epoch + 1) * LONG):
            weights = (step / long.steps) ** 0.5
            mean += (weights - mean) * shares[step]
            each += (weights - each) * _alone(long, step)
        assert shares[step] > 0
        assert mean == pytest.approx(each, rel=0.02)


def _alone(long: Course, step: int) -> float:
    from pipeline.models.optimizers import average_weight

    return average_weight(step, long.steps, long.batches, long.averaging)
