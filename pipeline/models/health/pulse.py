"""What is measured of a network once an epoch; plain numbers, so that what is told follows from them alone."""

from pydantic import Field

from pipeline.artefacts import Record

MOST = 1e308  # JSON has no infinity


class Layer(Record):
    """The weights of a layer at the last step of an epoch.

    `gradient`: the Euclidean norm of their gradient, before it is cut. `update`: how far the step moved them, as a
    share of their own norm; None of weights that are all 0.
    """

    name: str
    gradient: float
    update: float | None


class Activation(Record):
    """What a layer of units answers on the first rows of val.

    `scale`: the root mean square of what it answers. `dead`: the share of its ReLU, GELU or SiLU units that answer no
    row. `saturated`: the share of its sigmoid or tanh values within 1% of an end. None for the other kind.
    """

    name: str
    kind: str
    scale: float
    dead: float | None = None
    saturated: float | None = None


class Spike(Record):
    """A jump of the loss: at which step of its epoch (from 1), from where to where, in deviations of the steps before.

    A score of None: the steps before were all alike.
    """

    step: int
    before: float
    height: float
    score: float | None


class Pulse(Record):
    """What was measured in an epoch; None where nothing could be.

    `gradient` and `highest_gradient`: the median and the highest norm over its steps, before they are cut. `interval`:
    half of the 95% interval of the score on val, by resampling its rows. Layers, activations and interval are not
    measured in every epoch.
    """

    gradient: float | None = None
    highest_gradient: float | None = None
    layers: list[Layer] = Field(default_factory=list)
    activations: list[Activation] = Field(default_factory=list)
    spikes: list[Spike] = Field(default_factory=list)
    interval: float | None = None


def rounded(value: float) -> float:
    """Four significant digits, as measures are kept by the thousand; what is more than any number is 1e308.

    >>> rounded(0.000123456), rounded(98765.4)
    (0.0001235, 98770.0)
    """
    return float(f"{max(-MOST, min(MOST, value)):.4g}")
