"""What a table names goes where the table goes, and nothing else does."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from pipeline import contract
from pipeline.commands import init
from pipeline.errors import DataError
from pipeline.incoming.arrival import bring, readable
from pipeline.stages import ingest
from pipeline.stages.ingest import IngestSettings
from pipeline.workspace import Workspace


def files(folder: Path, **contents: str) -> None:
    for name, content in contents.items():
        place = folder / name.replace("__", "/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


def there(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_named_files_are_brought_in_their_folders_and_others_stay(tmp_path: Path) -> None:
    files(tmp_path / "from", a="1", deep__b="2", other="3")
    rows = pl.LazyFrame({"one": ["a", None, "a"], "two": ["deep/b", "a", "absent"], "words": ["other"] * 3})

    bring(rows, ["one", "two"], tmp_path / "from", tmp_path / "to")

    assert there(tmp_path / "to") == {"a": "1", "deep/b": "2"}


def test_a_path_that_leads_out_of_the_folder_brings_nothing(tmp_path: Path) -> None:
    files(tmp_path, secret="1")
    files(tmp_path / "from", a="1")
    (tmp_path / "deep").mkdir()
    rows = pl.LazyFrame({"p": ["../secret", str(tmp_path / "secret"), "x/../../secret"]})

    bring(rows, ["p"], tmp_path / "from", tmp_path / "deep" / "to")

    assert there(tmp_path / "deep") == {}
    assert there(tmp_path) == {"secret": "1", "from/a": "1"}


def test_the_same_file_may_be_there_and_another_may_not(tmp_path: Path) -> None:
    files(tmp_path / "from", a="1", b="2")
    files(tmp_path / "to", a="1", b="3")

    bring(pl.LazyFrame({"p": ["a"]}), ["p"], tmp_path / "from", tmp_path / "to")
    with pytest.raises(DataError, match="b: is there already, with another content"):
        bring(pl.LazyFrame({"p": ["a", "b"]}), ["p"], tmp_path / "from", tmp_path / "to")

    assert there(tmp_path / "to") == {"a": "1", "b": "3"}


@pytest.fixture
def odd(tmp_path: Path) -> Workspace:
    """A workspace of a file that ingest cannot read as it is."""
    path = tmp_path / "shop.csv"
    path.write_text(dialect(range(200)), encoding="utf-16")
    return init.initialise(tmp_path / "new", path, roles={"sold": "label"})


def dialect(numbers: Iterable[int]) -> str:
    return "length;town;sold\n" + "".join(f"{i},5;{'Köln' if i % 3 else 'Ulm'};{i % 2}\n" for i in numbers)


def test_a_batch_may_come_as_the_first_data_did(odd: Workspace) -> None:
    batch = odd.incoming / "june.csv"
    batch.write_text(dialect(range(300, 310)), encoding="utf-16")
    content = batch.read_bytes()

    written = readable(odd, batch)

    rows = ingest.read(written, written.name, odd.section(IngestSettings), contract.load(odd.contract_file)).typed
    assert rows["length"].to_list() == [i + 0.5 for i in range(300, 310)]
    assert [path.name for path in odd.incoming.iterdir()] == [written.name]
    assert (odd.original / "june.csv").read_bytes() == content


def test_a_batch_from_elsewhere_stays_there_and_a_plain_one_is_itself(odd: Workspace, tmp_path: Path) -> None:
    away = tmp_path / "june.csv"
    away.write_text(dialect(range(10)), encoding="cp1252")
    plain = odd.incoming / "july.csv"
    plain.write_text("length,town,sold\n1.5,Ulm,0\n")

    assert readable(odd, away).parent == odd.incoming
    assert away.is_file()
    assert readable(odd, plain) == plain


def test_where_all_came_plain_an_odd_batch_is_left_to_be_told(tiny: Workspace) -> None:
    batch = tiny.incoming / "june.csv"
    batch.parent.mkdir(parents=True, exist_ok=True)
    batch.write_text(dialect(range(10)), encoding="utf-16")

    assert readable(tiny, batch) == batch
