"""Answers of an exported model, with PyTorch and NumPy alone: `python answer.py rows.csv > answers.csv`.

From Python: `Model(folder).answers(columns)`. The network is no code here: graph.json lists PyTorch's own operations,
which are called one after the other. A table has a header; of its columns those are read that the model knows. Numbers
have a decimal point, booleans are true or false, moments are as ISO 8601 writes them, without a zone that of the
training rows; what is empty, or one of the texts that stand for nothing, is missing.

Shapes: N rows, K values that are told of a row.
"""

import csv
import json
import operator
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch

GRAPH, WEIGHTS = "graph.json", "weights.safetensors"
ROWS_AT_ONCE = 4096
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BOOLEANS = {"true": 1.0, "false": 0.0}
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1", "BOOL": "?"}
OPERATORS: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name) for name in ("add", "sub", "mul", "floordiv", "getitem", "eq", "ge", "le", "gt", "lt")
}


class Model:
    """An exported model in its folder."""

    def __init__(self, folder: Path) -> None:
        self.graph = json.loads((folder / GRAPH).read_text(encoding="utf-8"))
        self.inputs: list[dict[str, Any]] = self.graph["inputs"]
        self.told: list[str] = self.graph["told"]
        self.weights = read_tensors(folder / WEIGHTS)

    def answers(self, columns: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Cells of each column, (N,), and tensors (N, ...) → (N, ...) the answers and (N, K) what `told` names.

        Cells are float64, int64 or text as the inputs in graph.json say; of classes the answers are their names.
        """
        made = {one["name"]: tensor_of(one, columns[one["name"]]) for one in self.inputs}
        rows = min(len(tensor) for tensor in made.values())
        parts = [
            run(self.graph, self.weights, [tensor[start : start + ROWS_AT_ONCE] for tensor in made.values()])
            for start in range(0, max(rows, 1), ROWS_AT_ONCE)
        ]
        answer, told_NK = (np.concatenate([part[place].numpy() for part in parts]) for place in (0, 1))
        names = self.graph["answers"]
        return (np.array(names, dtype=object)[answer] if names else answer), told_NK


def run(
    graph: Mapping[str, Any], weights: Mapping[str, torch.Tensor], tensors: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """The operations, in their order; `tensors` are the inputs in theirs."""
    values: dict[str, Any] = {**dict(zip(graph["placeholders"], tensors, strict=True)), **weights}
    with torch.inference_mode():
        for step in graph["steps"]:
            arguments, named = filled(step["arguments"], values), filled(step["named"], values)
            values[step["name"]] = operation(step["operation"])(*arguments, **named)
            for name in step["last_use_of"]:
                del values[name]
    return [values[name] for name in graph["outputs"]]


def tensor_of(one: Mapping[str, Any], cells: Any) -> torch.Tensor:
    """The cells of an input, or its tensor, as a tensor: of categories their codes, 0 for what train never had.

    >>> shop = {"dtype": "string", "codes": {"": 1, "north": 3}}
    >>> tensor_of(shop, ["north", "", "moon"]).tolist()
    [3, 1, 0]
    """
    codes = one.get("codes")
    if codes is None:
        return torch.from_numpy(np.array(cells, dtype=one["dtype"]))
    if one["dtype"] == "string":
        return torch.tensor([codes.get(cell, 0) for cell in cells], dtype=torch.int64)
    known = {number(text): code for text, code in codes.items()}
    found = np.asarray(cells, dtype=np.float64)
    made = [1 if nothing else known.get(cell, 0) for cell, nothing in zip(found.tolist(), np.isnan(found), strict=True)]
    return torch.tensor(made, dtype=torch.int64)


def number(text: str) -> float:
    """A number or a boolean as text → float."""
    word = text.strip().lower()
    return BOOLEANS[word] if word in BOOLEANS else float(word)


def operation(name: str) -> Callable[..., Any]:
    """`aten.add.Tensor`, one of PyTorch's own, or `operator.mul`, one of Python's on whole numbers."""
    space, _, rest = name.partition(".")
    if space == "operator":
        return OPERATORS[rest]
    packet, overload = rest.rsplit(".", 1)
    if space != "aten":
        raise ValueError(f"{name} is no operation of PyTorch's own")
    found: Callable[..., Any] = getattr(getattr(torch.ops.aten, packet), overload)
    return found


def filled(argument: Any, values: Mapping[str, Any]) -> Any:
    """An argument of graph.json with what it names: {"value": name}, {"torch": "float32"}, {"float": "inf"}."""
    if isinstance(argument, list):
        return [filled(each, values) for each in argument]
    if not isinstance(argument, dict):
        return argument
    match argument:
        case {"value": name}:
            return values[name]
        case {"torch": name}:
            return getattr(torch, name)
        case {"float": text}:
            return float(text)
        case _:
            return {name: filled(each, values) for name, each in argument.items()}


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a safetensors file: how long its header is, the header as JSON, the bytes."""
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    found: dict[str, torch.Tensor] = {}
    for name, entry in json.loads(whole[8:start]).items():
        if name != "__metadata__":
            first, last = entry["data_offsets"]
            values = np.frombuffer(whole[start + first : start + last], DTYPES[entry["dtype"]])
            found[name] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return found


def read_cells(one: Mapping[str, Any], texts: Sequence[str], nothing: Sequence[str]) -> list[Any]:
    """Cells of a table's column as the model takes them; raises ValueError for one that is neither that nor missing."""
    if one["dtype"] == "string":
        return [one["missing"] if text in nothing else text for text in texts]
    if one["kind"] == "moment":
        return [int(one["missing"]) if text in nothing else microseconds(text) for text in texts]
    return [float("nan") if text in nothing else number(text) for text in texts]


def microseconds(text: str) -> int:
    """A moment as ISO 8601 writes it → microseconds since 1970.

    >>> microseconds("1970-01-01T00:00:01")
    1000000
    """
    moment = datetime.fromisoformat(text.strip())
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - EPOCH) // timedelta(microseconds=1)


def table(model: Model, rows: Sequence[Mapping[str, str]]) -> Iterator[list[object]]:
    """The header, then the answer of each row and what is told of it."""
    outside = [one["name"] for one in model.inputs if one["kind"] == "tensor"]
    if outside:
        raise ValueError(f"a table has no {', '.join(outside)}: call Model.answers with tensors")
    absent = [one["name"] for one in model.inputs if rows and one["name"] not in rows[0]]
    if absent:
        raise ValueError(f"the table lacks what the model reads: {', '.join(absent)}")
    columns = {
        one["name"]: read_cells(one, [row[one["name"]] for row in rows], model.graph["nothing"]) for one in model.inputs
    }
    answer, told_NK = model.answers(columns)
    yield ["answer", *model.told]
    for said, told_K in zip(answer.tolist(), told_NK.tolist(), strict=True):
        yield [said, *told_K]


def main(arguments: Sequence[str]) -> None:
    """Print the answers of each row of the tables that are named."""
    model, written = Model(Path(__file__).parent), csv.writer(sys.stdout)
    for name in arguments:
        with Path(name).open(newline="", encoding="utf-8-sig") as file:  # with or without the mark of Excel's
            written.writerows(table(model, list(csv.DictReader(file))))


if __name__ == "__main__":
    main(sys.argv[1:])
