"""A version of the registry with all that is kept of it."""

from dataclasses import dataclass
from pathlib import Path

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.models.saved import Manifest
from pipeline.stages.evaluate import Evaluation
from pipeline.versions import git, lineage, registry
from pipeline.versions.lineage import Lineage
from pipeline.versions.registry import Move
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Version:
    """A version: its folder, what is written in it, and the moves of the pointer that made it champion."""

    name: str
    folder: Path
    manifest: Manifest
    evaluation: Evaluation
    lineage: Lineage | None
    moves: tuple[Move, ...]

    @classmethod
    def read(cls, workspace: Workspace, name: str) -> "Version":
        """The version of that name, `champion` for the one in use; raises WorkspaceError for one that is not there."""
        name = _champion(workspace) if name == "champion" else name
        folder = registry.folder(workspace, name)
        return cls(
            name=name,
            folder=folder,
            manifest=Manifest.read(folder / saved.MANIFEST),
            evaluation=Evaluation.read(folder / registry.EVALUATION),
            lineage=lineage.read(folder),
            moves=tuple(move for move in registry.promotions(workspace).entries() if move.version == name),
        )

    @property
    def definition(self) -> Path:
        """The folder with the settings, the DAG, the contract and dvc.lock; absent in versions of before there was."""
        return self.folder / lineage.DEFINITION

    def text(self, name: str) -> str:
        """A file of the definition, by its path from the workspace's root; empty where it is absent."""
        path = self.definition / name
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def tag(self, workspace: Workspace) -> tuple[str, str] | None:
        """The tag of the promotion's commit and that commit, if promotions are committed here."""
        tag = git.version_tag(workspace.dataset, self.name)
        commit = git.commit_of(workspace.root, tag)
        return (tag, commit) if commit else None


def _champion(workspace: Workspace) -> str:
    version = registry.champion(workspace).version
    if version is None:
        where = workspace.relative(workspace.champion)
        raise WorkspaceError("there is no champion yet", where=where, fix="run `keepfit run` first")
    return version


def fault(workspace: Workspace, version: Version) -> str | None:
    """What is wrong with the version's files, in words; None where all are as written.

    The model's own are known by its manifest, its papers by its lineage, and the whole folder by the journal.
    """
    try:
        saved.verify(version.folder)
        lineage.verify(version.folder)
    except WorkspaceError as error:
        return error.what
    if version.moves and artefacts.sha256(version.folder) != version.moves[-1].whole:
        return f"a file beside the model was altered after {version.moves[-1].at}"
    return None
