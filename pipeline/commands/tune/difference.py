"""Changed values in the text of params.yaml: every comment, order and line that is not meant stays as it is."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.errors import SettingsError
from pipeline.params import parsed_params


def changed(text: str, changes: Mapping[str, Any]) -> str:
    """The text with these values under these keys (`train.mlp.dropout`); a key that is not there is added.

    Raises SettingsError where the result would not say what it is meant to, as with anchors.

    >>> print(changed("train:  # so\\n  epochs: 3 # few\\n", {"train.epochs": 4, "train.mlp.dropout": 0.1}), end="")
    train:  # so
      epochs: 4 # few
      mlp: {dropout: 0.1}
    """
    meant = _unshared(parsed_params(text))
    for key, value in changes.items():
        path = key.split(".")
        text = _with(text, path, value)
        _put(meant, path, value)
    if parsed_params(text) != meant:
        fix = f"write by hand: {', '.join(f'{key}: {_flow(value)}' for key, value in changes.items())}"
        raise SettingsError("cannot be changed by keepfit as it is written", where="params.yaml", fix=fix)
    return text


def unified(before: str, after: str) -> str:
    """The difference as `diff -u` shows it; empty where there is none."""
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), "params.yaml", "params.yaml")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _with(text: str, path: list[str], value: Any) -> str:
    """One value set: where its deepest group that is there stands, it is replaced or added."""
    node, left = yaml.compose(text, Loader=yaml.SafeLoader), list(path)
    if node is None:
        return text + _lines(left, value, "")
    while left and isinstance(node, yaml.MappingNode):
        inner = next((held for key, held in node.value if key.value == left[0]), None)
        if inner is None:
            return _added(text, node, left, value)
        node, left = inner, left[1:]
    if left and isinstance(node, yaml.ScalarNode) and node.value not in ("", "null", "~"):
        value = {"kind": node.value, **_nested(left, value)}  # a group that is written as its kind alone
        left = []
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style:
        end = start + len(text[start:end].rstrip())
    space = "" if start == 0 or text[start - 1] in " \n" else " "
    return text[:start] + space + _flow(_nested(left, value)) + text[end:]


def _added(text: str, node: yaml.MappingNode, path: list[str], value: Any) -> str:
    """A new key at the end of a group, whether that stands in braces or on lines of its own."""
    if node.flow_style:
        end = node.end_mark.index - 1
        before = text[:end].rstrip()
        comma = "" if before.endswith(("{", ",")) else ","
        gap = "" if before.endswith("{") else " "
        return f"{before}{comma}{gap}{path[0]}: {_flow(_nested(path[1:], value))}{text[end:]}"
    last = node.value[-1][1]
    end = last.end_mark.index
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:  # its end mark is too far
        held = last.value[-1]
        last = held[1] if isinstance(held, tuple) else held
        end = last.end_mark.index
    line = text.find("\n", end)
    place = len(text) if line < 0 else line + 1
    head = text[:place] if text[:place].endswith("\n") else f"{text[:place]}\n"
    return head + _lines(path, value, " " * node.start_mark.column) + text[place:]


def _lines(path: list[str], value: Any, margin: str) -> str:
    return f"{margin}{path[0]}: {_flow(_nested(path[1:], value))}\n"


def _nested(path: list[str], value: Any) -> Any:
    for key in reversed(path):
        value = {key: value}
    return value


def _unshared(value: Any) -> Any:
    """The same, in which nothing stands at two places, as behind an alias it does."""
    if isinstance(value, dict):
        return {key: _unshared(inner) for key, inner in value.items()}
    return [_unshared(inner) for inner in value] if isinstance(value, list) else value


def _put(group: dict[str, Any], path: list[str], value: Any) -> None:
    for key in path[:-1]:
        inner = group.get(key)
        group[key] = {"kind": inner} if isinstance(inner, str) else inner or {}
        group = group[key]
    group[path[-1]] = value


def _flow(value: Any) -> str:
    """A value on one line: groups in braces, text bare where that is safe.

    >>> _flow({"kind": "adamw", "learning_rate": 1e-05})
    '{kind: adamw, learning_rate: 0.00001}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, float):
        plain = f"{value:.17f}".rstrip("0")
        return repr(value) if "e" not in repr(value) else plain if float(plain) == value else f"{value:.17e}"
    if isinstance(value, str) and value.isidentifier() and yaml.safe_load(value) == value:
        return value
    return json.dumps(value)
