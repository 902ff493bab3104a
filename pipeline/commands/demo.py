"""The demo's workspace: a copy, so that the repository it came from is left alone."""

from pathlib import Path

import yaml

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.policy import window
from pipeline.versions import dvc, git, registry
from pipeline.workspace import Workspace

COPIED = (
    "params.yaml",
    "dvc.yaml",
    ".gitignore",
    ".dvcignore",
    "pipeline/**/*.py",
    "pipeline/reports/templates/*",  # what a served run imports is this copy: the working directory comes first
    "schemas/*.py",
    "data/raw/**/*",
    "data/incoming/**/*",
)
KEPT = ("data/raw", "data/incoming", "models/champion.json", "models/window.json", "pipeline")  # in git from the start
MARK = ".keepfit-demo"


def prepare(source: Path, target: Path) -> Workspace:
    """Copy what git keeps of the workspace at `source`; a copy that is there already is brought up to date.

    What the demo made there before stays, so that a run that was stopped carries on. In the copy promotions
    are committed. Raises WorkspaceError when `target` holds something that is not a demo.
    """
    workspace = Workspace.open(source)
    if target.is_file() or (target.exists() and any(target.iterdir()) and not (target / MARK).is_file()):
        raise WorkspaceError("is there and is no demo", where=str(target), fix="name another folder with --into")
    target.mkdir(parents=True, exist_ok=True)
    (target / MARK).touch()
    for pattern in COPIED:
        for path in sorted(path for path in workspace.root.glob(pattern) if path.is_file()):
            _copy(path, target / path.relative_to(workspace.root))
    _commit_promotions(Workspace.open(target))
    copied = Workspace.open(target)
    registry.ensure_pointer(copied)
    window.ensure(copied)
    dvc.prepare(copied.root)
    if not git.is_tracked(copied.root, copied.raw):
        kept = [path for name in KEPT if (path := copied.root / name).exists()]
        git.commit(copied.root, kept, "The data, as they came")
    return copied


def _copy(source: Path, target: Path) -> None:
    if not target.is_file() or target.read_bytes() != source.read_bytes():
        artefacts.copy(source, target)


def _commit_promotions(workspace: Workspace) -> None:
    promote = (workspace.params.get("promote") or {}) | {"commit": True}
    text = yaml.safe_dump(workspace.params | {"promote": promote}, sort_keys=False, allow_unicode=True)
    artefacts.write_text(workspace.params_file, text)
