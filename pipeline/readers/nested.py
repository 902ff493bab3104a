"""Records within records as columns of their own: of `{"a": {"b": 1}}` that is `a.b`.

Objects that are rather tables of their own keys (`{"scores": {"user 17": 3, ...}}`) stay one cell of JSON text.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from polars.selectors import by_name

KEYS = 50  # of one object; with more its keys are rather values
DEPTH = 4

Record = dict[str, Any]


def paths_within(records: Sequence[Record]) -> set[str]:
    """The dotted paths of the objects in some records whose keys may be columns.

    >>> sorted(paths_within([{"a": {"b": {"c": 1}}, "d": {}}, {"a": None, "e": [1]}]))
    ['a', 'a.b']
    """
    found: set[str] = set()
    level = {
        key: [row[key] for row in records if key in row] for key in dict.fromkeys(k for row in records for k in row)
    }
    taken = set(level)
    for _ in range(DEPTH):
        inside: dict[str, list[Any]] = {}
        for path, values in level.items():
            held = [value for value in values if value is not None]
            if not all(isinstance(value, dict) for value in held):
                continue
            keys = dict.fromkeys(key for value in held for key in value)
            if keys and len(keys) <= KEYS and not taken & {f"{path}.{key}" for key in keys}:
                found.add(path)
                inside |= {f"{path}.{key}": [value[key] for value in held if key in value] for key in keys}
        level = inside
    return found


def flattened(record: Record, paths: Collection[str]) -> Record:
    """The record with the objects at `paths` taken apart; as it is where two columns would have one name.

    >>> flattened({"a": {"b": 1}, "c": {}}, {"a", "c"}), flattened({"a": {"b": 1}, "a.b": 2}, {"a"})
    ({'a.b': 1, 'c': {}}, {'a': {'b': 1}, 'a.b': 2})
    >>> flattened({"a": None}, {"a"})
    {}
    """
    pairs = list(_pairs(record, paths, ""))
    apart = dict(pairs)
    return apart if len(apart) == len(pairs) else record


def _pairs(record: Record, paths: Collection[str], before: str) -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        path = before + key
        if path in paths and isinstance(value, dict) and value:
            yield from _pairs(value, paths, f"{path}.")
        elif path not in paths or value is not None:
            yield path, value


def fields_within(schema: Mapping[str, pl.DataType]) -> dict[str, dict[str, pl.Expr]]:
    """The fields of each column of records, by the names that they get; a record that is null has null fields."""
    found: dict[str, dict[str, pl.Expr]] = {}
    taken = set(schema)
    for name, kind in schema.items():
        own = dict(_fields(name, by_name(name), kind, 1))
        if own and not taken & own.keys():
            found[name] = own
            taken |= own.keys()
    return found


def _fields(name: str, cell: pl.Expr, kind: Any, depth: int) -> Iterator[tuple[str, pl.Expr]]:
    if not isinstance(kind, pl.Struct) or len(kind.fields) > KEYS or depth > DEPTH:
        return
    for field in kind.fields:
        path, inner = f"{name}.{field.name}", cell.struct.field(field.name)
        yield from list(_fields(path, inner, field.dtype, depth + 1)) or [(path, inner.alias(path))]
