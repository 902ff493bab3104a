"""A traced program → the list of PyTorch's own operations that answer.py runs, and the weights that it names.

Operations are those of the Core ATen set (https://pytorch.org/docs/stable/torch.compiler_ir.html), which PyTorch keeps
as it is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.export import ExportedProgram, default_decompositions
from torch.export.decomp_utils import CustomDecompTable

from pipeline.artefacts import Record
from pipeline.export.columns import Input
from pipeline.export.program import followed

LEFT_OUT = ("device", "layout", "pin_memory")  # arguments: everything is a plain tensor on the CPU
CHECKS = ("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range")


class Step(Record):
    """One operation; an argument that is no number, text or list is `{"value": name}` of an earlier step, or the like.

    `last_use_of`: what no later step needs.
    """

    name: str
    operation: str
    arguments: list[Any]
    named: dict[str, Any]
    last_use_of: list[str]


class Graph(Record):
    """What answer.py reads; `placeholders` are the names of the inputs within the steps.

    `answers`: the names of classes, by their place; none where the answer is a number or tags. `told`: the names of
    what is told beside it. `nothing`: texts that stand for a missing cell.
    """

    inputs: list[Input]
    placeholders: list[str]
    steps: list[Step]
    outputs: list[str]
    answers: list[str]
    told: list[str]
    nothing: list[str]


def operations(program: ExportedProgram) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """`placeholders`, `steps` and `outputs` of a graph, and the weights by the names that steps have for them."""
    with followed():
        core = program.run_decompositions(_parts())
    signature = core.graph_signature
    nodes = [node for node in core.graph.nodes if node.op == "call_function" and not _checks(node)]
    (output,) = (node for node in core.graph.nodes if node.op == "output")
    wanted = [each.name for each in output.args[0]]
    last = _last_uses(nodes, {*wanted, *signature.user_inputs})
    steps = [
        Step(
            name=node.name,
            operation=_named(node.target),
            arguments=[plain(each) for each in node.args],
            named={name: plain(each) for name, each in node.kwargs.items() if name not in LEFT_OUT},
            last_use_of=last[node.name],
        )
        for node in nodes
    ]
    held = {**core.state_dict, **core.constants}
    places = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    weights = {name: held[place].detach().contiguous().numpy() for name, place in places.items()}
    return {"placeholders": list(signature.user_inputs), "steps": steps, "outputs": wanted}, weights


def _parts() -> CustomDecompTable:
    """What operations are taken apart into: all but the recurrent one, which would be its steps one by one."""
    known = default_decompositions()
    del known[torch.ops.aten.gru.input]
    return known


def _checks(node: fx.Node) -> bool:
    return getattr(node.target, "__name__", "").split(".")[0] in CHECKS


def _last_uses(nodes: Sequence[fx.Node], kept: set[str]) -> dict[str, list[str]]:
    """Of each step the values of earlier steps that no later one needs."""
    steps = {node.name for node in nodes}
    seen: set[str] = set(kept)
    last: dict[str, list[str]] = {}
    for node in reversed(nodes):
        done = sorted({each.name for each in node.all_input_nodes if each.name in steps} - seen)
        last[node.name] = done if node.name in seen else [*done, node.name]
        seen |= {*done, node.name}
    return last


def _named(target: Callable[..., Any]) -> str:
    if isinstance(target, torch._ops.OpOverload):
        return f"{target.namespace}.{target.__name__}"
    return f"operator.{target.__name__}"


def plain(argument: Any) -> Any:
    """An argument as JSON."""
    match argument:
        case fx.Node():
            return {"value": argument.name}
        case list() | tuple():
            return [plain(each) for each in argument]
        case torch.dtype() | torch.memory_format():
            return {"torch": str(argument).removeprefix("torch.")}
        case float() if not math.isfinite(argument):
            return {"float": str(argument)}
        case Mapping():
            return {str(name): plain(each) for name, each in argument.items()}
        case _:
            return argument
