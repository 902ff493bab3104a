"""The gate of an export: the candidate is written as ONNX and safetensors, and both are held against it on real rows.

Nothing of it is kept: `keepfit models export` writes the version for good.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.errors import WorkspaceError
from pipeline.export import bundle, onnx_file
from pipeline.export.bundle import Export
from pipeline.export.fidelity import Fidelity
from pipeline.stages.gates import Gate
from pipeline.workspace import Workspace

NAME = "export"


def gate(workspace: Workspace, tolerance: float) -> Gate:
    """Whether each file says what the candidate says, within `tolerance`; without the libraries it does not pass."""
    asked = f"at most {tolerance:g} from the model"
    try:
        onnx_file.require_libraries()
        export = Export.of(workspace, "candidate", tolerance)
    except WorkspaceError as error:
        found = f"not measured, {error.what}: {error.fix}"
        return Gate(name=NAME, asked=asked, found=found, verdict="failed", words=f"{NAME}: {found}")
    with TemporaryDirectory(prefix="keepfit-export-") as folder:
        seen = bundle.both(export, Path(folder))
    return judged(seen, asked)


def judged(seen: dict[str, Fidelity], asked: str) -> Gate:
    """The gate, by what was found of each file; told is of the one that is farther off."""
    file, worst = max(seen.items(), key=lambda each: (each[1].otherwise, each[1].farthest))
    others = f", {worst.otherwise:,} answers do not follow from it" if worst.otherwise else ""
    rows = f"{worst.rows:,} rows of val and {worst.edges:,} edge cases"
    found = f"{file} at most {worst.farthest:.1e} off in {worst.unit}{others}, on {rows}"
    return Gate(
        name=NAME,
        asked=asked,
        found=found,
        verdict="passed" if worst.near else "failed",
        words=f"{NAME}: {found}, asked {asked}",
    )
