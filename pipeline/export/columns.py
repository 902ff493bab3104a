"""What goes into an exported model: the raw columns that it reads, and tensors of what has to be read outside.

A column has a cell a row, (N,): numbers and booleans are float64 with NaN where one is missing; moments are int64
microseconds since 1970; categories are text, or float64 where the contract has them as numbers or booleans.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record
from pipeline.features import Encoder
from pipeline.features.categorical import FIRST, MISSING, RARE, CategoricalEncoder
from pipeline.features.preprocessor import Encoded, Preprocessor

InputKind: TypeAlias = Literal["number", "category", "moment", "tensor"]
NO_MOMENT = int(np.iinfo(np.int64).min)  # what NumPy's NaT is
NO_TEXT = ("", "<missing>", "<no value>", "<nothing>")  # the first that is no category itself
EXACT = 2**53  # whole numbers below are themselves as float64
BOOLEAN = "0 for false, 1 for true"
OUTSIDE: Mapping[str, str] = {
    "set": "tags are parted and counted",
    "text": "text is cut into tokens, or made a vector",
    "text-file": "the file is read, and its text cut into tokens",
    "image": "the picture is decoded and brought to size",
    "audio": "the sound is decoded and brought to its rate and length",
    "series": "rows are laid out as windows over the steps before them",
}


class Input(Record):
    """One input by its name: of a column its own, of a tensor `kind:column`.

    `shape` is that of a row; `missing` what a missing cell is written as; `codes` the code of each text that stands for
    a category, 0 for all others; `derived` the SQL expression over other columns that makes the column; `note` what
    else is to be known.
    """

    name: str
    kind: InputKind
    dtype: str
    shape: list[int] = Field(default_factory=list)
    missing: str | None = None
    codes: dict[str, int] | None = None
    derived: str | None = None
    note: str = ""


def inputs(
    fitted: Preprocessor, sample: pl.DataFrame, encoded: Encoded, null_values: Sequence[str], derive: Mapping[str, str]
) -> list[Input]:
    """What goes in: columns and sets in the order of the contract, then tensors.

    `sample` are typed rows, `encoded` the same as tensors: these have the types. `null_values` and `derive` are those
    of `ingest`: texts that stand for nothing, and columns that are made of others.
    """
    found = [_column(e, sample.schema[e.column], null_values) for e in fitted.encoders if e.block != "own"]
    own = [_tensor(name, name.partition(":")[0], encoded.inputs[name]) for name in fitted.own]
    return [one.model_copy(update={"derived": derive.get(one.name)}) for one in (*found, *own)]


def fed(known: Iterable[Input], fitted: Preprocessor, rows: pl.DataFrame, encoded: Encoded) -> dict[str, np.ndarray]:
    """(N,) cells of each column, and (N, ...) of each tensor, as an exported model is given them."""
    sets = {f"set:{e.column}": e for e in fitted.encoders if e.kind == "set"}
    made: dict[str, np.ndarray] = {}
    for one in known:
        if one.name in sets and one.kind == "tensor":
            made[one.name] = sets[one.name].encode(rows[one.name.removeprefix("set:")])
        else:
            made[one.name] = np.asarray(encoded.inputs[one.name]) if one.kind == "tensor" else _cells(one, rows)
    return made


def _column(encoder: Encoder, dtype: pl.DataType, null_values: Sequence[str]) -> Input:
    """The input of one column with dense values or codes."""
    boolean = BOOLEAN if dtype == pl.Boolean else ""
    if isinstance(encoder, CategoricalEncoder):
        return _category(encoder, dtype, null_values)
    if encoder.kind == "timestamp":
        note = "microseconds since 1970-01-01T00:00:00"
        return Input(name=encoder.column, kind="moment", dtype="int64", missing=str(NO_MOMENT), note=note)
    if encoder.kind == "set":
        return _tensor(f"set:{encoder.column}", "set", encoder.encode(pl.Series([None], dtype=pl.String)))
    return Input(name=encoder.column, kind="number", dtype="float64", missing="NaN", note=boolean)


def _category(encoder: CategoricalEncoder, dtype: pl.DataType, null_values: Sequence[str]) -> Input:
    codes = dict.fromkeys(encoder.rare, RARE) | {v: FIRST + place for place, v in enumerate(encoder.vocabulary)}
    if dtype == pl.Boolean or (dtype.is_numeric() and all(abs(float(value)) < EXACT for value in codes)):
        note = BOOLEAN if dtype == pl.Boolean else ""
        return Input(name=encoder.column, kind="category", dtype="float64", missing="NaN", codes=codes, note=note)
    missing = next(text for text in NO_TEXT if text not in codes)
    nothing = dict.fromkeys([missing, *(text for text in null_values if text not in codes)], MISSING)
    return Input(name=encoder.column, kind="category", dtype="string", missing=missing, codes={**nothing, **codes})


def _tensor(name: str, modality: str, block: Any) -> Input:
    made = np.asarray(block)
    note = f"{OUTSIDE[modality]}, as preprocessor.json says"
    return Input(name=name, kind="tensor", dtype=str(made.dtype), shape=list(made.shape[1:]), note=note)


def _cells(one: Input, rows: pl.DataFrame) -> np.ndarray:
    cell = by_name(one.name)
    if one.dtype == "string":
        text = rows.select(cell.cast(pl.String).fill_null(one.missing)).to_series()
        return text.to_numpy().astype(object)
    if one.kind == "moment":
        stamp = cell.cast(pl.Datetime("us")).dt.timestamp("us").fill_null(NO_MOMENT)
        return rows.select(stamp).to_series().to_numpy()
    return rows.select(cell.cast(pl.Float64)).to_series().to_numpy()
