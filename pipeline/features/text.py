"""Text → sub-word tokens that the network reads, or the vectors of a pre-trained sentence encoder."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from polars.selectors import by_name
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features import Block, require_read
from pipeline.features.sentences import Sentences
from pipeline.features.tokens import LETTERS_A_TOKEN, TEXT, Tokens
from pipeline.media.arrays import VALUES, told
from pipeline.media.files import Measures, decoded, text_fault

FILES_AT_ONCE = 1024


class TextSettings(BaseModel):
    """How text is read.

    `vocabulary_size`: how many sub-words are learnt of the training rows; `maximum_length`: how many of a text are kept
    at most, fewer where nearly all training texts have fewer; `lower_case`: whether capitals are as small letters.
    `pretrained`: the folder of a sentence encoder, from the workspace's root, that is used instead (it needs
    `pip install 'keepfit[pretrained]'`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    vocabulary_size: int = Field(default=8000, ge=300, le=1_000_000)
    maximum_length: int = Field(default=256, ge=1, le=8192)
    lower_case: bool = True
    pretrained: str = ""

    def placed(self, root: Path) -> Self:
        """The same, with the encoder's folder as it is found from anywhere."""
        return self.model_copy(update={"pretrained": str(root / self.pretrained)}) if self.pretrained else self


class TextNetworkSettings(BaseModel):
    """What reads a text's tokens in the network.

    `mean`: the mean of the tokens' vectors, where rare tokens count more; `cnn`: patterns of 2, 3 and 4 tokens, where
    they are seen most and how much on average; `transformer`: each token looks at all others, in `layers` layers of
    `heads` heads. A token has `width` values. `dropout`: the share of values, `token_dropout`: of whole tokens, that is
    taken away in training. The vectors of a pre-trained encoder are taken as they are: `width` values are made of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["mean", "cnn", "transformer"] = "mean"
    width: int = Field(default=128, ge=8)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    token_dropout: float = Field(default=0.3, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"width must be a multiple of heads, got {self.width} and {self.heads}")
        return self


class TextEncoder(Record):
    """Texts → (N, L) int32 tokens, or (N, E) float32 vectors of a pre-trained encoder.

    >>> rows = pl.LazyFrame({"x": ["so it is", "so it was", None]})
    >>> TextEncoder.fit("x", rows, TextSettings()).encode(pl.Series(["so", "so so"])).shape
    (2, 6)
    """

    kind: ClassVar[Modality] = "text"
    block: ClassVar[Block] = "own"
    settings: ClassVar[type[BaseModel]] = TextSettings
    column: str
    reader: Annotated[Tokens | Sentences, Field(discriminator="form")]

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: TextSettings) -> Self:
        """Learn the sub-words of the training rows."""
        return cls(column=column, reader=reader(rows.select(by_name(column).alias(TEXT)), settings))

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) texts → (N, L) tokens or (N, E) vectors."""
        return self.reader.encode(values)

    def watched(self) -> list[pl.Expr]:
        """The numbers by which drift of the texts is seen."""
        return _watched(self.column, by_name(self.column), self.reader)

    def network(self, settings: BaseModel) -> dict[str, Any]:
        """How rare each token is, or how many values a vector has, and the settings."""
        return _network(self.reader, settings)


class TextFileEncoder(Record):
    """Paths of text files → as texts. A missing path is a missing text."""

    kind: ClassVar[Modality] = "text-file"
    block: ClassVar[Block] = "own"
    settings: ClassVar[type[BaseModel]] = TextSettings
    column: str
    reader: Annotated[Tokens | Sentences, Field(discriminator="form")]

    @classmethod
    def fit(cls, column: str, rows: pl.LazyFrame, settings: TextSettings) -> Self:
        """Learn the sub-words of the training rows' files; one that cannot be read counts as missing."""
        cell = _contents(by_name(column), LETTERS_A_TOKEN * settings.maximum_length)
        return cls(column=column, reader=reader(rows.select(cell.alias(TEXT)), settings))

    def encode(self, values: pl.Series) -> np.ndarray:
        """(N,) paths → (N, L) tokens or (N, E) vectors; raises DataError for a file that cannot be used."""
        encoded, faults = self.read_files(values)
        require_read(faults, self.column)
        return encoded

    def read_files(self, values: pl.Series) -> tuple[np.ndarray, dict[int, str]]:
        """(N,) paths → (N, ...), and what is wrong with a file, by its row: that is a missing text."""
        faults: dict[int, str] = {}
        parts = [self.reader.encode(pl.Series([], dtype=pl.String))]
        for start in range(0, len(values), FILES_AT_ONCE):
            texts, found = contents(values.slice(start, FILES_AT_ONCE), self.reader.letters)
            faults |= {start + row: fault for row, fault in found.items()}
            parts.append(self.reader.encode(texts))
        return np.concatenate(parts), faults

    def watched(self) -> list[pl.Expr]:
        """The numbers by which drift of the texts is seen."""
        return _watched(self.column, _contents(by_name(self.column), self.reader.letters), self.reader)

    def network(self, settings: BaseModel) -> dict[str, Any]:
        """How rare each token is, or how many values a vector has, and the settings."""
        return _network(self.reader, settings)


ENCODERS = (TextEncoder, TextFileEncoder)


def reader(texts: pl.LazyFrame, settings: TextSettings) -> Tokens | Sentences:
    """What reads the texts of the one column `text`."""
    if settings.pretrained:
        return Sentences.fit(settings.pretrained, settings.maximum_length)
    return Tokens.fit(
        texts,
        vocabulary_size=settings.vocabulary_size,
        maximum_length=settings.maximum_length,
        lower_case=settings.lower_case,
    )


def contents(paths: pl.Series, letters: int) -> tuple[pl.Series, dict[int, str]]:
    """(N,) paths → the first `letters` letters of each file, null at fault, and what is wrong with it, by its row."""
    named = [row for row, path in enumerate(paths) if path is not None]
    texts: list[str | None] = [None] * len(paths)
    faults: dict[int, str] = {}
    for row, found in zip(named, told(paths.drop_nulls().to_list(), partial(_start, letters=letters)), strict=True):
        if found["fault"]:
            faults[row] = f"{found['path']} {found['fault']}"
        else:
            texts[row] = found[VALUES]
    return pl.Series(paths.name, texts, dtype=pl.String), faults


def _start(content: bytes, path: str, *, letters: int) -> Measures:
    return text_fault(content, path) or {VALUES: decoded(content)[:letters]}


def _contents(paths: pl.Expr, letters: int) -> pl.Expr:
    return paths.map_batches(lambda s: contents(s, letters)[0], return_dtype=pl.String, is_elementwise=True)


def _watched(column: str, cell: pl.Expr, read: Tokens | Sentences) -> list[pl.Expr]:
    """How long texts are and, of tokens, how many letters one stands for: fewer where words are unlike train's."""
    letters = cell.str.len_chars().cast(pl.Float64).alias(f"{column}: letters")
    if isinstance(read, Sentences):
        return [letters]
    rate = cell.map_batches(read.letters_a_token, return_dtype=pl.Float64, is_elementwise=True)
    return [letters, rate.alias(f"{column}: letters a token")]


def _network(read: Tokens | Sentences, settings: BaseModel) -> dict[str, Any]:
    learnt = {"rareness": read.rareness} if isinstance(read, Tokens) else {"vector": read.width}
    return {**learnt, "settings": settings.model_dump(mode="json")}
