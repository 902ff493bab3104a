"""A workspace with a champion, and rows that it can be asked about."""

import gzip
import shutil
from pathlib import Path

import polars as pl
import pytest

from pipeline import registry
from pipeline.workspace import Workspace

APRIL = "2024-04.csv.gz"


@pytest.fixture(scope="session")
def champion_once(trained_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """`tiny` with a champion; only to be read."""
    root = tmp_path_factory.mktemp("champion") / "tiny"
    shutil.copytree(trained_once.root, root)
    workspace = Workspace.open(root)
    registry.point(workspace, registry.register(workspace))
    return workspace


@pytest.fixture
def champion(champion_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of `champion_once`, to write in."""
    shutil.copytree(champion_once.root, tmp_path / "tiny")
    return Workspace.open(tmp_path / "tiny")


@pytest.fixture(scope="session")
def april(champion_once: Workspace) -> pl.DataFrame:
    """200 rows as they come: text in every column."""
    return pl.read_csv(gzip.decompress((champion_once.incoming / APRIL).read_bytes()), infer_schema=False)
