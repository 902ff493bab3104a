"""Stage 5: fit the encoders on train alone, turn every split into tensors, and profile train as the reference.

The tensors are safetensors, the preprocessor is JSON: nothing that is loaded can run code. Rows stay in the
order of data/split, one row of a tensor for one row of the Parquet file.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline import artefacts, contract, profile
from pipeline.artefacts import Record
from pipeline.contract import Contract, Modality
from pipeline.errors import SettingsError
from pipeline.features import preprocessor, require_read
from pipeline.features.audio import AudioSettings
from pipeline.features.categorical import CategoricalSettings
from pipeline.features.image import ImageSettings
from pipeline.features.numeric import NumericSettings
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.text import TextSettings
from pipeline.features.timestamp import TimestampSettings
from pipeline.stages.split import SPLITS, SplitName
from pipeline.workspace import Section, Workspace

REFERENCE = "reference.json"


class NormalizeSettings(Section):
    """How each modality is encoded."""

    key: ClassVar[str] = "normalize"
    numeric: NumericSettings = Field(default_factory=NumericSettings)
    categorical: CategoricalSettings = Field(default_factory=CategoricalSettings)
    timestamp: TimestampSettings = Field(default_factory=TimestampSettings)
    text: TextSettings = Field(default_factory=TextSettings)
    image: ImageSettings = Field(default_factory=ImageSettings)
    audio: AudioSettings = Field(default_factory=AudioSettings)

    def by_modality(self, root: Path = Path()) -> dict[str, object]:
        """The settings of each modality, with folders that are given from `root` on as they are found from anywhere."""
        text = self.text.placed(root)
        return {name: getattr(self, name) for name in type(self).model_fields} | {"text": text, "text-file": text}


class Normalized(Record):
    """The shapes of the tensors: rows a split, dense values and coded columns a row."""

    rows: dict[SplitName, int]
    dense: list[str]
    codes: dict[str, int]


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
    with artefacts.replacing(workspace.normalized) as folder:
        for name, path in splits.items():
            part = artefacts.scan_parquet(path).select(by_name(*fitted.columns, fitted.label))
            encoded = fitted.encode(part.collect(), workspace.media)
            require_read(encoded.unread, workspace.relative(path))
            artefacts.write_tensors(folder / f"{name}.safetensors", encoded.tensors())
            rows[name] = len(encoded.inputs["dense"])
    return Normalized(rows=rows, dense=fitted.dense_outputs, codes=fitted.cardinalities)


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
    hardly a text or a file comes twice. Of texts the numbers stand in for them that `Preprocessor.watched` makes.
    """
    own = {encoder.column for encoder in fitted.own.values()}
    seen = [column for column in agreed.features if column.role != "time" and column.name not in own]
    kinds: dict[str, Modality] = {column.name: column.modality for column in seen if column.modality is not None}
    kinds[agreed.label.name] = "numeric" if agreed.label.is_quantity else "categorical"
    return profile.profile(fitted.watched(train, base), kinds | dict.fromkeys(fitted.watched_names, "numeric"))
