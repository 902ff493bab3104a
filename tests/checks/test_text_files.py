"""Text files: what a person could not read is told, whatever else is not."""

from functools import cache
from pathlib import Path

from pipeline.checks.text_files import TextFileUnreadable
from pipeline.quality.findings import Table
from pipeline.quality.inspection import inspect

from .media import lasting, listed

SOUND = {
    "plain.txt": b"Two words\n",
    "umlaut.txt": "Größe, 北京".encode(),
    "mark.txt": b"\xef\xbb\xbfwith a mark",
    "wide.txt": "with a mark".encode("utf-16"),
    "colour.log": b"\x1b[31mred\x1b[0m\tand a tab\r\n",
}
BROKEN = {
    "blank.txt": (b" \n\t\n", "blank.txt holds only white space"),
    "cut.txt": ("Größe 北京".encode()[:-1], "cut.txt is cut inside a character"),
    "empty.txt": (b"", "empty.txt is empty"),
    "latin.txt": ("Größe ist alles".encode("latin-1"), "latin.txt is not UTF-8"),
    "program.txt": (b"\x7fELF\x02\x01\x01\x00\x00\x00", "program.txt is binary"),
    "replaced.txt": ("Gr\ufffd\ufffde".encode(), "replaced.txt has 40% control or replacement characters"),
}


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@cache
def shelf() -> Path:
    return written(lasting() / "texts", SOUND | {name: content for name, (content, _) in BROKEN.items()})


def faults(parts: int) -> Table:
    return listed(shelf(), "text-file", parts=parts)


PLANTED = {TextFileUnreadable.name: faults}


def test_each_broken_file_says_why() -> None:
    inspected = inspect(faults(1), [TextFileUnreadable()])

    assert inspected.flags["value"].to_list() == [why for _, why in BROKEN.values()]
    assert inspected.findings[0].severity == "error"


def test_sound_files_are_not_told(tmp_path: Path) -> None:
    inspected = inspect(listed(written(tmp_path, SOUND), "text-file"), [TextFileUnreadable()])

    assert inspected.findings == []
    assert inspected.accounts[0].examined == len(SOUND)
