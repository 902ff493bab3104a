"""Where a version of the model comes from, kept beside it: enough to make it anew, and to say what differs.

lineage.json            commit, code, environment, machine, data by their hashes, the test set and how often it was used
workspace/              settings, DAG, contract and dvc.lock as they were
evaluation.json, ...    the papers: what was found of its data and of itself, the report, the model card
"""

import getpass
import os
import platform
import shutil
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from pydantic import Field

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.models import saved
from pipeline.versions import git, sealed
from pipeline.versions.sealed import Seal
from pipeline.workspace import Workspace

FILE = "lineage.json"
DEFINITION = "workspace"  # the folder in a version's that holds what its workspace was defined by
LOCK = "dvc.lock"


class Machine(Record):
    """What a training ran on: where one of these differs, weights may differ in their last bits."""

    python: str
    system: str
    processor: str
    cores: int
    threads: str | None


class Source(Record):
    """One file of raw data, as it was ingested."""

    sha256: str
    rows: int


class Lineage(Record):
    """Where a version comes from; what is not known is None or empty.

    `commit`: of git, at registration; `changed`: files of git that were not as in it. `code`: the SHA-256 of keepfit's
    own code. `data`: by the path from where ingest reads. `papers`: the SHA-256 of each other file of the version that
    is not the model's own, by its path.
    """

    version: str
    dataset: str
    registered_at: str
    by: str
    commit: str | None
    changed: list[str]
    code: str
    packages: dict[str, str]
    machine: Machine
    data: dict[str, Source]
    test: Seal | None
    papers: dict[str, str] = Field(default_factory=dict)


def keep(workspace: Workspace, version: str, folder: Path) -> None:
    """Write lineage, definition and papers of the candidate into the folder that becomes a version."""
    for path in definition(workspace):
        _copy(path, folder / DEFINITION / path.relative_to(workspace.root))
    for path in (*numbers(workspace), workspace.report, *sorted(workspace.reports.glob("model_card.*"))):
        if path.is_file():
            _copy(path, folder / path.name)
    known = of_now(workspace, version)
    known.model_copy(update={"papers": _papers(folder)}).write(folder / FILE)


def _papers(folder: Path) -> dict[str, str]:
    """By their paths, the hashes of files that the model's manifest does not know."""
    own = {*saved.Manifest.read(folder / saved.MANIFEST).files, saved.MANIFEST}
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in found}
    return {name: artefacts.sha256(path) for name, path in named.items() if name not in own}


def verify(folder: Path) -> None:
    """Raise WorkspaceError for a paper of the version that was altered or is absent; an older version tells of none."""
    known = read(folder)
    saved.require(folder, known.papers if known else {})


def definition(workspace: Workspace) -> list[Path]:
    """The files that say what is trained, and how, with dvc.lock: of what, and what came out."""
    named = [workspace.params_file, workspace.root / "dvc.yaml", workspace.root / LOCK, workspace.window]
    return [path for path in (*named, *sorted(workspace.root.glob("schemas/*.py"))) if path.is_file()]


def numbers(workspace: Workspace) -> list[Path]:
    """What was found of the data and of the candidate, as JSON that git keeps."""
    named = [workspace.evaluation, workspace.diagnosis, workspace.quality, workspace.ledger, workspace.metrics]
    return [path for path in named if path.is_file()]


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, to)


def of_now(workspace: Workspace, version: str) -> Lineage:
    """The lineage of the candidate, if it became a version now."""
    commit = git.git(workspace.root, "rev-parse", "--verify", "--quiet", "HEAD", check=False)
    return Lineage(
        version=version,
        dataset=workspace.dataset,
        registered_at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=whoever(),
        commit=commit or None,
        changed=_changed(workspace.root) if commit else [],
        code=code(),
        packages=packages(),
        machine=machine(),
        data=_data(workspace),
        test=sealed.seal(workspace),
    )


def read(folder: Path) -> Lineage | None:
    """The lineage of the version in `folder`; None of one that was registered before there was any."""
    return Lineage.read(folder / FILE) if (folder / FILE).is_file() else None


def _changed(root: Path) -> list[str]:
    """Files of git in the workspace that are not as in its commit; what git does not keep is not looked at."""
    return git.git(root, "diff", "--name-only", "--relative", "HEAD", "--", ".", check=False).splitlines()


def _data(workspace: Workspace) -> dict[str, Source]:
    manifest = workspace.ingested / "manifest.json"
    files: list[dict[str, Any]] = artefacts.read_json(manifest)["files"] if manifest.is_file() else []
    return {file["name"]: Source(sha256=file["sha256"], rows=file["rows"]) for file in files}


def whoever() -> str:
    """Who works here, as the system says: `anna@workshop`."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has a number alone
        name = str(os.getuid())
    return f"{name}@{platform.node() or 'localhost'}"


@cache
def code() -> str:
    """The SHA-256 of keepfit's own code."""
    folder = Path(__file__).parents[1]
    files = sorted(folder.rglob("*.py"))
    lines = (f"{path.relative_to(folder).as_posix()} {artefacts.sha256(path)}\n" for path in files)
    return sealed.digest(lines)


@cache
def packages() -> dict[str, str]:
    """Every installed package with its version."""
    found = {package.metadata["Name"].lower(): package.version for package in distributions()}
    return dict(sorted(found.items()))


def machine() -> Machine:
    """What this process runs on."""
    return Machine(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()} {platform.libc_ver()[1]}".strip(),
        processor=_processor(),
        cores=os.cpu_count() or 1,
        threads=os.environ.get("OMP_NUM_THREADS"),
    )


def _processor() -> str:
    """The processor's name; Linux tells it in a file alone."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text(encoding="utf-8").splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
