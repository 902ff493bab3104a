"""The one place that talks to DVC and git: what is up to date, what was recorded, what was promoted.

DVC runs in this process (`dvc.repo.Repo`), not as a command. `Versions` holds DVC's own lock for a whole
run, so `dvc repro` and a second run are refused; the operating system frees that lock when its holder dies.
"""

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.artefacts import remove, replacing
from pipeline.runtime import processes
from pipeline.versions.git import VersioningError, commit, git, relative

if TYPE_CHECKING:
    from dvc.repo import Repo
    from dvc.stage import Stage

DEFINITION = ("params.yaml", "dvc.yaml", ".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore")


class WorkspaceBusyError(VersioningError):
    """Another process works in this workspace."""


@dataclass(frozen=True, kw_only=True)
class StageSpec:
    """One stage as dvc.yaml writes it; paths are relative to the workspace's root.

    `command` is empty for data that `dvc add` tracks; `params` holds `file:key`, or `key` for params.yaml.
    """

    name: str
    command: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    params: tuple[str, ...]


def stages(root: Path) -> tuple[StageSpec, ...]:
    """The stages that `dvc repro` would visit, in its order; raises VersioningError on a bad dvc.yaml."""
    root = root.resolve()
    with _talking(root), _repo(root) as repo:
        return tuple(_spec(stage, root) for stage in _plan(repo, root))


class Versions:
    """DVC in one workspace, for the length of one run; open it with `Versions.open(root)`."""

    def __init__(self, repo: "Repo", root: Path) -> None:
        self._repo = repo
        self._root = root
        self._plan = {stage.addressing: stage for stage in _plan(repo, root)}
        self._seen: dict[str, dict[str, object]] = {}

    @classmethod
    @contextmanager
    def open(cls, root: Path) -> "Iterator[Versions]":
        """Hold the workspace's DVC repo until the block ends; raises WorkspaceBusyError when another process has it.

        A folder that is not prepared (see `prepare`) raises VersioningError.
        """
        root = root.resolve()
        with ExitStack() as stack:
            with _talking(root):
                repo = stack.enter_context(_repo(root))
                stack.enter_context(_locked(repo))
                versions = cls(repo, root)
            yield versions

    @property
    def stages(self) -> tuple[StageSpec, ...]:
        """The stages that `dvc repro` would visit, in its order."""
        return tuple(_spec(stage, self._root) for stage in self._plan.values())

    def at_rest(self) -> bool:
        """Whether `dvc repro` would find nothing to do; nothing is restored, and nothing recorded."""
        with _talking(self._root):
            return not any(self._load(name).changed() for name in self._plan)

    def is_up_to_date(self, name: str) -> bool:
        """Whether `dvc repro` would leave this stage alone, or could do so once its outs are restored.

        Outs that are missing or edited by hand are put back from the cache when what the stage reads is known
        there. What has no command to run now (a frozen stage, data under `dvc add`) is recorded as it lies.
        """
        with _talking(self._root, name):
            stage = self._load(name)
            self._seen[name] = _inputs(stage)
            if not stage.changed():
                return True
            if stage.frozen or not stage.cmd:
                stage.reproduce()
                self._write_lock(stage)
                return True
            return self._restored(stage)

    def record(self, name: str) -> None:
        """Put this stage's outs into the cache and its hashes into dvc.lock, as after its command.

        Raises VersioningError when an out is missing, or when what the stage reads changed after
        `is_up_to_date` was asked: the outs would be filed under inputs that did not make them.
        """
        with _talking(self._root, name):
            stage = self._load(name)
            now = _inputs(stage)
            before = self._seen.get(name, now)
            if changed := sorted(path for path in now | before if now.get(path) != before.get(path)):
                what = f"changed while stage {name} ran, so its result was not recorded"
                raise VersioningError(what, where=", ".join(changed), fix="run again")
            self._commit(stage)

    def run_command(self, name: str) -> None:
        """Run the stage's own command as `dvc repro` does, in a shell, and record it.

        As under `dvc repro`, old outs are removed first, and DVC's lock is free while the command runs (it
        may call dvc itself); the stage's own files stay locked.
        """
        here = Path(sys.executable).parent
        with _talking(self._root, name):
            stage = self._load(name)
            stage.run(run_env={"PATH": f"{here}{os.pathsep}{os.environ.get('PATH', '')}"})
            self._write_lock(stage)

    def hash_of(self, path: Path) -> str | None:
        """DVC's hash of a dep or out as dvc.lock has it (of a folder: `….dir`); None where it has none."""
        with _talking(self._root):
            loaded = [self._load(name) for name in self._plan]
            for entry in (entry for stage in loaded for entry in (*stage.outs, *stage.deps)):
                if Path(entry.fs_path) == path.absolute() and entry.hash_name != "params" and entry.hash_info:
                    return str(entry.hash_info.value)
        return None

    def _load(self, name: str) -> "Stage":
        """The stage as dvc.yaml and dvc.lock have it now (a stage once saved would compare with itself)."""
        if name not in self._plan:
            known = ", ".join(self._plan)
            raise VersioningError(f"has no stage {name!r}", where="dvc.yaml", fix=f"use one of: {known}")
        return self._plan[name].reload()

    def _restored(self, stage: "Stage") -> bool:
        """Put outs back from the cache or run cache as DVC does, but remove nothing before all are found."""
        from dvc.dependency.base import DependencyDoesNotExistError
        from dvc.stage.cache import RunCacheNotFoundError
        from dvc_data.hashfile.hash_info import HashInfo

        try:
            if stage.changed_stage() or not stage.deps_cached():
                stage.save_deps()
                for out in stage.outs:
                    out.hash_info = HashInfo()
            self._repo.stage_cache.restore(stage, dry=True)
            stage.remove_outs(ignore_remove=False, force=False)
            self._repo.stage_cache.restore(stage)
        except (RunCacheNotFoundError, DependencyDoesNotExistError):
            return False
        self._commit(stage)
        return True

    def _commit(self, stage: "Stage") -> None:
        """Outs to the cache, hashes to dvc.lock; and to the run cache, as DVC does, unless outs are plain."""
        plain = any(not (out.use_cache or out.is_metric or out.is_plot) for out in stage.outs)
        stage.save(run_cache=not plain)
        stage.commit()
        self._write_lock(stage)

    def _write_lock(self, stage: "Stage") -> None:
        """Write dvc.lock beside and rename; DVC writes in place, and a kill would leave half of it."""
        from dvc.dvcfile import Lockfile, ProjectFile

        if not isinstance(stage.dvcfile, ProjectFile):
            return stage.dump()
        with replacing(Path(stage.dvcfile.path).with_suffix(".lock")) as temporary:
            with suppress(FileNotFoundError):
                shutil.copyfile(stage.dvcfile._lockfile.path, temporary)
            Lockfile(self._repo, str(temporary)).dump(stage)


def _spec(stage: "Stage", root: Path) -> StageSpec:
    return StageSpec(
        name=stage.addressing,
        command="\n".join(stage.cmd) if isinstance(stage.cmd, list) else stage.cmd or "",
        deps=tuple(relative(dep.fs_path, root) for dep in stage.deps if dep not in stage.params),
        outs=tuple(relative(out.fs_path, root) for out in stage.outs),
        params=tuple(
            key if dep.fs_path == str(root / "params.yaml") else f"{relative(dep.fs_path, root)}:{key}"
            for dep in stage.params
            for key in dep.params
        ),
    )


def _plan(repo: "Repo", root: Path) -> "list[Stage]":
    from dvc.repo.reproduce import get_active_graph, plan_repro

    targets = [stage for stage in repo.index.stages if Path(stage.path) == root / "dvc.yaml"]
    if not targets:
        raise VersioningError("has no stages", where=str(root / "dvc.yaml"), fix="write at least one")
    return plan_repro(get_active_graph(repo.index.graph), targets)


def _inputs(stage: "Stage") -> dict[str, object]:
    """What the stage reads: path → hash (of params: the values), without what is absent."""
    from dvc.exceptions import DvcException

    found: dict[str, object] = {}
    for dep in stage.deps:
        with suppress(DvcException, FileNotFoundError):
            found[str(dep)] = dep.get_hash().value
    return found


@contextmanager
def _repo(root: Path) -> "Iterator[Repo]":
    """DVC's Repo of exactly this folder, never of a folder above it."""
    from dvc.repo import Repo

    if not (root / ".dvc").is_dir():
        raise VersioningError("is no DVC repo yet", where=str(root), fix="run `dvc init` there")
    with Repo(str(root)) as repo:
        yield repo


@contextmanager
def _locked(repo: "Repo") -> Iterator[None]:
    """Hold DVC's lock; what DVC does inside the block finds it held and neither takes nor frees it."""
    repo.lock._friendly = False
    with repo.lock:
        repo._lock_depth += 1
        _refuse_running_commands(Path(repo.tmp_dir) / "rwlock")
        yield


def _refuse_running_commands(rwlock: Path) -> None:
    """`dvc repro` frees its lock while a command runs, but lists its process and files in `rwlock`.

    A listed process that is gone, or whose number a younger one has, was killed: the list is removed, once the
    commands that it started have ended too.
    """
    if not rwlock.exists():
        return
    root = rwlock.parents[2]
    pids = {int(pid) for pid in re.findall(r'"pid": (\d+)', rwlock.read_text(encoding="utf-8"))} - {os.getpid()}
    written = rwlock.stat().st_mtime
    for pid in pids:
        if processes.lives(pid, written):
            raise WorkspaceBusyError(f"process {pid} runs a stage", where=str(root), fix="wait for it")
    if pids and (working := next(processes.commands(root), None)):
        what = "process {} still works on stage {} of a run that was killed".format(*working)
        raise WorkspaceBusyError(what, where=str(root), fix="wait for it, or end it")
    remove(rwlock)


@contextmanager
def _talking(root: Path, name: str = "") -> Iterator[None]:
    """Talk to DVC: quiet, without telemetry, and what it or the disk raises becomes one line.

    DVC resolves some names against the working directory, so the block runs in `root`.
    """
    os.environ.setdefault("DVC_NO_ANALYTICS", "1")
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.logger import set_loggers_level
    from dvc.scm import SCMError
    from dvc_data.hashfile.cache import DiskError

    where = f"stage {name}" if name else str(root)
    try:
        with chdir(root), set_loggers_level(logging.CRITICAL):
            yield
    except LockError as error:
        raise WorkspaceBusyError("another dvc or keepfit works here", where=where, fix="wait for it") from error
    except (DvcException, SCMError, DiskError, OSError) as error:
        raise VersioningError(_first_words(error), where=where, fix="mend it and run again") from error


def _first_words(error: BaseException) -> str:
    """DVC's message with the cause that it keeps apart."""
    own, cause = str(error).strip(" ."), str(error.__cause__ or "").strip(" .")
    return f"{own}: {cause}" if cause and cause not in own else own


@contextmanager
def judgement(root: Path, stage: str, moves: str = "") -> Iterator[None]:
    """Act on what `stage` found, inside the block, in a way that changes what it read: it stays up to date.

    A promotion moves the champion's pointer, which evaluate compared with: its comparison is with the champion
    of before, and needs no second run. Neither does any other stage that reads the file `moves`. Raises
    VersioningError when `stage` is not up to date before the block.
    """
    with Versions.open(root) as versions:
        if not versions.is_up_to_date(stage):
            raise VersioningError(f"{stage} is not up to date", where=str(root), fix="run `keepfit run` first")
        readers = [s.name for s in versions.stages if s.name == stage or moves in s.deps]
    yield
    with Versions.open(root) as versions:
        for name in readers:
            versions.record(name)


def prepare(root: Path) -> None:
    """Make a folder a git and a DVC repo where it is not; what is there already is left as it is.

    A folder whose files belong to a git repo above it becomes a DVC repo inside that one. A git repo made
    here gets a first commit of the workspace's definition (never of data). A DVC repo made here has no
    telemetry, looks for no updates, and stages nothing in git by itself.
    """
    root = root.resolve()
    own = (root / ".git").exists()
    above = not own and bool(git(root, "ls-files", "--", ".", check=False))
    if not own and not above:
        git(root, "init", "--quiet", "--initial-branch=main")
        git(root, "config", "keepfit.made", "true")
    if not (root / ".dvc").is_dir():
        with _talking(root):
            from dvc.repo import Repo

            with Repo.init(str(root), subdir=above) as repo, repo.config.edit("repo") as config:
                config["core"] |= {"analytics": False, "check_update": False, "autostage": False}
    made = git(root, "config", "--get", "keepfit.made", check=False) == "true"
    if made and not git(root, "rev-parse", "--verify", "--quiet", "HEAD", check=False):
        definition = [root / name for name in DEFINITION] + sorted(root.glob("schemas/*"))
        commit(root, [path for path in definition if path.is_file()], "Start of the workspace")
