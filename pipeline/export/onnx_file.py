"""A traced program → an ONNX model whose inputs are raw columns, text among them, and whose answer is in words.

PyTorch has no text: what turns categories into codes, and the place of a class into its name, is put before and behind
what it exports.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.export import ExportedProgram

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.export.columns import Input
from pipeline.export.loader import number
from pipeline.export.program import followed
from pipeline.features.categorical import MISSING, UNKNOWN

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto

OPSET, LEARNING_OPSET = 20, 4
LEARNING = "ai.onnx.ml"
INNER = "network/"  # before the names of all that PyTorch made, as a column may be called anything
ROWS = "rows"
ROWS_AT_ONCE = 4096


def require_libraries() -> None:
    """Raise WorkspaceError where one of the libraries that write and run ONNX is absent."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise WorkspaceError(
            f"needs {error.name}", where="keepfit models export", fix="pip install 'keepfit[export]'"
        ) from error


def onnx_model(
    program: ExportedProgram, inputs: Sequence[Input], outputs: tuple[str, str], classes: Sequence[str]
) -> "ModelProto":
    """The model; `outputs` name the answer and what is told beside it.

    `classes` are the names of the places that the answer has, none where it is a number or tags.
    """
    from onnx import checker, compose, helper

    made = compose.add_prefix(_of_program(program, inputs, outputs), INNER)
    graph = made.graph
    before = [_reading(one) for one in inputs]
    behind = [_naming(outputs[0], classes), helper.make_node("Identity", [INNER + outputs[1]], [outputs[1]])]
    nodes = [*before, *graph.node, *behind]
    given = [_value(one.name, one.dtype, one.shape) for one in inputs]
    del graph.node[:], graph.input[:]
    graph.node.extend(nodes)
    graph.input.extend(given)
    for value, name in zip(graph.output, outputs, strict=True):
        value.name = name
    if classes:
        graph.output[0].type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(np.dtype(object))
    made.opset_import.append(helper.make_opsetid(LEARNING, LEARNING_OPSET))
    checker.check_model(made, full_check=True)
    return made


def write(file: Path, model: "ModelProto") -> None:
    """Write the model."""
    with artefacts.replacing(file) as temporary:
        temporary.write_bytes(model.SerializeToString())


def answers(file: Path, fed: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """What ONNX Runtime says of cells and tensors by the inputs' names: the answers, and (N, K) what is told."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.log_severity_level = 3  # errors alone
    session = InferenceSession(file, options, providers=["CPUExecutionProvider"])
    rows = len(next(iter(fed.values())))
    parts = [
        session.run(None, {name: values[start : start + ROWS_AT_ONCE] for name, values in fed.items()})
        for start in range(0, max(rows, 1), ROWS_AT_ONCE)
    ]
    answer, told_NK = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    return answer, told_NK


def _of_program(program: ExportedProgram, inputs: Sequence[Input], outputs: tuple[str, str]) -> "ModelProto":
    """What PyTorch makes of it: categories as codes, classes as places."""
    with followed():
        made = torch.onnx.export(
            program,
            dynamo=True,
            input_names=[one.name for one in inputs],
            output_names=[*outputs],
            opset_version=OPSET,
            verbose=False,
        )
    assert made is not None  # as it is written to no file
    found: Any = made.model_proto
    for value in (*found.graph.input, *found.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = ROWS
    for node in found.graph.node:  # where in whose code it was called
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    found.graph.ClearField("metadata_props")
    found.graph.ClearField("value_info")  # has names of theirs for the number of rows, and can be inferred
    found.ClearField("metadata_props")
    return found


def _reading(one: Input) -> "NodeProto":
    """The node between an input and what PyTorch calls it."""
    from onnx import helper

    if one.codes is None:
        return helper.make_node("Identity", [one.name], [INNER + one.name])
    return helper.make_node(
        "LabelEncoder",
        [one.name],
        [INNER + one.name],
        domain=LEARNING,
        keys_tensor=_keys(one),
        values_tensor=helper.make_tensor("values", *_int64(_codes(one))),
        default_tensor=helper.make_tensor("default", *_int64([UNKNOWN])),
    )


def _keys(one: Input) -> "TensorProto":
    from onnx import TensorProto, helper

    assert one.codes is not None
    if one.dtype == "string":
        return helper.make_tensor("keys", TensorProto.STRING, [len(one.codes)], [text.encode() for text in one.codes])
    return helper.make_tensor(
        "keys", TensorProto.DOUBLE, [len(one.codes) + 1], [*(number(text) for text in one.codes), float("nan")]
    )


def _codes(one: Input) -> list[int]:
    assert one.codes is not None
    return [*one.codes.values(), *([] if one.dtype == "string" else [MISSING])]


def _int64(values: Sequence[int]) -> "tuple[TensorProto.DataType, list[int], list[int]]":
    from onnx import TensorProto

    return TensorProto.INT64, [len(values)], [*values]


def _naming(answer: str, classes: Sequence[str]) -> "NodeProto":
    """The node that gives an answer's place its name, or leaves it as it is."""
    from onnx import helper

    if not classes:
        return helper.make_node("Identity", [INNER + answer], [answer])
    return helper.make_node(
        "LabelEncoder",
        [INNER + answer],
        [answer],
        domain=LEARNING,
        keys_int64s=[*range(len(classes))],
        values_strings=[*classes],
    )


def _value(name: str, dtype: str, shape: Sequence[int]) -> Any:
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(np.dtype(object if dtype == "string" else dtype))
    return helper.make_tensor_value_info(name, kind, [ROWS, *shape])
