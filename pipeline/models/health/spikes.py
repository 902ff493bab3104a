"""Jumps of the loss within an epoch, seen in the losses of its steps. S steps."""

import numpy as np

from pipeline.models.health.pulse import Spike, rounded

BASELINE_STEPS = 32  # what the loss was before
SPIKE_STEPS = 5  # a step's loss may be high because of its rows; three of five are high because of the weights
SCORE = 4.0  # what is kept; what is told is set
DEVIATION = 1.4826  # of a normal distribution, in median absolute deviations
MOST = 8


def spikes(loss_S: np.ndarray, score: float = SCORE) -> list[Spike]:
    """Where the median loss of five steps is `score` robust deviations above the block of 32 steps before theirs.

    Deviations are of the median, by the median absolute deviation (Iglewicz & Hoaglin 1993). The largest few are
    given, in their order.

    >>> loss_S = np.tile([0.9, 1.0, 1.1], 40)
    >>> spikes(loss_S, 8.0)
    []
    >>> loss_S[70:80] = 9.0
    >>> [(each.step, each.height) for each in spikes(loss_S, 8.0)]
    [(69, 9.0)]
    """
    blocks = len(loss_S) // BASELINE_STEPS
    if blocks < 2:
        return []
    block_BS = loss_S[: blocks * BASELINE_STEPS].reshape(blocks, BASELINE_STEPS)
    middle_B = np.median(block_BS, axis=1)
    deviation_B = DEVIATION * np.median(np.abs(block_BS - middle_B[:, None]), axis=1)
    found = [_highest(loss_S, block, middle_B[block - 1], deviation_B[block - 1]) for block in range(1, blocks)]
    high = [spike for spike in found if spike.height > spike.before and (spike.score is None or spike.score >= score)]
    largest = sorted(_apart(high), key=lambda spike: spike.before - spike.height)[:MOST]
    return sorted(largest, key=lambda spike: spike.step)


def _apart(found: list[Spike]) -> list[Spike]:
    """Of jumps in blocks side by side the first: the second is the same, or against a block that has one."""
    apart: list[Spike] = []
    for spike in found:
        if not apart or spike.step - apart[-1].step > 2 * BASELINE_STEPS:
            apart.append(spike)
    return apart


def _highest(loss_S: np.ndarray, block: int, before: float, deviation: float) -> Spike:
    """The highest five steps in a row that begin in the block."""
    start = block * BASELINE_STEPS
    part_S = loss_S[start : start + BASELINE_STEPS + SPIKE_STEPS - 1]
    height_S = np.median(np.lib.stride_tricks.sliding_window_view(part_S, SPIKE_STEPS), axis=1)
    place = int(np.argmax(height_S))
    score = rounded((height_S[place] - before) / deviation) if deviation > 0 else None
    return Spike(step=start + place + 1, before=rounded(before), height=rounded(height_S[place]), score=score)
