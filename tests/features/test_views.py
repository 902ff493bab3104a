"""Pictures as the vectors of a pre-trained network: made anew here, with random weights, as transformers writes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from pipeline.errors import SettingsError, WorkspaceError
from pipeline.features.image import ImageEncoder, ImageNetworkSettings, ImageSettings
from pipeline.features.views import Views
from pipeline.models.encoders.image import ImageNetwork
from pipeline.models.encoders.vector import VectorNetwork

READING = {"size": {"height": 24, "width": 24}, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4]}
transformers: Any = pytest.importorskip("transformers", reason="the extra `pretrained` is not installed")


def convolutional() -> Any:
    shape = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 8], depths=[1, 1], layer_type="basic")
    return transformers.ResNetModel(shape)


def looking_at_patches() -> Any:
    shape = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=24, patch_size=8
    )
    return transformers.ViTModel(shape, add_pooling_layer=False)


def beside_texts() -> Any:
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    shape = transformers.CLIPConfig(
        text_config={**small, "vocab_size": 9}, vision_config={**small, "image_size": 24, "patch_size": 8}
    )
    return transformers.CLIPModel(shape)


def written(folder: Path, network: Any, **reading: Any) -> str:
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**READING, **reading}))
    return str(folder)


def pictures(folder: Path, rows: int) -> list[str | None]:
    drawn = np.random.default_rng(0).integers(0, 256, (rows, 30, 20, 3), dtype=np.uint8)
    paths = [folder / f"{row}.png" for row in range(rows)]
    for pixels, path in zip(drawn, paths, strict=True):
        Image.fromarray(pixels).save(path)
    return [str(path) for path in paths]


@pytest.mark.parametrize("made", [convolutional, looking_at_patches, beside_texts])
def test_each_kind_of_network_gives_a_vector_a_picture(made: Any, tmp_path: Path) -> None:
    learnt = Views.fit(written(tmp_path, made()))

    vectors_NE = learnt.encode(np.random.default_rng(0).integers(0, 256, (33, 3, 24, 24), dtype=np.uint8))

    assert vectors_NE.shape == (33, 8) == (33, learnt.width)
    assert len(np.unique(vectors_NE.round(5), axis=0)) == 33


def test_the_vector_is_the_networks_own_of_light_scaled_as_it_was_shown(tmp_path: Path) -> None:
    network = convolutional().eval()
    learnt = Views.fit(written(tmp_path, network))

    found = learnt.encode(np.full((1, 3, 24, 24), 51, dtype=np.uint8))

    shown = (0.2 - torch.tensor(READING["image_mean"])) / torch.tensor(READING["image_std"])
    with torch.inference_mode():
        own = network(shown.reshape(1, 3, 1, 1).expand(1, 3, 24, 24)).pooler_output.flatten(1)
    assert found == pytest.approx(own.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("reading", "side"),
    [
        ({"size": 32}, 32),
        ({"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}, 32),
        ({"size": {"shortest_edge": 40}, "crop_size": 32, "do_center_crop": False}, 40),
    ],
)
def test_the_side_is_what_the_network_was_shown(reading: dict[str, Any], side: int, tmp_path: Path) -> None:
    assert Views.fit(written(tmp_path, convolutional(), **reading)).size == side


def test_a_missing_path_and_a_broken_file_are_zeros(tmp_path: Path) -> None:
    folder = written(tmp_path / "network", convolutional())
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = [*pictures(tmp_path, 2), None, str(tmp_path / "broken.png")]
    encoder = ImageEncoder.fit("p", pl.LazyFrame({"p": paths[:2]}), ImageSettings(pretrained=folder))

    vectors_NE, faults = encoder.read_files(pl.Series("p", paths, dtype=pl.String))

    assert list(faults) == [3]
    assert (vectors_NE[2:] == 0).all()
    assert np.abs(vectors_NE[:2]).min(axis=1).max() > 0


def test_the_vectors_go_into_the_network(tmp_path: Path) -> None:
    folder = written(tmp_path / "network", convolutional())
    rows = pl.LazyFrame({"p": pictures(tmp_path, 3)})
    encoder = ImageEncoder.fit("p", rows, ImageSettings(pretrained=folder))
    again = ImageEncoder.model_validate_json(encoder.model_dump_json())

    made = ImageNetwork.of(again.network(ImageNetworkSettings(width=8)))

    assert isinstance(made, VectorNetwork)
    assert made(torch.from_numpy(again.encode(rows.collect()["p"]))).shape == (3, made.width) == (3, 32)


def test_a_network_of_other_bytes_is_refused(tmp_path: Path) -> None:
    learnt = Views.fit(written(tmp_path, convolutional()))
    config = tmp_path / "config.json"
    config.write_text(config.read_text() + "\n")

    with pytest.raises(WorkspaceError, match="not the encoder"):
        Views.model_validate_json(learnt.model_dump_json()).encode(np.zeros((1, 3, 24, 24), dtype=np.uint8))


@pytest.mark.parametrize("missing", ["preprocessor_config.json", "model.safetensors", "config.json"])
def test_a_folder_without_such_a_network_is_named(missing: str, tmp_path: Path) -> None:
    folder = written(tmp_path, convolutional())
    (tmp_path / missing).unlink()

    with pytest.raises(SettingsError, match=r"normalize\.image\.pretrained"):
        Views.fit(folder)


def test_a_network_for_texts_is_refused(tmp_path: Path) -> None:
    shape = transformers.BertConfig(
        vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )

    with pytest.raises(SettingsError, match="is no encoder"):
        Views.fit(written(tmp_path, transformers.BertModel(shape)))
