"""All encoders of a data set together: typed rows → tensors. Fitted on train alone, kept as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from polars.selectors import by_name

from pipeline import artefacts
from pipeline.contract import Column, Contract
from pipeline.errors import ContractError, WorkspaceError
from pipeline.features import (
    FILES,
    CodesEncoder,
    DenseEncoder,
    Encoder,
    FileEncoder,
    OwnEncoder,
    WatchedEncoder,
    registered,
)
from pipeline.features import target as targets
from pipeline.features.history import History, history
from pipeline.features.series import Series, SeriesRecord, SeriesSettings
from pipeline.features.set import SetSettings
from pipeline.features.target import Forecast, Target

FILE = "preprocessor.json"
LABEL = "label"  # the name of the target's tensor


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Rows as tensors. N rows, D dense values, C coded columns.

    `inputs`: `dense` (N, D) float32, `codes` (N, C) int64, and one tensor (N, ...) of each column that has its own;
    `target` (N,) of the label, (N, K) of tags, None if unlabelled. `unread`: what is wrong with a file, by the row that
    names it: its tensor is blank. Of series, rows look back over `Windows`, and `record` says what became of which.
    """

    inputs: dict[str, Any]
    target: Any
    unread: dict[int, str] = field(default_factory=dict)
    record: SeriesRecord | None = None

    def tensors(self) -> dict[str, Any]:
        label = {} if self.target is None else {LABEL: self.target}
        return {**self.inputs, **label}


@dataclass(frozen=True, kw_only=True)
class Preprocessor:
    """The encoders in the order of the contract, and what the label is."""

    encoders: tuple[Encoder, ...]
    target: Target
    series: Series | None = None

    @property
    def label(self) -> str:
        """The label's column."""
        return self.target.column

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes or tags of the label, in their order; none of a number."""
        return tuple(getattr(self.target, "classes", ()))

    @property
    def columns(self) -> list[str]:
        """The columns that it reads."""
        forecast = [self.label] if isinstance(self.target, Forecast) else []
        of_series = [] if self.series is None else [*self.series.columns, *forecast]
        return list(dict.fromkeys([*(encoder.column for encoder in self.encoders), *of_series]))

    @property
    def dense_outputs(self) -> list[str]:
        return [name for encoder in self._dense for name in encoder.outputs]

    @property
    def dense_columns(self) -> list[str]:
        """Of each dense value its column."""
        return [encoder.column for encoder in self._dense for _ in encoder.outputs]

    @property
    def numbers(self) -> list[bool]:
        """Of each dense value, whether it is a number itself: no indicator, wave or other part of a column."""
        return [e.kind == "numeric" and name == e.column for e in self._dense for name in e.outputs]

    @property
    def cardinalities(self) -> dict[str, int]:
        """How many codes each column of codes has."""
        return {e.column: cast(CodesEncoder, e).cardinality for e in self.encoders if e.block == "codes"}

    @property
    def code_names(self) -> dict[str, list[str]]:
        """What each code of each column of codes stands for."""
        return {e.column: cast(CodesEncoder, e).names for e in self.encoders if e.block == "codes"}

    @property
    def _dense(self) -> list[DenseEncoder]:
        return [cast(DenseEncoder, encoder) for encoder in self.encoders if encoder.block == "dense"]

    @property
    def own(self) -> dict[str, OwnEncoder]:
        """The encoders of columns with a tensor of their own, by the tensor's name, and the series of the rows."""
        series = {} if self.series is None else {f"{self.series.kind}:{self.series.column}": self.series}
        return {**self._own, **cast(dict[str, OwnEncoder], series)}

    @property
    def _own(self) -> dict[str, OwnEncoder]:
        return {f"{e.kind}:{e.column}": cast(OwnEncoder, e) for e in self.encoders if e.block == "own"}

    def encode(self, rows: pl.DataFrame, base: Path | None = None, past: pl.DataFrame | None = None) -> Encoded:
        """Encode rows in their order; `target` is None unless every row has a label that it knows.

        `base`: the folder that paths in columns of pictures and sounds start from. `past`: rows that rows of series
        may look back at.
        """
        return self._with_windows(rows, base, past)[0]

    def samples(
        self, rows: pl.DataFrame, base: Path | None = None, past: pl.DataFrame | None = None
    ) -> tuple[np.ndarray, Encoded]:
        """(S,) the rows from which can be learnt, or by which be judged, and their tensors; arguments as of `encode`.

        All in their order; of a forecast those that have a whole future among the rows, in the order of time.
        """
        encoded, seen = self._with_windows(rows, base, past)
        if seen is None or seen.ahead is None:
            return np.arange(rows.height), encoded
        chosen, record = seen.samples()
        places = {int(row): place for place, row in enumerate(chosen)}
        return chosen, Encoded(
            inputs={name: tensor[chosen] for name, tensor in encoded.inputs.items()},
            target=seen.ahead[chosen],
            unread={places[row]: why for row, why in encoded.unread.items() if row in places},
            record=record,
        )

    def _with_windows(
        self, rows: pl.DataFrame, base: Path | None, past: pl.DataFrame | None
    ) -> tuple[Encoded, History | None]:
        encoded = self._encoded(rows, base)
        if self.series is None:
            return encoded, None
        before = [] if past is None else [_joined([e.encode(past[e.column]) for e in self._dense], past.height)]
        forecast = self.target if isinstance(self.target, Forecast) else None
        seen = history(self.series, forecast, rows, past, np.concatenate([*before, encoded.inputs["dense"]]))
        name = f"{self.series.kind}:{self.series.column}"
        return replace(encoded, inputs={**encoded.inputs, name: seen.windows}), seen

    def _encoded(self, rows: pl.DataFrame, base: Path | None) -> Encoded:
        placed = rows.with_columns(_placed(self.files, base))
        read = [_read(encoder, placed[encoder.column]) for encoder in self.encoders]
        blocks = [(encoder.block, block) for encoder, (block, _) in zip(self.encoders, read, strict=True)]
        dense = [block for kind, block in blocks if kind == "dense"]
        codes = [block for kind, block in blocks if kind == "codes"]
        own = [block for kind, block in blocks if kind == "own"]
        return Encoded(
            inputs={
                "dense": _joined(dense, rows.height),
                "codes": np.stack(codes, axis=1) if codes else np.empty((rows.height, 0), dtype=np.int64),
                **dict(zip(self._own, own, strict=True)),
            },
            target=self.target.encode(rows),
            unread={row: why for _, faults in read for row, why in faults.items()},
        )

    def watched(self, rows: pl.LazyFrame, base: Path | None = None) -> pl.LazyFrame:
        """`rows`, and beside columns that cannot be compared themselves the numbers by which their drift is seen.

        `base` is as in encode.
        """
        return rows.with_columns(_placed(self.files, base)).with_columns(self._numbers)

    @property
    def watched_names(self) -> list[str]:
        """The names of these numbers."""
        return [number.meta.output_name() for number in self._numbers]

    @property
    def files(self) -> list[str]:
        """The columns whose values are paths."""
        return [encoder.column for encoder in self.encoders if encoder.kind in FILES]

    @property
    def _numbers(self) -> list[pl.Expr]:
        watched = [encoder for encoder in self.encoders if isinstance(encoder, WatchedEncoder)]
        return [number for encoder in watched for number in encoder.watched()]

    def write(self, folder: Path) -> None:
        """Write preprocessor.json into `folder`."""
        encoders = [{"kind": e.kind, **e.model_dump(mode="json")} for e in self.encoders]  # type: ignore[attr-defined]
        series = {} if self.series is None else {"series": self.series.model_dump(mode="json")}
        value = {"target": self.target.model_dump(mode="json"), "encoders": encoders, **series}
        artefacts.write_json(folder / FILE, value)

    @classmethod
    def read(cls, folder: Path) -> "Preprocessor":
        """Read it back; raises WorkspaceError when it is absent, not one, or of an unknown kind."""
        value = artefacts.read_json(folder / FILE)
        try:
            encoders = tuple(_encoder(dict(raw), folder) for raw in value["encoders"])
            series = Series.model_validate(value["series"]) if "series" in value else None
            return cls(encoders=encoders, target=targets.TARGET.validate_python(value["target"]), series=series)
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


def _joined(dense: Sequence[np.ndarray], rows: int) -> np.ndarray:
    """(N, D) the dense values of all columns beside each other."""
    return np.concatenate([np.empty((rows, 0), dtype=np.float32), *dense], axis=1)


def _read(encoder: Encoder, values: pl.Series) -> tuple[np.ndarray, dict[int, str]]:
    return cast(FileEncoder, encoder).read_files(values) if encoder.kind in FILES else (encoder.encode(values), {})


def _placed(columns: Sequence[str], base: Path | None) -> list[pl.Expr]:
    """The paths of these columns as they are found from anywhere."""
    if base is None:
        return []
    cells = [by_name(name) for name in columns]
    return [pl.when(cell.str.starts_with("/")).then(cell).otherwise(pl.lit(f"{base}/") + cell) for cell in cells]


def fit(rows: pl.LazyFrame, agreed: Contract, settings: Mapping[str, Any], base: Path | None = None) -> Preprocessor:
    """Learn every encoder from the training rows; `settings` has one object a modality, `base` is as in encode."""
    known = registered()
    for column in agreed.features:
        if column.modality not in known:
            raise ContractError(
                f"no encoder for the modality {column.modality}",
                where=f"schemas/{agreed.file.name}: {column.name}",
                fix=f"use one of: {', '.join(sorted(known))}; or give the column the role `ignore`",
            )
    placed = rows.with_columns(_placed([c.name for c in agreed.features if c.modality in FILES], base))
    encoders = tuple(
        known[column.modality].fit(column.name, placed, _of_column(settings[column.modality], column))
        for column in agreed.features
        if column.modality is not None
    )
    plain = Preprocessor(encoders=encoders, target=targets.fit(agreed.label, rows))
    return plain if settings.get("series") is None else _with_series(plain, rows, agreed, settings["series"])


def _of_column(settings: Any, column: Column) -> Any:
    """The settings of a modality for one column: how a set is written says the contract."""
    if not isinstance(settings, SetSettings) or column.format is None:
        return settings
    return settings.model_copy(update={"formats": {column.name: column.format}})


def _with_series(plain: Preprocessor, rows: pl.LazyFrame, agreed: Contract, settings: SeriesSettings) -> Preprocessor:
    series = Series.fit(rows, agreed, settings, dense=len(plain.dense_outputs))
    if not series.horizon:
        return replace(plain, series=series)
    read = rows.select(by_name(*series.columns, series.column)).collect()
    return replace(plain, series=series, target=Forecast.fit(series, read))
