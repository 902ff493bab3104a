"""Text → the numbers of its sub-words, by byte-pair encoding that is learnt of the training rows.

Source: Sennrich et al. 2016, over bytes as Radford et al. 2019 (GPT-2) do it, whose pattern cuts words, numbers and
punctuation apart. Unigram pieces (Kudo 2018) are not offered: learnt twice of the same rows they differ.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import polars as pl

from pipeline.artefacts import Record
from pipeline.tables.frames import batches

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PADDING, UNKNOWN, MISSING, EMPTY = range(4)
SPECIAL = ("padding ", "not known ", "no value ", "no words ")  # no piece can be called so: none holds a space
LONGEST_PIECE = 16  # bytes
LETTERS_A_TOKEN = 16  # of a text so many letters are looked at for each token that may be kept
KEPT_SHARE = 0.99  # of the training rows stand whole in the tensor
TEXTS_A_COMMON_MERGE = 10  # so many training texts for each merge that drift is seen by
STRETCH = 8192  # rows
TEXT = "text"


class Seen(Record):
    """What the training rows held: texts, those without a value or a word, and those of more tokens than are kept."""

    texts: int = 0
    missing: int = 0
    empty: int = 0
    cut: int = 0


class Tokens(Record):
    """Token 0 is padding, 1 bytes that train never had, 2 a missing text, 3 one without a word, then what was learnt.

    `vocabulary` is in the order of the tokens, `merges` in that of learning. `length` tokens of a text are kept;
    `rows_with`: how many training texts hold each token.

    >>> rows = pl.LazyFrame({"text": ["so it is", "so it was"]})
    >>> learnt = Tokens.fit(rows, vocabulary_size=40, maximum_length=8, lower_case=True)
    >>> [learnt.vocabulary[token] for token in learnt.encode(pl.Series(["So it ..."]))[0]]
    ['Ġso', 'Ġit', 'Ġ', 'not known ', 'padding ', 'padding ']
    >>> learnt.encode(pl.Series([None, "  "])).tolist()
    [[2, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0]]
    """

    form: Literal["tokens"] = "tokens"
    vocabulary: list[str]
    merges: list[str]
    lower_case: bool
    length: int
    rows_with: list[int]
    seen: Seen

    @classmethod
    def fit(cls, texts: pl.LazyFrame, *, vocabulary_size: int, maximum_length: int, lower_case: bool) -> Self:
        """Learn from the one column `text`, in two passes; its rows' order does not matter."""
        from tokenizers.trainers import BpeTrainer

        made = _tokenizer({}, [], lower_case)
        trainer = BpeTrainer(
            vocab_size=vocabulary_size,
            min_frequency=2,
            max_token_length=LONGEST_PIECE,
            special_tokens=list(SPECIAL),
            show_progress=False,
        )
        letters = LETTERS_A_TOKEN * maximum_length
        made.train_from_iterator((_plain(stretch, letters).to_list() for stretch in _stretches(texts)), trainer)
        known = made.get_vocab()
        learnt = cls(
            vocabulary=sorted(known, key=lambda piece: known[piece]),
            merges=_merges(made),
            lower_case=lower_case,
            length=maximum_length + 1,  # whoever has so many is cut
            rows_with=[],
            seen=Seen(),
        )
        return learnt._measured(texts)

    def _measured(self, texts: pl.LazyFrame) -> Self:
        """The same, of the length that nearly all training rows need, and with what they hold."""
        rows_with_T = np.zeros(len(self.vocabulary), dtype=np.int64)
        lengths, missing, empty = [np.empty(0, dtype=np.int64)], 0, 0
        for stretch in _stretches(texts):
            tokens_NL = self.encode(stretch)
            rows_with_T += _rows_with(tokens_NL, len(self.vocabulary))
            missing += int((tokens_NL[:, 0] == MISSING).sum())
            empty += int((tokens_NL[:, 0] == EMPTY).sum())
            lengths.append((tokens_NL != PADDING).sum(axis=1))
        length_N = np.concatenate(lengths)
        needed = int(np.quantile(length_N, KEPT_SHARE, method="higher")) if len(length_N) else 1
        length = min(self.length - 1, needed)
        seen = Seen(texts=len(length_N), missing=missing, empty=empty, cut=int((length_N > length).sum()))
        known = {"length": length, "rows_with": rows_with_T.tolist(), "seen": seen}
        return self.model_validate({**self.model_dump(), **known})  # model_copy would copy the cached tokenizers

    def encode(self, texts: pl.Series) -> np.ndarray:
        """(N,) texts → (N, L) int32 tokens."""
        tokens_NL = np.zeros((len(texts), self.length), dtype=np.int32)
        for start in range(0, len(texts), STRETCH):
            stretch = texts.slice(start, STRETCH)
            found = self._kept.encode_batch_fast(_plain(stretch, self.letters).to_list())
            tokens_NL[start : start + STRETCH] = [each.ids for each in found]
        none_N = tokens_NL[:, 0] == PADDING
        tokens_NL[none_N, 0] = np.where(texts.is_null().to_numpy()[none_N], MISSING, EMPTY)
        return tokens_NL

    @property
    def rareness(self) -> list[float]:
        """How much each token tells: 1 + log((1 + texts) / (1 + texts with it)), and 0 for padding.

        Source: the inverse document frequency of Spärck Jones 1972, smoothed as scikit-learn does it.
        """
        rare_T = 1 + np.log((1 + self.seen.texts) / (1 + np.array(self.rows_with)))
        return [0.0, *rare_T[1:].round(4).tolist()]

    def counts(self, texts: pl.Series) -> np.ndarray:
        """(N,) texts → (N,) int64: how many common tokens each has, kept or not; 0 for a missing one."""
        parts = (texts.slice(start, STRETCH) for start in range(0, len(texts), STRETCH))
        found = (self._common.encode_batch_fast(_plain(part, self.letters).to_list()) for part in parts)
        return np.array([len(each) for part in found for each in part], dtype=np.int64)

    def letters_a_token(self, texts: pl.Series) -> pl.Series:
        """(N,) texts → (N,) float64: how many letters a common token stands for; null without a word.

        Rare merges are left out: they are of the training texts' own words, and would make any new text look strange.
        """
        letters_N, tokens_N = _plain(texts, self.letters).str.len_chars(), pl.Series(self.counts(texts))
        return letters_N / tokens_N.set(tokens_N == 0, None)

    @property
    def letters(self) -> int:
        """How many letters of a text are looked at."""
        return LETTERS_A_TOKEN * self.length

    @cached_property
    def _whole(self) -> "Tokenizer":
        pieces = {piece: token for token, piece in enumerate(self.vocabulary)}
        return _tokenizer(pieces, self.merges, self.lower_case)

    @cached_property
    def _common(self) -> "Tokenizer":
        """As `_whole`, with the merges alone that came first: those of pairs that many training texts hold."""
        pieces = {piece: token for token, piece in enumerate(self.vocabulary)}
        first = self.merges[: self.seen.texts // TEXTS_A_COMMON_MERGE]
        return _tokenizer(pieces, first, self.lower_case)

    @cached_property
    def _kept(self) -> "Tokenizer":
        """As `_whole`, and every text is cut or padded to `length`."""
        from tokenizers import Tokenizer

        made = Tokenizer.from_str(self._whole.to_str())
        made.enable_truncation(self.length)
        made.enable_padding(length=self.length, pad_id=PADDING, pad_token=SPECIAL[PADDING])
        return made


def _tokenizer(pieces: dict[str, int], merges: list[str], lower_case: bool) -> "Tokenizer":
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    made = Tokenizer(models.BPE(vocab=pieces, merges=pairs, unk_token=SPECIAL[UNKNOWN], fuse_unk=True))
    made.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            *([normalizers.Lowercase()] if lower_case else []),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return made


def _merges(made: "Tokenizer") -> list[str]:
    """The merges as text: the library tells them in its JSON alone."""
    import json

    return [" ".join(pair) for pair in json.loads(made.to_str())["model"]["merges"]]


def _rows_with(tokens_NL: np.ndarray, tokens: int) -> np.ndarray:
    """(N, L) tokens → (T,) int64: in how many rows each of all tokens is."""
    ordered_NL = np.sort(tokens_NL, axis=1)
    first_NL = np.diff(ordered_NL, axis=1, prepend=-1) != 0
    return np.bincount(ordered_NL[first_NL], minlength=tokens)


def _stretches(texts: pl.LazyFrame) -> Iterator[pl.Series]:
    for batch in batches(texts, STRETCH):
        yield batch.get_column(TEXT)


def _plain(texts: pl.Series, letters: int) -> pl.Series:
    """The start of each text; none of a missing one."""
    return texts.fill_null("").str.slice(0, letters)
