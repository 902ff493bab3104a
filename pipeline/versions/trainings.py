"""The last trainings that were judged, as experiments of DVC: `dvc exp show` lists them, and its diffs compare them.

An experiment of DVC is a commit under refs/exps/, on no branch. It is made here beside git's index, so that neither
this nor what is checked out is touched, whenever it is killed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.versions import git, lineage
from pipeline.workspace import Workspace

NAME = "training-"


def keep(workspace: Workspace, candidate: str, *, most: int) -> str | None:
    """Keep the training of this candidate under its name, and so many in all; None where git has no commit yet.

    One that is kept already, with the same result, stays as it is.
    """
    root = workspace.root
    head = git.git(root, "rev-parse", "--verify", "--quiet", "HEAD", check=False)
    if not head or not most:
        return None
    name = f"{NAME}{candidate}"
    tree = _tree(workspace)
    known = git.git(root, "for-each-ref", "--format=%(tree)", f"refs/exps/**/{name}").splitlines()
    if tree not in known:
        commit = git.git(root, "commit-tree", tree, "-p", head, "-m", f"The training of {candidate}")
        git.git(root, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/{name}", commit)
    _forget(root, most)
    return name


def _tree(workspace: Workspace) -> str:
    """The tree of git's last commit, with what defines and tells this training as it is now."""
    paths = [*lineage.definition(workspace), *lineage.numbers(workspace)]
    with TemporaryDirectory(prefix="keepfit-index-") as folder:
        index = Path(folder) / "index"
        git.git(workspace.root, "read-tree", "HEAD", index=index)
        git.git(workspace.root, "add", "--force", "--", *(workspace.relative(path) for path in paths), index=index)
        return git.git(workspace.root, "write-tree", index=index)


def _forget(root: Path, most: int) -> None:
    """Remove the oldest of those kept here that are too many."""
    told = git.git(root, "for-each-ref", "--sort=-creatordate", "--format=%(refname)", "refs/exps/")
    ours = [ref for ref in told.splitlines() if ref.rpartition("/")[2].startswith(NAME)]
    for ref in ours[most:]:
        git.git(root, "update-ref", "-d", ref)
