"""A folder of pictures or of sounds, from `keepfit init` to answers: in seconds, on files made here."""

import logging
import re
import shutil
from importlib import import_module
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import polars as pl
import pytest
import soundfile
import yaml
from PIL import Image

from pipeline import artefacts, cli, monitor, settings
from pipeline.cli import STAGES
from pipeline.commands import init
from pipeline.errors import DataError
from pipeline.predictor import Predictor
from pipeline.stages import ingest, normalize, train, validate
from pipeline.versions import registry
from pipeline.workspace import Workspace

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC's own code
ROOT = Path(__file__).parents[2]
ROWS = 120
TRAIN = {
    "mlp": {"hidden": [16], "dropout": 0.0},
    "image": {"width": 8},
    "audio": {"width": 4},
    "epochs": 8,
    "batch_size": 16,
    "optimizer": {"learning_rate": 0.01},
    "accelerator": "cpu",
}


def picture(place: Path, kind: str, seed: int) -> None:
    """A light bar, `down` or `across`, on noise."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 60, (10, 10))
    bar = slice(start := int(generator.integers(1, 8)), start + 2)
    pixels[(slice(None), bar) if kind == "down" else (bar, slice(None))] += 150
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(place)


def sound(place: Path, kind: str, seed: int) -> None:
    """A tone of 400 (`low`) or 1,600 Hz (`high`) in noise."""
    generator = np.random.default_rng(seed)
    wave = np.sin(2 * np.pi * (400 if kind == "low" else 1600) * np.arange(800) / 8000)
    place.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(place, 0.4 * wave + generator.normal(0, 0.1, 800), 8000)


def made(folder: Path, data: Path, **roles: str) -> Workspace:
    """A workspace around `data`, with a small network."""
    workspace = init.initialise(folder, data, roles=roles or {"label": "label"})  # type: ignore[arg-type]
    params = {**workspace.params, "train": TRAIN, "evaluate": {"resamples": 50}, "promote": {"baseline": "majority"}}
    workspace.params_file.write_text(yaml.safe_dump(params))
    return Workspace.open(workspace.root)


def run(workspace: Workspace, *stages: str) -> None:
    for name in stages or STAGES:
        import_module(f"pipeline.stages.{name}").run(workspace)


def right(workspace: Workspace) -> float:
    """The share of test that the candidate answers rightly, read from the files anew."""
    rows = artefacts.scan_parquet(workspace.split / "test.parquet").collect()
    model = Predictor.load(workspace.candidate, workspace.media)
    return float(np.mean(model.answers(rows).argmax(axis=1) == model.preprocessor.target.encode(rows)))


@pytest.fixture(scope="session")
def bars_once(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace around a folder of pictures, one of them cut short, after every stage and promoted."""
    root = tmp_path_factory.mktemp("pictures")
    for number in range(ROWS):
        kind = ("down", "across")[number % 2]
        picture(root / "bars" / kind / f"{number}.png", kind, number)
    whole = (root / "bars" / "down" / "0.png").read_bytes()
    (root / "bars" / "down" / "0.png").write_bytes(whole[:60])
    workspace = made(root / "new", root / "bars")
    run(workspace)
    registry.point(workspace, registry.register(workspace))
    return workspace


@pytest.fixture
def bars(bars_once: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(bars_once.root, tmp_path / "moved")
    return Workspace.open(tmp_path / "moved")


def test_a_new_workspace_of_pictures_leaves_open_what_suits_them(tmp_path: Path) -> None:
    for number in range(ROWS):
        picture(tmp_path / "bars" / ("down", "across")[number % 2] / f"{number}.png", "down", number)

    workspace = init.initialise(tmp_path / "new", tmp_path / "bars", roles={"label": "label"})

    assert workspace.params["train"] == {"mlp": ANY, "image": {"augmentation": {"flip": "none"}}}


def test_a_folder_of_pictures_is_learnt(bars_once: Workspace) -> None:
    assert (bars_once.raw / "files.csv").is_file()
    assert right(bars_once) >= 0.9
    assert 'modality": "image"' in bars_once.contract_file.read_text()


def test_a_picture_that_is_cut_short_is_set_aside_and_counted(bars_once: Workspace) -> None:
    ledger = artefacts.read_json(bars_once.ledger)

    assert ledger["quarantined"] == 1
    assert ledger["rows_in"] == ROWS


def test_stages_that_read_files_depend_on_them(bars_once: Workspace) -> None:
    stages = yaml.safe_load((bars_once.root / "dvc.yaml").read_text())["stages"]
    reading = {name for name, stage in stages.items() if "data/raw/bars" in stage["deps"]}

    assert reading == {"ingest", "validate", "normalize", "evaluate"}


def test_a_workspace_that_was_moved_answers_the_same(bars_once: Workspace, bars: Workspace) -> None:
    assert right(bars) == right(bars_once)
    before = artefacts.sha256(bars.normalized)

    normalize.run(bars)

    assert artefacts.sha256(bars.normalized) == before
    assert str(bars.root) not in (bars.preprocessor / "preprocessor.json").read_text()


def test_a_file_that_no_check_has_set_aside_stops_normalize_in_one_line(bars: Workspace) -> None:
    rows = artefacts.scan_parquet(bars.split / "train.parquet").collect()
    (bars.raw / rows["path"][3]).write_bytes(b"no picture")

    with pytest.raises(DataError, match=rf"{rows['path'][3]} is no picture") as caught:
        normalize.run(bars)

    assert "\n" not in str(caught.value)


def test_a_row_whose_file_cannot_be_read_has_no_answer_and_is_told(
    bars_once: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    model = Predictor.load(bars_once.candidate, bars_once.media)
    there = artefacts.scan_parquet(bars_once.split / "test.parquet").collect()["path"][0]

    with caplog.at_level(logging.WARNING):
        found = model.answers(pl.DataFrame({"path": [there, "down/gone.png", None]}))

    assert np.isfinite(found).all(axis=1).tolist() == [True, False, True]
    assert re.search(r"no answer for 1 of 3 rows: \S*down/gone.png is absent", caplog.text)


def test_pictures_of_a_folder_are_answered_and_one_that_cannot_be_read_is_set_aside(
    bars_once: Workspace, tmp_path: Path
) -> None:
    for number in range(6):
        picture(tmp_path / "came" / f"{number}.png", ("down", "across")[number % 2], 2000 + number)
    (tmp_path / "came" / "3.png").write_bytes(b"no picture")

    told = tmp_path / "told.csv"
    assert cli.main(["-w", str(bars_once.root), "predict", str(tmp_path / "came"), "--out", str(told)]) == 0

    answers, aside = pl.read_csv(told), pl.read_csv(tmp_path / "told.aside.csv")
    assert answers["path"].to_list() == [f"{number}.png" for number in (0, 1, 2, 4, 5)]
    assert aside["path"].to_list() == ["3.png"]
    assert "3.png is no picture" in aside["reason"][0]


def test_a_batch_brings_its_pictures_along(bars: Workspace, tmp_path: Path) -> None:
    kinds = ["down", "across"] * 20
    for number, kind in enumerate(kinds):
        picture(tmp_path / "came" / "next" / f"{number}.png", kind, 1000 + number)
    rows = pl.DataFrame({"path": [f"next/{number}.png" for number in range(40)], "label": kinds})
    rows.write_csv(tmp_path / "came" / "batch.csv")

    record = monitor.watch(bars, tmp_path / "came" / "batch.csv")
    adopted = monitor.adopt(bars, record)

    assert record.labelled == 40
    assert record.live is not None
    assert record.live.champion["auc"].value >= 0.9
    assert (bars.incoming / "next" / "7.png").is_file()
    assert [path.name for path in adopted] == ["batch.csv"]
    assert (bars.raw / "next" / "39.png").read_bytes() == (tmp_path / "came" / "next" / "39.png").read_bytes()


def test_a_batch_does_not_overwrite_another_picture(bars: Workspace, tmp_path: Path) -> None:
    picture(tmp_path / "came" / "down" / "2.png", "across", 5)
    rows = pl.DataFrame({"path": ["down/2.png"] * 2, "label": ["across", "down"]})
    rows.write_csv(tmp_path / "came" / "batch.csv")
    record = monitor.watch(bars, tmp_path / "came" / "batch.csv")
    before = (bars.raw / "down" / "2.png").read_bytes()

    with pytest.raises(DataError, match="with another content"):
        monitor.adopt(bars, record)

    assert (bars.raw / "down" / "2.png").read_bytes() == before
    assert not (bars.raw / "batch.csv").exists()


def test_a_folder_of_sounds_is_learnt(tmp_path: Path) -> None:
    for number in range(ROWS):
        kind = ("low", "high")[number % 2]
        sound(tmp_path / "tones" / kind / f"{number}.wav", kind, number)
    workspace = made(tmp_path / "new", tmp_path / "tones")

    run(workspace)

    assert right(workspace) >= 0.9
    tensors = artefacts.read_tensors(workspace.normalized / "train.safetensors")
    assert tensors["audio:path"].shape[1:] == (800,)


def test_a_table_with_a_column_of_paths_and_others_is_read_with_its_pictures(tmp_path: Path) -> None:
    kinds = ["down", "across"] * (ROWS // 2)
    for number, kind in enumerate(kinds):
        picture(tmp_path / "shop" / "photos" / f"{number}.png", kind, number)
    photos = [f"photos/{number}.png" for number in range(ROWS)]
    table = pl.DataFrame({"photo": photos, "price": [number % 37 for number in range(ROWS)], "kind": kinds})
    table.write_csv(tmp_path / "shop" / "table.csv")

    workspace = made(tmp_path / "new", tmp_path / "shop" / "table.csv", kind="label")
    run(workspace, "ingest", "validate", "clean", "split", "normalize")

    tensors = artefacts.read_tensors(workspace.normalized / "train.safetensors")
    assert tensors["image:photo"].shape[1:] == (1, 10, 10)
    assert tensors["dense"].shape[1] == 1
    assert validate.run(workspace).rows == ingest.run(workspace).rows


def test_the_settings_in_the_document_are_the_defaults_and_the_digit_classifier_is_ten_lines(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "media.md").read_text(), re.DOTALL | re.MULTILINE)
    every, digits = (yaml.safe_load(block) for block in blocks)
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "params.yaml").write_text(blocks[1])

    settings.check(Workspace.open(tmp_path))

    assert len(blocks[1].strip().splitlines()) == 10
    assert digits["train"]["image"] == {"kind": "flat"}
    for section in (normalize.NormalizeSettings, train.TrainSettings):
        values = section().model_dump(mode="json")
        assert {name: values[name] for name in every[section.key]} == every[section.key]
