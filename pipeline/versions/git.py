"""The one place that runs git: a workspace's first commit, and the commits and tags of promoted models."""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipeline import artefacts
from pipeline.errors import WorkspaceError

IDENTITY = ("-c", "user.name=keepfit", "-c", "user.email=keepfit@localhost")
UNFINISHED = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "rebase-merge", "rebase-apply")


class VersioningError(WorkspaceError):
    """DVC or git said no; `what` is their own first words."""


def commit_promotion(root: Path, dataset: str, version: str, paths: Sequence[Path], message: str) -> str:
    """Commit dvc.lock and `paths`, nothing else, and tag it in GTO's form; returns the version's tag.

    `version` is `v2` or `v2.0.0`; the tags are `DATASET@v2.0.0` and `DATASET#champion#N`. Called again with
    the same version (after a kill, say), it does what is left to do. Do not call it inside `Versions.open`:
    a hook of `dvc install` asks for DVC's lock. Raises VersioningError in the middle of a merge, and when
    the tag is there with other content of `paths`.
    """
    root = root.resolve()
    tag = version_tag(dataset, version)
    if any((root / git(root, "rev-parse", "--git-path", name)).exists() for name in UNFINISHED):
        raise VersioningError("git is in the middle of a merge", where=str(root), fix="finish it first")
    if not commit_of(root, tag):
        if not _promotion_of(root, tag):
            present = [path for path in (root / "dvc.lock", *paths) if path.exists()]
            commit(root, present, f"{message}\n\nKeepfit-Version: {tag}")
        _tag(root, tag, _promotion_of(root, tag) or "HEAD", message)
    if git(root, "diff", "--name-only", tag, "--", *(relative(str(path), root) for path in paths)):
        raise VersioningError("is the tag of another model", where=tag, fix="delete it, or use a new version")
    assign_champion(root, dataset, version)
    return tag


def is_tracked(root: Path, path: Path) -> bool:
    """Whether git keeps `path`, or anything in it."""
    return bool(git(root, "ls-files", "--", relative(str(path), root), check=False))


def assign_champion(root: Path, dataset: str, version: str) -> str:
    """Tag a version's commit as the champion (a rollback too); returns the tag, the old one if it holds."""
    commit = commit_of(root, version_tag(dataset, version))
    if not commit:
        raise VersioningError("has no such version", where=f"{dataset} {version}", fix="promote it first")
    tags = git(root, "tag", "--list", f"{dataset}#*").splitlines()
    numbers = {int(number): tag for tag in tags if (number := tag.rpartition("#")[2]).isdigit()}
    last = max(numbers, default=0)
    if numbers.get(last, "").startswith(f"{dataset}#champion#") and commit_of(root, numbers[last]) == commit:
        return numbers[last]
    tag = f"{dataset}#champion#{last + 1}"
    _tag(root, tag, commit, f"{dataset} {version} is the champion")
    return tag


def version_tag(dataset: str, version: str) -> str:
    """The tag of a version in GTO's form, which wants a semantic one: `v2` → `flights@v2.0.0`."""
    match = re.fullmatch(r"v?(\d+(?:\.\d+\.\d+)?)", version)
    if not match or not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?", dataset):
        raise VersioningError("cannot be tagged", where=f"{dataset} {version}", fix="use a name and `v2`")
    number = match[1] if "." in match[1] else f"{match[1]}.0.0"
    return f"{dataset}@v{number}"


def versions(root: Path, dataset: str) -> list[str]:
    """The versions that have a tag, as `v2`; none where there is no git."""
    tags = git(root, "tag", "--list", f"{dataset}@v*", check=False).splitlines()
    return [match[1] for tag in tags if (match := re.fullmatch(r".*@(v[1-9]\d*)\.0\.0", tag))]


def commit_of(root: Path, tag: str) -> str:
    """The commit that a tag stands at; empty where there is no such tag."""
    return git(root, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}^{{commit}}", check=False)


def _promotion_of(root: Path, tag: str) -> str:
    """The commit that a promotion made before it was killed; empty when there is none."""
    return git(root, "log", "-1", "--format=%H", "-F", f"--grep=Keepfit-Version: {tag}", check=False)


def _tag(root: Path, tag: str, commit: str, message: str) -> None:
    git(root, "tag", "--annotate", "--message", message, tag, commit)


def commit(root: Path, paths: Sequence[Path], message: str) -> None:
    """Commit exactly these paths; what else stands in the index stays there. No change: no commit."""
    names = [relative(str(path), root) for path in paths]
    git(root, "add", "--", *names)
    if names and git(root, "status", "--porcelain", "--", *names):
        git(root, "commit", "--quiet", "--only", "--message", message, "--", *names)


def bring(root: Path, commit: str, path: str, to: Path) -> bool:
    """Write a file as it is in a commit to `to`; False, and nothing written, where that commit has none."""
    found = f"{commit}:./{path}"
    if git(root, "cat-file", "-t", found, check=False) != "blob":
        return False
    with artefacts.replacing(to) as temporary, temporary.open("wb") as file:
        subprocess.run(["git", "-C", str(root), "cat-file", "blob", found], check=True, stdout=file, env=_environment())
    return True


def git(root: Path, *arguments: str, check: bool = True, index: Path | None = None) -> str:
    """What `git` prints; with `check=False` a refusal is an empty answer. keepfit signs where nobody does.

    `index`: the file that is git's index for this call alone.
    """
    environment = _environment() | ({"GIT_INDEX_FILE": str(index)} if index else {})
    unsigned = arguments[0] in ("commit", "commit-tree", "tag") and not git(root, "config", "user.email", check=False)
    command = ["git", "-C", str(root), *(IDENTITY if unsigned else ()), *arguments]
    try:
        done = subprocess.run(command, check=False, input="", capture_output=True, text=True, env=environment)
    except FileNotFoundError as error:
        raise VersioningError("git is not installed", where=str(root), fix="install it") from error
    if check and done.returncode:
        words = (done.stderr or done.stdout).strip() or f"git ended with {done.returncode}"
        raise VersioningError(words, where=str(root), fix="mend it and run again")
    return done.stdout.strip() if done.returncode == 0 else ""


def _environment() -> dict[str, str]:
    """What git is run in: that of no other repository, as within one of its hooks."""
    foreign = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_LITERAL_PATHSPECS": "1"}


def relative(path: str, root: Path) -> str:
    """`path` from the root, with forward slashes; one outside it leads up."""
    return Path(os.path.relpath(path, root)).as_posix()
