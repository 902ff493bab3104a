"""Stage 5: fit the encoders on train alone, turn every split into tensors, and profile train as the reference.

The tensors are safetensors, the preprocessor is JSON: nothing that is loaded can run code. Rows stay in the
order of data/split, one row of a tensor for one row of the Parquet file; of a forecast the rows that have a whole
future in their split, by time, and data/normalized/series.json says what became of the others.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

import polars as pl
from pydantic import Field

from pipeline import artefacts, contract, profile, progress
from pipeline.artefacts import Record
from pipeline.contract import Contract, Modality
from pipeline.errors import DataError, SettingsError
from pipeline.features import WatchedEncoder, preprocessor, require_read
from pipeline.features.audio import AudioSettings
from pipeline.features.categorical import CategoricalSettings
from pipeline.features.image import ImageSettings
from pipeline.features.numeric import NumericSettings
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.series import SeriesRecord, SeriesSettings
from pipeline.features.set import SetSettings
from pipeline.features.text import TextSettings
from pipeline.features.timestamp import TimestampSettings
from pipeline.features.windows import apart
from pipeline.stages.samples import samples
from pipeline.stages.split import SPLITS, SplitName
from pipeline.workspace import Section, Workspace

REFERENCE = "reference.json"
SERIES = "series.json"


class NormalizeSettings(Section):
    """How each modality is encoded."""

    key: ClassVar[str] = "normalize"
    numeric: NumericSettings = Field(default_factory=NumericSettings)
    categorical: CategoricalSettings = Field(default_factory=CategoricalSettings)
    set: SetSettings = Field(default_factory=SetSettings)
    timestamp: TimestampSettings = Field(default_factory=TimestampSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    image: ImageSettings = Field(default_factory=ImageSettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)
    series: SeriesSettings | None = Field(default=None, description="null: rows are no series")

    def by_modality(self, root: Path = Path()) -> dict[str, object]:
        """The settings of each modality, with folders that are given from `root` on as they are found from anywhere."""
        text, image = self.text.placed(root), self.image.placed(root)
        placed = {"text": text, "text-file": text, "image": image}
        return {name: getattr(self, name) for name in type(self).model_fields} | placed


class Normalized(Record):
    """The shapes of the tensors: rows a split, dense values and coded columns a row; of a forecast each row's fate."""

    rows: dict[SplitName, int]
    dense: list[str]
    codes: dict[str, int]
    series: dict[SplitName, SeriesRecord] = Field(default_factory=dict)


def run(workspace: Workspace) -> Normalized:
    """Fit on train, encode all three splits, and write the preprocessor with the reference profile."""
    settings, agreed = workspace.section(NormalizeSettings), contract.load(workspace.contract_file)
    splits = {name: workspace.split / f"{name}.parquet" for name in SPLITS}
    require_columns(settings.numeric.columns, agreed)
    train = artefacts.scan_parquet(splits["train"])
    fitted = preprocessor.fit(train, agreed, settings.by_modality(workspace.root), workspace.media)
    with artefacts.replacing(workspace.preprocessor) as folder:
        fitted.write(folder)
        reference(train, agreed, fitted, workspace.media).write(folder / REFERENCE)
    rows: dict[SplitName, int] = {}
    records: dict[SplitName, SeriesRecord] = {}
    with artefacts.replacing(workspace.normalized) as folder:
        for name, path in splits.items():
            _, encoded = samples(workspace, fitted, name)
            require_read(encoded.unread, workspace.relative(path))
            artefacts.write_tensors(folder / f"{name}.safetensors", apart(encoded.tensors()))
            rows[name] = len(encoded.inputs["dense"])
            if encoded.record is not None:
                records[name] = encoded.record
                progress.report(0.0, f"{name}: {encoded.record.words}")
        if records:
            require_samples(records)
            artefacts.write_json(folder / SERIES, {name: each.model_dump() for name, each in records.items()})
    return Normalized(rows=rows, dense=fitted.dense_outputs, codes=fitted.cardinalities, series=records)


def require_samples(records: Mapping[SplitName, SeriesRecord]) -> None:
    """Raise DataError where a split has no row from which the horizon can be seen, or its past."""
    for name, record in records.items():
        if record.samples < 2:
            raise DataError(
                f"{name} has {record.samples} rows to forecast from: {record.words}",
                where="params.yaml: normalize.series",
                fix="bring more rows, lower horizon, window or past, or give the split more days",
            )


def require_columns(named: Iterable[str], agreed: Contract) -> None:
    """Raise SettingsError for a column with a method of its own that is no numeric feature."""
    numeric = [column.name for column in agreed.features if column.modality == "numeric"]
    for name in named:
        if name not in numeric:
            raise SettingsError(
                "no such numeric feature",
                where=f"params.yaml: normalize.numeric.columns.{name}",
                fix=f"remove it, or use one of: {', '.join(numeric)}",
            )


def reference(train: pl.LazyFrame, agreed: Contract, fitted: Preprocessor, base: Path | None = None) -> profile.Profile:
    """The profile of the training rows that drift is measured against: features and label.

    The time axis is left out: later rows are later, and that is no drift. So are columns with a tensor of their own:
    hardly a text or a file comes twice. Of texts and sets the numbers stand in for them that `Preprocessor.watched`
    makes.
    """
    own = {encoder.column for encoder in fitted.own.values()}
    own |= {encoder.column for encoder in fitted.encoders if isinstance(encoder, WatchedEncoder)}
    seen = [column for column in agreed.features if column.role != "time" and column.name not in own]
    kinds: dict[str, Modality] = {column.name: column.modality for column in seen if column.modality is not None}
    kinds[agreed.label.name] = "numeric" if agreed.label.is_quantity else "categorical"
    return profile.profile(fitted.watched(train, base), kinds | dict.fromkeys(fitted.watched_names, "numeric"))
