"""Rows with bytes that cannot be read are told by findings, or refused: never dropped in silence."""

from pathlib import Path

import pytest

from pipeline.commands.check.examine import examine
from pipeline.commands.reading import Question
from pipeline.errors import DataError
from pipeline.stages import ingest
from pipeline.workspace import Workspace

SOUND = b"".join(b"%d,caf\xc3\xa9 %d,%d\n" % (i, i % 7, i) for i in range(60))


@pytest.mark.parametrize(
    ("line", "check", "column"),
    [(b"60,b\xffd,7\n", "invalid_utf8", "name"), (b"60,bad,\xff7\n", "dtype_mismatch", "size")],
)
def test_check_counts_and_tells_a_row_with_bad_bytes(tmp_path: Path, line: bytes, check: str, column: str) -> None:
    (tmp_path / "rows.csv").write_bytes(b"id,name,size\n" + SOUND + line)

    answer = examine(Question(paths=[str(tmp_path / "rows.csv")], flagged=True), tmp_path / "scratch")

    assert answer.answer.rows == 61
    assert (check, column, 1) in {(found.check, found.column, found.rows) for found in answer.answer.findings}
    assert answer.flags.filter(check=check)["row"].to_list() == [60]
    assert [told.split(",")[0] for told in answer.answer.sources[0].damage] == ["line 62"]


def test_a_workspace_refuses_a_file_with_bad_bytes(tiny: Workspace) -> None:
    file = tiny.raw / "2024-02.csv"
    file.write_bytes(file.read_bytes().replace(b"north", b"n\xffrth", 1))

    with pytest.raises(DataError, match=r"2024-02\.csv: line \d+, byte \d+: is not UTF-8 .*save it as UTF-8"):
        ingest.run(tiny)
