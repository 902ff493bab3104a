"""Whatever is in a cell or a file, a model of each modality answers with numbers, or says which row it cannot read.

The networks have learnt nothing, and their weights are large: what is not held in bounds on the way shows.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from hypothesis import example, given
from hypothesis import settings as tries
from hypothesis import strategies as st
from PIL import Image

from pipeline.errors import DataError
from pipeline.features import registered
from pipeline.features.preprocessor import Preprocessor
from pipeline.features.series import Series
from pipeline.features.target import Classes, Forecast, Quantity
from pipeline.judgement.hostile import SIGNS
from pipeline.models import saved
from pipeline.models.choices.training import TrainSettings
from pipeline.models.network import Network
from pipeline.predictor import Predictor
from pipeline.quality.repairs import Plan
from pipeline.stages.train import shape
from pipeline.workspace import Section
from tests.features.test_contract import DTYPES, SAMPLES

START = datetime(2024, 1, 1)
HUGE, LONG = 1e308, "x " * 50_000
SMALL: dict[str, Any] = {
    "model": "mlp",
    "mlp": {"hidden": [4], "embedding": "none"},
    "text": {"kind": "cnn", "width": 8, "layers": 1},
    "image": {"width": 4, "depth": 1},
    "audio": {"width": 4},
}
NUMBERS = st.one_of(st.none(), st.floats(), st.sampled_from([HUGE, -HUGE, -0.0, 5e-324]))
TEXTS = st.one_of(
    st.none(), st.text(), st.sampled_from(["", "\x00", LONG, SIGNS, "\N{PILE OF POO}" * 2000, ";;;", "\n"])
)
MOMENTS = st.one_of(st.none(), st.datetimes())
CELLS: dict[str, st.SearchStrategy[Any]] = {
    "numeric": NUMBERS,
    "categorical": TEXTS,
    "set": TEXTS,
    "text": TEXTS,
    "timestamp": MOMENTS,
}


def opened(folder: Path, known: Preprocessor, inputs: dict[str, Any], **settings: Any) -> Predictor:
    """A model in `folder` whose weights are drawn."""
    chosen = TrainSettings.model_validate({**SMALL, **settings})
    torch.manual_seed(0)
    made = shape(known, chosen, inputs)
    network = Network(made).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=3.0)
    folder.mkdir()
    saved.write(folder, made, network.state_dict())
    known.write(folder)
    Plan().write(folder / saved.REPAIRS)
    for paper in (saved.REFERENCE, saved.HISTORY):
        (folder / paper).write_text("{}")
    saved.seal(folder, seed=0, settings=Section(), split={"rows": {}, "sources": {}, "span": {}})
    return Predictor.load(folder)


def column(kind: str, values: Sequence[Any]) -> pl.Series:
    return pl.Series("x", values, dtype=DTYPES[kind])


def require_answers(model: Predictor, rows: pl.DataFrame) -> dict[int, str]:
    """What is said of rows that cannot be read; all others have an answer of numbers."""
    a_NK, unread = model.told(rows)
    assert len(a_NK) == rows.height
    readable = np.setdiff1d(np.arange(rows.height), [*unread])
    assert np.isfinite(a_NK[readable]).all()
    if isinstance(model.preprocessor.target, Classes):
        np.testing.assert_allclose(a_NK[readable].sum(axis=1), 1.0)
    assert all(unread.values())
    return unread


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the files that the samples of train name."""
    folder, random = tmp_path_factory.mktemp("files"), np.random.default_rng(0)
    for name in ("grey", "red", "wide"):
        Image.fromarray(random.integers(0, 256, (9, 9), dtype=np.uint8)).save(folder / f"{name}.png")
    for name in ("low.wav", "high.wav", "stereo.flac"):
        soundfile.write(folder / name, random.uniform(-0.5, 0.5, (900, 1)), 8000)
    for name in ("short.txt", "long.txt"):
        (folder / name).write_text("so it is")
    return folder


@pytest.fixture(scope="module")
def models(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Predictor]:
    """The model that reads one column of that modality, and tells a class or a number."""
    folder, made = tmp_path_factory.mktemp("models"), dict[tuple[str, str], Predictor]()

    def model(kind: str, label: str) -> Predictor:
        if (kind, label) not in made:
            values = column(kind, SAMPLES[kind]).to_frame()
            rows = values.with_columns(y=pl.Series(["no", "yes"] * 3), z=pl.Series([1e6, 2e6, 0, -1e6, 5.0, 7.0]))
            target = Classes.fit("y", rows.lazy()) if label == "class" else Quantity.fit("z", rows.lazy())
            paths = pl.when(pl.col("x").is_not_null()).then(pl.lit(f"{samples}/") + pl.col("x")).alias("x")
            placed = rows.with_columns(paths) if kind in ("image", "audio", "text-file") else rows
            encoder = registered()[kind]
            known = Preprocessor(encoders=(encoder.fit("x", placed.lazy(), encoder.settings()),), target=target)
            made[kind, label] = opened(folder / f"{kind}-{label}", known, known.encode(placed).inputs)
        return made[kind, label]

    return model


@pytest.mark.parametrize("label", ["class", "number"])
@pytest.mark.parametrize("kind", sorted(CELLS))
@tries(max_examples=20)
@given(data=st.data())
def test_a_model_of_a_column_answers_whatever_is_in_its_cells(
    kind: str, label: str, data: st.DataObject, models: Callable[[str, str], Predictor]
) -> None:
    values = data.draw(st.lists(CELLS[kind], max_size=6))

    assert require_answers(models(kind, label), column(kind, values).to_frame()) == {}


def pictures(folder: Path) -> dict[str, bool]:
    """Hostile files that may be pictures, and whether they can be read."""
    sizes: dict[str, tuple[str, tuple[int, int]]] = {
        "one pixel": ("L", (1, 1)),
        "see-through": ("RGBA", (1, 1)),
        "black or white": ("1", (3, 2)),
        "of a palette": ("P", (2, 2)),
        "16 bits": ("I;16", (2, 2)),
        "a line": ("RGB", (2000, 1)),
    }
    for name, (mode, size) in sizes.items():
        Image.new(mode, size).save(folder / f"{name}.png")
    whole = (folder / "a line.png").read_bytes()
    broken = {"nothing": b"", "cut short": whole[: len(whole) // 2], "a text": b"so it is"}
    for name, content in broken.items():
        (folder / f"{name}.png").write_bytes(content)
    return {f"{name}.png": True for name in sizes} | {f"{name}.png": False for name in broken}


def sounds(folder: Path) -> dict[str, bool]:
    """The same of sounds."""
    waves: dict[str, tuple[np.ndarray, int]] = {
        "one sample": (np.ones(1), 8000),
        "eight channels": (np.ones((50, 8)), 8000),
        "a high rate": (np.ones(3000), 192_000),
        "a low rate": (np.ones(30), 100),
    }
    for name, (wave, rate) in waves.items():
        soundfile.write(folder / f"{name}.wav", wave, rate)
    soundfile.write(folder / "no sample.wav", np.zeros(0), 8000)
    soundfile.write(folder / "no numbers.wav", np.array([np.nan, np.inf, -np.inf, HUGE]), 8000, subtype="DOUBLE")
    (folder / "nothing.wav").write_bytes(b"")
    (folder / "a text.wav").write_bytes(b"so it is")
    readable = {f"{name}.wav": True for name in (*waves, "no numbers")}
    return readable | {"no sample.wav": False, "nothing.wav": False, "a text.wav": False}


def texts(folder: Path) -> dict[str, bool]:
    """The same of texts."""
    readable = {"one letter": b"x", "long": LONG.encode(), "of no letters": "\N{PILE OF POO}".encode()}
    broken = {"empty": b"", "white": b" \n\t ", "signs": SIGNS.encode()}  # these have a NUL, as no text has
    for name, content in {**readable, **broken}.items():
        (folder / f"{name}.txt").write_bytes(content)
    return {f"{name}.txt": name in readable for name in (*readable, *broken)}


@pytest.mark.parametrize("label", ["class", "number"])
@pytest.mark.parametrize(("kind", "made"), [("image", pictures), ("audio", sounds), ("text-file", texts)])
def test_a_model_of_files_answers_those_that_can_be_read_and_names_the_others(
    kind: str,
    made: Callable[[Path], dict[str, bool]],
    label: str,
    models: Callable[[str, str], Predictor],
    tmp_path: Path,
) -> None:
    files = made(tmp_path)
    paths = [*(str(tmp_path / name) for name in files), str(tmp_path / "absent"), None]

    unread = require_answers(models(kind, label), column(kind, paths).to_frame())

    assert {Path(str(paths[row])).name for row in unread} == {
        *(name for name, can in files.items() if not can),
        "absent",
    }


@pytest.fixture(scope="module", params=["dlinear", "gru", "tcn", "transformer"])
def forecaster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    """A model that forecasts the sales of shops from the last four hours and the staff."""
    hours = [START + timedelta(hours=hour) for hour in range(30)]
    rows = pl.DataFrame({"at": hours * 2, "shop": ["north"] * 30 + ["south"] * 30}).with_columns(
        sold=pl.int_range(60).cast(pl.Float64), staff=pl.int_range(60).cast(pl.Float64) % 3
    )
    staff = registered()["numeric"].fit("staff", rows.lazy(), registered()["numeric"].settings())
    series = Series(
        column="sold", time="at", groups=["shop"], step="1h", origin=0, window=4, horizon=2, season=1, past=4, dense=1
    )
    known = Preprocessor(encoders=(staff,), target=Forecast.fit(series, rows), series=series)
    network = {"kind": request.param, "width": 8, "layers": 1}
    folder = tmp_path_factory.mktemp("series") / "model"
    return opened(folder, known, known.encode(rows).inputs, model="linear", series=network)


@tries(max_examples=20)
@given(
    cells=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 40).map(lambda hour: START + timedelta(hours=hour)), st.datetimes()),
            st.sampled_from(["north", "south", "moon", "", None]),
            NUMBERS,
            NUMBERS,
        ),
        max_size=8,
    )
)
@example(cells=[(START + timedelta(hours=hour), "north", 5.0, 1.0) for hour in range(8)])
@example(cells=[(START, "north", HUGE, HUGE)] * 3)
def test_a_forecast_is_a_number_whatever_the_window_holds(
    cells: list[tuple[datetime | None, str | None, float | None, float | None]], forecaster: Predictor
) -> None:
    number = pl.Float64()
    schema = pl.Schema({"at": pl.Datetime("us"), "shop": pl.String(), "sold": number, "staff": number})
    rows = pl.DataFrame(cells, schema=schema, orient="row")

    try:
        require_answers(forecaster, rows)
    except DataError as error:
        assert "steps" in error.what  # years between two rows: it says so in a line
