"""Trainings of past replays that no replay can use again are removed, each whole or not at all (used by backtest)."""

import os
from collections.abc import Mapping
from pathlib import Path

from pipeline import artefacts
from pipeline.artefacts import Record

MADE_OF = "made_of.json"


class MadeOf(Record):
    """What a training was made of: the hash of each file, and one of its settings, its contract and the code."""

    files: dict[str, str]
    definition: str

    @classmethod
    def note(cls, place: Path, files: Mapping[str, str], definition: str) -> None:
        """Write it down in the folder of the training."""
        if not (place / MADE_OF).is_file():
            cls(files=dict(files), definition=definition).write(place / MADE_OF)

    def serves(self, files: Mapping[str, str], definition: str) -> bool:
        """Whether a replay of these files under this definition may come to the same training."""
        return self.definition == definition and self.files.items() <= files.items()


def sweep(home: Path, files: Mapping[str, str], definition: str) -> int:
    """Remove the trainings in `home` that can serve no replay of these files; how many they were.

    Those that were killed can go on and are kept. A folder gets another name first: who is killed here leaves none that
    looks whole, and the next sweep removes the rest. Nobody else may work in `home`.
    """
    for rest in home.glob(".*.tmp"):
        artefacts.remove(rest)
    stale = [place for place in home.iterdir() if place.is_dir() and not _serves(place, files, definition)]
    for place in stale:
        renamed = place.rename(home / f".{place.name}.{os.getpid()}.tmp")
        artefacts.remove(renamed)
    return len(stale)


def _serves(place: Path, files: Mapping[str, str], definition: str) -> bool:
    noted = place / MADE_OF
    return noted.is_file() and MadeOf.read(noted).serves(files, definition)
