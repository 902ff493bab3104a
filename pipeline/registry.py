"""Versions of a workspace's model, and which of them is the champion.

models/registry/<version>/ is a copy of the candidate that was promoted, with its evaluation; it is written
whole and never changed. models/champion.json points at one of them; replacing that one small file is the
promotion, so a killed promotion leaves the old champion.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.workspace import Workspace

EVALUATION = "evaluation.json"


class Champion(Record):
    """The pointer: which version is in use, since when, which was before; all null before the first promotion."""

    version: str | None = None
    identity: str | None = None
    promoted_at: str | None = None
    previous: str | None = None


def champion(workspace: Workspace) -> Champion:
    """The pointer; a workspace without one has no champion."""
    return Champion.read(workspace.champion) if workspace.champion.is_file() else Champion()


def ensure_pointer(workspace: Workspace) -> None:
    """Write a pointer at nothing where there is none: evaluate depends on the file."""
    if not workspace.champion.is_file():
        Champion().write(workspace.champion)


def champion_folder(workspace: Workspace) -> Path | None:
    """The champion's folder, or None before the first promotion."""
    version = champion(workspace).version
    return None if version is None else folder(workspace, version)


def folder(workspace: Workspace, version: str) -> Path:
    """The folder of a version; raises WorkspaceError when the registry lacks it."""
    path = workspace.registry / version
    if not (path / saved.MANIFEST).is_file():
        raise WorkspaceError(
            f"the registry has no version {version}",
            where=workspace.relative(workspace.registry),
            fix=f"use one of: {', '.join(versions(workspace)) or 'none yet'}",
        )
    return path


def versions(workspace: Workspace) -> list[str]:
    """Every complete version, oldest first."""
    found = (path.parent.name for path in workspace.registry.glob(f"v*/{saved.MANIFEST}"))
    return sorted(found, key=lambda name: int(name[1:]))


def first_folder(workspace: Workspace) -> Path | None:
    """The first version's folder: the frozen model that maintenance is compared with."""
    known = versions(workspace)
    return folder(workspace, known[0]) if known else None


def register(workspace: Workspace) -> str:
    """Copy the candidate and its evaluation into the registry under the next version, and name it.

    The same candidate registered twice, as after a kill, keeps its version.
    """
    manifest = saved.verify(workspace.candidate)
    for version in versions(workspace):
        if saved.Manifest.read(workspace.registry / version / saved.MANIFEST) == manifest:
            return version
    version = f"v{len(versions(workspace)) + 1}"
    with artefacts.replacing(workspace.registry / version) as target:
        shutil.copytree(workspace.candidate, target)
        shutil.copyfile(workspace.evaluation, target / EVALUATION)
    return version


def point(workspace: Workspace, version: str) -> Champion:
    """Make a version the champion."""
    before = champion(workspace)
    manifest = saved.verify(folder(workspace, version))
    after = Champion(
        version=version,
        identity=manifest.identity,
        promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        previous=before.version,
    )
    after.write(workspace.champion)
    return after
