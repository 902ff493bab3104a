"""All encoders of a data set together: typed rows → tensors. Fitted on train alone, kept as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipeline import artefacts
from pipeline.contract import Contract
from pipeline.errors import ContractError, WorkspaceError
from pipeline.features import Encoder, registered

FILE = "preprocessor.json"


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Rows as tensors. N rows, D dense values, C coded columns.

    `dense_ND` float32, `codes_NC` int64, `label_N` int64 places in the classes, or None for unlabelled rows.
    """

    dense_ND: np.ndarray
    codes_NC: np.ndarray
    label_N: np.ndarray | None

    def tensors(self) -> dict[str, np.ndarray]:
        label = {} if self.label_N is None else {"label": self.label_N}
        return {"dense": self.dense_ND, "codes": self.codes_NC, **label}


@dataclass(frozen=True, kw_only=True)
class Preprocessor:
    """The encoders in the order of the contract, and the classes of the label in the order of their text."""

    encoders: tuple[Encoder, ...]
    label: str
    classes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """The columns that it reads."""
        return [encoder.column for encoder in self.encoders]

    @property
    def dense_outputs(self) -> list[str]:
        return [name for encoder in self.encoders if not encoder.cardinality for name in encoder.outputs]

    @property
    def cardinalities(self) -> list[int]:
        return [encoder.cardinality for encoder in self.encoders if encoder.cardinality]

    def encode(self, rows: pl.DataFrame) -> Encoded:
        """Encode rows in their order; `label_N` is None unless every row has a label of the classes."""
        blocks = [(encoder, encoder.encode(rows[encoder.column])) for encoder in self.encoders]
        dense = [block for encoder, block in blocks if not encoder.cardinality]
        codes = [block for encoder, block in blocks if encoder.cardinality]
        return Encoded(
            dense_ND=np.concatenate([np.empty((rows.height, 0), dtype=np.float32), *dense], axis=1),
            codes_NC=np.stack(codes, axis=1) if codes else np.empty((rows.height, 0), dtype=np.int64),
            label_N=self.label_codes(rows),
        )

    def label_codes(self, rows: pl.DataFrame) -> np.ndarray | None:
        """(N,) int64: the class of each row, or None where a label is missing or of another class."""
        if self.label not in rows.columns:
            return None
        places = {value: place for place, value in enumerate(self.classes)}
        codes = rows[self.label].cast(pl.String).replace_strict(places, default=None, return_dtype=pl.Int64)
        return None if codes.has_nulls() else codes.to_numpy()

    def write(self, folder: Path) -> None:
        """Write preprocessor.json into `folder`."""
        encoders = [{"kind": e.kind, **e.model_dump(mode="json")} for e in self.encoders]  # type: ignore[attr-defined]
        value = {"label": self.label, "classes": list(self.classes), "encoders": encoders}
        artefacts.write_json(folder / FILE, value)

    @classmethod
    def read(cls, folder: Path) -> "Preprocessor":
        """Read it back; raises WorkspaceError when it is absent, not one, or of an unknown kind."""
        value = artefacts.read_json(folder / FILE)
        try:
            encoders = tuple(_encoder(dict(raw), folder) for raw in value["encoders"])
            return cls(encoders=encoders, label=value["label"], classes=tuple(value["classes"]))
        except (KeyError, TypeError, ValueError) as error:  # pydantic's ValidationError is a ValueError
            raise WorkspaceError("is no preprocessor", where=str(folder / FILE), fix="run normalize again") from error


def _encoder(raw: dict[str, Any], folder: Path) -> Encoder:
    kind = raw.pop("kind")
    if kind not in registered():
        raise WorkspaceError(
            f"has an encoder of kind {kind!r}, which this keepfit lacks",
            where=str(folder / FILE),
            fix="use the keepfit that wrote it, or train again",
        )
    return registered()[kind].model_validate(raw)  # type: ignore[attr-defined]


def fit(rows: pl.LazyFrame, agreed: Contract, settings: Mapping[str, Any]) -> Preprocessor:
    """Learn every encoder from the training rows; `settings` has one object for each modality."""
    known = registered()
    for column in agreed.features:
        if column.modality not in known:
            raise ContractError(
                f"no encoder for the modality {column.modality}",
                where=f"schemas/{agreed.file.name}: {column.name}",
                fix=f"use one of: {', '.join(sorted(known))}; or give the column the role `ignore`",
            )
    encoders = tuple(
        known[column.modality].fit(column.name, rows, settings[column.modality])
        for column in agreed.features
        if column.modality is not None
    )
    label = agreed.label.name
    classes = rows.select(pl.col(label).cast(pl.String)).drop_nulls().unique().collect()[label].sort()
    return Preprocessor(encoders=encoders, label=label, classes=tuple(classes))
