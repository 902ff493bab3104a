"""A folder of pictures, sounds or texts: one row a file."""

from collections import Counter
from pathlib import Path, PurePosixPath
from stat import S_ISREG

import polars as pl
import polars.selectors as cs

from pipeline.errors import DataError
from pipeline.readers.source import Source

KINDS = {
    "image": (".png", ".jpg", ".jpeg", ".jpe", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".jp2", ".ppm"),
    "audio": (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".au"),
    "text-file": (".txt", ".md", ".rst", ".html", ".htm", ".log"),
}
KIND_OF = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes}
LOOKED_AT = 100
SCHEMA = {"path": pl.String, "bytes": pl.Int64, "label": pl.String}


def media(folder: Path) -> list[Path]:
    """The folder's pictures, sounds and texts, in the order of their names; hidden ones are none."""
    files = (path for path in folder.rglob("*") if path.suffix.lower() in KIND_OF and path.is_file())
    return sorted(path for path in files if not hidden(path, folder))


def hidden(path: Path, folder: Path) -> bool:
    """Whether a name on the way from the folder to the path starts with a dot."""
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def open_folder(folder: Path) -> Source:
    """One row a file of the kind that most are of: its path from the folder, its bytes, and the folder as its label.

    There is a label where the files lie in more than one folder. Files of another kind are counted in `dialect`.
    """
    found = media(folder)
    if not found:
        endings = ", ".join(KIND_OF)
        raise DataError("holds no data", where=str(folder), fix=f"put tables there, or files that end in: {endings}")
    counts = Counter(KIND_OF[path.suffix.lower()] for path in found)
    kind = max(counts, key=lambda name: (counts[name], name))
    files = [path for path in found if KIND_OF[path.suffix.lower()] == kind]
    rows = pl.DataFrame([_row(path, folder) for path in files], schema=SCHEMA, orient="row")
    labelled = len({path.parent for path in files}) > 1
    told = {
        "format": f"folder of {kind.removesuffix('-file')} files",
        "label": "the folder that a file lies in" if labelled else "none",
    }
    others = ", ".join(f"{count:,} {name}" for name, count in counts.items() if name != kind)
    if others:
        told["left out"] = f"files of another kind: {others}"
    return Source(
        name=folder.resolve().name,
        frame=(rows if labelled else rows.drop("label")).lazy(),
        dialect=told,
        base=folder,
        media={"path": kind},
        beside=f"of the folder {folder.resolve().name} files of another kind: {others}" if others else "",
    )


def named(rows: pl.LazyFrame, base: Path) -> dict[str, str]:
    """The columns of a table whose values are paths from `base` to files of one kind, each with its kind.

    A column is one where each of the first `LOOKED_AT` rows that say something names a file that is there.
    """
    first = rows.head(LOOKED_AT).select(cs.string()).collect()
    # a method of a column whose name looks like a pattern (`^x$`) would find no column
    told = {column.name: [path for path in column.to_list() if path is not None] for column in first}
    kinds = {name: {_kind(path, base) for path in paths} for name, paths in told.items()}
    return {name: kind for name, found in kinds.items() if len(found) == 1 and (kind := next(iter(found)))}


def _kind(path: str, base: Path) -> str | None:
    kind = KIND_OF.get(PurePosixPath(path).suffix.lower())
    return kind if kind and _size(base / path) is not None else None


def _size(path: Path) -> int | None:
    """The bytes of a regular file; None where none is there, or it may not be looked at.

    What stands in a column may be no name at all: a text that is too long for one, with a null in it.
    """
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size if S_ISREG(found.st_mode) else None


def _row(path: Path, folder: Path) -> tuple[str, int | None, str]:
    """A file that vanishes or may not be looked at has no bytes."""
    return path.relative_to(folder).as_posix(), _size(path), path.parent.name
