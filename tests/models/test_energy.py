"""Energy: counters as the kernel and NVIDIA's library give them, and silence where they do not."""

import ctypes
from pathlib import Path
from typing import Any

import pytest

from pipeline.models import energy
from pipeline.models.energy import Nvml, Rapl, meter


def counter(root: Path, name: str, microjoules: int, span: int = 1_000_000) -> Path:
    folder = root / name
    folder.mkdir(exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{span}\n")
    return folder / "energy_uj"


def test_packages_are_added_and_their_parts_are_not(tmp_path: Path) -> None:
    first, second = counter(tmp_path, "intel-rapl:0", 100), counter(tmp_path, "intel-rapl:1", 0)
    part = counter(tmp_path, "intel-rapl:0:0", 50)
    rapl = Rapl(tmp_path)

    for file, value in ((first, 300_100), (second, 200_000), (part, 999_999)):
        file.write_text(str(value))

    assert rapl() == 0.5


def test_a_counter_that_begins_anew_goes_on(tmp_path: Path) -> None:
    file = counter(tmp_path, "intel-rapl:0", 900_000)
    rapl = Rapl(tmp_path)

    for value in (100_000, 600_000, 100_000):
        file.write_text(str(value))
        told = rapl()

    assert told == pytest.approx(0.2 + 0.5 + 0.5)


def test_nobody_guesses(tmp_path: Path) -> None:
    assert Rapl(tmp_path)() is None
    (counter(tmp_path, "intel-rapl:0", 1).parent / "energy_uj").unlink()
    assert Rapl(tmp_path)() is None


class Library:
    """NVML of one GPU, which has used so many millijoules; `code` is what the counter answers."""

    def __init__(self, code: int = 0) -> None:
        self.millijoules, self.code = 5_000, code

    def nvmlDeviceGetHandleByIndex_v2(self, place: Any, _: Any) -> int:  # noqa: N802 # as NVIDIA calls it
        return 0 if place.value == 0 else 2

    def nvmlDeviceGetTotalEnergyConsumption(self, _: Any, value: Any) -> int:  # noqa: N802
        value._obj.value = self.millijoules
        return self.code


def test_a_gpu_is_asked_for_what_it_used_since() -> None:
    library = Library()
    nvml = Nvml([0], library)

    library.millijoules = 12_500

    assert nvml() == 7.5
    assert Nvml([0], Library(code=3))() is None
    assert Nvml([1], Library())() is None
    assert ctypes.sizeof(ctypes.c_ulonglong) == 8


def test_without_a_counter_the_meter_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "Rapl", lambda: Rapl(tmp_path))
    monkeypatch.setattr(energy, "_library", lambda: None)

    assert meter([0])() is None
