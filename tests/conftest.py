"""A tiny workspace for every stage: 600 made-up deliveries in three months, and two months that arrive later."""

import gzip
import shutil
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, settings

from pipeline import monitor
from pipeline.cli import STAGES
from pipeline.versions import registry
from pipeline.workspace import Workspace

# Every run tries the same examples, and none fails because the machine is busy
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Packed bytes carry the time they were packed at: as a name they would differ from worker to worker."""
    return "bytes" if isinstance(val, bytes) else None


ROOT = Path(__file__).parents[1]
FIRST_STATES: dict[str, Any] = {}  # of the generators that test modules call RANDOM, by the module
ROWS_A_MONTH = 200
SHOPS = ("north", "south", "harbour")

SLOW = '    slow: bool = pa.Field(nullable=True, metadata={"role": "label"})\n'
CONTRACT = '''"""Deliveries of three shops; one row is one order."""

import pandera.polars as pa
import polars as pl


class Deliveries(pa.DataFrameModel):
    """`minutes` is known only afterwards; the label is derived from it."""

    order: int = pa.Field(ge=1, metadata={"role": "id"})
    placed: pl.Datetime(time_unit="us") = pa.Field(metadata={"role": "time"})
    shop: str = pa.Field(isin=["north", "south", "harbour"], metadata={"modality": "categorical"})
    distance: float = pa.Field(ge=0, le=100, metadata={"modality": "numeric"})
    weight: float = pa.Field(ge=0, nullable=True, metadata={"modality": "numeric"})
    minutes: int = pa.Field(ge=1, nullable=True, metadata={"role": "ignore"})
    weekday: str = pa.Field(isin=list("1234567"), metadata={"modality": "categorical"})
    slow: bool = pa.Field(nullable=True, metadata={"role": "label"})

    class Config:
        """An order stands once."""

        strict = True
        unique = ("order",)


EXPECTATIONS = [{"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1, "max_value": 1000}}]
'''

PARAMS = """\
dataset: tiny
seed: 7
ingest:
  derive:
    slow: minutes > 30
    weekday: EXTRACT(ISODOW FROM placed)
checks: {batch_expectations: stop}
split: {method: random}
normalize:
  categorical: {minimum_count: 2}
train: {mlp: {hidden: [8], dropout: 0.0}, epochs: 2, batch_size: 64, optimizer: {learning_rate: 0.02}, accelerator: cpu}
evaluate: {resamples: 50}
promote: {baseline: majority, tolerated_loss: 0.2, champion: not_worse}
monitor: {min_labelled_rows: 50}
"""


@pytest.fixture(autouse=True)
def same_draws(request: pytest.FixtureRequest) -> None:
    """A module's RANDOM begins anew with each test: what one draws does not hang on which ran before it."""
    module = getattr(request.node, "module", None)
    random = getattr(module, "RANDOM", None)
    if module is not None and isinstance(random, np.random.Generator):
        random.bit_generator.state = FIRST_STATES.setdefault(module.__name__, random.bit_generator.state)


@pytest.fixture(scope="session")
def tiny_once(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """`tiny`, only to be read."""
    return made(tmp_path_factory.mktemp("made") / "tiny")


@pytest.fixture
def tiny(tiny_once: Workspace, tmp_path: Path) -> Workspace:
    """A workspace of 3 x 200 rows: 18 without a label, some weights missing, two exact copies in the last file.

    data/raw/tiny has 2024-01.csv.gz, 2024-02.csv and 2024-03.csv.gz; data/incoming/tiny has 2024-04.csv.gz, like
    them, and 2024-05.csv.gz, whose distances and shops have drifted. Nothing has run yet; it is no git repository.
    """
    return copied(tiny_once, tmp_path / "tiny")


@pytest.fixture
def three(tiny: Workspace) -> Workspace:
    """`tiny` with a label of three classes, `speed`: fast, slow, usual."""
    label = "speed: str = pa.Field(isin=['fast', 'slow', 'usual'], nullable=True"
    contract = tiny.contract_file.read_text().replace("slow: bool = pa.Field(nullable=True", label)
    tiny.contract_file.write_text(contract)
    case = "CASE WHEN minutes > 32 THEN 'slow' WHEN minutes > 26 THEN 'usual' WHEN minutes > 0 THEN 'fast' END"
    tiny.params_file.write_text(tiny.params_file.read_text().replace("slow: minutes > 30", f"speed: {case}"))
    return Workspace.open(tiny.root)


@pytest.fixture(scope="session")
def measured_once(tiny_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """`tiny` with the label `minutes`, a quantity, after every stage of the DAG; only to be read."""
    workspace = copied(tiny_once, tmp_path_factory.mktemp("measured") / "tiny")
    told, ignored = CONTRACT.replace(SLOW, ""), '{"role": "ignore"}'
    assert told.count(ignored) == 1  # that of minutes
    workspace.contract_file.write_text(told.replace(ignored, '{"role": "label", "modality": "numeric"}'))
    params = PARAMS.replace("    slow: minutes > 30\n", "").replace("baseline: majority", "baseline: mean")
    workspace.params_file.write_text(params.replace("epochs: 2,", "epochs: 8,"))
    return after_every_stage(Workspace.open(workspace.root))


@pytest.fixture
def measured(measured_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of `measured_once`, to write in."""
    return copied(measured_once, tmp_path / "measured")


@pytest.fixture(scope="session")
def trained_once(tiny_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """`tiny` after every stage of the DAG, none of which DVC knows of; only to be read."""
    return after_every_stage(copied(tiny_once, tmp_path_factory.mktemp("trained") / "tiny"))


@pytest.fixture
def trained(trained_once: Workspace, tmp_path: Path) -> Workspace:
    """A copy of `trained_once`, to write in."""
    return copied(trained_once, tmp_path / "trained")


@pytest.fixture(scope="session")
def promoted_once(trained_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("promoted") / "tiny"
    shutil.copytree(trained_once.root, root)
    workspace = Workspace.open(root)
    registry.point(workspace, registry.register(workspace))
    return workspace


@pytest.fixture
def promoted(promoted_once: Workspace, tmp_path: Path) -> Workspace:
    """`tiny` with a champion."""
    shutil.copytree(promoted_once.root, tmp_path / "promoted")
    return Workspace.open(tmp_path / "promoted")


@pytest.fixture(scope="session")
def watched_once(promoted_once: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("watched") / "tiny"
    shutil.copytree(promoted_once.root, root)
    workspace = Workspace.open(root)
    for path in monitor.pending(workspace):
        monitor.watch(workspace, path)
    return workspace


@pytest.fixture
def watched(watched_once: Workspace, tmp_path: Path) -> Workspace:
    """`tiny` with a champion and the records of April and May."""
    shutil.copytree(watched_once.root, tmp_path / "watched")
    return Workspace.open(tmp_path / "watched")


def copied(workspace: Workspace, root: Path) -> Workspace:
    """The workspace once more, in the folder `root`."""
    shutil.copytree(workspace.root, root)
    return Workspace.open(root)


def after_every_stage(workspace: Workspace) -> Workspace:
    """The workspace, once every stage of the DAG has run in it."""
    for stage in STAGES:
        import_module(f"pipeline.stages.{stage}").run(workspace)
    return workspace


def made(root: Path) -> Workspace:
    """The workspace of `tiny` in the folder `root`."""
    months = {month: _month(month) for month in range(1, 6)}
    months[3][-2:] = months[1][:2]
    files = {
        "schemas/tiny.py": CONTRACT,
        "params.yaml": PARAMS,
        "dvc.yaml": _dvc_yaml(),
        "models/champion.json": '{"version": null, "identity": null, "promoted_at": null, "previous": null}\n',
        "models/window.json": '{"since": null, "half_life_days": null, "replay": 0.0, "start": null}\n',
        "data/raw/tiny/2024-01.csv.gz": _csv(months[1]),
        "data/raw/tiny/2024-02.csv": _csv(months[2]),
        "data/raw/tiny/2024-03.csv.gz": _csv(months[3]),
        "data/incoming/tiny/2024-04.csv.gz": _csv(months[4]),
        "data/incoming/tiny/2024-05.csv.gz": _csv(months[5]),
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode())
    return Workspace.open(root)


def _month(month: int) -> list[str]:
    """CSV lines; orders far away, heavy, or from the harbour are slow. Month 5 is drifted, all others are alike."""
    random = np.random.default_rng(month)
    drifted = month == 5
    hours = np.sort(random.choice(28 * 24, ROWS_A_MONTH, replace=False))
    shops = random.choice(SHOPS, ROWS_A_MONTH, p=[0.1, 0.1, 0.8] if drifted else [0.5, 0.3, 0.2])
    distance = random.gamma(4, 2.5 if drifted else 1.0, ROWS_A_MONTH).clip(0, 99)
    weight = random.gamma(2, 2.0, ROWS_A_MONTH)
    minutes = 10 + 3 * distance + weight + 8 * (shops == "harbour") + random.normal(0, 3, ROWS_A_MONTH)
    lines = []
    for i in range(ROWS_A_MONTH):
        placed = f"2024-{month:02}-{hours[i] // 24 + 1:02}T{hours[i] % 24:02}:00:00"
        heavy = "NA" if i % 10 == 3 else f"{weight[i]:.2f}"
        took = "NA" if i % 33 == 5 and i < 190 else f"{max(1, minutes[i]):.0f}"
        lines.append(f"{month * 1000 + i},{placed},{shops[i]},{distance[i]:.2f},{heavy},{took}")
    return lines


def _csv(lines: list[str]) -> str:
    return "\n".join(["order,placed,shop,distance,weight,minutes", *lines]) + "\n"


def _dvc_yaml() -> str:
    """The repository's DAG over this data set; the code is not a dependency, it is not in the workspace."""
    dag = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8").replace("flights", "tiny"))
    dag["vars"] = [{"keepfit": f'PATH="{Path(sys.executable).parent}:$PATH" keepfit'}]
    for stage in dag["stages"].values():
        stage["deps"] = [dep for dep in stage["deps"] if not dep.startswith("pipeline/")]
    return yaml.safe_dump(dag, sort_keys=False)
