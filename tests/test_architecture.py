"""The house is as it is drawn: imports run one way, and code, dvc.yaml and settings name the same things."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import yaml

from pipeline import settings
from pipeline.cli import STAGES
from pipeline.workspace import Section, Workspace

ROOT = Path(__file__).parents[1]
LAYERS = (  # each may import what stands in its own or a later one; the longest name that fits a module counts
    {"flows"},
    {
        *("cli", "commands.check.listing", "commands.keys", "commands.options", "commands.summary"),
        *("commands.backtest", "commands.demo", "commands.drift", "commands.init", "commands.ledger"),
        *("commands.models", "commands.repairs", "commands.tune", "commands.up_to_date"),
    },
    {"settings"},
    {
        *("commands.check.examine", "commands.check.impact", "commands.explain", "commands.predict"),
        *("commands.quarantine", "commands.selftest", "incoming", "monitor"),
    },
    {"commands.reading"},
    {"stages", "export"},  # a gate of promote exports the candidate
    {
        *("checks", "features", "models", "drift", "reports", "predictor", "judgement", "versions"),
        *("expectations", "policy", "cleaning.recheck"),
    },
    {
        *("cleaning", "infer", "labels", "media", "metrics", "profile", "quality", "similar"),
        "versions.sealed",
    },
    {"cleaning.amendments"},
    {"contract", "readers", "progress"},
    {"workspace"},
    {"artefacts", "params", "versions.journal"},
    {"errors", "runtime", "tables", "wording"},
    {"pipeline", "commands"},  # the packages themselves, which hold words alone
)
PLACES = {name: place for place, names in enumerate(LAYERS) for name in names}
UPWARD = {("cli", "flows")}  # the command starts flows, by imports inside its functions
BACKWARD = {
    *UPWARD,
    ("drift", "policy"),  # the settings of monitor hold those of the policy
    ("models", "predictor"),  # each epoch is watched as the model will answer
    ("models", "versions"),  # a training starts from a version's weights
    ("stages", "export"),  # a gate of promote exports the candidate
}  # of two packages, the one that imports the other against the way of all other imports
BY_FOLDER = {
    "pipeline.checks",
    "pipeline.features",
    "pipeline.models.backbones",
    "pipeline.models.encoders",
}  # these import whatever lies in their folder
PLUMBING = {
    *("artefacts", "errors", "params", "progress", "workspace"),
    *("runtime.memory", "runtime.processes", "runtime.warning_filters", "tables.frames"),
    *("versions.git", "versions.journal", "versions.lineage", "versions.sealed"),
}  # cannot change what a stage computes
HEAVY = {"torch", "prefect", "great_expectations", "dvc", "pandas", "sklearn", "pandera", "polars", "numpy", "pydantic"}


@cache
def modules() -> dict[str, Path]:
    files = [file for house in ("pipeline", "flows") for file in (ROOT / house).rglob("*.py")]
    return {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


def imported(module: str, *, anywhere: bool = True) -> Iterator[str]:
    tree = ast.parse(modules()[module].read_text(encoding="utf-8"))
    for node in ast.walk(tree) if anywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


@cache
def own_imports(module: str) -> frozenset[str]:
    return frozenset(name for name in imported(module) if name in modules()) - {module}


def layer(module: str) -> int:
    parts = module.removeprefix("pipeline.").split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next(PLACES[name] for name in names if name in PLACES)


def package(module: str) -> str:
    """The folder or file right below pipeline/; of a command, that below pipeline/commands/."""
    parts = module.removeprefix("pipeline.").split(".")
    return ".".join(parts[: 2 if parts[0] == "commands" else 1])


def closure(module: str) -> set[str]:
    seen: set[str] = set()
    todo = [module]
    while todo:
        if (name := todo.pop()) not in seen:
            seen.add(name)
            todo += own_imports(name)
    return seen


def used(module: str) -> set[str]:
    """The module with all that it imports, by name or by folder."""
    needed = closure(module)
    while found := {name for name in modules() if name not in needed and any(map(name.startswith, _folders(needed)))}:
        needed = needed.union(*map(closure, found))
    return needed


def _folders(needed: set[str]) -> set[str]:
    return {f"{folder}." for folder in BY_FOLDER & needed}


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_run_one_way(module: str) -> None:
    upward = [
        name
        for name in own_imports(module)
        if layer(name) < layer(module) and (package(module), package(name)) not in UPWARD
    ]

    assert not upward


def test_packages_import_one_way() -> None:
    ways = {(package(user), package(used)) for user in modules() for used in own_imports(user)}
    needed: dict[str, set[str]] = {}
    for user, used in ways - BACKWARD:
        needed.setdefault(user, set()).update({used} - {user})

    assert ways >= BACKWARD
    TopologicalSorter(needed).prepare()  # raises CycleError, which names the packages


def test_each_name_of_the_layers_is_a_module() -> None:
    ours = {name.removeprefix("pipeline.") for name in modules()}

    assert set(PLACES) | PLUMBING <= ours


def test_the_package_tells_where_to_find_what() -> None:
    below = {name.split(".")[1] for name in modules() if name.startswith("pipeline.")}
    words = ast.get_docstring(ast.parse(modules()["pipeline"].read_text(encoding="utf-8"))) or ""
    told = {name for line in words.splitlines() if "  " in line for name in line.split("  ")[0].split(", ")}

    assert told == below


def test_there_is_no_import_cycle() -> None:
    for module in modules():
        reached = {name for start in own_imports(module) for name in closure(start)}

        assert module not in reached or module == "pipeline.cli", module


@pytest.mark.parametrize("module", sorted(name for name in modules() if name.startswith("pipeline")))
def test_nothing_in_pipeline_imports_prefect(module: str) -> None:
    assert not [name for name in imported(module) if name.split(".")[0] == "prefect"]


@pytest.mark.parametrize("library", ["prefect", "great_expectations", "dvc"])
def test_a_heavy_library_is_imported_in_one_place_of_the_pipeline(library: str) -> None:
    users = {
        name
        for name in modules()
        if name.startswith("pipeline") and library in {i.split(".")[0] for i in imported(name)}
    }

    allowed = {"prefect": "", "great_expectations": "pipeline.expectations", "dvc": "pipeline.versions.dvc"}
    assert not [name for name in users if not f"{name}.".startswith(f"{allowed[library]}.")]


def test_the_command_line_imports_nothing_heavy() -> None:
    code = "import sys, pipeline.cli; pipeline.cli.parser(); print(*{n.split('.')[0] for n in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert not HEAVY & set(loaded.stdout.split())


def dag() -> dict[str, dict[str, list[object]]]:
    stages: dict[str, dict[str, list[object]]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    return stages


def test_dvc_yaml_has_the_stages_in_their_order() -> None:
    assert tuple(dag()) == STAGES


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_code_that_can_change_what_it_computes(stage: str) -> None:
    named = [str(dep) for dep in dag()[stage]["deps"]]
    needed = used(f"pipeline.stages.{stage}")
    files = [
        modules()[name].relative_to(ROOT).as_posix()
        for name in needed
        if name.removeprefix("pipeline.") not in PLUMBING
    ]
    # a package's empty __init__ computes nothing
    missing = [
        file
        for file in files
        if not any(file == dep or file.startswith(f"{dep}/") for dep in named)
        and not (file.endswith("__init__.py") and "def " not in (ROOT / file).read_text())
    ]

    assert not missing


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_settings_that_it_reads(stage: str) -> None:
    text = modules()[f"pipeline.stages.{stage}"].read_text(encoding="utf-8")
    read = {kind.key for kind in settings.SECTIONS if f"workspace.section({kind.__name__})" in text}
    read |= {"seed"} if "workspace.seed" in text else set()

    assert read <= {str(name) for name in dag()[stage]["params"]}


def test_every_path_of_the_dag_is_one_that_workspace_names() -> None:
    workspace = Workspace.open(ROOT)
    known = {
        workspace.relative(value)
        for name in dir(Workspace)
        if isinstance(getattr(Workspace, name), property) and isinstance(value := getattr(workspace, name), Path)
    }
    written = [out for stage in dag().values() for kind in ("outs", "metrics") for out in stage.get(kind, [])]
    paths = {path for out in written for path in (out if isinstance(out, dict) else [out])}

    assert paths <= known


def test_every_section_of_params_yaml_has_a_type() -> None:
    workspace = Workspace.open(ROOT)

    settings.check(workspace)

    assert set(workspace.params) <= {"dataset", "seed", *(section.key for section in settings.SECTIONS)}


def test_every_section_type_is_composed() -> None:
    def below(kind: type[Section]) -> set[type[Section]]:
        return {kind, *(deeper for sub in kind.__subclasses__() for deeper in below(sub))}

    ours = {kind for kind in below(Section) if kind.__module__.startswith("pipeline.")} - {Section}

    assert ours == set(settings.SECTIONS)


def test_the_readme_names_commands_that_exist() -> None:
    readme, makefile = (ROOT / "README.md").read_text(), (ROOT / "Makefile").read_text()

    for target in ("install", "demo", "test"):
        assert f"make {target}" in readme
        assert f"\n{target}:" in makefile


def test_the_lock_holds_every_package_by_hash_and_not_the_compromised_one() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pinned = [line.split("==")[0] for line in lines if "==" in line and not line.startswith(" ")]

    assert {"torch", "prefect", "polars", "pytorch-lightning"} <= set(pinned)
    assert "lightning" not in pinned
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


def test_dvc_sends_nothing_from_this_workspace() -> None:
    assert "analytics = false" in (ROOT / ".dvc" / "config").read_text().lower()


@pytest.mark.parametrize("lossy", ["collect_batches(", "pl.format("])
def test_what_polars_loses_rows_by_is_not_used(lossy: str) -> None:
    users = [path.name for path in (ROOT / "pipeline").rglob("*.py") if lossy in path.read_text(encoding="utf-8")]
    assert users == []
