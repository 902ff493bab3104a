"""README.md and docs/check.md do what they say: their commands exist, their transcripts and examples are true."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline import checks, cli
from pipeline.commands import reading
from pipeline.commands.reading import Question
from pipeline.errors import SettingsError
from pipeline.quality import inspection
from pipeline.settings import SECTIONS
from pipeline.workspace import parse_section

ROOT = Path(__file__).parents[2]
DIAMONDS = ROOT.parent / "shared" / "data" / "demos" / "diamonds.csv.gz"
SECTION = {section.key: section for section in SECTIONS}
DOCUMENTS = ("README.md", "docs/check.md", "docs/media.md", "docs/behaviour.md", "docs/models.md")
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)


def commands(document: str) -> list[list[str]]:
    """Every keepfit command of a document's transcripts, as words."""
    lines = [line[2:] for block in blocks(document, "console") for line in block.splitlines() if line.startswith("$ ")]
    parts = [shlex.split(part, comments=True) for line in lines for part in line.split(";")]
    return [words for words in parts if words[:1] == ["keepfit"]]


def transcripts(document: str) -> list[tuple[str, str]]:
    """Each command of `keepfit check` with what it prints; `…` stands for anything."""
    found = [re.match(r"\$ (keepfit check [^\n]*)\n(.*)", block, re.DOTALL) for block in blocks(document, "console")]
    return [(match[1], match[2]) for match in found if match]


@pytest.mark.parametrize("words", [words for document in DOCUMENTS for words in commands(document)], ids=" ".join)
def test_every_command_is_one_that_is_understood(words: list[str]) -> None:
    assert cli.parser().parse_args(words[1:]).command


@pytest.mark.parametrize(("command", "printed"), [pair for document in DOCUMENTS for pair in transcripts(document)])
def test_a_transcript_is_what_is_printed(command: str, printed: str, tmp_path: Path) -> None:
    if DIAMONDS.name in command and not DIAMONDS.exists():
        pytest.skip("the diamonds are not on this machine")
    for name, target in ((DIAMONDS.name, DIAMONDS), ("data", ROOT / "data")):
        (tmp_path / name).symlink_to(target)

    done = subprocess.run(
        shlex.split(command), cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )

    assert re.fullmatch(re.escape(printed.strip()).replace("…", ".*"), done.stdout.strip(), re.DOTALL), done.stdout


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 250


@pytest.mark.parametrize("block", [block for document in DOCUMENTS for block in blocks(document, "yaml")])
def test_settings_are_taken(block: str) -> None:
    given = {"dataset": "shop", **yaml.safe_load(block)}
    for key, value in given.items():
        assert key == "dataset" or parse_section(SECTION[key], value)


@pytest.mark.parametrize("block", [b for document in DOCUMENTS for b in blocks(document, "yaml") if "checks:" in b])
def test_settings_of_checks_are_those_of_checks(block: str) -> None:
    given = yaml.safe_load(block)["checks"]
    given.pop("batch_expectations", None)  # the stage's own gate, not a check

    assert checks.configured(given)
    with pytest.raises(SettingsError):
        checks.configured({**given, "no_such_check": "warn"})


def test_the_check_of_ones_own_works(tmp_path: Path) -> None:
    (code,) = blocks("docs/check.md", "python")
    house: dict[str, Any] = {"__name__": "shop"}
    exec(compile(code, "shop.py", "exec"), house)
    (tmp_path / "orders.csv").write_text("price,item\n0.1,pen\n2.5,ink\n,cap\n" + "3.5,nib\n" * 9)
    question = Question(paths=[str(tmp_path / "orders.csv")])
    table = reading.read(question.paths, question, None, reading.Settings(), tmp_path / "scratch").table

    (hit,) = inspection.hits(house["CHECKS"][0](), table)

    assert (hit.column, hit.rows, hit.threshold) == ("price", 1, 0.5)
