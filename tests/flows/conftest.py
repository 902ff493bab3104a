"""One bare Prefect server for all tests of the flows, and a workspace whose stages are fakes that count."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from flows.environment import connected
from pipeline.versions.dvc import Versions
from pipeline.workspace import Workspace

PARAMS = "dataset: flights\n"


def made_workspace(root: Path) -> Workspace:
    """A folder that opens as a workspace, with two raw files."""
    for name, text in {
        "params.yaml": PARAMS,
        "dvc.yaml": "stages: {}\n",
        "data/raw/flights/a.csv": "x\n1\n",
        "data/raw/flights/b.csv": "x\n2\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return Workspace.open(root)


@dataclass
class FakeVersions:
    """Stands for pipeline.versions.dvc.Versions; `log` is what it was asked to do."""

    stages: list[Any] = field(default_factory=list)
    fresh: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)

    def add(self, name: str, command: str = "") -> None:
        """Add a stage of dvc.yaml, one of ours unless it has a command of its own."""
        before = [self.stages[-1].name] if self.stages else []
        command = command or f"keepfit stage {name}"
        self.stages.append(SimpleNamespace(name=name, command=command, deps=before, outs=[name]))

    def is_up_to_date(self, name: str) -> bool:
        """Whether the test said so."""
        return name in self.fresh

    def record(self, name: str) -> None:
        """Note it."""
        self.log.append(f"record {name}")

    def run_command(self, name: str) -> None:
        """Note it."""
        self.log.append(f"command {name}")


@dataclass
class Stages:
    """What the fake stages did (`log`), and what they are to raise (`faults`: name → errors, in turn)."""

    log: list[str]
    faults: dict[str, list[Exception]] = field(default_factory=dict)
    promotion: Any = field(
        default_factory=lambda: SimpleNamespace(promoted=True, version="v2", reasons=("auc 0.74 | better",))
    )

    def run(self, name: str, workspace: Workspace) -> Any:
        """Do as the test says."""
        self.log.append(name)
        if self.faults.get(name):
            raise self.faults[name].pop(0)
        return self.promotion if name == "promote" else None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a temporary server; a user's own server or settings are out of sight."""
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("PREFECT_")]:
            patch.delenv(key)
        patch.setattr("flows.environment.DASHBOARD_PORT", 1)
        with connected(made_workspace(tmp_path_factory.mktemp("server")), say=lambda _: None) as url:
            import_module("flows.serving")  # and what it imports, before any of that is replaced by a fake
            yield url


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A fresh workspace in a folder called `demo`."""
    return made_workspace(tmp_path / "demo")


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    """Fake stage modules in the place of pipeline.stages.*, and of the report."""
    fakes = Stages(log=[])
    for name in ("ingest", "validate", "evaluate", "promote"):
        module = ModuleType(f"pipeline.stages.{name}")
        module.__spec__ = SimpleNamespace(name=module.__name__)  # type: ignore[assignment]
        module.run = lambda workspace, name=name: fakes.run(name, workspace)  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(f"pipeline.stages.{name}", module, raising=False)
    page = SimpleNamespace(write=lambda workspace: fakes.log.append("report"))
    monkeypatch.setitem(sys.modules, "pipeline.reports.report", page)
    monkeypatch.setattr("pipeline.reports.report", page, raising=False)
    return fakes


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch, server: str) -> FakeVersions:
    """The fake DVC, which the flow opens: ingest, validate, evaluate, all to be run."""
    fake = FakeVersions()
    for name in ("ingest", "validate", "evaluate"):
        fake.add(name)

    @contextmanager
    def opened(root: Path) -> Iterator[FakeVersions]:
        yield fake

    monkeypatch.setattr(Versions, "open", opened)
    return fake
