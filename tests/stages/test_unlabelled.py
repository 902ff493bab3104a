"""Rows without a label: kept aside by clean, set beside train by split, seen by a pre-training and by nothing else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest

from pipeline import artefacts, progress
from pipeline.cleaning.ledger import Ledger
from pipeline.contract import Column, Contract
from pipeline.models import pretraining, saved
from pipeline.models.history import History
from pipeline.models.saved import Manifest
from pipeline.stages import clean, normalize, split, train
from pipeline.stages.split import SPLITS, SplitRecord, SplitSettings, Unlabelled, belonging
from pipeline.workspace import Workspace

START = datetime(2024, 1, 1)
TIME, RANDOM = SplitSettings(method="time"), SplitSettings()
TRAIN, VAL, TEST = range(3)


def agreed() -> Contract:
    columns = (
        Column(name="x", dtype=pl.Int64(), nullable=True, role="feature", modality="numeric"),
        Column(name="g", dtype=pl.String(), nullable=True, role="group", modality=None),
        Column(name="t", dtype=pl.Datetime("us"), nullable=True, role="time", modality=None),
        Column(name="y", dtype=pl.String(), nullable=True, role="label", modality=None),
    )
    return Contract(file=Path("made.py"), schema=pa.DataFrameSchema(), columns=columns, expectations=())


def rows(x: Sequence[int], g: Sequence[str | None], days: Sequence[float | None]) -> pl.LazyFrame:
    stamps = [None if day is None else START + timedelta(days=day) for day in days]
    ids = [f"a#{place}" for place in range(len(x))]
    return pl.LazyFrame(
        {"row_id": ids, "x": x, "g": g, "t": stamps, "y": [None] * len(x)},
        schema_overrides={"g": pl.String, "t": pl.Datetime("us"), "y": pl.String},
    )


LABELLED = rows([1, 2, 3, 4], ["a", "b", "c", None], [0, 1, 8, 9])
FATES = np.array([TRAIN, TRAIN, VAL, TEST])


def beside(without: pl.LazyFrame, settings: SplitSettings) -> tuple[list[int], Unlabelled]:
    chosen, became = belonging(LABELLED, without, FATES, agreed(), settings)
    return chosen.collect()["x"].to_list(), became


def test_a_twin_or_a_fellow_of_a_row_of_val_or_test_is_left_out() -> None:
    without = rows([1, 3, 4, 50, 51, 52], [None, None, None, "c", "a", "new"], [0] * 6)

    found, became = beside(without, RANDOM)

    assert found == [1, 51, 52]
    assert became == Unlabelled(rows=6, beside=3, tied=3, after=0)


def test_a_row_that_is_tied_through_others_without_a_label_is_left_out() -> None:
    without = rows([3, 60, 61], ["new", "new", "other"], [0] * 3)  # the first is a twin of val, the second its fellow

    assert beside(without, RANDOM)[0] == [61]


def test_in_a_split_by_time_rows_after_train_are_left_out() -> None:
    without = rows([70, 71, 72, 3], [None] * 4, [0.5, 1.5, None, 8])

    found, became = beside(without, TIME)

    assert found == [70]
    assert became == Unlabelled(rows=4, beside=1, tied=1, after=2)


def test_without_such_rows_there_is_nothing_beside() -> None:
    assert beside(rows([], [], []), TIME) == ([], Unlabelled(rows=0, beside=0, tied=0, after=0))


def test_counts_must_add_up() -> None:
    with pytest.raises(ValueError, match="3 rows must be 1 beside"):
        Unlabelled(rows=3, beside=1, tied=1, after=0)


def test_the_ledger_says_which_rows_lack_their_label_alone(trained_once: Workspace) -> None:
    entry = Ledger.read(trained_once.ledger).stages[-1]
    aside = artefacts.scan_parquet(trained_once.quarantine / clean.UNLABELLED).collect()

    assert entry.unlabelled == aside.height == entry.reasons["missing_label: slow"]
    assert aside["slow"].null_count() == aside.height
    kept = artefacts.scan_parquet(trained_once.clean).collect()
    assert not set(kept["row_id"]) & set(aside["row_id"])


def test_they_are_in_no_split_and_all_accounted_for(trained_once: Workspace) -> None:
    record = SplitRecord.read(trained_once.split / split.MANIFEST)
    found = pl.read_parquet(trained_once.split / split.UNLABELLED)
    parts = pl.concat([pl.read_parquet(trained_once.split / f"{name}.parquet") for name in SPLITS])

    assert record.unlabelled.beside == found.height > 0
    assert record.unlabelled.rows == Ledger.read(trained_once.ledger).stages[-1].unlabelled
    assert not set(parts["row_id"]) & set(found["row_id"])


def with_pretrain(workspace: Workspace, **pretrain: Any) -> Workspace:
    text = workspace.params_file.read_text()
    words = ", ".join(f"{name}: {value}" for name, value in pretrain.items())
    workspace.params_file.write_text(text.replace("epochs: 2,", f"epochs: 2, pretrain: {{{words}}},"))
    return Workspace.open(workspace.root)


def test_a_pretrained_candidate_says_what_it_was_made_from(trained: Workspace, trained_once: Workspace) -> None:
    heard: list[str] = []
    with progress.listening(lambda _, words: heard.append(words)):
        manifest = train.run(with_pretrain(trained, kind="masked", epochs=2))

    found = History.read(trained.candidate / saved.HISTORY).pretraining
    aside = pl.read_parquet(trained.split / split.UNLABELLED).height
    aside -= int(pretraining.JUDGED_SHARE * aside)
    assert found is not None
    assert (found.unlabelled, found.rows) == (aside, manifest.rows["train"])
    assert manifest.start is not None
    assert manifest.start.model == "pre-training"
    assert f"pre-trained on {found.rows:,} rows of train and {aside} without a label" in "\n".join(heard)
    before = Manifest.read(trained_once.candidate / saved.MANIFEST)
    assert before.start is None
    assert manifest.identity != before.identity
    assert not trained.pretraining.exists()


def test_rows_without_a_label_are_seen_only_where_that_is_set(trained: Workspace) -> None:
    with_them = train.run(with_pretrain(trained, kind="masked", epochs=1)).identity
    (trained.split / split.UNLABELLED).unlink()
    gone = train.run(Workspace.open(trained.root)).identity
    normalize.run(trained)

    text = trained.params_file.read_text().replace("kind: masked", "kind: masked, unlabelled: false")
    trained.params_file.write_text(text)

    assert train.run(Workspace.open(trained.root)).identity == gone != with_them


def test_by_itself_nothing_is_pretrained(trained: Workspace, trained_once: Workspace) -> None:
    manifest = train.run(with_pretrain(trained, kind="none", epochs=9, mask_share=0.5))

    assert manifest.identity == Manifest.read(trained_once.candidate / saved.MANIFEST).identity
    assert "pretraining" not in artefacts.read_json(trained.candidate / saved.HISTORY)


def test_auto_trains_both_and_says_which_won(trained: Workspace) -> None:
    heard: list[str] = []
    with progress.listening(lambda _, words: heard.append(words)):
        manifest = train.run(with_pretrain(trained, kind="auto", epochs=1))

    found = History.read(trained.candidate / saved.HISTORY).pretraining
    assert found is not None
    assert found.compared is not None
    assert found.compared.metric == "auc"
    assert (manifest.start is not None) is found.taken is (found.compared.low > 0)
    assert found.words in heard
