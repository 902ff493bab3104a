"""Versions of a workspace's model, and which of them is the champion.

models/registry/<version>/ is a copy of the candidate that was promoted, with its evaluation; it is written
whole and never changed. models/champion.json points at one of them; replacing that one small file is the
promotion, so a killed promotion leaves the old champion.
"""

import re
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

    @property
    def rolled_back_from(self) -> str | None:
        """The later version that was left for this one, if that is how this one came to be in use."""
        later = self.version and self.previous and _number(self.previous) > _number(self.version)
        return self.previous if later else None


def champion(workspace: Workspace) -> Champion:
    """The pointer; a workspace without one has no champion."""
    return Champion.read(workspace.champion) if workspace.champion.is_file() else Champion()


def ensure_pointer(workspace: Workspace) -> None:
    """Write a pointer at nothing where there is none: evaluate depends on the file."""
    if not workspace.champion.is_file():
        Champion().write(workspace.champion)


def champion_folder(workspace: Workspace) -> Path | None:
    """The champion's folder, or None before the first promotion; raises WorkspaceError when it is another model."""
    pointer = champion(workspace)
    if pointer.version is None:
        return None
    path = folder(workspace, pointer.version)
    if saved.Manifest.read(path / saved.MANIFEST).identity != pointer.identity:
        raise WorkspaceError(
            f"is not the model {pointer.identity} that was promoted",
            where=workspace.relative(path),
            fix=f"take it from a backup, or `keepfit models promote` another of: {', '.join(versions(workspace))}",
        )
    return path


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


def named(workspace: Workspace, model: str, where: str) -> Path:
    """The folder of a version, or of the `champion`, for a stage; `where` names it.

    Raises WorkspaceError for one that is not there, and for a champion that DVC would not see change.
    """
    pointer = champion(workspace)
    path = champion_folder(workspace) if model == "champion" else None
    if path is not None and workspace.relative(workspace.champion) not in workspace.dependencies("train"):
        raise WorkspaceError(
            "the champion changes, and DVC would not train anew then",
            where=where,
            fix=f"write `- models/champion.json` under the deps of train in dvc.yaml, or set it to {pointer.version}",
        )
    if model in versions(workspace):
        path = folder(workspace, model)
    if path is None:
        known = ", ".join(versions(workspace)) or "none yet"
        raise WorkspaceError(f"the registry has no {model}", where=where, fix=f"use one of: {known}")
    return path


def versions(workspace: Workspace) -> list[str]:
    """Every complete version, oldest first."""
    found = (path.parent.name for path in workspace.registry.glob(f"v*/{saved.MANIFEST}"))
    return sorted(filter(re.compile(r"v[1-9]\d*").fullmatch, found), key=_number)


def first_folder(workspace: Workspace) -> Path | None:
    """The first version's folder: the frozen model that maintenance is compared with."""
    known = versions(workspace)
    return folder(workspace, known[0]) if known else None


def register(workspace: Workspace) -> str:
    """Copy the candidate and its evaluation into the registry under the next version, and name it.

    The same candidate registered twice, as after a kill, keeps its version.
    """
    known = version_of_candidate(workspace)
    if known is not None:
        return known
    version = f"v{max(map(_number, versions(workspace)), default=0) + 1}"
    with artefacts.replacing(workspace.registry / version) as target:
        shutil.copytree(workspace.candidate, target)
        shutil.copyfile(workspace.evaluation, target / EVALUATION)
    return version


def version_of_candidate(workspace: Workspace) -> str | None:
    """The version under which the candidate is in the registry already, or None."""
    manifest = saved.verify(workspace.candidate)
    kept = {
        version: saved.Manifest.read(folder(workspace, version) / saved.MANIFEST) for version in versions(workspace)
    }
    return next((version for version, other in kept.items() if other == manifest), None)


def point(workspace: Workspace, version: str) -> Champion:
    """Make a version the champion; one that is it already stays as it is."""
    before = champion(workspace)
    manifest = saved.verify(folder(workspace, version))
    if (before.version, before.identity) == (version, manifest.identity):
        return before
    after = Champion(
        version=version,
        identity=manifest.identity,
        promoted_at=datetime.now(UTC).isoformat(timespec="seconds"),
        previous=before.version,
    )
    after.write(workspace.champion)
    return after


def _number(version: str) -> int:
    return int(version[1:])
