"""Monitor: a batch watched, what it is judged by, which batches are trained on, and what came of it."""

import gzip
import json
import shutil
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from sklearn.metrics import roc_auc_score

from pipeline import artefacts, contract, monitor
from pipeline.cli import STAGES
from pipeline.errors import DataError, GateFailed, KeepfitError, WorkspaceError
from pipeline.models import saved
from pipeline.monitor import MonitoringRecord
from pipeline.predictor import Predictor
from pipeline.quality.repairs import Folded, Plan
from pipeline.stages import evaluate, ingest
from pipeline.stages.promote import Promotion
from pipeline.versions import registry
from pipeline.workspace import Workspace

APRIL, MAY = "2024-04.csv.gz", "2024-05.csv.gz"
Change = Callable[[list[str]], list[str]]


def batch(workspace: Workspace, name: str) -> Path:
    return workspace.incoming / name


def lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def write(path: Path, text: list[str]) -> Path:
    path.write_bytes(gzip.compress(("\n".join(text) + "\n").encode(), mtime=0))
    return path


def altered(workspace: Workspace, change: Change, name: str = APRIL, new_name: str = "") -> Path:
    """A batch whose lines (the header first) were changed."""
    return write(batch(workspace, new_name or name), change(lines(batch(workspace, name))))


def cells(place: int, value: Callable[[str], str]) -> Change:
    """Change one cell of every row."""

    def change(text: list[str]) -> list[str]:
        rows = [line.split(",") for line in text[1:]]
        return [text[0], *(",".join([*row[:place], value(row[place]), *row[place + 1 :]]) for row in rows)]

    return change


UNLABELLED = cells(5, lambda _: "NA")


def record_of(workspace: Workspace, name: str) -> MonitoringRecord:
    return MonitoringRecord.read(workspace.monitoring / f"{name}.json")


def test_a_batch_like_the_training_data_keeps_the_champion(watched_once: Workspace) -> None:
    record = record_of(watched_once, APRIL)

    assert not record.decision.retrain
    assert record.sound
    assert (record.rows, record.labelled, record.champion) == (200, 194, "v1")
    assert not [column.column for column in record.drift.columns if column.drifted]
    assert record.live is not None
    assert record.live.champion == record.live.first
    assert [entry.stage for entry in record.ledger] == ["ingest", "clean"]
    assert record.ledger[1].reasons == {"missing_label: slow": 6}


def test_a_batch_that_drifted_asks_for_a_training(watched_once: Workspace) -> None:
    record = record_of(watched_once, MAY)

    assert record.decision.retrain
    assert {column.column for column in record.drift.columns if column.drifted} == {"distance", "shop"}
    assert record.drift.prediction is not None
    assert record.drift.prediction.drifted
    assert record.drift.label is not None
    assert record.drift.label.drifted
    assert record.outcome is None
    assert monitor.drifted(watched_once) == [record]


def test_the_live_scores_are_those_of_the_labelled_rows(promoted: Workspace) -> None:
    agreed = contract.load(promoted.contract_file)
    model = Predictor.load(registry.folder(promoted, "v1"))
    read = monitor.read(promoted, batch(promoted, APRIL), agreed, model.repairs)

    record = monitor.watch(promoted, batch(promoted, APRIL))

    label_N = read.labelled["slow"].to_numpy().astype(int)
    p_NK = model.answers(read.labelled)
    assert record.live is not None
    assert record.live.champion["auc"].value == pytest.approx(roc_auc_score(label_N, p_NK[:, 1]))
    threshold = evaluate.Evaluation.read(model.folder / "evaluation.json").thresholds["candidate"]
    expected = ((p_NK[:, 1] >= threshold) == label_N).mean()
    assert record.live.champion["accuracy"].value == pytest.approx(expected)
    assert record.reference == evaluate.Evaluation.read(promoted.evaluation).scores["candidate"]["test"]


def test_watching_again_gives_the_same_record_apart_from_the_time(watched: Workspace) -> None:
    before = record_of(watched, APRIL)

    again = monitor.watch(watched, batch(watched, APRIL))

    assert again.model_copy(update={"monitored_at": before.monitored_at}) == before
    assert record_of(watched, APRIL) == again


def test_a_record_survives_json(watched_once: Workspace) -> None:
    for name in (APRIL, MAY):
        text = (watched_once.monitoring / f"{name}.json").read_text()

        record = MonitoringRecord.model_validate(json.loads(text))

        assert record == record_of(watched_once, name)
        assert json.loads(text) == record.model_dump(mode="json")


def test_a_batch_without_labels_waits_for_them(promoted: Workspace) -> None:
    record = monitor.watch(promoted, altered(promoted, UNLABELLED, MAY))

    assert (record.rows, record.labelled, record.live) == (200, 0, None)
    assert not record.decision.retrain
    assert record.decision.reasons[0].startswith("wait for labels: none of 200 rows")
    assert record.drift.label is None
    assert {column.column for column in record.drift.columns if column.drifted} == {"distance", "shop"}
    assert record.sound
    assert record.ledger[1].quarantined == 200


def test_a_batch_is_watched_again_once_its_labels_have_come(promoted: Workspace) -> None:
    whole = batch(promoted, MAY).read_bytes()
    monitor.watch(promoted, altered(promoted, UNLABELLED, MAY))
    assert [path.name for path in monitor.pending(promoted)] == [APRIL]

    batch(promoted, MAY).write_bytes(whole)

    assert [path.name for path in monitor.pending(promoted)] == [APRIL, MAY]
    assert monitor.watch(promoted, batch(promoted, MAY)).decision.retrain


def test_missing_labels_that_stop_a_training_leave_a_record_that_is_unsound(promoted: Workspace) -> None:
    text = promoted.params_file.read_text().replace("checks: {", "checks: {missing_label: {policy: stop}, ")
    promoted.params_file.write_text(text)
    workspace = Workspace.open(promoted.root)

    record = monitor.watch(workspace, batch(workspace, APRIL))

    assert not record.sound
    assert record.labelled == 194
    assert record.live is not None


def test_a_batch_of_one_class_has_no_live_score(promoted: Workspace) -> None:
    record = monitor.watch(promoted, altered(promoted, cells(5, lambda _: "99")))

    assert record.live is None
    assert not record.sound
    assert "single_class_target" in " ".join(record.decision.reasons)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: [text[0] + ",extra", *(line + ",1" for line in text[1:])], "has the column extra"),
        (lambda text: [line.rpartition(",")[0] for line in text], "lacks the column minutes"),
        (cells(3, lambda _: "far"), "distance: .* values are no Float64"),
        (lambda text: text[:1], "has a header and no rows"),
    ],
    ids=["new column", "lost column", "changed type", "no rows"],
)
def test_a_batch_that_is_not_of_the_contract_is_an_error_and_leaves_no_record(
    change: Change, words: str, promoted: Workspace
) -> None:
    path = altered(promoted, change)

    with pytest.raises(DataError, match=words):
        monitor.watch(promoted, path)

    assert not monitor.records(promoted)


def test_a_batch_none_of_whose_rows_hold_is_an_error(promoted: Workspace) -> None:
    path = altered(promoted, cells(2, lambda _: "moon"))

    with pytest.raises(DataError, match=r"2024-04\.csv\.gz: none of its 200 rows is left after cleaning: shop"):
        monitor.watch(promoted, path)


def test_a_damaged_batch_is_an_error(promoted: Workspace) -> None:
    path = batch(promoted, APRIL)
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(DataError, match="damaged gzip"):
        monitor.watch(promoted, path)


def test_rows_that_break_the_contract_are_set_aside_and_counted(promoted: Workspace) -> None:
    record = monitor.watch(promoted, altered(promoted, lambda text: [*text[:-3], *_in_a_shop("moon", text[-3:])]))

    assert record.ledger[1].quarantined == 6 + 3
    assert record.sound


def _in_a_shop(name: str, text: list[str]) -> list[str]:
    return [line.replace("north", name).replace("south", name).replace("harbour", name) for line in text]


def stopped(workspace: Workspace, name: str = APRIL) -> MonitoringRecord:
    """Watch a batch of too many rows: the batch's expectation fails, whose policy is `stop`."""

    def more(text: list[str]) -> list[str]:
        copies = [
            f"{int(line.split(',')[0]) + 10_000 * i},{line.partition(',')[2]}" for i in range(6) for line in text[1:]
        ]
        return [text[0], *copies]

    return monitor.watch(workspace, altered(workspace, more, name))


def test_a_batch_that_fails_a_gate_is_recorded_and_not_trained_on(promoted: Workspace) -> None:
    record = stopped(promoted, MAY)

    assert not record.sound
    assert not record.decision.retrain
    assert record.decision.reasons[0] == "the batch failed a gate, so it is not trained on"
    assert any(finding.check == "batch_expectations" for finding in record.findings)


def test_the_same_bytes_under_another_name_are_refused(watched: Workspace) -> None:
    path = batch(watched, "2024-06.csv.gz")
    shutil.copyfile(batch(watched, APRIL), path)

    with pytest.raises(DataError, match=r"2024-06\.csv\.gz: holds the same bytes as 2024-04\.csv\.gz"):
        monitor.watch(watched, path)


def test_what_was_trained_on_is_refused(promoted: Workspace) -> None:
    with pytest.raises(DataError, match=r"2024-01\.csv\.gz: was trained on already"):
        monitor.watch(promoted, promoted.raw / "2024-01.csv.gz")


def test_another_file_under_the_name_of_one_that_was_trained_on_is_refused(promoted: Workspace) -> None:
    path = altered(promoted, lambda text: text[:-1], APRIL, "2024-01.csv.gz")

    with pytest.raises(DataError, match="has the name of another file, which was trained on"):
        monitor.watch(promoted, path)


def test_a_file_that_is_absent_is_an_error(promoted: Workspace) -> None:
    with pytest.raises(DataError, match="is absent"):
        monitor.watch(promoted, batch(promoted, "2030-01.csv.gz"))


def test_a_batch_from_elsewhere_is_taken_in(promoted: Workspace, tmp_path: Path) -> None:
    path = batch(promoted, MAY).rename(tmp_path / MAY)

    record = monitor.watch(promoted, path)

    assert path.is_file()
    assert artefacts.sha256(batch(promoted, MAY)) == record.sha256
    assert [adopted.name for adopted in monitor.adopt(promoted, record)] == [MAY]


def test_a_batch_from_elsewhere_does_not_take_the_place_of_another(promoted: Workspace, tmp_path: Path) -> None:
    path = write(tmp_path / MAY, lines(batch(promoted, MAY))[:-1])
    before = artefacts.sha256(batch(promoted, MAY))

    with pytest.raises(DataError, match="has the name of another batch"):
        monitor.watch(promoted, path)

    assert artefacts.sha256(batch(promoted, MAY)) == before
    assert not monitor.records(promoted)


def test_without_a_champion_nothing_is_watched(trained: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="there is no champion to watch with"):
        monitor.watch(trained, batch(trained, APRIL))


def test_a_champion_of_another_label_is_an_error(promoted: Workspace, three: Workspace) -> None:
    for name in ("contract_file", "params_file"):
        shutil.copyfile(getattr(three, name), getattr(promoted, name))

    with pytest.raises(WorkspaceError, match="the champion tells slow, the contract asks for speed"):
        monitor.watch(Workspace.open(promoted.root), batch(promoted, APRIL))


def of_text_label(workspace: Workspace, derived: str, allowed: str) -> Workspace:
    """Derive the label as text, so that a contract may allow a class that the champion never saw."""
    text = workspace.contract_file.read_text()
    text = text.replace("slow: bool = pa.Field(nullable=True", f"slow: str = pa.Field(isin={allowed}, nullable=True")
    workspace.contract_file.write_text(text)
    workspace.params_file.write_text(workspace.params_file.read_text().replace("minutes > 30", derived))
    return Workspace.open(workspace.root)


def test_a_class_that_the_champion_never_saw_is_an_error(promoted: Workspace) -> None:
    case = "CASE WHEN minutes > 40 THEN 'never' WHEN minutes > 30 THEN 'true' WHEN minutes > 0 THEN 'false' END"
    workspace = of_text_label(promoted, case, "['false', 'true', 'never']")

    with pytest.raises(DataError, match=r"2024-04\.csv\.gz: slow has classes other than false, true"):
        monitor.watch(workspace, batch(workspace, APRIL))


def test_a_class_that_the_contract_does_not_allow_is_quarantined(promoted: Workspace) -> None:
    case = "CASE WHEN minutes > 40 THEN 'never' WHEN minutes > 30 THEN 'true' WHEN minutes > 0 THEN 'false' END"
    workspace = of_text_label(promoted, case, "['false', 'true']")

    record = monitor.watch(workspace, batch(workspace, APRIL))

    assert "allowed_set: slow" in record.ledger[1].reasons
    assert record.drift.columns[0].batch_missing == 0
    assert record.live is not None


def test_a_first_model_that_never_saw_a_class_of_the_champion_is_scored_all_the_same(
    promoted: Workspace, three: Workspace
) -> None:
    shutil.copytree(promoted.registry, three.registry)
    for stage in STAGES:
        import_module(f"pipeline.stages.{stage}").run(three)
    assert registry.point(three, registry.register(three)).version == "v2"

    live = monitor.watch(three, batch(three, APRIL)).live

    assert live is not None
    assert live.champion["auc"].value > 0.6
    assert live.first["auc"].value == pytest.approx(0.5)


def test_new_files_are_pending_in_the_order_of_their_names(promoted: Workspace) -> None:
    assert [path.name for path in monitor.pending(promoted)] == [APRIL, MAY]

    monitor.watch(promoted, batch(promoted, APRIL))

    assert [path.name for path in monitor.pending(promoted)] == [MAY]


@pytest.mark.parametrize("left", [[], [".gitkeep"]])
def test_an_empty_folder_has_nothing_pending(left: list[str], promoted: Workspace) -> None:
    shutil.rmtree(promoted.incoming)
    assert monitor.pending(promoted) == []
    promoted.incoming.mkdir()
    for name in left:
        (promoted.incoming / name).touch()

    assert monitor.pending(promoted) == []


def test_a_batch_in_a_folder_below_is_not_passed_over_in_silence(promoted: Workspace) -> None:
    below = promoted.incoming / "june"
    below.mkdir()
    batch(promoted, MAY).rename(below / MAY)

    with pytest.raises(DataError, match=r"june/2024-05\.csv\.gz: stands in a folder"):
        monitor.pending(promoted)


def test_batches_are_counted_up_to_the_one_that_is_watched(watched: Workspace) -> None:
    again = monitor.watch(watched, batch(watched, APRIL))

    assert again.decision.evidence["batches_since_training"] == 1
    assert record_of(watched, MAY).decision.evidence["batches_since_training"] == 2


def test_the_cool_down_begins_anew_after_a_training(watched: Workspace) -> None:
    april = record_of(watched, APRIL)
    outcome = monitor.Outcome(version=None, promoted=False, reasons=[], batch_rows_in_training=1)
    april.model_copy(update={"outcome": outcome}).write(watched.monitoring / f"{APRIL}.json")

    assert monitor.watch(watched, batch(watched, MAY)).decision.evidence["batches_since_training"] == 1


def test_the_batch_and_every_sound_one_before_it_are_adopted(watched: Workspace) -> None:
    adopted = monitor.adopt(watched, record_of(watched, MAY))

    assert [path.relative_to(watched.raw).as_posix() for path in adopted] == [APRIL, MAY]
    for path in adopted:
        assert path.read_bytes() == batch(watched, path.name).read_bytes()
    assert monitor.adopt(watched, record_of(watched, MAY)) == []


def test_a_later_batch_is_not_adopted(watched: Workspace) -> None:
    assert [path.name for path in monitor.adopt(watched, record_of(watched, APRIL))] == [APRIL]


def test_a_batch_that_failed_a_gate_is_not_adopted_later(promoted: Workspace) -> None:
    stopped(promoted, APRIL)

    record = monitor.watch(promoted, batch(promoted, MAY))

    assert [path.name for path in monitor.adopt(promoted, record)] == [MAY]


def test_a_batch_without_labels_is_not_adopted_later(promoted: Workspace) -> None:
    monitor.watch(promoted, altered(promoted, UNLABELLED, APRIL))

    record = monitor.watch(promoted, batch(promoted, MAY))

    assert [path.name for path in monitor.adopt(promoted, record)] == [MAY]


@pytest.mark.parametrize(("fault", "words"), [("altered", "is not the file that was monitored"), ("gone", "is absent")])
def test_a_batch_that_changed_since_it_was_watched_is_not_adopted(fault: str, words: str, watched: Workspace) -> None:
    if fault == "gone":
        batch(watched, MAY).unlink()
    else:
        altered(watched, lambda text: text[:-1], MAY)

    with pytest.raises(DataError, match=words):
        monitor.adopt(watched, record_of(watched, MAY))

    assert not (watched.raw / MAY).exists()


def test_another_file_of_the_name_in_the_window_is_not_taken_for_the_batch(watched: Workspace) -> None:
    write(watched.raw / MAY, ["not", "it"])

    with pytest.raises(DataError, match="is not the file that was monitored"):
        monitor.adopt(watched, record_of(watched, MAY))


def test_batches_are_adopted_to_where_ingest_reads(watched: Workspace) -> None:
    watched.raw.rename(watched.root / "elsewhere")
    text = watched.params_file.read_text().replace("ingest:\n", "ingest:\n  source: elsewhere\n")
    watched.params_file.write_text(text)

    adopted = monitor.adopt(Workspace.open(watched.root), record_of(watched, MAY))

    assert {path.parent for path in adopted} == {watched.root / "elsewhere"}


def test_one_file_cannot_be_widened(watched: Workspace) -> None:
    source = "data/raw/tiny/2024-01.csv.gz"
    text = watched.params_file.read_text().replace("ingest:\n", f"ingest:\n  source: {source}\n")
    watched.params_file.write_text(text)

    with pytest.raises(DataError, match=r"ingest\.source: is one file"):
        monitor.adopt(Workspace.open(watched.root), record_of(watched, MAY))


def trained_on(workspace: Workspace, batches: dict[str, int], *, promoted: bool) -> None:
    """Let the candidate's manifest say that it saw rows of these batches."""
    path = workspace.candidate / saved.MANIFEST
    manifest = saved.Manifest.read(path)
    files = manifest.files if promoted else manifest.files | {saved.WEIGHTS: "f" * 64}
    sources = manifest.sources | {"train": manifest.sources["train"] | batches}
    manifest.model_copy(update={"sources": sources, "files": files}).write(path)


KEPT = Promotion(promoted=False, version="v1", reasons=["may be worse than champion"])


def test_a_retraining_that_saw_no_row_of_the_batch_fails(watched: Workspace) -> None:
    with pytest.raises(GateFailed, match=r"2024-05\.csv\.gz: the new model was trained on no row"):
        monitor.conclude(watched, record_of(watched, MAY), KEPT)

    assert record_of(watched, MAY).outcome is None
    assert monitor.drifted(watched)


def test_the_outcome_of_a_promotion_is_written(watched: Workspace) -> None:
    trained_on(watched, {MAY: 130}, promoted=True)
    promotion = Promotion(promoted=True, version="v1", reasons=["beats majority"])

    record = monitor.conclude(watched, record_of(watched, MAY), promotion)

    assert record == record_of(watched, MAY)
    assert record.outcome is not None
    assert record.outcome.model_dump(exclude={"candidate", "concluded_at"}) == {
        "version": "v1", "promoted": True, "reasons": ["beats majority"], "batch_rows_in_training": 130,
    }  # fmt: skip
    assert not monitor.drifted(watched)


def test_the_outcome_of_a_candidate_that_failed_is_written(watched: Workspace) -> None:
    trained_on(watched, {MAY: 130}, promoted=False)

    outcome = monitor.conclude(watched, record_of(watched, MAY), KEPT).outcome

    assert outcome is not None
    assert (outcome.version, outcome.promoted) == (None, False)


def test_a_promotion_that_was_killed_before_its_outcome_is_told_as_one(watched: Workspace) -> None:
    trained_on(watched, {MAY: 130}, promoted=True)
    already = Promotion(promoted=False, version="v1", reasons=["the candidate is the champion already"])

    outcome = monitor.conclude(watched, record_of(watched, MAY), already).outcome

    assert outcome is not None
    assert (outcome.version, outcome.promoted) == ("v1", True)


def test_an_outcome_survives_a_second_look_only_as_a_refusal(watched: Workspace) -> None:
    monitor.adopt(watched, record_of(watched, MAY))
    ingest.run(watched)

    with pytest.raises(KeepfitError, match="was trained on already"):
        monitor.watch(watched, batch(watched, MAY))


def test_nothing_half_written_is_left(watched_once: Workspace) -> None:
    assert not list(watched_once.root.rglob("*.tmp"))


def test_a_batch_is_repaired_by_the_rules_of_the_model_and_by_no_others(promoted: Workspace) -> None:
    params = yaml.safe_load(promoted.params_file.read_text())
    params["checks"] = {"contract": "repair", "string_variants": "repair"}
    promoted.params_file.write_text(yaml.safe_dump(params))
    workspace, agreed = Workspace.open(promoted.root), contract.load(promoted.contract_file)
    path = altered(workspace, lambda text: [text[0], text[1].replace(",harbour,", ", HARBOUR,"), *text[2:]])
    assert ", HARBOUR," in lines(path)[1]
    plan = Plan(rules=[Folded(column="shop", values=["north", "south", "harbour"])])

    ruled = monitor.read(workspace, path, agreed, plan)
    unruled = monitor.read(workspace, path, agreed, Plan())

    assert ruled.usable["shop"][0] == "harbour"
    assert ruled.ledger[-1].repaired == 1
    assert "allowed_set" in {finding.check for finding in ruled.findings}
    assert unruled.usable.height == ruled.usable.height - 1
    assert unruled.ledger[-1].repaired == 0


def test_a_model_is_kept_with_the_rules_by_which_its_rows_were_repaired(promoted: Workspace) -> None:
    model = Predictor.load(registry.folder(promoted, "v1"))

    assert model.repairs == Plan.read(promoted.repairs)
