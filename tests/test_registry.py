"""The registry: versions that never change, a pointer that moves at once, rollback, and what tampering does."""

import json
import shutil
from typing import Any

import numpy as np
import pytest

from pipeline import artefacts, registry
from pipeline.errors import WorkspaceError
from pipeline.models import saved
from pipeline.registry import Champion
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


def test_an_altered_version_cannot_become_champion(trained: Workspace) -> None:
    three_versions(trained)
    path = trained.registry / "v1" / saved.WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    before = trained.champion.read_bytes()

    with pytest.raises(WorkspaceError, match=r"weights\.safetensors is not the file that was written"):
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
