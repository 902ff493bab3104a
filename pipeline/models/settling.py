"""What of a target is settled on val once a network is trained, as a threshold is: it has not seen these rows.

Of quantiles how far they are from the median, of classes and tags how sure the answers are.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import progress
from pipeline.features.preprocessor import LABEL
from pipeline.features.target import Classes, Ordinal, Quantiles, Tags, Target
from pipeline.models import temperature
from pipeline.models.temperature import Temperature

if TYPE_CHECKING:
    from pipeline.models.module import KeepBest


def settled(
    kept: "KeepBest", val: Mapping[str, Any], target: Target, *, tempered: bool
) -> tuple[Target, Temperature | None]:
    """The target as the model is kept with, and the temperature that was tried, which is told; `tempered`: whether."""
    from pipeline.models import network

    if isinstance(target, Quantiles):
        a_NK = network.answers(kept.network(), network.tensors(val), target)
        return target.stretched(a_NK, target.truth(np.asarray(val[LABEL]))), None
    if not (tempered and isinstance(target, Classes | Ordinal | Tags)):
        return target, None
    logits_NMK = network.outputs(kept.network(), network.tensors(val)).numpy()
    found = temperature.fit(logits_NMK, target.truth(np.asarray(val[LABEL])))
    if found is None:
        return target, None
    progress.report(1.0, found.words)
    return target.model_copy(update={"temperature": found.value}), found
