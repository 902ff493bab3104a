"""Sounds in the network: moved and masked at random in training, turned to log-mel spectrograms, and looked at.

Shapes: B sounds, T samples, F frequencies, M bands of pitch, L frames, E values of the vector.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Self, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from pipeline.artefacts import Record
from pipeline.contract import Modality
from pipeline.features.audio import FULL, AudioNetworkSettings
from pipeline.models.encoders.residual import ResidualTrunk

WINDOW_SECONDS = 0.025  # that speech hardly changes in: the usual window and step of recognisers (HTK Book, 5.2)
STEP_SECONDS = 0.010
FLOOR = 1e-6  # power below which all is silence: 60 dB under a tone at full scale in one bin
MASKS = 2
VALUES_AT_ONCE = 1 << 23  # as for pictures


class AudioShape(Record):
    """What the module is built from: what the column's encoder learnt of train, and the settings."""

    rate: int = Field(ge=1)
    samples: int = Field(ge=1)
    mels: int = Field(ge=1)
    settings: AudioNetworkSettings


class AudioNetwork(nn.Module):
    """(B, T) int16 → (B, E).

    >>> network = AudioNetwork.of({"rate": 8000, "samples": 4000, "mels": 32, "settings": {"width": 4}})
    >>> network(torch.zeros(3, 4000, dtype=torch.int16)).shape
    torch.Size([3, 128])
    """

    kind: ClassVar[Modality] = "audio"
    window_W: Tensor
    bank_FM: Tensor

    def __init__(self, shape: AudioShape) -> None:
        super().__init__()
        settings, self.settings = shape.settings, shape.settings
        self.step, window = round(STEP_SECONDS * shape.rate), round(WINDOW_SECONDS * shape.rate)
        self.points = 2 << (window - 1).bit_length()  # with silence added: else the lowest bands fall between two
        frames = 1 + shape.samples // self.step
        self.normalised = nn.BatchNorm1d(shape.mels, affine=False)
        self.trunk = ResidualTrunk(1, shape.mels, width=settings.width, depth=settings.depth)
        self.width = self.trunk.channels * self.trunk.height
        self.rows_at_once = max(1, VALUES_AT_ONCE // (settings.width * shape.mels * frames))
        self.register_buffer("window_W", torch.hann_window(window), persistent=False)
        self.register_buffer("bank_FM", mel_bank(shape.rate, self.points, shape.mels), persistent=False)

    @classmethod
    def of(cls, shape: Mapping[str, Any]) -> Self:
        return cls(AudioShape.model_validate(shape))

    def forward(self, block: Tensor) -> Tensor:
        if self.training or torch.compiler.is_exporting():  # who runs an export says how many rows there are at once
            return self._hear(block)
        if not len(block):  # there is no transform of no sounds
            return torch.empty(0, self.width, device=block.device)
        return torch.cat([self._hear(part) for part in torch.split(block, self.rows_at_once)])

    def _hear(self, sound_BT: Tensor) -> Tensor:
        wave_BT = sound_BT.float() / FULL
        if self.training and self.settings.shift:
            wave_BT = moved(wave_BT, self.settings.shift)
        pitch_BML: Tensor = self.normalised(self.log_mel(wave_BT))
        if self.training:
            pitch_BML = masked(pitch_BML, self.settings.masked_mels, dim=1)
            pitch_BML = masked(pitch_BML, self.settings.masked_seconds, dim=2)
        # the mean over time alone: what is high and what is low is to be told apart
        return cast(Tensor, self.trunk(pitch_BML.unsqueeze(1)).mean(dim=3).flatten(1))

    def log_mel(self, wave_BT: Tensor) -> Tensor:
        """(B, T) in -1..1 → (B, M, L): the logarithm of the power in each band, in frames around each step."""
        spectrum_BFL = torch.stft(
            wave_BT,
            n_fft=self.points,
            hop_length=self.step,
            win_length=len(self.window_W),
            window=self.window_W,
            pad_mode="constant",
            return_complex=True,
        )
        power_BFL = spectrum_BFL.real.square() + spectrum_BFL.imag.square()
        return ((power_BFL.transpose(1, 2) @ self.bank_FM).transpose(1, 2) + FLOOR).log()


def mels(hertz: Tensor) -> Tensor:
    """Frequency → pitch in mel: 2595 log10(1 + f / 700) (O'Shaughnessy 1987; HTK Book, equation 5.13).

    >>> mels(torch.tensor([0.0, 1000.0])).round().tolist()
    [0.0, 1000.0]
    """
    return 2595 * torch.log10(1 + hertz / 700)


def mel_bank(rate: int, points: int, bands: int) -> Tensor:
    """(F, M) float32: how much of each of the points / 2 + 1 frequencies is in each band.

    Bands are triangles over the scale of mels, at equal distances from 0 to half the rate; each ends where its
    neighbours are highest, so that they add up to 1 between the first and the last peak (HTK Book, figure 5.3).
    """
    nyquist = torch.tensor(rate / 2, dtype=torch.float64)
    pitch_F1 = mels(torch.linspace(0, rate / 2, points // 2 + 1, dtype=torch.float64)).unsqueeze(1)
    width = mels(nyquist) / (bands + 1)
    peak_M = width * torch.arange(1, bands + 1, dtype=torch.float64)
    return (1 - (pitch_F1 - peak_M).abs() / width).clamp(min=0).float()


def moved(wave_BT: Tensor, share: float) -> Tensor:
    """Each sound moved by up to this share of its length, both ways; silence comes in."""
    rows, samples = wave_BT.shape
    by_B1 = ((2 * torch.rand(rows, 1, device=wave_BT.device) - 1) * share * samples).long()
    from_BT = torch.arange(samples, device=wave_BT.device) - by_B1
    there_BT = (from_BT >= 0) & (from_BT < samples)
    return wave_BT.gather(1, from_BT.clamp(0, samples - 1)) * there_BT


def masked(pitch_BML: Tensor, share: float, *, dim: int) -> Tensor:
    """Stretches of up to this share along `dim` set to 0, the mean: `MASKS` of them in each row, apart or not."""
    rows, length = len(pitch_BML), pitch_BML.shape[dim]
    place_D = torch.arange(length, device=pitch_BML.device)
    for _ in range(MASKS if share else 0):
        draw_B2 = torch.rand(rows, 2, device=pitch_BML.device)
        width_B1 = draw_B2[:, :1] * share * length
        start_B1 = draw_B2[:, 1:] * (length - width_B1)
        hidden_BD = (place_D >= start_B1.floor()) & (place_D < (start_B1 + width_B1).floor())
        pitch_BML = pitch_BML.masked_fill(hidden_BD.unsqueeze(2 if dim == 1 else 1), 0.0)
    return pitch_BML


ENCODERS = (AudioNetwork,)
