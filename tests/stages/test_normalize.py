"""Normalize: fitted on train alone, in the order of the rows, and the reference that drift is measured against."""

from pathlib import Path

import polars as pl
import pytest

from pipeline import artefacts, contract
from pipeline.errors import SettingsError, WorkspaceError
from pipeline.features.preprocessor import Preprocessor
from pipeline.profile import Profile
from pipeline.stages import normalize
from pipeline.stages.split import SPLITS
from pipeline.workspace import Workspace

WILD = (
    (pl.col("distance") * 1e9).alias("distance"),
    pl.lit(float("inf")).alias("weight"),
    pl.lit("moon").alias("shop"),
    pl.lit("9").alias("weekday"),
)


def poison(workspace: Workspace, *names: str) -> None:
    """Overwrite the features of these splits with wild values."""
    for name in names:
        path = workspace.split / f"{name}.parquet"
        pl.read_parquet(path).with_columns(*WILD).write_parquet(path)


def test_nothing_is_learnt_from_val_and_test(trained: Workspace, trained_once: Workspace) -> None:
    poison(trained, "val", "test")

    normalize.run(trained)

    for name in ("preprocessor.json", "reference.json"):
        assert (trained.preprocessor / name).read_bytes() == (trained_once.preprocessor / name).read_bytes()
    files = [f"{name}.safetensors" for name in SPLITS]
    same = [artefacts.sha256(trained.normalized / f) == artefacts.sha256(trained_once.normalized / f) for f in files]
    assert same == [True, False, False]


def test_what_is_poisoned_is_learnt_from_train(trained: Workspace, trained_once: Workspace) -> None:
    poison(trained, "train")

    normalize.run(trained)

    assert artefacts.sha256(trained.preprocessor) != artefacts.sha256(trained_once.preprocessor)


def test_tensors_are_the_rows_of_the_split_in_their_order(trained_once: Workspace) -> None:
    fitted = Preprocessor.read(trained_once.preprocessor)

    for name in SPLITS:
        rows = pl.read_parquet(trained_once.split / f"{name}.parquet")
        tensors = artefacts.read_tensors(trained_once.normalized / f"{name}.safetensors")

        assert tensors["label"].tolist() == rows["slow"].cast(pl.Int64).to_list()
        shop = next(encoder for encoder in fitted.encoders if encoder.column == "shop")
        place = [*fitted.cardinalities].index("shop")
        assert tensors["codes"][:, place].tolist() == shop.encode(rows["shop"]).tolist()
        assert tensors["dense"].shape == (rows.height, len(fitted.dense_outputs))


def test_the_record_tells_the_shapes(trained: Workspace) -> None:
    record = normalize.run(trained)

    assert record.dense == ["distance", "weight", "weight was missing"]
    assert record.codes == {"shop": 6, "weekday": 10}
    assert sum(record.rows.values()) == sum(
        pl.read_parquet(trained.split / f"{name}.parquet").height for name in SPLITS
    )


def test_the_reference_is_of_train_with_the_label_and_without_the_time(trained_once: Workspace) -> None:
    reference = Profile.read(trained_once.preprocessor / "reference.json")
    train = pl.read_parquet(trained_once.split / "train.parquet")

    assert set(reference.columns) == {"shop", "distance", "weight", "weekday", "slow"}
    assert reference.rows == train.height
    counts = dict(train["slow"].cast(pl.String).value_counts().iter_rows())
    assert reference.columns["slow"].counts == counts  # type: ignore[union-attr]


def test_a_folder_named_like_a_pattern_is_none(trained: Workspace, tmp_path: Path) -> None:
    workspace = Workspace.open(trained.root.rename(tmp_path / "trained [1]"))

    assert normalize.run(workspace).codes == {"shop": 6, "weekday": 10}


def test_rows_that_were_not_split_are_told(tiny: Workspace) -> None:
    with pytest.raises(WorkspaceError, match=r"train\.parquet: is absent; run `keepfit run` first"):
        normalize.run(tiny)


def test_twice_gives_the_same_bytes(trained: Workspace, trained_once: Workspace) -> None:
    normalize.run(trained)

    for name in ("preprocessor", "normalized"):
        assert artefacts.sha256(getattr(trained, name)) == artefacts.sha256(getattr(trained_once, name))


@pytest.mark.parametrize("column", ["distence", "shop", "minutes"])
def test_a_method_for_what_is_no_numeric_feature_is_an_error_that_names_the_key(
    column: str, trained_once: Workspace
) -> None:
    agreed = contract.load(trained_once.contract_file)

    with pytest.raises(SettingsError, match=rf"normalize\.numeric\.columns\.{column}: .*distance, weight"):
        normalize.require_columns([column], agreed)


def test_a_method_for_a_numeric_feature_is_used(trained: Workspace) -> None:
    text = trained.params_file.read_text().replace(
        "normalize:\n", "normalize:\n  numeric: {columns: {distance: minmax}}\n"
    )
    trained.params_file.write_text(text)
    workspace = Workspace.open(trained.root)

    normalize.run(workspace)

    dense = artefacts.read_tensors(workspace.normalized / "train.safetensors")["dense"]
    assert (dense[:, 0].min(), dense[:, 0].max()) == (0, 1)
