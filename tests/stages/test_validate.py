"""Validate: findings, flags and pages are all written, and only then the gate speaks."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pipeline import checks, progress
from pipeline.errors import ContractError, GateFailed, KeepfitError
from pipeline.expectations.outcome import BatchResult
from pipeline.quality.findings import FLAG_SCHEMA, Finding
from pipeline.stages import ingest, validate
from pipeline.stages.validate import ChecksSettings, Quality
from pipeline.workspace import Workspace


def ingested(tiny: Workspace, **settings: Any) -> Workspace:
    params = yaml.safe_load(tiny.params_file.read_text(encoding="utf-8"))
    tiny.params_file.write_text(yaml.safe_dump(params | {"checks": settings}), encoding="utf-8")
    workspace = Workspace.open(tiny.root)
    ingest.run(workspace)
    return workspace


def damage(tiny: Workspace, old: str, new: str) -> None:
    file = tiny.raw / "2024-02.csv"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_what_the_data_are_like_is_written(tiny: Workspace) -> None:
    workspace = ingested(tiny)

    quality = validate.run(workspace)

    assert Quality.read(workspace.quality) == quality
    assert (quality.rows, quality.columns) == (600, 8)
    assert {f.check: f.rows for f in quality.findings} == {
        "missing_label": 18,
        "duplicate_rows_exact": 2,
        "missing_share_column": 60,
        "ts_gap": 0,
    }
    assert quality.profile["weight"]["missing"] == 60
    assert [batch.batch for batch in quality.batches] == ["2024-01.csv.gz", "2024-02.csv", "2024-03.csv.gz"]
    assert all((workspace.data_docs / batch.page).is_file() for batch in quality.batches)


def test_flags_say_which_rows_and_what_to_do_with_them(tiny: Workspace) -> None:
    workspace = ingested(tiny)

    validate.run(workspace)

    flags = pl.read_parquet(workspace.flags)
    assert flags.schema == FLAG_SCHEMA
    assert dict(flags.group_by("check", "policy").len().select("check", "len").iter_rows()) == {
        "missing_label": 18,
        "duplicate_rows_exact": 2,
    }


def test_the_same_rows_give_the_same_bytes(tiny: Workspace) -> None:
    workspace = ingested(tiny)

    def written() -> dict[str, bytes]:
        validate.run(workspace)
        files = [workspace.quality, workspace.flags, *workspace.data_docs.rglob("*")]
        return {str(p): p.read_bytes() for p in files if p.is_file()}

    assert written() == written()


def test_the_gate_speaks_after_everything_is_written(tiny: Workspace) -> None:
    workspace = ingested(tiny, missing_label="stop")

    with pytest.raises(GateFailed, match="missing_label: slow, the label, is missing in 18 rows") as raised:
        validate.run(workspace)

    assert raised.value.exit_code == 1
    assert "\n" not in str(raised.value)
    assert [f.check for f in Quality.read(workspace.quality).stopping()] == ["missing_label"]
    assert workspace.flags.is_file()
    assert not list(tiny.root.rglob("*.tmp"))


def test_a_leak_stops(tiny: Workspace) -> None:
    contract = tiny.contract_file.read_text().replace('metadata={"role": "ignore"}', 'metadata={"modality": "numeric"}')
    tiny.contract_file.write_text(contract)

    with pytest.raises(GateFailed, match=r"minutes alone tells slow = true|minutes is missing where slow is"):
        validate.run(ingested(tiny))


def test_an_error_is_told_while_the_stage_runs_though_it_only_warns(tiny: Workspace) -> None:
    contract = tiny.contract_file.read_text().replace('metadata={"role": "ignore"}', 'metadata={"modality": "numeric"}')
    tiny.contract_file.write_text(contract)
    heard: list[str] = []

    with progress.listening(lambda _, words: heard.append(words)):
        quality = validate.run(ingested(tiny, target_leak="warn", leak_future_information="warn"))

    leak = next(found for found in quality.findings if found.severity == "error")
    assert f"  error {leak.check}: {leak.message}" in heard[-1].split("\n")


def test_a_label_of_one_class_stops(tiny: Workspace) -> None:
    tiny.params_file.write_text(tiny.params_file.read_text().replace("minutes > 30", "minutes > 3000"))

    with pytest.raises(GateFailed, match="slow holds one value"):
        validate.run(ingested(tiny))


def test_a_failed_batch_expectation_stops_or_warns_as_set(tiny: Workspace) -> None:
    tiny.contract_file.write_text(tiny.contract_file.read_text().replace('"max_value": 1000', '"max_value": 150'))

    with pytest.raises(
        GateFailed, match=r"batch_expectations: 2024-01.csv.gz: .*; or set checks.batch_expectations to w"
    ):
        validate.run(ingested(tiny))
    quality = validate.run(ingested(tiny, batch_expectations="warn"))

    failed = [f for f in quality.findings if f.check == "batch_expectations"]
    assert [(f.policy, f.rows) for f in failed] == [("warn", 200)] * 3


@pytest.mark.parametrize("policy", ["quarantine", "repair", "warn", "stop"])
def test_the_policy_of_the_contract_is_on_its_flags(tiny: Workspace, policy: str) -> None:
    damage(tiny, ",north,", ", North ,")
    workspace = ingested(tiny, contract=policy)

    if policy == "stop":
        with pytest.raises(
            GateFailed, match=r"allowed_set: .*; or set checks.contract to quarantine or repair or warn"
        ):
            validate.run(workspace)
    else:
        validate.run(workspace)

    (flag,) = pl.read_parquet(workspace.flags).filter(pl.col("check") == "allowed_set").iter_rows(named=True)
    assert (flag["column"], flag["value"], flag["suggested"], flag["policy"]) == ("shop", " North ", "north", policy)


def test_an_unparsed_cell_is_told_once(tiny: Workspace) -> None:
    damage(tiny, ",south,", ",south,far")

    quality = validate.run(ingested(tiny))

    (found,) = [f for f in quality.findings if f.column == "distance"]
    assert (found.check, found.rows, found.policy) == ("dtype_mismatch", 1, "quarantine")


def test_findings_come_worst_first(tiny: Workspace) -> None:
    damage(tiny, ",north,", ",east,")

    severities = [f.severity for f in validate.run(ingested(tiny)).findings]

    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert severities[0] == "error"


def test_a_broken_contract_leaves_the_last_output(tiny: Workspace) -> None:
    workspace = ingested(tiny)
    validate.run(workspace)
    before = workspace.quality.read_bytes()
    tiny.contract_file.write_text("def (")

    with pytest.raises(ContractError):
        validate.run(workspace)

    assert workspace.quality.read_bytes() == before
    assert not list(tiny.root.rglob("*.tmp"))


def test_an_expectation_that_cannot_be_asked_is_told(tiny: Workspace) -> None:
    tiny.contract_file.write_text(tiny.contract_file.read_text().replace("expect_table_row_count", "expect_nonsense"))

    with pytest.raises(ContractError, match=r"EXPECTATIONS\[0\]: cannot be used"):
        validate.run(ingested(tiny))


def test_what_was_not_ingested_yet_is_told(tiny: Workspace) -> None:
    with pytest.raises(KeepfitError, match="is absent; run `keepfit run` first"):
        validate.run(tiny)


@pytest.mark.parametrize("name", sorted(checks.registered()))
def test_the_gate_says_a_setting_that_can_be_made(name: str) -> None:
    found = Finding(
        check=name,
        severity="error",
        column=None,
        rows=1,
        fraction=0.1,
        observed=None,
        threshold=None,
        message="it is so",
        suggestion="mend it",
        examples=[],
        policy="stop",
    )

    with pytest.raises(GateFailed) as raised:
        validate.gate([found, found], Path("reports/quality.json"))

    told = str(raised.value)
    assert told.startswith(f"quality.json: {name}: it is so (and 1 more); mend it; or set checks.{name} to ")
    for policy in told.partition(" to ")[2].removesuffix(" in params.yaml").split(" or "):
        ChecksSettings.model_validate({name: policy}).configured()


def test_nothing_that_stops_passes_the_gate() -> None:
    validate.gate([], Path("reports/quality.json"))


def test_a_failed_expectation_is_a_finding_on_the_whole_batch() -> None:
    batch = BatchResult(
        batch="a.csv",
        rows=50,
        sampled_rows=None,
        success=False,
        failed=["too few rows", "no dogs"],
        expectations=3,
        page="",
    )

    found = validate.batch_findings([batch], 200, "stop")

    assert [(f.message, f.rows, f.fraction, f.severity) for f in found] == [
        ("a.csv: too few rows", 50, 0.25, "error"),
        ("a.csv: no dogs", 50, 0.25, "error"),
    ]
