"""What differs between two versions, or between one and what is here now, a line each. Pure."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.versions.lineage import Lineage, Source
from pipeline.wording import clip, count, listed

NONE = "none"
MATTER = ("keepfit", "torch", "pytorch-lightning", "numpy", "polars", "scikit-learn", "safetensors", "tokenizers")


def flat(settings: Mapping[str, Any], key: str = "") -> dict[str, Any]:
    """Settings by their whole keys.

    >>> flat({"seed": 1, "train": {"mlp": {"hidden": [8]}}})
    {'seed': 1, 'train.mlp.hidden': [8]}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = flat(value, f"{key}{name}.") if isinstance(value, Mapping) and value else {f"{key}{name}": value}
        found |= inner
    return found


def settings(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Each key of params.yaml that is set otherwise.

    >>> list(settings({"seed": 1, "train": {"epochs": 3}}, {"seed": 2}))
    ['seed: 1 → 2', 'train.epochs: 3 → not set']
    """
    a, b = flat(then), flat(now)
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) != b.get(key) or (key in a) != (key in b):
            told = [clip(side[key]) if key in side else "not set" for side in (a, b)]
            yield f"{key}: {' → '.join(told)}"


def data(then: Mapping[str, Source], now: Mapping[str, Source]) -> Iterator[str]:
    """Files of raw data that came, went or hold other bytes."""
    for words, names in (
        ("only in the second", sorted(now.keys() - then.keys())),
        ("only in the first", sorted(then.keys() - now.keys())),
        ("hold other bytes", sorted(n for n in then.keys() & now.keys() if then[n].sha256 != now[n].sha256)),
    ):
        if names:
            rows = sum((now if names[0] in now else then)[name].rows for name in names)
            yield f"{words}: {listed(names)} ({count(rows, 'row')})"


def environment(then: Lineage, now: Lineage) -> Iterator[str]:
    """What differs of code, machine and packages: first what a training's last bits hang on."""
    if then.code != now.code:
        yield f"keepfit's code: {then.code[:12]} → {now.code[:12]}"
    before, after = then.machine.model_dump(), now.machine.model_dump()
    for key, value in before.items():
        if value != after[key]:
            yield f"{key}: {value or NONE} → {after[key] or NONE}"
    names = sorted(then.packages.keys() | now.packages.keys())
    other = [name for name in names if then.packages.get(name) != now.packages.get(name)]
    for name in (name for name in other if name in MATTER):
        yield f"{name}: {then.packages.get(name, NONE)} → {now.packages.get(name, NONE)}"
    if rest := [name for name in other if name not in MATTER]:
        yield f"{count(len(rest), 'other package')}: {listed(rest, 6)}"


def contract(then: str, now: str) -> list[str]:
    """The lines of a contract that were taken out and put in.

    >>> contract("a: int\\nb: int\\n", "a: int\\nb: float\\n")
    ['-b: int', '+b: float']
    """
    lines = difflib.unified_diff(then.splitlines(), now.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[:2] not in ("--", "++", "@@")]
