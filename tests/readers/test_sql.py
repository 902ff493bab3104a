"""A query is read in batches, writes nothing and keeps the password to itself."""

import os
import sqlite3
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from pipeline import readers
from pipeline.errors import DataError
from pipeline.readers.spool import Batch, spool
from pipeline.readers.sql import _failed

from .conftest import rows


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "a [1].db"
    with sqlite3.connect(path) as opened:
        opened.execute("CREATE TABLE t (i INTEGER, f REAL, s TEXT, mixed, b BLOB)")
        opened.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?)", [(1, 1.5, "é", 1, b"\x00"), (None, None, None, "x", None)]
        )
    opened.close()
    return path


def asked(path: Path, query: str) -> readers.Source:
    return readers.open_sql(f"sqlite:///{path}", query, scratch=path.parent / "scratch")


def test_a_query_is_a_table(database: Path) -> None:
    source = asked(database, "WITH x AS (SELECT * FROM t) SELECT *, i, upper(s) AS up FROM x")

    assert rows(source) == [
        ["i", "f", "s", "mixed", "b", "i_2", "up"],
        [1, 1.5, "é", "1", b"\x00", 1, "é"],
        [None, None, None, "x", None, None, None],
    ]


def test_a_query_without_rows_has_its_columns(database: Path) -> None:
    assert rows(asked(database, "SELECT i, s FROM t WHERE 0")) == [["i", "s"]]


def test_many_rows_come_in_batches(database: Path) -> None:
    query = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 100000) SELECT x FROM c"

    frame = asked(database, query).frame

    assert frame.select(pl.len(), pl.col("x").sum().alias("sum")).collect().rows() == [(100_000, 5_000_050_000)]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM t",
        "INSERT INTO t (i) VALUES (3)",
        "DROP TABLE t",
        "ATTACH 'other.db' AS other",
        "PRAGMA query_only = OFF",
        "VACUUM INTO 'copy.db'",
        "SELECT 1; DELETE FROM t",
        "SELECT load_extension('x')",
        "BEGIN",
        "not sql",
        "",
    ],
)
def test_nothing_is_written(database: Path, query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(database.parent)
    before = database.read_bytes()

    with pytest.raises(DataError) as raised:
        asked(database, query)

    assert "\n" not in str(raised.value)
    assert database.read_bytes() == before
    assert not (database.parent / "other.db").exists()
    assert not (database.parent / "copy.db").exists()


def test_the_file_of_a_database_is_as_good_as_its_url(database: Path) -> None:
    by_file = readers.open_sql(str(database), "SELECT i, s FROM t", scratch=database.parent / "scratch")

    assert rows(by_file) == rows(asked(database, "SELECT i, s FROM t"))
    assert by_file.dialect == {"format": "sqlite query"}
    assert readers.is_database(str(database)) and readers.is_database("postgresql+psycopg://me@host/db")


def test_a_file_that_is_no_database_is_not_asked(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")

    assert not readers.is_database(str(tmp_path / "a.csv"))
    with pytest.raises(DataError, match=r"a\.csv: is no database that is read here; leave --sql out"):
        readers.open_sql(str(tmp_path / "a.csv"), "SELECT 1", scratch=tmp_path / "scratch")


def test_duckdb_is_asked_and_not_written(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "a.duckdb"
    with duckdb.connect(str(path)) as opened:
        opened.execute("CREATE TABLE t AS SELECT range AS i, CAST(range AS DECIMAL(9, 2)) AS d FROM range(3)")
    url = f"duckdb:///{path}"

    source = readers.open_sql(url, "SELECT i, d FROM t", scratch=tmp_path / "scratch")

    assert [[int(i), float(d)] for i, d in source.frame.collect().rows()] == [[0, 0.0], [1, 1.0], [2, 2.0]]
    by_file = readers.open_sql(str(path), "SELECT i, d FROM t", scratch=tmp_path / "scratch")
    assert rows(by_file) == rows(source)
    for query in ("DELETE FROM t", f"COPY t TO '{tmp_path / 'out.csv'}'", "SELECT 1; SELECT 2", "nothing"):
        with pytest.raises(DataError, match=r"a.duckdb"):
            readers.open_sql(url, query, scratch=tmp_path / "scratch")
    assert not (tmp_path / "out.csv").exists()


def test_a_driver_that_is_absent_is_told_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(DataError, match=r"needs the package psycopg; install it: pip install 'keepfit\[sql\]'"):
        readers.open_sql("postgresql://me:s3cret@127.0.0.1:1/db", "SELECT 1", scratch=tmp_path)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///absent.db", "absent.db: is absent; name a database"),
        ("mysql://me:s3cret@host/db", "--sql: `mysql` is no database that is read here"),
        ("file.db", "--sql: file.db is no file that is there; use sqlite:///file.db"),
        ("sqlite://[", "--sql: is no address of a database (Invalid IPv6 URL)"),
        ("postgresql://me:s3cret@host:port/db", "postgresql://host/db: cannot be asked ("),
        ("postgresql://me:s3cret@127.0.0.1:1/db", "postgresql://127.0.0.1/db: "),
        ("postgresql+asyncpg://me:s3cret@127.0.0.1:1/db", "postgresql://127.0.0.1/db: names asyncpg, a driver that is"),
        ("host=127.0.0.1 password=s3cret", "--sql: host=127.0.0.1 password=*** is no file that is there"),
    ],
)
def test_a_database_that_cannot_be_asked_is_told_without_its_password(tmp_path: Path, url: str, told: str) -> None:
    with pytest.raises(DataError) as raised:
        readers.open_sql(url, "SELECT 1", scratch=tmp_path)

    assert str(raised.value).startswith(told)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    "password", ["s3cret", "s3#cret", "s3/cret", "s3@cret", "[s3cret", "s3?cret", "s3?c=ret", "s3 c:ret"]
)
@pytest.mark.parametrize("rest", ["host:5432/db", "host/db?sslmode=require"])
def test_of_an_address_no_part_of_a_password_is_shown(password: str, rest: str) -> None:
    told = readers.shown(f"postgresql+psycopg://me:{password}@{rest}")

    assert told in ("postgresql://host/db", "postgresql://")
    assert readers.shown(f"postgresql://host/db?user=me&password={password}") in (
        "postgresql://host/db",
        "postgresql://",
    )


@pytest.mark.parametrize(
    ("url", "said", "told"),
    [
        ("postgresql://me:s3@cret@host/db", "no host cret@host", "no host ***@host"),
        ("postgresql://me:s3%40cret@host/db", "s3@cret is wrong", "*** is wrong"),
        ("postgresql://host/db?password=s3%40cret", "s3@cret is wrong", "*** is wrong"),
    ],
)
def test_of_a_failure_no_part_of_a_password_is_told(url: str, said: str, told: str) -> None:
    assert str(_failed(url, ValueError(f"{said} in {url}"))).startswith(
        f"postgresql://host/db: cannot be asked ({told} in ***);"
    )


def test_lengths_of_time_are_seconds_as_in_a_file(tmp_path: Path) -> None:
    pytest.importorskip("duckdb")

    source = readers.open_sql("duckdb://", "SELECT INTERVAL 90 MINUTE AS long", scratch=tmp_path)

    assert rows(source) == [["long"], [5400.0]]
    assert source.dialect["durations"] == "long: as seconds"


@pytest.mark.parametrize("wild", ["NaN", "Infinity"])
def test_decimals_with_a_wild_one_among_them_are_numbers(tmp_path: Path, wild: str) -> None:
    batches: list[Batch] = [{"x": [Decimal("1.50"), None]}, {"x": [Decimal(wild), Decimal("2.25")]}]

    values = spool(batches, tmp_path / "parts").collect()["x"]

    assert values.dtype == pl.Float64
    assert values.cast(pl.String).to_list() == ["1.5", None, {"NaN": "NaN", "Infinity": "inf"}[wild], "2.25"]


@pytest.fixture
def postgres() -> str:
    """The URL of a server of one's own; the suite starts none."""
    pytest.importorskip("psycopg", reason="psycopg is not installed, so Postgres is not asked")
    url = os.environ.get("KEEPFIT_POSTGRES")
    if not url:
        pytest.skip("KEEPFIT_POSTGRES names no database, so Postgres is not asked")
    return url


def test_postgres_gives_its_types_and_what_python_has_no_date_for(postgres: str, tmp_path: Path) -> None:
    query = """
    SELECT 1.50::numeric AS n, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS at, gen_random_uuid() AS u, '{"a": [1]}'::jsonb j,
        ARRAY[1, NULL] AS a, true AS ok, '\\x00ff'::bytea AS raw, INTERVAL '1 hour' AS long, NULL::int AS none,
        DATE 'infinity' AS never, TIMESTAMP '0044-03-15 12:00:00 BC' AS past, 'NaN'::numeric AS wild"""

    (row,) = readers.open_sql(postgres, query, scratch=tmp_path).frame.collect().rows(named=True)

    assert row.pop("at").timestamp() == 1_704_067_200
    assert len(row.pop("u")) == 36
    assert str(row.pop("wild")) == "nan"
    assert row == {
        "n": Decimal("1.50"), "j": '{"a": [1]}', "a": "[1, null]", "ok": True, "raw": b"\x00\xff", "long": 3600.0,
        "none": None, "never": "infinity", "past": "0044-03-15 12:00:00 BC",
    }  # fmt: skip


@pytest.mark.parametrize(
    "query", ["SELECT * FROM nowhere", "SELEC 1", "DELETE FROM pg_class", "SELECT 1; SELECT 2", ""]
)
def test_postgres_tells_a_query_that_is_no_select_in_one_line(postgres: str, tmp_path: Path, query: str) -> None:
    with pytest.raises(
        DataError, match=r"^postgresql://.*: cannot be asked \(.*\); check the address and the query"
    ) as told:
        readers.open_sql(postgres, query, scratch=tmp_path)

    assert "\n" not in str(told.value)
