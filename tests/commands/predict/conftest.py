"""Rows that a champion can be asked about."""

import gzip

import polars as pl
import pytest

from pipeline.workspace import Workspace

APRIL = "2024-04.csv.gz"


@pytest.fixture(scope="session")
def april(promoted_once: Workspace) -> pl.DataFrame:
    """200 rows as they come: text in every column."""
    return pl.read_csv(gzip.decompress((promoted_once.incoming / APRIL).read_bytes()), infer_schema=False)
