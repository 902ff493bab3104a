"""Versions of a workspace's model, and which of them is the champion.

models/registry/<version>/ is a copy of the candidate that was promoted, with its papers and where it comes from; it is
written whole and never changed. models/champion.json points at one of them; replacing that one small file is the
promotion, so a killed promotion leaves the old champion. Each move of the pointer is first written to a journal,
models/promotions.jsonl, whose lines cannot be changed without being seen.
"""

import re
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline import artefacts
from pipeline.artefacts import Record
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.versions import git, lineage
from pipeline.versions.journal import Journal
from pipeline.workspace import Workspace

EVALUATION = "evaluation.json"


class Champion(Record):
    """The pointer: which version is in use, since when, which was before; all null before the first promotion."""

    version: str | None = None
    identity: str | None = None
    promoted_at: str | None = None
    previous: str | None = None
    move: str | None = Field(default=None, exclude_if=lambda move: move is None)  # the line of the journal that says so

    @property
    def rolled_back_from(self) -> str | None:
        """The later version that was left for this one, if that is how this one came to be in use."""
        later = self.version and self.previous and _number(self.previous) > _number(self.version)
        return self.previous if later else None


class Move(Record):
    """One line of models/promotions.jsonl: the pointer from `previous` to `version`, when, by whom, how and why.

    `whole`: the SHA-256 of the version's folder at that time.
    """

    at: str
    version: str
    identity: str
    previous: str | None
    how: Literal["passed the gates", "by hand", "rollback"]
    why: list[str]
    by: str
    whole: str


def promotions(workspace: Workspace) -> Journal[Move]:
    """Every move of the pointer, oldest first."""
    return Journal(workspace.promotions, Move)


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
    if version not in versions(workspace):
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
    """Copy the candidate, its papers and where it comes from into the registry under the next version, and name it.

    The same candidate registered twice, as after a kill, keeps its version.
    """
    known = version_of_candidate(workspace)
    if known is not None:
        return known
    version = f"v{max(map(_number, _taken(workspace)), default=0) + 1}"
    with artefacts.replacing(workspace.registry / version) as target:
        shutil.copytree(workspace.candidate, target)
        lineage.keep(workspace, version, target)
    return version


def _taken(workspace: Workspace) -> Iterator[str]:
    """Names that are or were versions here: a registry that was set aside began anew, its tags and journal did not."""
    yield from versions(workspace)
    yield from (move.version for move in promotions(workspace).entries())
    yield from git.versions(workspace.root, workspace.dataset)


def version_of_candidate(workspace: Workspace) -> str | None:
    """The version under which the candidate is in the registry already, or None."""
    manifest = saved.verify(workspace.candidate)
    kept = {
        version: saved.Manifest.read(folder(workspace, version) / saved.MANIFEST) for version in versions(workspace)
    }
    return next((version for version, other in kept.items() if other == manifest), None)


def point(
    workspace: Workspace,
    version: str,
    *,
    how: Literal["passed the gates", "by hand", "rollback"] = "by hand",
    why: Sequence[str] = (),
    expected: Champion | None = None,
) -> Champion:
    """Make a version the champion; one that is it already stays as it is.

    `expected`: the pointer that the decision was made on. Raises WorkspaceError when it has moved since, or another
    process moves it right now, and when the version, or the journal, is not what was written.
    """
    path = folder(workspace, version)
    manifest = saved.verify(path)
    lineage.verify(path)
    with workspace.pointer_lock():
        before = champion(workspace)
        if expected is not None and before != expected:
            raise _overtaken(workspace, before, version)
        if (before.version, before.identity) == (version, manifest.identity):
            return before
        move = Move(
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version,
            identity=manifest.identity,
            previous=before.version,
            how=how,
            why=list(why),
            by=lineage.whoever(),
            whole=artefacts.sha256(path),
        )
        line = promotions(workspace).append(move)
        after = Champion(
            version=version,
            identity=manifest.identity,
            promoted_at=move.at,
            previous=before.version,
            move=line,
        )
        after.write(workspace.champion)
    return after


def _overtaken(workspace: Workspace, now: Champion, version: str) -> WorkspaceError:
    since = f", since {now.promoted_at}" if now.promoted_at else ""
    return WorkspaceError(
        f"the champion is {now.version or 'none'} by now{since}, and {version} was judged beside another",
        where=workspace.relative(workspace.champion),
        fix="run `keepfit run`, which compares it with that one",
    )


def reigns(workspace: Workspace) -> list[Move]:
    """The champions that led to the one of now, oldest first, each by the move that made it champion.

    A rollback takes those after its version away: rolling back twice leads two champions back, not to and fro. What was
    written of a move that was killed before it moved the pointer does not count.
    """
    moves = promotions(workspace).entries()
    came_to = [*(move.previous for move in moves), champion(workspace).version][1:]
    found: list[Move] = []
    for move, then in zip(moves, came_to, strict=True):
        if move.version != then:
            continue
        before = [] if move.previous is None else found
        places = [each.version for each in before]
        found = [*(before[: places.index(move.version)] if move.version in places else before), move]
    return found


def before_this(workspace: Workspace) -> str:
    """The champion before the one of now, which a rollback leads to; raises WorkspaceError where there was none."""
    pointer, led = champion(workspace), reigns(workspace)
    if led and led[-1].version != pointer.version:  # the pointer was changed by hand
        led = []
    earlier = led[-2].version if len(led) > 1 else None if pointer.rolled_back_from else pointer.previous
    if earlier is None:
        raise WorkspaceError(
            f"there was no champion before {pointer.version}" if pointer.version else "there is no champion yet",
            where=workspace.relative(workspace.champion),
            fix="name the one that you mean: `keepfit models promote V`; `keepfit models list` tells them",
        )
    return earlier


def rollback(workspace: Workspace, why: Sequence[str] = ()) -> Champion:
    """Make the champion of before champion again, in one move; raises WorkspaceError where there was none."""
    now = champion(workspace)
    return point(workspace, before_this(workspace), how="rollback", why=why, expected=now)


def _number(version: str) -> int:
    return int(version[1:])
