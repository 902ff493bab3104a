"""A process is known to be at work, however its number was given away."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from pipeline.runtime import processes

WAITS = "import sys; print(flush=True); sys.stdin.read()"


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process as DVC starts one for stage `slow` of the repo at `tmp_path`; it waits for its input to end."""
    with subprocess.Popen(
        [sys.executable, "-c", WAITS],
        env={**os.environ, "DVC_ROOT": str(tmp_path), "DVC_STAGE": "slow"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_lives_until_it_ends_even_if_nobody_asks_how(other: "subprocess.Popen[bytes]") -> None:
    assert processes.lives(other.pid, time.time())

    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
    assert psutil.Process(other.pid).status() == psutil.STATUS_ZOMBIE
    assert not processes.lives(other.pid, time.time())

    other.wait()
    assert not processes.lives(other.pid, time.time())


def test_a_younger_process_only_has_the_number(other: "subprocess.Popen[bytes]") -> None:
    assert not processes.lives(other.pid, psutil.Process(other.pid).create_time() - 1)


def test_commands_of_a_repo_are_told_with_their_stage(other: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    assert list(processes.commands(tmp_path)) == [(other.pid, "slow")]
    assert list(processes.commands(tmp_path / "another")) == []


def test_who_has_a_file_open_is_told(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w"):
        assert processes.holder(tmp_path / "a") == f"process {os.getpid()}"

    assert processes.holder(tmp_path / "a") == "a process of another user"
