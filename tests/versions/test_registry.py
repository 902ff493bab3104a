"""The registry: versions that never change, a pointer that moves at once, rollback, and what tampering does."""

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from pipeline import artefacts
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.versions import lineage, registry, sealed
from pipeline.versions.registry import Champion
from pipeline.workspace import Workspace


def another_candidate(workspace: Workspace, seed: int) -> None:
    """Make the candidate differ, without a training: other weights, sealed again."""
    path = workspace.candidate / saved.WEIGHTS
    tensors = artefacts.read_tensors(path)
    artefacts.write_tensors(path, {name: np.asarray(value + seed) for name, value in tensors.items()})
    manifest = saved.Manifest.read(workspace.candidate / saved.MANIFEST)
    files = manifest.files | {saved.WEIGHTS: artefacts.sha256(path)}
    manifest.model_copy(update={"files": files}).write(workspace.candidate / saved.MANIFEST)


def three_versions(workspace: Workspace) -> None:
    for seed in range(3):
        another_candidate(workspace, seed)
        registry.point(workspace, registry.register(workspace))


def test_before_the_first_promotion_there_is_nothing(tiny: Workspace) -> None:
    assert registry.champion(tiny) == Champion()
    assert registry.champion_folder(tiny) is None
    assert registry.first_folder(tiny) is None
    assert registry.versions(tiny) == []


def test_a_workspace_without_a_pointer_gets_one_at_nothing(tiny: Workspace) -> None:
    tiny.champion.unlink()
    assert registry.champion(tiny) == Champion()

    registry.ensure_pointer(tiny)
    written = tiny.champion.read_bytes()
    registry.ensure_pointer(tiny)

    assert Champion.read(tiny.champion) == Champion()
    assert tiny.champion.read_bytes() == written


def test_a_version_is_the_candidate_with_its_evaluation(trained: Workspace) -> None:
    assert registry.register(trained) == "v1"

    folder = registry.folder(trained, "v1")
    assert saved.verify(folder) == saved.verify(trained.candidate)
    assert (folder / registry.EVALUATION).read_bytes() == trained.evaluation.read_bytes()


def test_registering_twice_keeps_the_version(trained: Workspace) -> None:
    first = registry.register(trained)
    before = artefacts.sha256(trained.registry)

    assert registry.register(trained) == first
    assert artefacts.sha256(trained.registry) == before


def test_versions_count_up_and_past_nine(trained: Workspace) -> None:
    names = []
    for seed in range(11):
        another_candidate(trained, seed)
        names.append(registry.register(trained))

    assert names == [f"v{number}" for number in range(1, 12)]
    assert registry.versions(trained) == names
    assert registry.first_folder(trained) == trained.registry / "v1"


def test_a_version_that_is_gone_is_not_numbered_again_and_none_is_overwritten(trained: Workspace) -> None:
    three_versions(trained)
    shutil.rmtree(trained.registry / "v1")
    last = artefacts.sha256(trained.registry / "v3")
    another_candidate(trained, 9)

    assert registry.register(trained) == "v4"
    assert artefacts.sha256(trained.registry / "v3") == last


@pytest.mark.parametrize("name", ["v1-backup", "vault", "v", "v01", "old"])
def test_another_folder_in_the_registry_is_no_version(name: str, trained: Workspace) -> None:
    registry.register(trained)
    shutil.copytree(trained.registry / "v1", trained.registry / name)

    assert registry.versions(trained) == ["v1"]


def test_a_killed_registration_leaves_no_version(trained: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.register(trained)

    assert registry.versions(trained) == []
    assert registry.register(trained) == "v1"
    assert [path.name for path in trained.registry.iterdir()] == ["v1"]


def test_half_a_version_is_none(trained: Workspace) -> None:
    three_versions(trained)
    (trained.registry / "v2" / saved.MANIFEST).unlink()

    assert registry.versions(trained) == ["v1", "v3"]
    with pytest.raises(WorkspaceError, match=r"no version v2; use one of: v1, v3"):
        registry.point(trained, "v2")


def test_pointing_moves_the_champion_and_remembers_the_one_before(trained: Workspace) -> None:
    three_versions(trained)

    pointer = registry.champion(trained)

    assert (pointer.version, pointer.previous) == ("v3", "v2")
    assert pointer.identity == saved.verify(trained.registry / "v3").identity
    assert registry.champion_folder(trained) == trained.registry / "v3"
    assert pointer.rolled_back_from is None


def test_a_rollback_is_a_pointer_at_an_earlier_version(trained: Workspace) -> None:
    three_versions(trained)
    before = artefacts.sha256(trained.registry)

    pointer = registry.point(trained, "v1")

    assert registry.champion_folder(trained) == trained.registry / "v1"
    assert pointer.rolled_back_from == "v3"
    assert artefacts.sha256(trained.registry) == before


def test_pointing_at_the_champion_changes_nothing(trained: Workspace) -> None:
    three_versions(trained)
    before = trained.champion.read_bytes()

    registry.point(trained, "v3")

    assert trained.champion.read_bytes() == before


@pytest.mark.parametrize(
    "name", [saved.WEIGHTS, saved.HEALTH, "watch.json", registry.EVALUATION, "workspace/params.yaml"]
)
def test_an_altered_version_cannot_become_champion(name: str, trained: Workspace) -> None:
    three_versions(trained)
    path = trained.registry / "v1" / name
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    before = trained.champion.read_bytes()

    with pytest.raises(WorkspaceError, match=f"{re.escape(name)} is not the file that was written"):
        registry.point(trained, "v1")

    assert trained.champion.read_bytes() == before


def test_a_champion_that_was_exchanged_is_found(trained: Workspace) -> None:
    three_versions(trained)
    shutil.rmtree(trained.registry / "v3")
    shutil.copytree(trained.registry / "v1", trained.registry / "v3")

    with pytest.raises(WorkspaceError, match=r"v3: is not the model .* that was promoted"):
        registry.champion_folder(trained)


def test_a_champion_that_is_gone_is_an_error_that_says_what_is_there(trained: Workspace) -> None:
    three_versions(trained)
    shutil.rmtree(trained.registry / "v3")

    with pytest.raises(WorkspaceError, match=r"no version v3; use one of: v1, v2"):
        registry.champion_folder(trained)


@pytest.mark.parametrize("text", ['{"version": 3}', '{"champion": "v1"}', "v1", ""])
def test_a_pointer_that_is_none_is_an_error_that_names_it(text: str, tiny: Workspace) -> None:
    tiny.champion.write_text(text)

    with pytest.raises(WorkspaceError, match=r"champion\.json"):
        registry.champion(tiny)


def test_a_pointer_survives_json(trained: Workspace) -> None:
    three_versions(trained)
    pointer = registry.champion(trained)

    assert Champion.model_validate(json.loads(trained.champion.read_text())) == pointer


def test_each_move_is_a_line_of_the_journal_and_the_pointer_names_it(trained: Workspace) -> None:
    three_versions(trained)
    registry.point(trained, "v3", why=["nothing moves"])
    registry.point(trained, "v1", why=["it was too slow"])

    moves = registry.promotions(trained).entries()

    assert [(move.previous, move.version) for move in moves] == [(None, "v1"), ("v1", "v2"), ("v2", "v3"), ("v3", "v1")]
    assert moves[-1].why == ["it was too slow"]
    assert registry.champion(trained).move == registry.promotions(trained).head
    assert moves[-1].whole == artefacts.sha256(trained.registry / "v1")


def test_rolling_back_goes_one_champion_back_each_time_and_then_says_that_there_is_none(trained: Workspace) -> None:
    three_versions(trained)

    assert registry.rollback(trained, why=["live AUC fell"]).version == "v2"
    assert registry.rollback(trained).version == "v1"
    before = trained.champion.read_bytes()
    with pytest.raises(WorkspaceError, match="there was no champion before v1; name the one that you mean"):
        registry.rollback(trained)

    assert trained.champion.read_bytes() == before
    assert [move.how for move in registry.promotions(trained).entries()] == [*["by hand"] * 3, "rollback", "rollback"]


def test_after_a_rollback_and_a_promotion_the_next_rollback_leads_to_what_was_there_before(trained: Workspace) -> None:
    three_versions(trained)
    registry.rollback(trained)
    another_candidate(trained, 9)
    registry.point(trained, registry.register(trained))
    assert registry.champion(trained).version == "v4"

    assert registry.rollback(trained).version == "v2"
    assert registry.rollback(trained).version == "v1"


def test_a_pointer_that_was_changed_by_hand_is_rolled_back_to_what_it_names(trained: Workspace) -> None:
    three_versions(trained)
    by_hand = {"version": "v2", "identity": saved.verify(trained.registry / "v2").identity, "previous": "v1"}
    Champion.model_validate(by_hand).write(trained.champion)

    assert registry.rollback(trained).version == "v1"


@pytest.mark.parametrize("name", ["../candidate", "..", ".", "", "v1/../v2"])
def test_what_is_no_name_of_a_version_is_refused(name: str, trained: Workspace) -> None:
    three_versions(trained)

    with pytest.raises(WorkspaceError, match="the registry has no version"):
        registry.point(trained, name)


def test_a_rollback_without_a_champion_is_an_error(tiny: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="there is no champion yet"):
        registry.rollback(tiny)


def test_a_champion_of_before_the_journal_can_be_rolled_back_once(trained: Workspace) -> None:
    three_versions(trained)
    trained.promotions.unlink()
    Champion.read(trained.champion).model_copy(update={"move": None}).write(trained.champion)

    assert registry.rollback(trained).version == "v2"
    with pytest.raises(WorkspaceError, match="there was no champion before v2"):
        registry.rollback(trained)


def test_a_move_that_was_killed_before_the_pointer_leaves_the_champion_and_does_not_count(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_versions(trained)
    before = trained.champion.read_bytes()

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Champion, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            registry.point(trained, "v1")
    assert trained.champion.read_bytes() == before
    assert registry.before_this(trained) == "v2"

    assert registry.rollback(trained).version == "v2"
    assert registry.rollback(trained).version == "v1"


def test_of_two_promotions_that_were_decided_beside_the_same_champion_one_wins(trained: Workspace) -> None:
    three_versions(trained)
    seen = registry.champion(trained)

    registry.point(trained, "v1", expected=seen)
    with pytest.raises(WorkspaceError, match=r"the champion is v1 by now, since .*, and v2 was judged beside another"):
        registry.point(trained, "v2", expected=seen)

    assert registry.champion(trained).version == "v1"
    assert len(registry.promotions(trained).entries()) == 4


def test_of_two_promotions_at_the_same_moment_one_is_told(trained: Workspace) -> None:
    three_versions(trained)
    before = trained.champion.read_bytes()

    with trained.pointer_lock(), pytest.raises(WorkspaceError, match="another promotion or rollback is under way"):
        registry.point(trained, "v1")

    assert trained.champion.read_bytes() == before
    assert len(registry.promotions(trained).entries()) == 3


def test_promotions_from_many_processes_end_with_a_whole_journal_and_its_last_as_champion(trained: Workspace) -> None:
    three_versions(trained)
    code = (
        "import sys; from pathlib import Path; from pipeline.versions import registry\n"
        "from pipeline.errors import WorkspaceError; from pipeline.workspace import Workspace\n"
        "place = Workspace.open(Path(sys.argv[1]))\n"
        "for turn in range(20):\n"
        "    try: registry.point(place, sys.argv[2 + turn % 2])\n"
        "    except WorkspaceError as error: assert 'under way' in error.what, error\n"
    )
    words = [("v1", "v2"), ("v2", "v3")]
    running = [subprocess.Popen([sys.executable, "-c", code, str(trained.root), *pair]) for pair in words]
    assert [each.wait() for each in running] == [0, 0]

    moves, pointer = registry.promotions(trained).entries(), registry.champion(trained)
    assert pointer.move == registry.promotions(trained).head
    assert (moves[-1].version, moves[-1].previous) == (pointer.version, pointer.previous)
    assert [move.previous for move in moves[1:]] == [move.version for move in moves[:-1]]


def test_nothing_is_promoted_over_a_journal_that_was_changed(trained: Workspace) -> None:
    three_versions(trained)
    text = trained.promotions.read_text()
    trained.promotions.write_text(text.replace('"by hand"', '"rollback"', 1))
    before = trained.champion.read_bytes()

    with pytest.raises(WorkspaceError, match=r"promotions\.jsonl: line 1 is not what was written there"):
        registry.point(trained, "v1")

    assert trained.champion.read_bytes() == before


def test_a_registry_that_begins_anew_takes_no_name_twice(trained: Workspace) -> None:
    three_versions(trained)
    shutil.rmtree(trained.registry)
    Champion().write(trained.champion)
    another_candidate(trained, 7)

    assert registry.register(trained) == "v4"
    assert registry.point(trained, "v4").previous is None
    with pytest.raises(WorkspaceError, match="there was no champion before v4"):
        registry.rollback(trained)


def test_a_version_keeps_where_it_comes_from(trained: Workspace) -> None:
    folder = registry.folder(trained, registry.register(trained))

    kept = lineage.read(folder)

    assert kept is not None
    ingested = artefacts.read_json(trained.ingested / "manifest.json")["files"]
    assert {name: source.sha256 for name, source in kept.data.items()} == {f["name"]: f["sha256"] for f in ingested}
    assert kept.test == sealed.seal(trained)
    assert kept.packages["torch"] and kept.machine.cores >= 1 and kept.commit is None
    for name in ("params.yaml", "dvc.yaml", "schemas/tiny.py"):
        assert (folder / lineage.DEFINITION / name).read_bytes() == (trained.root / name).read_bytes()
    assert (folder / "metrics.json").read_bytes() == trained.metrics.read_bytes()
