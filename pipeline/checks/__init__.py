"""Checks: one file a family, one entry a check. A new file here with a `CHECKS` tuple is found by itself,
one without is what a family shares."""

import importlib
import inspect
import pkgutil
from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.errors import SettingsError, instead
from pipeline.quality.findings import Check


@cache
def registered() -> Mapping[str, type[Check]]:
    """Every check by its name, in the order of the families' file names."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    found = [check for module in modules for check in getattr(module, "CHECKS", ())]
    if twice := [name for name, times in Counter(check.name for check in found).items() if times > 1]:
        raise ValueError(f"each check needs a name of its own, got two called {', '.join(twice)}")
    return {check.name: check for check in found}


def configured(overrides: Mapping[str, Any]) -> list[Check]:
    """Every check with the parameters and policies of params.yaml; raises SettingsError that names the key.

    A word alone is the policy: `target_leak: warn`.
    """
    unknown = sorted(set(overrides) - set(registered()))
    if unknown:
        raise SettingsError(
            "no such check",
            where=f"params.yaml: checks.{unknown[0]}",
            fix=instead(str(unknown[0]), registered()),
        )
    return [_configure(kind, overrides.get(name)) for name, kind in registered().items()]


@cache
def _adapter(kind: type[Check]) -> TypeAdapter[Check]:
    return TypeAdapter(kind)


def _configure(kind: type[Check], given: object) -> Check:
    parameters = {} if given is None else {"policy": given} if isinstance(given, str) else given
    known = list(inspect.signature(kind).parameters)
    for name in parameters if isinstance(parameters, Mapping) else []:
        if name not in known:  # pydantic passes over what a dataclass does not have
            where = f"params.yaml: checks.{kind.name}.{name}"
            raise SettingsError("no such key", where=where, fix=instead(name, known))
    try:
        check = _adapter(kind).validate_python(parameters)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in ("checks", kind.name, *first["loc"]))
        raise SettingsError(
            f"{first['msg']}, got {first['input']!r}", where=f"params.yaml: {key}", fix="mend the value"
        ) from error
    if check.policy not in ("off", *kind.policies):
        raise SettingsError(
            f"policy must be one of {', '.join(kind.policies)}, off, got {check.policy}",
            where=f"params.yaml: checks.{kind.name}.policy",
            fix="choose one of these",
        )
    return check
