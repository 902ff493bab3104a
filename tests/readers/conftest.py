"""One way to open what a test writes, and the data that break readers, where they are at hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import readers
from pipeline.errors import DataError
from pipeline.readers import Source

SHARED = Path(__file__).parents[3] / "shared" / "data"
Open = Callable[..., Source]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Open a file of that name and content; `scratch` lies beside it."""

    def opened(name: str, content: bytes | str, header: bool | None = None) -> Source:
        path = written(tmp_path / "given" / name, content)
        return readers.open_source(path, scratch=tmp_path / "scratch", header=header)

    return opened


@pytest.fixture
def refused(opened: Open) -> Callable[..., str]:
    """The one line with which a file of that name and content is refused."""

    def refused(name: str, content: bytes | str) -> str:
        with pytest.raises(DataError) as raised:
            opened(name, content)
        assert raised.value.exit_code == 2
        assert "\n" not in str(raised.value)
        return str(raised.value)

    return refused


def written(path: Path, content: bytes | str) -> Path:
    """The file, with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def shared(name: str) -> Path:
    """A folder of real data, or the test is skipped."""
    if not (SHARED / name).exists():
        pytest.skip(f"{SHARED / name} is absent")
    return SHARED / name


def rows(source: Source) -> list[list[object]]:
    """The names, then the rows."""
    frame = source.frame.collect()
    return [list(frame.columns), *map(list, frame.rows())]
