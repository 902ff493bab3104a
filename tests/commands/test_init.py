"""A new workspace is whole or not there; in it the DAG runs at once; what cannot be learnt from ends in one line."""

import logging
import os
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest
import yaml

from pipeline import artefacts, contract, settings
from pipeline.cli import STAGES
from pipeline.commands import init
from pipeline.contract import Role
from pipeline.errors import DataError, KeepfitError, WorkspaceError
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.split import SplitSettings
from pipeline.versions import dvc, git
from pipeline.workspace import Workspace
from tests.readers.test_binary import workbook

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of DVC's own code

LABEL: dict[str, Role] = {"Survived": "label"}
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


def passengers(rows: int = 400) -> pl.DataFrame:
    """A small mixed table, as text: an id, numbers with gaps, categories, free text, a date, a label."""
    chance = random.Random(3)
    lines = []
    for number in range(1, rows + 1):
        sex, deck, age = chance.choice(["female", "male"]), chance.choice("ABC"), chance.uniform(1, 80)
        survived = chance.random() < (0.85 if sex == "female" else 0.15)
        lines.append(
            {
                "Passenger": f"{number}",
                "Survived": "yes" if survived else "no",
                "Class": chance.choice("123"),
                "Full name": f"{chance.choice(['Ann', 'Bo', 'Cy'])} the {number} of {chance.choice(['York', 'Hull'])}",
                "sex": sex,
                "age": "?" if chance.random() < 0.1 else f"{age:.1f}",
                "deck": "" if chance.random() < 0.3 else deck,
                "Born": f"{chance.randint(1, 28):02}/{chance.randint(1, 12):02}/{chance.randint(1850, 1910)}",
            }
        )
    return pl.DataFrame(lines)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "my passengers.csv"
    passengers().write_csv(path)
    return path


@pytest.fixture
def made(table: Path, tmp_path: Path) -> Workspace:
    return init.initialise(tmp_path / "new", table, roles=LABEL, seed=5)


def cells(path: Path) -> list[str]:
    return sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file() and ".git/" not in str(p))


def test_a_workspace_has_all_that_a_run_needs(made: Workspace) -> None:
    settings.check(made)
    agreed = contract.load(made.contract_file)

    assert (made.dataset, made.seed) == ("my_passengers", 5)
    assert agreed.label.name == "Survived"
    assert [column.name for column in agreed.features] == ["Class", "Full name", "sex", "age", "deck", "Born"]
    assert [column.name for column in agreed.of_role("id")] == ["Passenger"]
    assert agreed.column("Full name").modality == "text"
    assert made.section(IngestSettings).null_values == ["", "?"]
    assert made.section(SplitSettings).method == "random"
    assert made.champion.is_file() and made.incoming.is_dir() and (made.root / "README.md").is_file()


def test_git_and_dvc_are_ready_and_nothing_is_left_to_commit(made: Workspace) -> None:
    assert git.git(made.root, "status", "--porcelain") == ""
    assert git.is_tracked(made.root, made.raw)
    assert tuple(spec.name for spec in dvc.stages(made.root)) == STAGES


def test_the_dag_is_the_repositorys_without_its_own_code(made: Workspace) -> None:
    ours = yaml.safe_load((ROOT / "dvc.yaml").read_text().replace("flights", "my_passengers"))
    for stage in ours["stages"].values():
        stage["deps"] = [dep for dep in stage["deps"] if not dep.startswith("pipeline/")]
    theirs = yaml.safe_load((made.root / "dvc.yaml").read_text())

    assert theirs["stages"] == ours["stages"]
    assert theirs["plots"] == ours["plots"]


@pytest.mark.parametrize("name", [".gitignore", ".dvcignore"])
def test_what_is_ignored_is_what_the_repository_ignores(made: Workspace, name: str) -> None:
    ours, theirs = ((root / name).read_text().split("# made by the DAG")[-1] for root in (ROOT, made.root))

    assert set(theirs.split()) <= set(ours.split())
    assert ours == theirs or name == ".dvcignore"


def test_the_dag_that_a_version_keeps_is_none_of_the_workspaces(made: Workspace) -> None:
    kept = made.root / "models" / "registry" / "v1" / "workspace"
    kept.mkdir(parents=True)
    (kept / "dvc.yaml").write_text("stages: {kept: {cmd: echo}}")
    (made.root / ".gitignore").unlink()

    listing = [str(BIN / "dvc"), "stage", "list", "--all", "--name-only"]
    listed = subprocess.run(listing, cwd=made.root, capture_output=True, text=True, check=True)
    assert listed.stdout.split() == [*STAGES]


def test_dvc_repro_works_at_once(made: Workspace) -> None:
    quick(made)
    environment = {"HOME": os.environ.get("HOME", "/"), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}

    done = subprocess.run(
        [BIN / "dvc", "repro", "clean"], cwd=made.root, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    for stage in STAGES[STAGES.index("clean") + 1 :]:  # the commands differ by this word alone
        import_module(f"pipeline.stages.{stage}").run(Workspace.open(made.root))
    ledger = artefacts.read_json(made.ledger)
    assert ledger["rows_in"] == ledger["kept"] == 400
    assert artefacts.read_json(made.evaluation)["scores"]["candidate"]["test"]["auc"]["value"] > 0.7


def quick(made: Workspace) -> None:
    params = yaml.safe_load(made.params_file.read_text())
    params["train"] |= {
        "epochs": 8,
        "mlp": {"hidden": [16]},
        "optimizer": {"learning_rate": 0.01},
        "accelerator": "cpu",
    }
    params["evaluate"]["resamples"] = 50
    made.params_file.write_text(yaml.safe_dump(params))


@pytest.mark.parametrize(("given", "method"), [({"Born": "time"}, "time"), ({"deck": "group"}, "grouped")])
def test_the_split_follows_from_the_roles(table: Path, tmp_path: Path, given: dict[str, Role], method: str) -> None:
    made = init.initialise(tmp_path / "new", table, roles={**LABEL, **given})

    assert made.section(SplitSettings).method == method


def test_another_dialect_is_written_anew_and_the_original_is_kept(tmp_path: Path) -> None:
    odd = tmp_path / "odd.txt"
    text = passengers().write_csv(separator=";").replace("Hull", "Hüll")
    odd.write_bytes(text.encode("cp1252"))

    made = init.initialise(tmp_path / "new", odd, roles=LABEL)

    assert cells(made.root / "data") == ["original/odd/odd.txt", "raw/odd/odd.txt.csv"]
    assert (made.root / "data" / "original" / "odd" / "odd.txt").read_bytes() == odd.read_bytes()
    assert "Hüll" in (made.raw / "odd.txt.csv").read_text(encoding="utf-8")
    assert pl.read_csv(made.raw / "odd.txt.csv").height == 400


def test_parquet_and_folders_are_copied_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    (folder / "deep").mkdir(parents=True)
    typed = passengers().with_columns(pl.col("Survived") == "yes")
    typed[:200].write_parquet(folder / "a.parquet")
    typed[200:].write_parquet(folder / "deep" / "b.parquet")

    made = init.initialise(tmp_path / "new", folder, roles=LABEL)

    assert cells(made.raw) == ["a.parquet", "deep/b.parquet"]
    assert contract.load(made.contract_file).label.dtype == pl.Boolean


@pytest.mark.parametrize(
    ("change", "label", "told"),
    [
        (lambda f: f.head(40), "Survived", "holds 40 rows, and at least 100 are needed"),
        (lambda f: f, "survived", r"has no column `survived` to be the label; did you mean `Survived`\?"),
        (lambda f: f, "Full name", "different values in 400 rows, too many to be classes"),
        (lambda f: f.with_columns(Survived=pl.lit("no")), "Survived", "has less than two values"),
        (lambda f: f.select("Passenger", "Survived"), "Survived", "names no feature"),
        (lambda f: f.rename({"Class": "row_id"}), "Survived", "row_id"),
    ],
)
def test_what_cannot_be_learnt_from_ends_in_one_line_and_leaves_nothing(
    tmp_path: Path, change: object, label: str, told: str
) -> None:
    path = tmp_path / "data.csv"
    assert callable(change)
    change(passengers()).write_csv(path)

    with pytest.raises(KeepfitError, match=told) as raised:
        init.initialise(tmp_path / "new", path, roles={label: "label"})

    assert "\n" not in str(raised.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data.csv"]


def test_a_label_must_be_named(table: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="my_passengers: has no label to learn; name its column with --label"):
        init.initialise(tmp_path / "new", table, roles={"Passenger": "id"})


def test_a_folder_that_holds_something_is_refused_and_left_alone(table: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("x")

    with pytest.raises(WorkspaceError, match="is there and is not empty; name a new folder"):
        init.initialise(tmp_path / "precious", table, roles=LABEL)

    assert cells(tmp_path / "precious") == ["thesis.txt"]


def test_an_empty_folder_is_taken(table: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert init.initialise(tmp_path / "empty", table, roles=LABEL).dataset == "my_passengers"


def test_a_workspace_that_fails_half_way_leaves_nothing(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(root: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dvc, "prepare", stopped)
    with pytest.raises(KeyboardInterrupt):
        init.initialise(tmp_path / "new", table, roles=LABEL)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["my passengers.csv"]


def test_large_data_stay_out_of_git(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(init, "GIT_BYTES", 100)

    made = init.initialise(tmp_path / "new", table, roles=LABEL)

    assert not git.is_tracked(made.root, made.raw)
    assert git.is_tracked(made.root, made.champion)


@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("a.csv", "a"),
        ("2024.csv", "data_2024"),
        ("class.csv", "data_class"),
        ("null.csv", "data_null"),
        ("off.csv", "data_off"),
        ("!.csv", "data"),
    ],
)
def test_the_data_set_has_a_name_that_can_be_one(name: str, dataset: str) -> None:
    assert init.dataset_name(Path(name)) == dataset


def test_a_sheet_that_is_named_is_taken(tmp_path: Path) -> None:
    book = tmp_path / "book.xlsx"
    people: list[list[object]] = [list(passengers().columns), *map(list, passengers().rows())]
    book.write_bytes(workbook({"notes": [["read me"]], "people": people}))

    made = init.initialise(tmp_path / "new", tmp_path / "book.xlsx#people", roles=LABEL)

    assert cells(made.root / "data") == ["original/book/book.xlsx", "raw/book/book.xlsx.parquet"]
    assert pl.read_parquet(made.raw / "book.xlsx.parquet").height == 400


def test_what_is_left_out_beside_the_data_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    people: list[list[object]] = [list(passengers().columns), *map(list, passengers().rows())]
    (tmp_path / "book.xlsx").write_bytes(workbook({"people": people, "notes": [["read me"]]}))

    with caplog.at_level(logging.WARNING, logger="pipeline"):
        init.initialise(tmp_path / "new", tmp_path / "book.xlsx", roles=LABEL)

    assert [record.getMessage() for record in caplog.records] == ["not read: of book.xlsx the sheet notes"]


def test_files_of_a_folder_may_differ_in_order_width_and_format(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    numbered = passengers().drop("age").cast({"Class": pl.Int64})
    numbered.cast({"Class": pl.Int8}).write_parquet(folder / "a.parquet")
    numbered.select(reversed(numbered.columns)).write_parquet(folder / "b.parquet")
    numbered.write_csv(folder / "c.csv")

    made = init.initialise(tmp_path / "new", folder, roles=LABEL)
    ingested = import_module("pipeline.stages.ingest").run(made)

    assert contract.load(made.contract_file).column("Class").dtype == pl.Int64
    assert [(file.rows, file.unparsed_cells) for file in ingested.files] == [(400, 0)] * 3


def test_files_of_which_one_column_cannot_be_made_are_refused_with_both_types(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    passengers().cast({"Class": pl.Int64}).write_parquet(folder / "a.parquet")
    passengers().with_columns(Class=pl.date(2024, 1, 1)).write_parquet(folder / "b.parquet")

    with pytest.raises(DataError, match=r"b\.parquet: Class: is Date here and Int64 in a\.parquet; write the column"):
        init.initialise(tmp_path / "new", folder, roles=LABEL)


def test_a_column_without_a_name_gets_no_rule(tmp_path: Path) -> None:
    passengers().rename({"deck": ""}).write_parquet(tmp_path / "data.parquet")

    made = init.initialise(tmp_path / "new", tmp_path / "data.parquet", roles=LABEL)
    agreed = contract.load(made.contract_file)

    assert agreed.schema.columns[""].checks == []  # pandera would ask it of every column
    assert agreed.schema.columns["sex"].checks != []


def test_near_copies_in_a_new_workspace_are_merged_by_the_policy_repair(tmp_path: Path) -> None:
    people = ROOT.parent / "shared" / "data" / "duplicates" / "dataset1.csv"
    if not people.is_file():
        pytest.skip(f"{people} is not here")
    made = init.initialise(tmp_path / "new", people, roles={" state": "label"})
    params = yaml.safe_load(made.params_file.read_text())
    params["checks"] |= {"near_duplicate_rows": "repair"}
    made.params_file.write_text(yaml.safe_dump(params))

    written = []
    for _ in range(2):
        for stage in ("ingest", "validate", "clean"):
            import_module(f"pipeline.stages.{stage}").run(Workspace.open(made.root))
        written.append({path.name: path.read_bytes() for path in (made.ledger, *made.quarantine.iterdir())})

    assert written[0] == written[1]
    merged = pl.read_parquet(made.quarantine / "merged.parquet")
    person = dict(pl.read_parquet(made.ingested / "dataset1.csv.parquet", columns=["row_id", "rec_id"]).iter_rows())
    assert merged.height > 450  # of 500 copies; some rows without a state or a date are quarantined
    assert [pair for pair in merged.iter_rows() if _whose(person[pair[0]]) != _whose(person[pair[1]])] == []
    ledger = artefacts.read_json(made.ledger)
    assert ledger["kept"] + ledger["merged"] + ledger["quarantined"] == ledger["rows_in"] == 1000
    assert ledger["merged"] == merged.height


def _whose(record: str) -> str:
    """`rec-7-org` and `rec-7-dup-0` are one person."""
    return record.split("-")[1]


@pytest.mark.parametrize(("rows_a_group", "method"), [(4, "time"), (100, "grouped")])
def test_groups_that_last_all_along_are_not_split_by_time(tmp_path: Path, rows_a_group: int, method: str) -> None:
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 2, 3), "1d", eager=True)[:400].cast(pl.String)
    row = pl.int_range(400, eager=True)
    group = row // 4 if rows_a_group == 4 else row % 4
    path = tmp_path / "machines.csv"
    passengers().with_columns(Born=days, machine=pl.format("m{}", group)).write_csv(path)

    made = init.initialise(tmp_path / "new", path, roles={**LABEL, "Born": "time", "machine": "group"})

    assert made.section(SplitSettings).method == method
