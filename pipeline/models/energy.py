"""What a training took of the mains, where the machine tells: its processors by RAPL, its GPU by NVML.

Both count all that the machine does, not this process alone. Where a counter is absent or closed nothing is said.
"""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

Meter: TypeAlias = Callable[[], float | None]
POWERCAP = Path("/sys/class/powercap")
PACKAGES = "intel-rapl:*"  # AMD's too; their parts have a second colon, and are counted with them
NVML = "libnvidia-ml.so.1"


class Rapl:
    """Joules of all processor packages since it was made; each counter begins anew at its own highest value.

    Source: the Linux kernel's Documentation/power/powercap/powercap.rst.
    """

    def __init__(self, root: Path = POWERCAP) -> None:
        packages = [path for path in sorted(root.glob(PACKAGES)) if path.name.count(":") == 1]
        self.ranges = {path / "energy_uj": _microjoules(path / "max_energy_range_uj") for path in packages}
        self.last = {path: _microjoules(path) for path in self.ranges}
        self.used = 0

    def __call__(self) -> float | None:
        """None where a package does not tell, or there is none."""
        now = {path: _microjoules(path) for path in self.ranges}
        for path, last in self.last.items():
            value, span = now[path], self.ranges[path]
            if value is None or last is None or span is None:
                return None
            self.used += value - last if value >= last else value + span - last
        self.last = now
        return self.used / 1e6 if now else None


def _microjoules(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):  # the kernel lets nobody but root read it since CVE-2020-8694
        return None


class Nvml:
    """Joules of GPUs since it was made; None where a GPU does not count them (before Volta) or there is no driver.

    `places`: which GPUs, as CUDA counts them where CUDA_VISIBLE_DEVICES is not set.
    """

    def __init__(self, places: list[int], library: Any = None) -> None:
        self.library = library if library is not None else _library()
        self.handles = [self._handle(place) for place in places] if self.library is not None else []
        self.first = self._total()

    def __call__(self) -> float | None:
        total = self._total()
        return None if total is None or self.first is None else (total - self.first) / 1e3

    def _handle(self, place: int) -> Any:
        handle = ctypes.c_void_p()
        code = self.library.nvmlDeviceGetHandleByIndex_v2(ctypes.c_uint(place), ctypes.byref(handle))
        return None if code else handle

    def _total(self) -> int | None:
        """Millijoules since the driver was loaded, of all GPUs together."""
        total = 0
        for handle in self.handles:
            value = ctypes.c_ulonglong()
            if handle is None or self.library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(value)):
                return None
            total += value.value
        return total if self.handles else None


def _library() -> Any:
    """NVIDIA's management library, ready to be asked; None where there is none."""
    try:
        library = ctypes.CDLL(NVML)
        return None if library.nvmlInit_v2() else library
    except OSError:
        return None


def meter(gpus: list[int]) -> Meter:
    """Joules from now on of the processors and of these GPUs, as far as they tell; None where nobody does."""
    meters: list[Meter] = [Rapl(), *([Nvml(gpus)] if gpus else [])]

    def total() -> float | None:
        told = [value for one in meters if (value := one()) is not None]
        return sum(told) if told else None

    return total
