"""The one place that reads and writes files: under a temporary name, then renamed, with a hash.

Whoever is killed while writing leaves the old file or none; the next write of the same name sweeps up
what the killed one left, and nothing of a writer that lives.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import WorkspaceError
from pipeline.runtime import processes

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


PROBE = 1 << 16  # bytes: for less there may be room yet
DTYPES = {  # NumPy's names of those of safetensors
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}


class Record(BaseModel):
    """A value that is published as JSON beside an artefact; unknown keys are refused on reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    def write(self, path: Path) -> None:
        """Write this record to `path` as indented JSON; NaN and infinities are null."""
        write_json(path, json.loads(self.model_dump_json()))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a record back; raises WorkspaceError when `path` is absent or is not such a record."""
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            raise WorkspaceError(
                f"is not a {cls.__name__} ({error.error_count()} fields differ)",
                where=str(path),
                fix="delete it and run the stage that writes it again",
            ) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path` to write a file or folder to; rename it to `path` at the end.

    An exception inside the block removes what was written and leaves `path` as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in _left_behind(path):
        remove(stale)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        if temporary.is_dir():
            remove(path)
        temporary.replace(path)
    finally:
        remove(temporary)


def _left_behind(path: Path) -> Iterator[Path]:
    """What killed writers of `path` left beside it."""
    temporary = re.compile(rf"\.{re.escape(path.name)}\.(\d+)\.tmp")
    for found in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        with suppress(FileNotFoundError):  # a writer that lives may rename it right now
            writer = temporary.fullmatch(found.name)
            if writer and (int(writer[1]) == os.getpid() or not processes.lives(int(writer[1]), found.stat().st_mtime)):
                yield found


def remove(path: Path) -> None:
    """Remove a file or a folder; one that is absent is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def copy(source: Path, target: Path) -> None:
    """Copy one file."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as indented JSON; key order is kept, so equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON; raises WorkspaceError when `path` is absent or malformed."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WorkspaceError("is absent", where=str(path), fix="run `keepfit run` first") from error
    except ValueError as error:  # malformed, or not UTF-8
        raise WorkspaceError(
            f"is not JSON ({error})",
            where=str(path),
            fix="delete it and run the stage that writes it again",
        ) from error


def write_parquet(path: Path, frame: "pl.LazyFrame") -> None:
    """Stream a lazy frame to one Parquet file."""
    # an open file, not its name: a sink that failed may still be about to create what is removed here
    with replacing(path) as temporary, _opened(temporary, path) as file:
        frame.sink_parquet(file, compression="zstd")


def write_tables(tables: "Mapping[Path, pl.LazyFrame]") -> None:
    """Stream lazy frames to files, as CSV where a name ends so, else as Parquet.

    None takes its name before all are whole, and the first of them does so last.
    """
    with ExitStack() as stack:
        for path, frame in tables.items():
            temporary = stack.enter_context(replacing(path))
            with _opened(temporary, path) as file:
                frame.sink_csv(file) if path.suffix == ".csv" else frame.sink_parquet(file, compression="zstd")


@contextmanager
def _opened(temporary: Path, path: Path) -> Iterator[BinaryIO]:
    """The file to write `path` to; raises OSError that names `path` where there is no room for it.

    Polars says that in many words, and not always why: so the file is asked once more.
    """
    import polars as pl

    with temporary.open("wb") as file:
        try:
            yield file
        except (pl.exceptions.PolarsError, OSError) as error:
            try:
                with temporary.open("ab") as again:
                    again.write(bytes(PROBE))
            except OSError as full:
                raise OSError(full.errno, full.strerror, str(path)) from error
            raise


def scan_parquet(path: Path) -> "pl.LazyFrame":
    """Scan one Parquet file, or all of a folder in the order of their names; WorkspaceError where there is none."""
    import polars as pl

    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].is_file():
        raise WorkspaceError("is absent", where=str(path), fix="run `keepfit run` first")
    try:
        frame = pl.scan_parquet(files, glob=False)
        frame.collect_schema()
    except pl.exceptions.PolarsError as error:
        raise WorkspaceError(
            f"is no whole Parquet file ({str(error).splitlines()[0]})",
            where=str(path),
            fix="delete it and run the stage that writes it again",
        ) from error
    return frame


def write_tensors(path: Path, tensors: "Mapping[str, np.ndarray[Any, Any]]") -> None:
    """Write named arrays as safetensors (no pickle)."""
    from safetensors.numpy import save_file

    with replacing(path) as temporary:
        temporary.touch()
        readers = temporary.stat().st_mode  # safetensors makes a file that its owner alone may read
        save_file(dict(tensors), temporary)
        temporary.chmod(readers)


def read_tensors(path: Path) -> "dict[str, np.ndarray[Any, Any]]":
    """Read named arrays; raises WorkspaceError when `path` is absent or damaged."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise WorkspaceError("is absent", where=str(path), fix="run `keepfit run` first")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WorkspaceError(
            f"is no whole safetensors file ({error})",
            where=str(path),
            fix="delete it and run the stage that writes it again",
        ) from error


def map_tensors(path: Path) -> "dict[str, np.ndarray[Any, Any]]":
    """Named arrays that stay on disk and are read where they are looked at; WorkspaceError as `read_tensors`."""
    import numpy as np

    header, start = _header(path)
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, entry in header.items():
        if name != "__metadata__":
            dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"])
            offset = start + entry["data_offsets"][0]
            nothing = 0 in shape  # which cannot be mapped
            found[name] = np.empty(shape, dtype) if nothing else np.memmap(path, dtype, "c", offset, shape)
    return found


def write_state(path: Path, tensors: "Mapping[str, np.ndarray[Any, Any]]", words: Mapping[str, str]) -> None:
    """Write named arrays and words as one safetensors file, which is on the disk when this returns."""
    from safetensors.numpy import save

    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(save(dict(tensors), metadata=dict(words)))
        file.flush()
        os.fsync(file.fileno())
    if hasattr(os, "O_DIRECTORY"):  # the name is on the disk when its folder is
        folder = os.open(path.parent, os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)


def read_state(path: Path) -> "tuple[dict[str, np.ndarray[Any, Any]], dict[str, str]]":
    """The arrays and the words of `write_state`; WorkspaceError as `read_tensors`."""
    tensors = read_tensors(path)
    return tensors, _header(path)[0].get("__metadata__", {})


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What a safetensors file says of its arrays, and where their bytes begin."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return json.loads(file.read(length)), 8 + length
    except FileNotFoundError as error:
        raise WorkspaceError("is absent", where=str(path), fix="run `keepfit run` first") from error
    except (ValueError, MemoryError, OverflowError) as error:
        raise WorkspaceError(
            f"is no whole safetensors file ({error})",
            where=str(path),
            fix="delete it and run the stage that writes it again",
        ) from error


def sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes; of a folder: of its sorted relative names and their hashes."""
    if path.is_dir():
        listed = sorted(p for p in path.rglob("*") if p.is_file())
        lines = "".join(f"{p.relative_to(path).as_posix()} {sha256(p)}\n" for p in listed)
        return hashlib.sha256(lines.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
