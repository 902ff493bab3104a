"""The same ONNX model with the weights of its layers as whole numbers of 8 bits, and what that costs.

What goes into a layer is brought to 8 bits as it comes (ONNX Runtime's dynamic quantisation): nothing has to be
calibrated. Layers of matrices alone: embeddings, norms and the preprocessing stay as they are.
"""

from pathlib import Path

import numpy as np

from pipeline import metrics
from pipeline.artefacts import Record
from pipeline.features.target import Target
from pipeline.metrics import At, Metric, Paired

PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}  # else it advises to prepare what needs none


class Cost(Record):
    """What 8 bits cost on val: the main metric before and after, and the others in which models are compared.

    A negative difference is a loss of quality; its interval is that of a paired bootstrap over `rows`. `farthest` is
    the largest change of any answer, as in Fidelity.
    """

    rows: int
    metric: Metric
    before: float
    after: float
    differences: list[Paired]
    farthest: float


def quantise(source: Path, file: Path) -> None:
    """Write the model of `source` with 8-bit weights to `file`."""
    import onnx
    from onnx import helper
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load(source)
    del model.graph.value_info[:]  # shapes of what will not be there any more
    axes = {weight.name: len(weight.dims) for weight in model.graph.initializer}
    batched = [n.name for n in model.graph.node if n.op_type == "MatMul" and any(axes.get(i, 0) > 2 for i in n.input)]
    helper.set_model_props(model, PREPARED)
    quantize_dynamic(
        model,
        file,
        weight_type=QuantType.QInt8,
        per_channel=True,
        op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_exclude=batched,  # ONNX Runtime has no scale by column for them
        extra_options={"MatMulConstBOnly": True},
    )


def cost(
    y_N: np.ndarray, before_NK: np.ndarray, after_NK: np.ndarray, target: Target, at: At, *, seed: int, farthest: float
) -> Cost:
    """The answers before and after, against the truth of the same rows; `at` as in `metrics.Measures.values`."""
    measures = metrics.OF[target.kind]
    w_RN = metrics.resamples(len(y_N), seed)
    before, after = (measures.values(y_N, a_NK, at, w_RN) for a_NK in (before_NK, after_NK))
    return Cost(
        rows=len(y_N),
        metric=measures.main,
        before=float(before[measures.main][0]),
        after=float(after[measures.main][0]),
        differences=[metrics.paired("32 bits", metric, after, before) for metric in measures.paired],
        farthest=farthest,
    )
