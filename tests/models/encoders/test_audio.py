"""Sounds in the network: the scale of mels, the spectrogram, and what training changes at random."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from pipeline.models.encoders.audio import AudioNetwork, masked, mel_bank, mels, moved

RATE = 8000


def network(samples: int = 4000, bands: int = 40, **settings: Any) -> AudioNetwork:
    torch.manual_seed(0)
    shape = {"rate": RATE, "samples": samples, "mels": bands}
    return AudioNetwork.of({**shape, "settings": {"width": 4, "depth": 1, **settings}})


def tone(hertz: float, samples: int = 4000) -> torch.Tensor:
    return torch.sin(2 * math.pi * hertz * torch.arange(samples) / RATE)


def noise(rows: int, samples: int = 4000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(-9000, 9000, (rows, samples), dtype=torch.int16, generator=generator)


def test_mels_are_those_of_the_htk_book() -> None:
    # 1000 Hz is 1000 mel by definition (Stevens, Volkmann & Newman 1937), to which 2595 and 700 are fitted;
    # 1127 ln(1 + f / 700) is the same formula as HTK's code has it
    hertz = torch.tensor([1000.0, 440.0, 8000.0], dtype=torch.float64)

    assert mels(hertz)[0].item() == pytest.approx(1000, abs=0.1)
    assert mels(hertz).tolist() == pytest.approx([1127.0 * math.log(1 + f / 700) for f in hertz.tolist()], rel=1e-4)


def test_bands_are_triangles_that_add_up_to_one_between_the_outer_peaks() -> None:
    bank_FM = mel_bank(16_000, 1024, 40)
    peaks = bank_FM.argmax(dim=0)

    assert bank_FM.shape == (513, 40)
    assert (peaks.diff() > 0).all()
    assert torch.allclose(bank_FM[int(peaks[0]) + 1 : int(peaks[-1])].sum(dim=1), torch.ones(1), atol=1e-5)
    assert (bank_FM > 0).sum(dim=1).max() <= 2


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_the_band_of_its_pitch(hertz: float) -> None:
    made = network()
    width = float(mels(torch.tensor(RATE / 2))) / 41

    loudest = made.log_mel(tone(hertz).unsqueeze(0))[0, :, 10].argmax().item()

    assert loudest == pytest.approx(float(mels(torch.tensor(hertz))) / width - 1, abs=1)


def test_the_power_of_a_tone_is_that_of_its_windowed_transform() -> None:
    # a sine of amplitude 1 in the middle of a bin: |X| = sum(window) / 2, and nearly all of it in one or two bands
    made = network(bands=20)
    hertz = 80 * RATE / made.points

    power = made.log_mel(tone(hertz).unsqueeze(0))[0, :, 20].exp()
    bin_power = (float(made.window_W.sum()) / 2) ** 2

    own = made.bank_FM[80]
    assert float(power[own > 0].sum()) >= bin_power
    assert float(power.max()) == pytest.approx(float(power.sum()), rel=0.6)


def test_silence_is_finite_and_louder_is_more() -> None:
    made = network()

    silent, low, loud = (made.log_mel(level * tone(440).unsqueeze(0)) for level in (0.0, 0.1, 1.0))

    assert torch.isfinite(silent).all()
    assert silent.max() < low.max() < loud.max()
    assert float(loud.max() - low.max()) == pytest.approx(math.log(100), rel=1e-3)


@pytest.mark.parametrize(("samples", "bands"), [(100, 8), (4000, 64), (30_000, 40)])
def test_any_length_gives_a_vector_of_the_width_that_is_announced(samples: int, bands: int) -> None:
    made = network(samples, bands).train()

    found = made(noise(3, samples))

    assert found.shape == (3, made.width)
    assert torch.isfinite(found).all()


def test_rows_are_answered_one_by_one_as_all_at_once() -> None:
    made, block = network().eval(), noise(5)
    whole = made(block)

    made.rows_at_once = 2

    assert torch.allclose(made(block), whole, atol=1e-5)
    assert made(block[:0]).shape == (0, made.width)


def test_only_training_is_random_and_the_global_seed_repeats_it() -> None:
    made, block = network(), noise(4)
    assert torch.equal(made.eval()(block), made(block))

    torch.manual_seed(5)
    first = made.train()(block)
    torch.manual_seed(5)

    assert torch.equal(first, made(block))
    assert not torch.equal(first, made(block))


def test_a_sound_is_moved_and_silence_comes_in() -> None:
    torch.manual_seed(0)
    wave = torch.ones(50, 100)

    found = moved(wave, 0.2)

    heard = found.sum(dim=1)
    assert set(found.flatten().tolist()) == {0.0, 1.0}
    assert 80 <= heard.min() < heard.max() <= 100
    assert found[:, 0].min() == 0
    assert found[:, -1].min() == 0


@pytest.mark.parametrize(("dim", "length"), [(1, 40), (2, 60)])
def test_masks_hide_whole_bands_or_moments_and_no_more_than_their_share(dim: int, length: int) -> None:
    torch.manual_seed(0)

    found = masked(torch.ones(30, 40, 60), 0.2, dim=dim)

    lines = found.mean(dim=3 - dim)
    assert set(lines.flatten().tolist()) == {0.0, 1.0}
    hidden = (lines == 0).sum(dim=1)
    assert 0 < hidden.max() <= 2 * (0.2 * length + 1)
    assert torch.equal(masked(found, 0.0, dim=dim), found)


@pytest.mark.parametrize("change", [{"width": 1}, {"shift": 1.0}, {"masks": 3}])
def test_an_impossible_choice_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        network(**change)
