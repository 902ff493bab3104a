"""A batch on its way: into data/incoming, and from there to where training reads, with the files that it names.

Paths in columns of pictures and sounds start from the folder that their table lies in, so these go where it goes.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

import polars as pl
from polars.selectors import by_name

from pipeline import artefacts, contract, readers
from pipeline.errors import DataError
from pipeline.features import FILES
from pipeline.readers import anew
from pipeline.workspace import Workspace


def readable(workspace: Workspace, path: Path) -> Path:
    """A batch as ingest can read it: itself, or itself written anew into data/incoming, with the original kept aside.

    Only where `keepfit init` did so too: elsewhere a batch in another dialect or encoding is told as damaged.
    """
    if not workspace.original.is_dir() or not path.is_file():
        return path
    with TemporaryDirectory() as scratch:
        source = readers.open_source(path, scratch=Path(scratch))
        if anew.is_plain(source, path):
            return path
        bring(source.frame, _of_files(workspace), path.parent, workspace.incoming)
        written = anew.write(source, workspace.incoming / path.name)
    artefacts.copy(path, workspace.original / path.name)
    if path.parent == workspace.incoming:
        path.unlink()
    return written


def take_in(workspace: Workspace, path: Path, digest: str) -> None:
    """Copy a batch that lies elsewhere into data/incoming; raises DataError when another has its name there."""
    target = workspace.incoming / path.name
    if not target.is_file():
        carry(workspace, path, target)
    elif artefacts.sha256(target) != digest:
        raise DataError("has the name of another batch", where=workspace.relative(target), fix="rename one of them")


def carry(workspace: Workspace, table: Path, target: Path) -> None:
    """Copy a table and, first, the files that it names; raises DataError where another file has such a name there."""
    if columns := _of_files(workspace):
        with readers.reading(table.name):
            bring(readers.scan(table, []), columns, table.parent, target.parent)
    artefacts.copy(table, target)


def _of_files(workspace: Workspace) -> list[str]:
    agreed = contract.load(workspace.contract_file)
    return [column.name for column in agreed.features if column.modality in FILES]


def bring(rows: pl.LazyFrame, columns: Iterable[str], source: Path, target: Path) -> None:
    """Copy the files that these columns name from below the folder `source` to below `target`.

    What does not lie below it stays: a path that is no file there is told when it is to be read. Raises DataError where
    another file has such a name already.
    """
    named = rows.select(by_name(*columns)).collect()
    for name in sorted({path for column in columns for path in named[column].drop_nulls()}):
        way = PurePosixPath(name)
        if way.is_absolute() or ".." in way.parts or not (source / way).is_file():
            continue
        if not (target / way).exists():
            artefacts.copy(source / way, target / way)
        elif artefacts.sha256(source / way) != artefacts.sha256(target / way):
            fix = "rename one of them, in its table too"
            raise DataError("is there already, with another content", where=str(target / way), fix=fix)
