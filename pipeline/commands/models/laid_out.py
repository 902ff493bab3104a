"""A workspace as it was when a version was made, laid out in another folder (used by reproduced)."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from pipeline import artefacts, readers
from pipeline.commands.models.version import Version
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.versions import git, lineage, registry
from pipeline.versions.lineage import Lineage
from pipeline.versions.registry import Champion
from pipeline.wording import listed
from pipeline.workspace import Workspace


def lay_out(workspace: Workspace, version: Version, folder: Path) -> Workspace:
    """The workspace of then in `folder`; raises WorkspaceError where the version did not keep it, or data are gone."""
    known = version.lineage
    if known is None or not (version.definition / "dvc.yaml").is_file():
        raise WorkspaceError(
            "was registered without what it takes to make it anew",
            where=version.name,
            fix="name a version that was registered since; `keepfit models show V` tells what is kept",
        )
    shutil.copytree(version.definition, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(lineage.LOCK))
    anew = Workspace.open(folder)
    _bring_data(workspace, known, version, anew)
    for path in _read_besides(anew):
        if not (anew.root / path).exists() and (workspace.root / path).exists():
            _copy(workspace.root / path, anew.root / path)
    _bring_models(workspace, version, anew)
    return anew


def _bring_data(workspace: Workspace, known: Lineage, version: Version, anew: Workspace) -> None:
    """Copy each raw file of then, by its hash, and what lies beside the tables: pictures, sounds, amendments."""
    if not anew.source.is_relative_to(anew.root):
        raise WorkspaceError(
            "leads out of the workspace, so its data of then are not known",
            where=f"params.yaml of {version.name}: ingest.source",
            fix="keep the data in the workspace",
        )
    missing = [name for name, source in known.data.items() if not _bring(workspace, name, source.sha256, version, anew)]
    if missing:
        raise WorkspaceError(
            f"not there any more with the bytes of then: {listed(missing)}",
            where=workspace.relative(workspace.source),
            fix="bring them back, from a backup or with `dvc checkout`, and run again",
        )
    if workspace.source.is_dir():
        for path in _beside(workspace.source):
            _copy(path, anew.source / path.relative_to(workspace.source))


def _bring(workspace: Workspace, name: str, sha256: str, version: Version, anew: Workspace) -> bool:
    """Copy one raw file from where it lies with these bytes: the source, what came in, or git; False where nowhere."""
    source, alone = workspace.source, version.lineage is not None and [*version.lineage.data] == [anew.source.name]
    target = anew.source if alone else anew.source / name
    places = [source / name if source.is_dir() else source, workspace.raw / name, workspace.incoming / Path(name).name]
    for path in places:
        if path.is_file() and artefacts.sha256(path) == sha256:
            _copy(path, target)
            return True
    return any(
        git.bring(workspace.root, commit, workspace.relative(places[0]), target) and artefacts.sha256(target) == sha256
        for commit in _commits(workspace, version)
    )


def _commits(workspace: Workspace, version: Version) -> Iterator[str]:
    """The commits that may hold what the version was made from: that of its promotion, and the one before."""
    if tagged := version.tag(workspace):
        yield tagged[1]
    if version.lineage and version.lineage.commit:
        yield version.lineage.commit


def _beside(source: Path) -> Iterator[Path]:
    tables = {path.resolve() for path in readers.files(source)}
    yield from (path for path in sorted(source.rglob("*")) if path.is_file() and path.resolve() not in tables)


def _read_besides(anew: Workspace) -> Iterator[str]:
    """What stages read that no stage writes: code and files of the workspace's own."""
    dag: dict[str, dict[str, Any]] = yaml.safe_load((anew.root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    written = {path for stage in dag.values() for path in _written(stage)}
    read = {str(path) for stage in dag.values() for path in stage.get("deps", [])}
    yield from sorted(path for path in read - written if path != anew.relative(anew.champion))


def _written(stage: dict[str, Any]) -> Iterator[str]:
    for each in (each for kind in ("outs", "metrics", "plots") for each in stage.get(kind, [])):
        yield from each if isinstance(each, dict) else [each]


def _bring_models(workspace: Workspace, version: Version, anew: Workspace) -> None:
    """The champion of then with the pointer at it, and the model whose weights the training started from."""
    champion, start = version.evaluation.champion, version.manifest.start
    for name in {champion, start.model if start else None} - {None}:
        folder = registry.folder(workspace, str(name))
        shutil.copytree(folder, anew.registry / str(name))
    registry.ensure_pointer(anew)
    if champion is not None:
        manifest = saved.Manifest.read(registry.folder(anew, champion) / saved.MANIFEST)
        Champion(version=champion, identity=manifest.identity).write(anew.champion)


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, to, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(path, to)
