"""DVC and this process agree on what is up to date, and promotions are commits with GTO's tags."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from pipeline.errors import KeepfitError
from pipeline.versions import dvc
from pipeline.versions.dvc import Versions
from pipeline.versions.git import IDENTITY, assign_champion, commit_promotion

# DVC itself asks pygtrie for what it will take away one day.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

PYTHON = shlex.quote(sys.executable)
DVC_YAML = {
    "stages": {
        "double": {
            "cmd": f"{PYTHON} double.py",
            "deps": ["double.py", "raw.txt"],
            "params": ["times"],
            "outs": ["data/double.txt"],
        },
        "spread": {
            "cmd": f"{PYTHON} spread.py",
            "deps": ["data/double.txt", "spread.py"],
            "outs": ["data/spread"],
            "metrics": [{"reports/metrics.json": {"cache": False}}],
        },
        "total": {"cmd": "cat data/spread/* > total.txt", "deps": ["data/spread"], "outs": ["total.txt"]},
    }
}
DOUBLE = """
from pathlib import Path
times = int(Path("params.yaml").read_text().split("times:")[1].split()[0])
Path("data").mkdir(exist_ok=True)
Path("data/double.txt").write_text(Path("raw.txt").read_text() * times)
"""
SPREAD = """
import shutil
from pathlib import Path
words = Path("data/double.txt").read_text().split()
shutil.rmtree("data/spread", ignore_errors=True)
Path("data/spread").mkdir()
for number, word in enumerate(words):
    Path(f"data/spread/{number}.txt").write_text(word)
Path("reports").mkdir(exist_ok=True)
Path("reports/metrics.json").write_text('{"words": %d}' % len(words))
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace under a git and DVC repo whose three stages have never run; git knows nobody."""
    home = tmp_path / "home"
    home.mkdir()
    for key, value in {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(key, value)
    for key in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL", "GIT_CONFIG_GLOBAL", "EMAIL"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("DVC_NO_ANALYTICS", "1")
    root = tmp_path / "work space"
    root.mkdir()
    for name, text in {
        "raw.txt": "a b ",
        "params.yaml": "times: 2\nother: 1\n",
        "double.py": DOUBLE,
        "spread.py": SPREAD,
        "dvc.yaml": yaml.safe_dump(DVC_YAML, sort_keys=False),
    }.items():
        (root / name).write_text(text)
    dvc.prepare(root)
    return root


def in_process(root: Path, spec: dvc.StageSpec) -> None:
    """What a stage function is to the flow: the stage's work, not started by DVC."""
    subprocess.run(spec.command, shell=True, cwd=root, check=True)


def flow(root: Path, work: Callable[[Path, dvc.StageSpec], None] = in_process) -> list[str]:
    """Run the DAG as the flow does; the names of the stages that had to run."""
    ran = []
    with Versions.open(root) as versions:
        for spec in versions.stages:
            if not versions.is_up_to_date(spec.name):
                work(root, spec)
                versions.record(spec.name)
                ran.append(spec.name)
    return ran


def run_dvc(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def repro(root: Path) -> list[str]:
    """Run `dvc repro`; the names of the stages that had to run."""
    done = run_dvc(root, "repro")
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split("'")[1] for line in done.stdout.splitlines() if line.startswith("Running stage")]


def git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def change_dvc_yaml(root: Path, stage: str, **keys: object) -> None:
    loaded = yaml.safe_load((root / "dvc.yaml").read_text())
    loaded["stages"].setdefault(stage, {}).update(keys)
    (root / "dvc.yaml").write_text(yaml.safe_dump(loaded, sort_keys=False))


ALL = ["double", "spread", "total"]


def test_stages_come_in_the_order_of_the_dag(root: Path) -> None:
    loaded = yaml.safe_load((root / "dvc.yaml").read_text())
    turned = {"stages": dict(reversed(loaded["stages"].items()))}
    (root / "dvc.yaml").write_text(yaml.safe_dump(turned, sort_keys=False))

    found = dvc.stages(root)

    assert [spec.name for spec in found] == ALL
    assert found[0] == dvc.StageSpec(
        name="double",
        command=f"{PYTHON} double.py",
        deps=("double.py", "raw.txt"),
        outs=("data/double.txt",),
        params=("times",),
    )
    assert found[1].outs == ("data/spread", "reports/metrics.json")


def test_after_a_flow_dvc_has_nothing_to_do(root: Path) -> None:
    assert flow(root) == ALL
    assert repro(root) == []
    assert "up to date" in run_dvc(root, "status").stdout
    assert flow(root) == []


def test_after_dvc_the_flow_has_nothing_to_do(root: Path) -> None:
    assert repro(root) == ALL
    before = (root / "dvc.lock").read_bytes()
    assert flow(root) == []
    assert (root / "dvc.lock").read_bytes() == before


def test_flow_and_dvc_write_the_same_lock(root: Path) -> None:
    flow(root)
    by_flow = (root / "dvc.lock").read_bytes()
    (root / "dvc.lock").unlink()
    assert run_dvc(root, "repro", "--force", "--no-run-cache").returncode == 0
    assert (root / "dvc.lock").read_bytes() == by_flow


def raise_times(root: Path) -> None:
    (root / "params.yaml").write_text("times: 3\nother: 1\n")


def raise_other(root: Path) -> None:
    (root / "params.yaml").write_text("times: 2\nother: 5\n")


def new_raw(root: Path) -> None:
    (root / "raw.txt").write_text("c d ")


def new_command(root: Path) -> None:
    change_dvc_yaml(root, "spread", cmd=f"{PYTHON} -u spread.py")


def no_metrics(root: Path) -> None:
    (root / "reports" / "metrics.json").unlink()


def edited_out(root: Path) -> None:
    (root / "total.txt").write_text("by hand")


def edited_folder(root: Path) -> None:
    (root / "data" / "spread" / "0.txt").write_text("by hand")
    (root / "data" / "spread" / "new.txt").write_text("by hand")


def lost_out_and_cache(root: Path) -> None:
    (root / "total.txt").unlink()
    subprocess.run(["rm", "-rf", ".dvc/cache"], cwd=root, check=True)


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        (raise_times, ALL),
        (raise_other, []),
        (new_raw, ALL),
        (new_command, ["spread"]),
        (no_metrics, []),
        (edited_out, []),
        (edited_folder, []),
        (lost_out_and_cache, ALL),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_flow_runs_the_stages_that_dvc_would(
    root: Path, change: Callable[[Path], None], runs: list[str], tmp_path: Path
) -> None:
    flow(root)
    good = (root / "total.txt").read_bytes()
    change(root)
    twin = tmp_path / "twin"
    subprocess.run(["cp", "-a", str(root), str(twin)], check=True)

    assert flow(root) == repro(twin) == runs
    assert (root / "dvc.lock").read_bytes() == (twin / "dvc.lock").read_bytes()
    assert repro(root) == []
    assert runs or (root / "total.txt").read_bytes() == good


def test_what_ran_before_comes_from_the_run_cache(root: Path) -> None:
    flow(root)
    raise_times(root)
    assert flow(root) == ALL
    (root / "params.yaml").write_text("times: 2\nother: 1\n")
    assert flow(root) == []
    assert (root / "total.txt").read_text() == "abab"
    assert repro(root) == []


def test_killed_before_record_runs_again(root: Path) -> None:
    with Versions.open(root) as versions:
        assert not versions.is_up_to_date("double")
        in_process(root, versions.stages[0])
    assert flow(root) == ALL
    new_raw(root)
    with Versions.open(root) as versions:
        assert not versions.is_up_to_date("double")
        in_process(root, versions.stages[0])
    assert flow(root) == ALL
    assert repro(root) == []


def test_a_failed_try_is_not_up_to_date_at_the_next(root: Path) -> None:
    flow(root)
    new_raw(root)
    with Versions.open(root) as versions:
        assert not versions.is_up_to_date("double")
        assert not versions.is_up_to_date("double")
        assert (root / "data" / "double.txt").read_text() == "a b a b ", "the old out stays until the new one"


def test_inputs_changed_while_the_stage_ran_are_not_recorded(root: Path) -> None:
    def edit_meanwhile(root: Path, spec: dvc.StageSpec) -> None:
        in_process(root, spec)
        raise_times(root)

    with pytest.raises(KeepfitError, match=r"params\.yaml: changed while stage double ran"):
        flow(root, edit_meanwhile)
    assert flow(root) == ALL


def test_out_that_was_not_written_is_named(root: Path) -> None:
    with pytest.raises(KeepfitError, match=r"stage double: .*data/double\.txt.* does not exist") as caught:
        flow(root, lambda root, spec: None)
    assert "\n" not in str(caught.value)


def test_stage_of_the_user_runs_by_its_own_command(root: Path) -> None:
    change_dvc_yaml(root, "mine", cmd="keepfit-python -c 'print(1)' > mine.txt", deps=["total.txt"], outs=["mine.txt"])
    flow_of_three = [name for name in ALL if name != "mine"]
    with Versions.open(root) as versions:
        for name in flow_of_three:
            assert not versions.is_up_to_date(name)
            versions.run_command(name)
        assert not versions.is_up_to_date("mine")
        with pytest.raises(KeepfitError, match=r"stage mine: .*keepfit-python.* exited with 127"):
            versions.run_command("mine")
        change_dvc_yaml(root, "mine", cmd="python -c 'print(1)' > mine.txt")
        versions.run_command("mine")
        assert versions.is_up_to_date("mine")
    assert repro(root) == []


def test_command_may_call_dvc(root: Path) -> None:
    change_dvc_yaml(root, "asks", cmd=f"{PYTHON} -m dvc status double > asks.txt", outs=["asks.txt"], deps=["raw.txt"])
    with Versions.open(root) as versions:
        versions.run_command("asks")
    assert (root / "asks.txt").read_text()


def test_frozen_and_always_changed_stages_are_as_with_dvc(root: Path, tmp_path: Path) -> None:
    flow(root)
    change_dvc_yaml(root, "spread", frozen=True)
    change_dvc_yaml(root, "total", always_changed=True)
    new_raw(root)
    twin = tmp_path / "twin"
    subprocess.run(["cp", "-a", str(root), str(twin)], check=True)
    assert flow(root) == repro(twin) == ["double", "total"]
    assert (root / "dvc.lock").read_bytes() == (twin / "dvc.lock").read_bytes()
    assert flow(root) == ["total"]


def test_data_under_dvc_add_are_recorded_as_they_lie(root: Path) -> None:
    assert run_dvc(root, "add", "raw.txt").returncode == 0
    assert [spec.name for spec in dvc.stages(root)] == ["raw.txt.dvc", *ALL]
    flow(root)
    new_raw(root)
    assert flow(root) == ALL
    assert repro(root) == []


@pytest.mark.parametrize("link", ["copy", "hardlink", "symlink"])
def test_outs_linked_to_the_cache_are_replaced_not_written_through(root: Path, link: str) -> None:
    git(root, "init", "--quiet")
    assert run_dvc(root, "config", "cache.type", link).returncode == 0

    def by_rename(root: Path, spec: dvc.StageSpec) -> None:
        for out in spec.outs:
            if (root / out).is_file():
                (root / out).rename(root / "old")
        in_process(root, spec)

    flow(root, by_rename)
    new_raw(root)
    assert flow(root, by_rename) == ALL
    (root / "raw.txt").write_text("a b ")
    assert flow(root, by_rename) == []
    assert (root / "data" / "double.txt").read_text() == "a b a b "


def test_hash_is_that_of_the_lock(root: Path) -> None:
    flow(root)
    locked = yaml.safe_load((root / "dvc.lock").read_text())["stages"]
    with Versions.open(root) as versions:
        assert versions.hash_of(root / "data" / "spread") == locked["spread"]["outs"][0]["md5"]
        assert versions.hash_of(root / "raw.txt") == locked["double"]["deps"][1]["md5"]
        assert versions.hash_of(root / "params.yaml") is None
        assert versions.hash_of(root / "nothing") is None


def test_any_thread_and_folder_may_ask(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    flow(root)
    edited_out(root)
    with Versions.open(root) as versions, ThreadPoolExecutor(1) as pool:
        assert pool.submit(versions.is_up_to_date, "total").result()
        pool.submit(versions.record, "total").result()
    assert Path.cwd() == Path("/")


def test_no_two_at_work(root: Path) -> None:
    with Versions.open(root) as versions:
        assert not versions.is_up_to_date("double")
        with (
            pytest.raises(dvc.WorkspaceBusyError, match="another dvc or keepfit works here"),
            Versions.open(root),
        ):
            pass
        refused = run_dvc(root, "repro")
        assert refused.returncode != 0
        assert "Unable to acquire lock" in refused.stderr
        in_process(root, versions.stages[0])
        versions.record("double")
    assert repro(root) == ["spread", "total"]


@contextmanager
def slow_repro(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`dvc repro` in the middle of a stage's command, in its own process group."""
    change_dvc_yaml(root, "slow", cmd="touch begun; sleep 60", deps=["raw.txt"])
    process = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "-s", "slow"],
        cwd=root,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not (root / "begun").exists() and process.poll() is None:
            time.sleep(0.02)
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_run_is_refused_while_dvc_runs_a_command_and_free_once_it_is_killed(root: Path) -> None:
    with (
        slow_repro(root) as process,
        pytest.raises(dvc.WorkspaceBusyError, match=f"process {process.pid} runs a stage"),
        Versions.open(root),
    ):
        pass
    assert (root / ".dvc" / "tmp" / "rwlock").read_text() != "{}"
    with Versions.open(root) as versions:
        assert not versions.is_up_to_date("double")


def test_run_is_refused_while_the_command_of_a_killed_dvc_works_on(root: Path) -> None:
    with slow_repro(root) as process:
        process.kill()
        process.wait()
        for _ in range(2):
            with pytest.raises(dvc.WorkspaceBusyError, match="still works on stage slow of a run that was kil"):
                flow(root)
    with Versions.open(root) as versions:
        assert not versions.is_up_to_date("double")


def test_number_of_a_killed_process_given_away_does_not_block(root: Path) -> None:
    owner = {"pid": os.getppid(), "cmd": "dvc repro"}
    rwlock = root / ".dvc" / "tmp" / "rwlock"
    rwlock.write_text(json.dumps({"read": {}, "write": {str(root / "data" / "double.txt"): owner}}))
    os.utime(rwlock, (0, 0))
    assert flow(root) == ALL


def test_lock_dies_with_its_holder(root: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from pipeline.versions.dvc import Versions\n"
        "with Versions.open(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    house = Path(dvc.__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code, str(root)], cwd=house, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(dvc.WorkspaceBusyError), Versions.open(root):
            pass
        holder.kill()
    assert flow(root) == ALL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stages: [", "dvc.yaml"),
        ("stages:\n  a:\n    comand: x\n", "dvc.yaml"),
        ("stages:\n  a: {cmd: x, deps: [y], outs: [z]}\n  b: {cmd: x, deps: [z], outs: [y]}\n", "a, b|b, a"),
        ("stages:\n  a: {cmd: x, outs: [z]}\n  b: {cmd: x, outs: [z]}\n", "z"),
        ("stages:\n  a: {cmd: 'x ${no.such}'}\n", "no.such"),
        ("", "has no stages"),
        (None, "has no stages"),
    ],
)
def test_bad_dvc_yaml_is_one_line(root: Path, text: str | None, message: str) -> None:
    (root / "dvc.yaml").unlink()
    if text is not None:
        (root / "dvc.yaml").write_text(text)
    for ask in (dvc.stages, flow):
        with pytest.raises(KeepfitError, match=message) as caught:
            ask(root)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400


def test_bad_lock_is_one_line(root: Path) -> None:
    (root / "dvc.lock").write_text("stages: [")
    with pytest.raises(KeepfitError, match=r"dvc\.lock"):
        flow(root)


def test_unknown_stage_is_named(root: Path) -> None:
    with Versions.open(root) as versions, pytest.raises(KeepfitError, match="has no stage 'trian'"):
        versions.is_up_to_date("trian")


def test_folder_without_dvc_is_refused_even_below_another(root: Path) -> None:
    (root / "below").mkdir()
    with pytest.raises(KeepfitError, match="is no DVC repo yet"):
        dvc.stages(root / "below")


def test_prepare_makes_a_repo_once_and_without_telemetry(root: Path) -> None:
    assert git(root, "log", "--format=%s %an") == "Start of the workspace keepfit"
    committed = git(root, "ls-files").splitlines()
    assert committed == [".dvc/.gitignore", ".dvc/config", ".dvcignore", "dvc.yaml", "params.yaml"]
    config = (root / ".dvc" / "config").read_text()
    assert "analytics = False" in config
    assert "check_update = False" in config
    dvc.prepare(root)
    assert git(root, "rev-list", "--count", "HEAD") == "1"
    assert git(root, "config", "--list", "--local").count("user.") == 0


def test_prepare_leaves_a_repo_of_the_user_as_it_is(tmp_path: Path, root: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    git(mine, "init", "--quiet")
    dvc.prepare(mine)
    assert (mine / ".dvc").is_dir()
    assert git(mine, "rev-list", "--all") == "", "no commit that the user did not make"


def test_prepare_below_another_git_repo(root: Path) -> None:
    tracked, loose = root / "tracked", root / "loose"
    for folder in (tracked, loose):
        folder.mkdir()
        (folder / "params.yaml").write_text("times: 2\n")
    git(root, "add", "tracked/params.yaml")
    dvc.prepare(tracked)
    dvc.prepare(loose)
    assert not (tracked / ".git").exists()
    assert (loose / ".git").is_dir()
    assert (tracked / ".dvc").is_dir()


def test_no_git_is_one_line(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(root))
    assert dvc.stages(root), "a prepared workspace needs no git"
    with pytest.raises(KeepfitError, match="git is not installed"):
        dvc.prepare(root)


def promoted(root: Path, version: str) -> str:
    (root / "champion.json").write_text(f'{{"version": "{version}"}}')
    return commit_promotion(root, "flights", version, [root / "champion.json"], f"Promote flights {version}")


def champion(root: Path) -> str:
    """What GTO itself reads from the tags."""
    import gto.api

    return str(gto.api.show(str(root))["flights"]["stage"]["champion"])


def test_promotion_is_a_commit_of_its_paths_with_gto_tags(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow(root)
    (root / "notes.txt").write_text("mine")
    git(root, "add", "notes.txt")

    assert promoted(root, "v1") == "flights@v1.0.0"
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2099-01-01T00:00:00Z")
    assert promoted(root, "v2") == "flights@v2.0.0"

    assert git(root, "show", "--name-only", "--format=", "flights@v1.0.0^{commit}").split() == [
        "champion.json",
        "dvc.lock",
    ]
    assert git(root, "status", "--porcelain", "notes.txt") == "A  notes.txt"
    assert git(root, "tag").split() == [
        "flights#champion#1",
        "flights#champion#2",
        "flights@v1.0.0",
        "flights@v2.0.0",
    ]
    assert champion(root) == "v2.0.0"
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2099-01-01T00:00:01Z")
    assert assign_champion(root, "flights", "v1") == "flights#champion#3"
    assert champion(root) == "v1.0.0"


@pytest.mark.parametrize("lost", [["flights@v1.0.0", "flights#champion#1"], ["flights#champion#1"]])
def test_promotion_killed_before_its_tags_ends_the_same(root: Path, lost: list[str]) -> None:
    flow(root)
    promoted(root, "v1")
    head = git(root, "rev-parse", "HEAD")
    git(root, "tag", "--delete", *lost)
    git(root, *IDENTITY, "commit", "--quiet", "--allow-empty", "--message", "mine")
    assert promoted(root, "v1") == "flights@v1.0.0"
    assert promoted(root, "v1") == "flights@v1.0.0"
    assert git(root, "rev-parse", "flights@v1.0.0^{commit}") == head
    assert git(root, "rev-list", "--count", "HEAD") == "3"
    assert git(root, "tag").split() == ["flights#champion#1", "flights@v1.0.0"]


def test_tag_of_another_model_is_no_promotion(root: Path) -> None:
    promoted(root, "v1")
    (root / "card.json").write_text('{"seed": 2}')
    git(root, "add", "card.json")
    with pytest.raises(KeepfitError, match=r"flights@v1\.0\.0: is the tag of another model"):
        commit_promotion(root, "flights", "v1", [root / "card.json"], "again")


def test_no_promotion_in_the_middle_of_a_merge(root: Path) -> None:
    (root / ".git" / "MERGE_HEAD").write_text(git(root, "rev-parse", "HEAD"))
    with pytest.raises(KeepfitError, match="in the middle of a merge"):
        promoted(root, "v1")
    assert git(root, "tag") == ""


def test_git_refusing_is_one_line(root: Path) -> None:
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(KeepfitError, match="not today"):
        promoted(root, "v1")
    with pytest.raises(KeepfitError, match="cannot be tagged"):
        promoted(root, "second")


def test_a_judgement_that_moves_what_stages_read_leaves_them_up_to_date(root: Path) -> None:
    flow(root)

    with dvc.judgement(root, "total", moves="raw.txt"):
        (root / "raw.txt").write_text("c d ")

    assert flow(root) == []
    assert repro(root) == []
    with dvc.judgement(root, "total"):
        (root / "raw.txt").write_text("e f ")
    assert "double" in flow(root)
