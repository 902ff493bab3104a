"""The text of a params.yaml → its keys and values, as DVC reads them (used by workspace)."""

import re
from typing import Any

import yaml

from pipeline.errors import SettingsError

BOOLEAN = "tag:yaml.org,2002:bool"


class _Loader(yaml.SafeLoader):
    """YAML 1.2, as DVC reads it: no key stands twice, and `off`, `on`, `no` and `yes` are words.

    The library's own loader takes the last of two keys without a word, and such words for booleans.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"found the key {key} twice", node.start_mark)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag != BOOLEAN]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(BOOLEAN, re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))


def parsed_params(text: str) -> dict[str, Any]:
    """The text of a params.yaml, untyped; raises SettingsError when it is not a YAML mapping."""
    try:
        loaded = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"is not YAML: {error.problem}", where=f"params.yaml{line}", fix="mend it") from error
    except yaml.YAMLError as error:
        message = str(error).replace("\n", " ")
        raise SettingsError(f"is not YAML: {message}", where="params.yaml", fix="mend it") from error
    if not isinstance(loaded, dict):
        raise SettingsError("holds no keys", where="params.yaml", fix="write `dataset: NAME` at least")
    return loaded
