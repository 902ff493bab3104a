"""`keepfit models export VERSION --to DIR`: its options, and what it says."""

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from pipeline.export.manifest import Manifest
    from pipeline.workspace import Workspace

Say: TypeAlias = Callable[[str], None]
Run: TypeAlias = Callable[[argparse.Namespace, "Workspace", Say], int]
WORDS = "write a version as ONNX and safetensors: raw columns in, answer out"


def add(action: Callable[[str, Run, str], argparse.ArgumentParser]) -> None:
    """The action of `keepfit models`, which `action` makes."""
    command = action("export", write, WORDS)
    command.add_argument("version", help="a version of the registry, such as v3, champion, or candidate")
    command.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder, or an earlier export")
    command.add_argument(
        "--tolerance",
        type=_tolerance,
        metavar="NUMBER",
        help="how far it may be from the model: in probability, or deviations of the label (default: 0.0001)",
    )


def write(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit models export`; a file that does not say what the model says raises GateFailed."""
    from pipeline.export import bundle, fidelity

    tolerance = fidelity.TOLERANCE if chosen.tolerance is None else chosen.tolerance
    for line in lines(bundle.write(workspace, chosen.version, chosen.to, tolerance), chosen.to):
        say(line)
    return 0


def lines(made: "Manifest", folder: Path) -> Iterator[str]:
    """What is said of an export."""
    yield f"wrote {made.version} ({made.identity}) to {folder}"
    for name, seen in made.checked.items():
        where = f"{seen.rows:,} rows of val and {seen.edges:,} edge cases"
        off = f"at most {seen.farthest:.1e} from the model in {seen.unit}"
        yield f"  {name}: {off}, on {where} (tolerated: {seen.tolerance:g})"
    cost = made.int8
    if cost is not None:
        own = next(each for each in cost.differences if each.metric == cost.metric)
        change = f"{cost.metric} {cost.before:.4f} → {cost.after:.4f} on {cost.rows:,} rows of val"
        yield f"  model.int8.onnx: {change}, {own.difference:+.4f} ({own.low:+.4f} to {own.high:+.4f}); + is better"
    for what in made.outside:
        yield f"  outside: {what}"


def _tolerance(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value
