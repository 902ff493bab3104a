"""Where each file of a workspace is, and its params.yaml by section."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import SettingsError, WorkspaceError, instead
from pipeline.params import parsed_params
from pipeline.runtime import processes

SettingsSection = TypeVar("SettingsSection", bound="Section")


class Section(BaseModel):
    """One top-level key of params.yaml as a type; it stands beside the code that it configures."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: ClassVar[str]


@dataclass(frozen=True)
class Workspace:
    """A folder with `params.yaml`, `dvc.yaml`, `schemas/` and `data/`; every path below is inside it."""

    root: Path

    @classmethod
    def open(cls, root: Path) -> "Workspace":
        """Open the workspace at `root`; raises WorkspaceError where there is none."""
        for name in ("params.yaml", "dvc.yaml"):
            if not (root / name).is_file():
                raise WorkspaceError(
                    f"no {name} here, so this is no workspace",
                    where=str(root),
                    fix="name one with --workspace DIR",
                )
        return cls(root.resolve())

    @cached_property
    def params(self) -> dict[str, Any]:
        """The whole of params.yaml, untyped; raises SettingsError when it is not a YAML mapping."""
        try:
            return parsed_params(self.params_file.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise SettingsError(f"is not YAML: {error}", where="params.yaml", fix="mend it") from error

    def section(self, kind: type[SettingsSection]) -> SettingsSection:
        """The settings under `kind.key`, typed; raises SettingsError that names the key at fault."""
        raw = self.params.get(kind.key)
        return parse_section(kind, {} if raw is None else raw)

    @property
    def dataset(self) -> str:
        """The data set's name: that of its contract and of its folders under data/."""
        name = self.params.get("dataset")
        if not isinstance(name, str) or not name.isidentifier():
            raise SettingsError(
                f"dataset must be a name such as `flights`, got {name!r}",
                where="params.yaml: dataset",
                fix="set it to the name of a file in schemas/",
            )
        return name

    @property
    def seed(self) -> int:
        """The seed of everything random."""
        seed = self.params.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
            raise SettingsError(
                f"seed must be a whole number from 0 to {2**32 - 1}, got {seed!r}",
                where="params.yaml: seed",
                fix="set it to 0, say",
            )
        return seed

    def dependencies(self, stage: str) -> list[str]:
        """The paths that a stage of dvc.yaml depends on; none of one that is not there."""
        found = yaml.safe_load((self.root / "dvc.yaml").read_text(encoding="utf-8"))
        return [str(path) for path in found.get("stages", {}).get(stage, {}).get("deps") or []]

    @contextmanager
    def lock(self) -> Iterator[Callable[[], AbstractContextManager[None]]]:
        """Hold the workspace for one writer, and its stages; raises WorkspaceError at once when another has it.

        What it yields opens a block in which the stages are free, for a command that may be `keepfit stage` itself.
        """
        busy = "another keepfit run is at work in this workspace"
        with self._held("lock", lambda _: busy, "wait for it to end, then run again"), ExitStack() as stages:
            stages.enter_context(self.stage_lock())

            @contextmanager
            def freed() -> Iterator[None]:
                stages.close()
                try:
                    yield
                finally:
                    stages.enter_context(self.stage_lock())

            yield freed

    @contextmanager
    def stage_lock(self) -> Iterator[None]:
        """Hold the stages' outs for the one stage that works; raises WorkspaceError at once when another does.

        A stage outlives a `dvc repro` that is killed, and would write into what the next run believes its own.
        """
        fix = "wait for it, or end it if its run was killed"
        with self._held("stage", lambda file: f"{processes.holder(file)} works on a stage", fix):
            yield

    @contextmanager
    def tune_lock(self) -> Iterator[None]:
        """Be the one that tunes; raises WorkspaceError at once when another does."""
        fix = "look at it with `keepfit tune --status`, or end it with `keepfit tune --stop`"
        with self._held("tune.lock", lambda file: f"{processes.holder(file)} tunes here already", fix):
            yield

    @contextmanager
    def pointer_lock(self) -> Iterator[None]:
        """Be the one that moves the champion's pointer; raises WorkspaceError at once when another does."""
        busy = "another promotion or rollback is under way"
        fix = "look at what it came to with `keepfit models`, then decide again"
        with self._held("pointer.lock", lambda _: busy, fix):
            yield

    @contextmanager
    def serve_lock(self) -> Iterator[None]:
        """Be the one that serves the schedules; raises WorkspaceError at once when another does."""
        with self._held("serve.lock", lambda file: f"{processes.holder(file)} serves it already", "end that first"):
            yield

    @contextmanager
    def backtest_lock(self) -> Iterator[None]:
        """Be the one that replays past batches; raises WorkspaceError at once when another does."""
        with self._held("backtest.lock", lambda file: f"{processes.holder(file)} replays here already", "wait for it"):
            yield

    @contextmanager
    def _held(self, name: str, busy: Callable[[Path], str], fix: str) -> Iterator[None]:
        """Hold a lock that the operating system frees when its holder dies, however it dies."""
        from filelock import FileLock, Timeout

        self.state.mkdir(exist_ok=True)
        lock = FileLock(self.state / name, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout as error:
            raise WorkspaceError(busy(self.state / name), where=str(self.root), fix=fix) from error
        try:
            yield
        finally:
            lock.release()

    def relative(self, path: Path) -> str:
        """`path` as people read it: from the workspace's root, with forward slashes."""
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)

    @property
    def params_file(self) -> Path:
        return self.root / "params.yaml"

    @property
    def contract_file(self) -> Path:
        return self.root / "schemas" / f"{self.dataset}.py"

    @property
    def state(self) -> Path:
        """What only this machine needs: the locks; never versioned."""
        return self.root / ".keepfit"

    @property
    def checkpoint(self) -> Path:
        """Where a training stands that has not ended."""
        return self.state / "training" / "checkpoint.safetensors"

    @property
    def pretraining(self) -> Path:
        """Where its pre-training stands, or what it ended with, until the training has ended too."""
        return self.state / "training" / "pretraining.safetensors"

    @property
    def times(self) -> Path:
        """What the last training took of time and energy here: no two runs take the same."""
        return self.state / "training" / "times.json"

    @property
    def raw(self) -> Path:
        return self.root / "data" / "raw" / self.dataset

    @property
    def source(self) -> Path:
        """Where the data come from: `ingest.source` in params.yaml, a folder or one file, or data/raw/<dataset>."""
        named = (self.params.get("ingest") or {}).get("source")
        return self.root / named if named else self.raw

    @property
    def media(self) -> Path:
        """The folder that paths in columns of pictures and sounds start from: the one that the tables come from."""
        return self.source.parent if self.source.is_file() else self.source

    @property
    def original(self) -> Path:
        """What came as ingest cannot read it, and was written anew; absent where all came plain."""
        return self.root / "data" / "original" / self.dataset

    @property
    def incoming(self) -> Path:
        return self.root / "data" / "incoming" / self.dataset

    @property
    def ingested(self) -> Path:
        return self.root / "data" / "ingested"

    @property
    def flags(self) -> Path:
        return self.root / "data" / "flags.parquet"

    @property
    def clean(self) -> Path:
        return self.root / "data" / "clean"

    @property
    def repairs(self) -> Path:
        """The rules by which the clean data were repaired."""
        return self.clean / "repairs.json"

    @property
    def quarantine(self) -> Path:
        return self.root / "data" / "quarantine"

    @property
    def split(self) -> Path:
        return self.root / "data" / "split"

    @property
    def normalized(self) -> Path:
        return self.root / "data" / "normalized"

    @property
    def preprocessor(self) -> Path:
        return self.root / "models" / "preprocessor"

    @property
    def candidate(self) -> Path:
        return self.root / "models" / "candidate"

    @property
    def window(self) -> Path:
        """Which rows, and which weights, the last retraining was told to start from."""
        return self.root / "models" / "window.json"

    @property
    def registry(self) -> Path:
        return self.root / "models" / "registry"

    @property
    def champion(self) -> Path:
        """The pointer: JSON that names the champion's version; absent before the first promotion."""
        return self.root / "models" / "champion.json"

    @property
    def promotions(self) -> Path:
        """The journal of the champions: each move of the pointer."""
        return self.root / "models" / "promotions.jsonl"

    @property
    def scorings(self) -> Path:
        """The journal of the sealed test set: each time that it was opened."""
        return self.root / "models" / "scorings.jsonl"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def quality(self) -> Path:
        return self.reports / "quality.json"

    @property
    def data_docs(self) -> Path:
        return self.reports / "data_docs"

    @property
    def ledger(self) -> Path:
        return self.reports / "ledger.json"

    @property
    def repaired(self) -> Path:
        """Every cell that the repairs would change, where that was asked for."""
        return self.reports / "repairs.parquet"

    @property
    def evaluation(self) -> Path:
        return self.reports / "evaluation.json"

    @property
    def diagnosis(self) -> Path:
        """What is said of the candidate beside its scores."""
        return self.reports / "diagnosis.json"

    @property
    def metrics(self) -> Path:
        """A few numbers of evaluation.json, flat, for `dvc metrics`."""
        return self.reports / "metrics.json"

    @property
    def backtest(self) -> Path:
        """What each retraining policy would have done on the past batches."""
        return self.reports / "backtest.json"

    @property
    def plots(self) -> Path:
        return self.reports / "plots"

    @property
    def report(self) -> Path:
        return self.reports / "report.html"

    @property
    def model_card(self) -> Path:
        """The candidate's, as Markdown; as a page it has the same name with another ending."""
        return self.reports / "model_card.md"

    @property
    def curves(self) -> Path:
        return self.root / "dvclive"

    @property
    def monitoring(self) -> Path:
        return self.root / "monitoring"

    @property
    def history(self) -> Path:
        """One row per batch, column and measure, a Parquet file a batch."""
        return self.monitoring / "history"

    @property
    def arrivals(self) -> Path:
        """Great Expectations' pages of the batches that came."""
        return self.monitoring / "data_docs"


def parse_section(kind: type[SettingsSection], raw: object) -> SettingsSection:
    """Turn the YAML under `kind.key` into its type; raises SettingsError with rule, value and key."""
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in (kind.key, *first["loc"]))
        if first["type"] == "extra_forbidden":
            known = sorted(_within(kind, first["loc"][:-1]).model_fields)
            fix = instead(str(first["loc"][-1]), known)
            raise SettingsError("no such key", where=f"params.yaml: {key}", fix=fix) from error
        got = "" if first["type"] == "missing" else f", got {first['input']!r}"
        message = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{message}{got}", where=f"params.yaml: {key}", fix="mend the value") from error


def _within(kind: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    """The model that a path of keys leads to from `kind`, as far as it leads through models."""
    for key in path:
        field = kind.model_fields.get(str(key))
        inner = [] if field is None else [field.annotation, *get_args(field.annotation)]
        kind = next((each for each in inner if isinstance(each, type) and issubclass(each, BaseModel)), kind)
    return kind
