"""One SQL query → a lazy table. Nothing is ever written: connections are opened to read, and SELECT alone is let in."""

import importlib
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from pipeline.errors import DataError
from pipeline.readers.binary import flat
from pipeline.readers.source import Source
from pipeline.readers.spool import BATCH_ROWS, Batch, spool

READS = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
URLS = "use sqlite:///file.db, duckdb:///file.duckdb or postgresql://user@host/name"
FILES = ("sqlite", "duckdb")  # databases that are a file
TELLING = 3  # letters of a password by which it could be told
INSTALL = "install it: pip install 'keepfit[sql]'"
WRITING = {"load_extension", "writefile", "edit", "fts3_tokenizer"}  # functions of SQLite that reach outside


def open_sql(url: str, query: str, *, scratch: Path) -> Source:
    """Run one SELECT on the database at `url`: sqlite:///file, duckdb:///file or postgresql://user@host/name.

    The path of a database file is as good as its URL.
    """
    url = _address(url)
    try:
        scheme = urlsplit(url).scheme.split("+")[0]
    except ValueError as error:
        raise DataError(f"is no address of a database ({error})", where="--sql", fix=URLS) from error
    run = {"sqlite": _sqlite, "duckdb": _duckdb, "postgresql": _postgres, "postgres": _postgres}.get(scheme)
    if run is None:
        path = re.sub(r"(?i)\b(password)\s*=.*", r"\g<1>=***", url)
        what = f"`{scheme}` is no database that is read here" if scheme else f"{path} is no file that is there"
        raise DataError(what, where="--sql", fix=URLS)
    scratch.mkdir(parents=True, exist_ok=True)
    frame = spool(run(url, query), Path(tempfile.mkdtemp(prefix="sql-", dir=scratch)))
    if not frame.collect_schema():
        raise DataError("gave no columns", where=shown(url), fix="write one SELECT")
    return flat(shown(url), frame, f"{scheme} query")


def is_database(path: str) -> bool:
    """Whether this is the URL of a database, or the path of a database file."""
    return re.match(r"(sqlite|duckdb|postgres(ql)?)(\+\w+)?://", path) is not None or _kind(path) is not None


def _address(path: str) -> str:
    """The URL of a database file; what is none as it is."""
    if "://" in path or not Path(path).is_file():
        return path
    kind = _kind(path)
    if kind is None:
        raise DataError("is no database that is read here", where=path, fix="leave --sql out, or name a database")
    return f"{kind}:///{quote(path)}"


def _kind(path: str) -> str | None:
    """Which database the file is, by its first bytes."""
    if not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        start = file.read(16)
    return "sqlite" if start == b"SQLite format 3\0" else "duckdb" if start[8:12] == b"DUCK" else None


def shown(url: str) -> str:
    """The address without password, user, port and parameters, even where the password is not quoted as it must be.

    >>> shown("postgresql+psycopg://me:s3/cr@t@host:5432/db?sslmode=require")
    'postgresql://host/db'
    """
    scheme, _, rest = url.partition("://")
    scheme, plain = scheme.split("+")[0], re.sub(r"\?\w+=.*", "", rest, flags=re.DOTALL)
    if scheme in FILES:
        return f"{scheme}://{plain}"
    if "@" in rest and "@" not in plain:  # what looks like a parameter may be a part of the password
        return f"{scheme}://"
    place = re.split(r"[?#]", plain.rpartition("@")[2])[0]
    return f"{scheme}://" + re.sub(r"^([^/:]*):[^/]*", r"\1", place)


def _secrets(url: str) -> set[str]:
    """What a message may not repeat: the address, the passwords in it, and the parts that one not quoted falls into."""
    _, _, rest = url.partition("://")
    passwords = [rest.rpartition("@")[0].partition(":")[2], *re.findall(r"(?i)\bpassword=([^&]*)", rest)]
    parts = (part for password in passwords for part in re.split(r"[@/?#:]", password) if len(part) >= TELLING)
    found = {url, *passwords, *parts}
    return {*found, *map(unquote, found)} - {""}


def _sqlite(url: str, query: str) -> Iterator[Batch]:
    path = _file(url)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("PRAGMA query_only = ON")
            database.set_authorizer(_only_reads)
            yield from _fetched(database.execute(query))
    except sqlite3.Error as error:
        raise _failed(url, error) from error


def _only_reads(action: int, first: str | None, second: str | None, *_: object) -> int:
    outside = action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in WRITING
    return sqlite3.SQLITE_OK if action in READS and not outside else sqlite3.SQLITE_DENY


def _duckdb(url: str, query: str) -> Iterator[Batch]:
    duckdb = _library("duckdb", url)
    in_memory = not urlsplit(url).path.strip("/") or url.endswith(":memory:")
    path = ":memory:" if in_memory else str(_file(url))
    try:
        with closing(duckdb.connect(path, read_only=not in_memory)) as database:
            statements = database.extract_statements(query)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise DataError("is not one SELECT", where=f"{shown(url)}: query", fix="only reading is allowed")
            yield from _fetched(database.execute(query))
    except duckdb.Error as error:
        raise _failed(url, error) from error


def _postgres(url: str, query: str) -> Iterator[Batch]:
    alchemy = _library("sqlalchemy", url)
    try:
        engine = alchemy.create_engine(_with_driver(url), poolclass=alchemy.pool.NullPool)
        if engine.dialect.is_async:
            fix = "leave the driver out of the address: postgresql://user@host/name"
            raise DataError(f"names {engine.dialect.driver}, a driver that is not used here", where=shown(url), fix=fix)
        with closing(engine.connect()) as opened:
            _keep_far_moments(opened.connection.driver_connection)
            reading = opened.execution_options(postgresql_readonly=True, stream_results=True, no_parameters=True)
            result = reading.exec_driver_sql(query)
            yield from _batches(list(result.keys()), result.fetchmany)
    except ImportError as error:
        name = (error.name or "psycopg").replace("psycopg2", "psycopg")
        raise DataError(f"needs the package {name}", where=shown(url), fix=INSTALL) from error
    except (alchemy.exc.SQLAlchemyError, ValueError) as error:  # a port that is no number
        raise _failed(url, getattr(error, "orig", None) or error) from error


def _keep_far_moments(connection: Any) -> None:
    """Have psycopg give as text what Python has no date for: infinity, and years before 1 or after 9999.

    It would end the whole query otherwise. A column with such a cell is text then, and what is inferred from it is a
    moment with cells that do not parse.
    """
    if not hasattr(connection, "adapters"):  # another driver
        return
    psycopg = _library("psycopg", "")

    class Lenient:
        """Loads a date or timestamp, else its text; psycopg asks for no more of a loader than this."""

        format = psycopg.pq.Format.TEXT

        def __init__(self, oid: int, context: Any = None) -> None:
            self._known = known[oid](oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self._known.load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    oids = [connection.adapters.types[name].oid for name in ("date", "timestamp", "timestamptz")]
    known = {oid: connection.adapters.get_loader(oid, Lenient.format) for oid in oids}
    for oid in oids:
        connection.adapters.register_loader(oid, Lenient)


def _with_driver(url: str) -> str:
    """SQLAlchemy asks for psycopg2 where no driver is named; psycopg is its successor."""
    scheme, rest = url.split("://", 1)
    if "+" in scheme:
        return url
    newer = importlib.util.find_spec("psycopg") is not None
    return f"postgresql{'+psycopg' if newer else ''}://{rest}"


def _fetched(cursor: Any) -> Iterator[Batch]:
    return _batches([column[0] for column in cursor.description or ()], cursor.fetchmany)


def _batches(given: list[str], fetch: Callable[[int], list[Any]]) -> Iterator[Batch]:
    """Some thousands of rows a time; one batch at least, for its columns."""
    names = _unique(given)
    while True:
        rows = fetch(BATCH_ROWS)
        columns = zip(*rows, strict=True) if rows else ((),) * len(names)
        yield {name: list(values) for name, values in zip(names, columns, strict=True)}
        if len(rows) < BATCH_ROWS:
            return


def _unique(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        number, free = 2, name
        while free in found:
            number, free = number + 1, f"{name}_{number}"
        found.append(free)
    return found


def _file(url: str) -> Path:
    """The database's file: sqlite:///relative, sqlite:////absolute."""
    path = Path(unquote(urlsplit(url).path.removeprefix("/")))
    if not path.is_file():
        raise DataError("is absent", where=str(path), fix="name a database that is there: sqlite:///file.db")
    return path


def _library(name: str, url: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(f"needs the package {name}", where=shown(url), fix=INSTALL) from error


def _failed(url: str, error: BaseException) -> DataError:
    """One line, without what the address keeps secret."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    for secret in sorted(_secrets(url), key=len, reverse=True):
        reason = reason.replace(secret, "***")
    fix = "check the address and the query, one SELECT"
    return DataError(f"cannot be asked ({reason:.200})", where=shown(url), fix=fix)
