"""docs/settings.md: every key of params.yaml with its type, its default and what it does, as the types tell it."""

import inspect
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.settings import SECTIONS

BOUNDS = {annotated_types.Ge: "≥", annotated_types.Gt: ">", annotated_types.Le: "≤", annotated_types.Lt: "<"}
SIGNS = {"≥": "ge", ">": "gt", "≤": "le", "<": "lt"}
NO_KEYS = {"by_name", "formats"}  # of checks: each check's name is a key; of sets: as the contract says
NAMES = {bool: "true or false", int: "whole number", float: "number", str: "text", Path: "path", type(None): "null"}


def markdown() -> str:
    """A chapter for each section, and in it a table for each group of settings."""
    lines = [
        "# The settings",
        "",
        "Every key of `params.yaml`. A group with a `kind` can be written as its kind alone: `schedule: linear`.",
        "Beside these stand `dataset` (the contract's name in `schemas/`) and `seed` (of everything random).",
        "The policies and parameters of `checks` are in [checks.md](checks.md).",
        "",
        "This file is made of the code by `python -m pipeline.commands.keys > docs/settings.md`.",
    ]
    told: dict[type[BaseModel], str] = {}
    for section in SECTIONS:
        lines += ["", f"## {section.key}", "", *_group(section, section.key, told)]
    return "\n".join(lines) + "\n"


def _group(model: type[BaseModel], key: str, told: dict[type[BaseModel], str]) -> Iterator[str]:
    """What the group says of itself, a row for each of its keys, and the groups in it."""
    told[model] = key
    yield from (inspect.getdoc(model) or "").splitlines()
    fields = {name: field for name, field in model.model_fields.items() if name not in NO_KEYS}
    plain = {n: f for n, f in fields.items() if not _groups_in(f.annotation) and not _is_settled(f)}
    if plain:
        yield from ("", "| key | type | default | what it does |", "|---|---|---|---|")
        yield from (_row(name, field) for name, field in plain.items())
    for name, field in fields.items():
        if groups := _groups_in(field.annotation):
            yield from ("", f"### {key}.{name}", "", *_inner(groups, field, f"{key}.{name}", told))


def _inner(
    groups: list[type[BaseModel]], field: FieldInfo, key: str, told: dict[type[BaseModel], str]
) -> Iterator[str]:
    """The one group that a key holds, or those that its kind chooses from; each is told once."""
    if len(groups) > 1:
        kind = getattr(field.get_default(call_default_factory=True), "kind", "none")
        yield f"{_sentence(field.description or '')}What it is depends on `kind`; by itself that is `{kind}`."
    if known := told.get(groups[0]):
        yield f"As `{known}`."
        return
    for group in groups:
        if len(groups) > 1:
            yield from ("", f"#### {key}: {group.model_fields['kind'].default}", "")
        yield from _group(group, key, told)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}. " if text else ""


def _is_settled(field: FieldInfo) -> bool:
    """Whether it can have one value alone: the kind of a group."""
    return get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1


def _groups_in(annotation: Any) -> list[type[BaseModel]]:
    """The groups of settings that a key may hold: several where its kind says which."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Annotated or _is_union(annotation):
        return [group for part in get_args(annotation) for group in _groups_in(part)]
    return []


def _row(name: str, field: FieldInfo) -> str:
    bounds = [f"{BOUNDS[type(each)]} {_bound(each):g}" for each in field.metadata if type(each) in BOUNDS]
    kind = ", ".join([_type(field.annotation), *bounds])
    cells = (f"`{name}`", kind, f"`{_default(field)}`", " ".join((field.description or "").split()))
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _bound(bound: Any) -> float:
    return float(getattr(bound, SIGNS[BOUNDS[type(bound)]]))


def _type(annotation: Any) -> str:
    """The type in words.

    >>> _type(list[int] | None)
    'list of whole number, or null'
    """
    arguments = get_args(annotation)
    if get_origin(annotation) is Annotated:
        return _type(arguments[0])
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if _is_union(annotation):
        return ", or ".join(_type(part) for part in arguments)
    if get_origin(annotation) in (list, tuple):
        return f"list of {_type(arguments[0])}"
    if get_origin(annotation) in (dict, Mapping):
        return f"{_type(arguments[0])} → {_type(arguments[1])}"
    return NAMES.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _default(field: FieldInfo) -> str:
    """The default as it is written in params.yaml.

    >>> from pydantic import Field
    >>> _default(Field(default=None)), _default(Field(default=(1, 2))), _default(Field())
    ('null', '[1, 2]', '(must be set)')
    """
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "(must be set)"
    if isinstance(value, bool | None):
        return {None: "null", True: "true", False: "false"}[value]
    return str(list(value) if isinstance(value, tuple | set | frozenset) else value)


if __name__ == "__main__":
    print(markdown(), end="")
