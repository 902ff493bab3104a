"""Any input → its tables, a part of the rows at a time; and what of the contract they can be held to (used by predict).

Columns that neither the model reads nor anything that it reads is derived from may be absent: the label, and what is
known only later. What else the contract says of these is not asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from pipeline import readers
from pipeline.commands import reading
from pipeline.contract import ROW_ID, Contract
from pipeline.errors import DataError
from pipeline.features.preprocessor import Preprocessor
from pipeline.readers import Source
from pipeline.stages import ingest
from pipeline.tables.frames import batches
from pipeline.wording import clip, count, listed

ROWS = 1 << 16  # at a time
ROWS_OF_TENSORS = 1 << 12  # where a row is a picture, a sound or a text
SHOWN = 6  # columns that a message names


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Tables of the same columns. `absent`: columns of the contract that they lack, `unread`: that it does not read.

    `contract` has no rule for what is absent. `base`: the folder that paths in the rows start from.
    """

    sources: Sequence[Source]
    base: Path
    contract: Contract
    absent: Sequence[str]
    unread: Sequence[str]

    def parts(self, rows: int) -> Iterator["Part"]:
        """All rows in their order, so many at a time; raises DataError for a table that cannot be read to its end."""
        for source in self.sources:
            first = 0
            with readers.reading(source.name):  # what is done with a part is none of it
                for frame in batches(source.frame, rows):
                    yield Part(source=source, first=first, rows=frame)
                    first += frame.height


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some rows of a source as they came, from the row `first` on."""

    source: Source
    first: int
    rows: pl.DataFrame


def opened(
    path: str, query: str | None, agreed: Contract, known: Preprocessor, derive: Mapping[str, str], *, scratch: Path
) -> Asked:
    """Open what is at `path`; raises DataError where it cannot be read, or lacks a column that the model reads."""
    sources = reading.opened(path, query, scratch, header=True)
    readers.require_same_columns(sources)
    found = sources[0].frame.collect_schema().names()
    given = [name for name in agreed.names if name not in derive]
    needed = _inputs(known.columns, agreed, derive)
    lacking = [name for name in given if name in needed and name not in found]
    if lacking:
        raise DataError(
            f"lacks {count(len(lacking), 'column')} that the model reads: {listed(lacking, SHOWN)}",
            where=sources[0].name,
            fix=f"mend its header: it has {clip(listed(found, SHOWN))}",
        )
    absent = [name for name in given if name not in found]
    return Asked(
        sources=sources,
        base=sources[0].base or _folder(path),
        contract=_without_rules(agreed, _hanging_on(absent, agreed, derive)),
        absent=absent,
        unread=[name for name in found if name not in given and name != ROW_ID],
    )


def _folder(path: str) -> Path:
    """The folder that paths in the tables at `path` start from; of a database's address this one."""
    return Path() if "://" in path else Path(path) if Path(path).is_dir() else Path(path).parent


def _inputs(read: Sequence[str], agreed: Contract, derive: Mapping[str, str]) -> set[str]:
    """These columns, and all that they are derived from."""
    found: set[str] = set()
    todo = list(read)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += _roots(name, agreed, derive)
    return found


def _hanging_on(absent: Sequence[str], agreed: Contract, derive: Mapping[str, str]) -> list[str]:
    """The absent columns, and those that are derived from one of them."""
    return [name for name in agreed.names if _inputs([name], agreed, derive) & set(absent)]


def _roots(name: str, agreed: Contract, derive: Mapping[str, str]) -> list[str]:
    if name not in derive:
        return []
    return ingest.expression(agreed.column(name), derive[name], "these data").meta.root_names()


def _without_rules(agreed: Contract, names: Sequence[str]) -> Contract:
    """The contract, by which these columns may hold anything of their type, and nothing."""
    if not names:
        return agreed
    schema = agreed.schema.update_columns({name: {"nullable": True, "checks": []} for name in names})
    columns = (replace(column, nullable=column.nullable or column.name in names) for column in agreed.columns)
    return replace(agreed, schema=schema, columns=tuple(columns))
