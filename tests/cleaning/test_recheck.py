"""Repaired rows are asked again: what a repair settles stays, what it breaks leaves, what is equal now is merged."""

from typing import Any

import polars as pl
import pytest
import yaml

from pipeline.checks.balance import RareClass
from pipeline.checks.schema import ContractBroken
from pipeline.cleaning.ledger import Ledger
from pipeline.cleaning.plan import CHANGE_SCHEMA
from pipeline.cleaning.recheck import asked_again
from pipeline.quality import findings, inspection
from pipeline.quality.repairs import Emptied, Plan, Replaced
from pipeline.stages import clean, ingest, validate
from pipeline.workspace import Workspace
from tests.checks.conftest import made

FEBRUARY = "2024-02.csv"
NUMBERS = {"row_id": f"{FEBRUARY}#0", "score": 1.0, "value": None, "policy": "repair"}


def put(workspace: Workspace, row: int, column: int, text: str) -> None:
    file = workspace.raw / FEBRUARY
    lines = [line.split(",") for line in file.read_text(encoding="utf-8").splitlines()]
    lines[row + 1][column] = text
    file.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")


def validated(tiny: Workspace, **policies: Any) -> Workspace:
    params = yaml.safe_load(tiny.params_file.read_text(encoding="utf-8"))
    params["checks"] = {"label_error": "off"} | policies  # it is slow
    tiny.params_file.write_text(yaml.safe_dump(params), encoding="utf-8")
    workspace = Workspace.open(tiny.root)
    ingest.run(workspace)
    validate.run(workspace)
    return workspace


def flagged(workspace: Workspace, **told: str | None) -> None:
    """Add a flag of a repairing check to what was found."""
    flags = pl.read_parquet(workspace.flags)
    row = pl.DataFrame([NUMBERS | {"suggested": None, "rule": None} | told], schema=flags.schema)
    pl.concat([flags, row]).write_parquet(workspace.flags)


def rows(workspace: Workspace) -> dict[str, dict[str, Any]]:
    kept = pl.read_parquet(sorted(workspace.clean.glob("*.parquet")))
    return {row["row_id"]: row for row in kept.iter_rows(named=True)}


def reasons(workspace: Workspace) -> dict[str, str]:
    return dict(pl.read_parquet(workspace.quarantine / clean.QUARANTINED).select("row_id", "reason").iter_rows())


def test_what_a_check_raises_when_it_is_asked_again_is_raised(tiny: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tiny, 0, 3, "4.5 km")
    workspace = validated(tiny)
    flagged(workspace, check="numbers_as_text", column="distance", suggested="4.5")
    monkeypatch.setattr(ContractBroken, "hits", lambda check, table: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        clean.run(workspace)


def test_a_number_in_disguise_is_read_and_its_row_stays(tiny: Workspace) -> None:
    put(tiny, 0, 3, "4.5 km")
    workspace = validated(tiny)
    flagged(workspace, check="numbers_as_text", column="distance", suggested="4.5")

    ledger = clean.run(workspace)

    assert rows(workspace)[f"{FEBRUARY}#0"]["distance"] == 4.5
    assert (ledger.repaired, ledger.quarantined) == (1, 18)
    assert Plan.read(workspace.repairs).rules == [
        Replaced(check="numbers_as_text", column="distance", values={"4.5 km": "4.5"})
    ]


def test_a_repair_that_breaks_the_contract_quarantines_the_row(tiny: Workspace) -> None:
    workspace = validated(tiny)
    flagged(workspace, check="impossible_value", column="distance", rule=Emptied(column="distance").model_dump_json())
    flagged(workspace, check="string_typos", column="shop", suggested="east", row_id=f"{FEBRUARY}#1")

    clean.run(workspace)

    assert reasons(workspace)[f"{FEBRUARY}#0"] == "null_forbidden: distance"
    assert reasons(workspace)[f"{FEBRUARY}#1"] == "allowed_set: shop"


def test_what_is_derived_from_a_repaired_cell_is_derived_again(tiny: Workspace) -> None:
    put(tiny, 0, 5, "999")
    workspace = validated(tiny)
    assert pl.read_parquet(workspace.ingested / ingest.partition(FEBRUARY))["slow"][0] is True
    flagged(workspace, check="whoever", column="minutes", suggested="20.0")

    clean.run(workspace)

    row = rows(workspace)[f"{FEBRUARY}#0"]
    assert (row["minutes"], row["slow"]) == (20, False)
    repaired = pl.read_parquet(workspace.quarantine / clean.REPAIRED)
    assert repaired.select("column", "check", "before", "after").rows() == [
        ("minutes", "whoever", "999", "20"),
        ("slow", clean.DERIVED, "true", "false"),
    ]


def test_a_label_that_is_repaired_away_quarantines_the_row(tiny: Workspace) -> None:
    workspace = validated(tiny)
    flagged(workspace, check="mixed_null_tokens", column="minutes", rule=Emptied(column="minutes").model_dump_json())

    clean.run(workspace)

    assert reasons(workspace)[f"{FEBRUARY}#0"] == "missing_label: slow"


@pytest.mark.parametrize(("policy", "left"), [("repair", 580), ("warn", 583)])
def test_rows_that_are_equal_only_by_now_are_merged(tiny: Workspace, policy: str, left: int) -> None:
    file = tiny.raw / FEBRUARY
    first = file.read_text().splitlines()[1].split(",")
    copy = [*first[:2], f" {first[2].upper()}", *first[3:]]
    file.write_text(file.read_text() + ",".join(copy) + "\n")
    workspace = validated(tiny, contract="repair", duplicate_rows_exact=policy)

    ledger = clean.run(workspace)

    into = dict(pl.read_parquet(workspace.quarantine / clean.MERGED).select("row_id", "into").iter_rows())
    assert ledger.kept == left
    assert into.get(f"{FEBRUARY}#200") == (f"{FEBRUARY}#0" if policy == "repair" else None)
    assert "duplicate_key" not in " ".join(reasons(workspace).values())
    assert Ledger.read(workspace.ledger).rows_in == 601


def test_rivals_by_a_repaired_key_leave_together(tiny: Workspace) -> None:
    workspace = validated(tiny)
    flagged(workspace, check="whoever", column="order", suggested="2001")

    clean.run(workspace)

    assert {row for row, why in reasons(workspace).items() if why == "duplicate_key"} == {
        f"{FEBRUARY}#0",
        f"{FEBRUARY}#1",
    }


def test_a_rare_class_that_was_a_slip_is_rare_no_more() -> None:
    table = made({"x": list(range(42)), "y": ["north"] * 20 + ["south"] * 20 + ["soth", "east"]})
    rare = RareClass(policy="quarantine")
    flags = pl.concat([findings.flags(hit, rare.policy) for hit in inspection.hits(rare, table)])
    mending = {"row_id": "rows#40", "column": "y", "check": "string_typos", "before": "soth", "after": "south"}

    left = asked_again(table, flags, pl.DataFrame([mending], schema=CHANGE_SCHEMA), [rare])

    assert flags["row_id"].to_list() == ["rows#40", "rows#41"]
    assert left.select("row_id", "check", "policy").rows() == [("rows#41", "rare_class", "quarantine")]
