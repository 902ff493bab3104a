"""The files that a column of paths names: each is read once, by a few threads, and a few numbers of it are kept.

A file comes from anywhere: it may be absent, damaged, huge, or made to do harm. So its size is looked at before it is
read, and what is wrong with it is a fault in its row, not an exception.
"""

import hashlib
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from polars.selectors import by_name

from pipeline.contract import ROW_ID

Measures = dict[str, Any]
Measure = Callable[[bytes, str], Measures]

MAXIMUM_BYTES = 1 << 29
CHUNK = 1024
WORKERS = min(4, os.cpu_count() or 1)  # each may hold one unpacked file
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")  # \x1b starts a terminal's colours
CONTROL_SHARE = 0.01

FILE_SCHEMA = pl.Schema(
    {"path": pl.String, "fault": pl.String, "refused": pl.Boolean, "bytes": pl.Int64, "digest": pl.Binary}
)


def measured(rows: pl.LazyFrame, column: str, base: Path, measure: Measure, schema: pl.Schema) -> pl.DataFrame:
    """One row = one row of `rows` that names a file, in their order: row_id, `FILE_SCHEMA`, and what `measure` says.

    A file is measured once, however many rows name it. `fault` says why it cannot be used, `refused` whether that is
    by our own limits; then the measures are null. `digest` tells files of equal bytes.
    """
    named = rows.select(ROW_ID, by_name(column).alias("path")).drop_nulls("path").collect(engine="streaming")
    paths = named["path"].unique(maintain_order=True).to_list()
    chunks = (paths[start : start + CHUNK] for start in range(0, len(paths), CHUNK))
    with ThreadPoolExecutor(WORKERS) as pool:
        seen = partial(look, base=base, measure=measure)
        parts = [pl.DataFrame(list(pool.map(seen, chunk)), schema=schema) for chunk in chunks]
    every = pl.concat([pl.DataFrame(schema=schema), *parts])
    return named.join(every, on="path", how="left", maintain_order="left")


def faulty(fault: str, *, refused: bool = False) -> Measures:
    """What is said of a file that cannot be used."""
    return {"fault": fault, "refused": refused}


def texts(rows: pl.LazyFrame, column: str, base: Path) -> pl.DataFrame:
    """The text files of `column`, as `measured`, without further measures."""
    return measured(rows, column, base, text_fault, FILE_SCHEMA)


def look(path: str, *, base: Path, measure: Measure) -> Measures:
    """`path`, `bytes` and `digest` of one file, and what `measure` says of its content; or its `fault`."""
    place = base / path
    try:
        if not place.is_file():  # a pipe or a device would never end
            return {"path": path, **faulty("is absent")}
        if place.stat().st_size > MAXIMUM_BYTES:
            return {"path": path, **faulty(f"is larger than {MAXIMUM_BYTES >> 20} MiB", refused=True)}
        content = place.read_bytes()
    except (OSError, ValueError):  # a name with a null byte is a ValueError
        return {"path": path, **faulty("cannot be opened")}
    if not content:
        return {"path": path, **faulty("is empty")}
    digest = hashlib.blake2b(content, digest_size=16).digest()
    found = {"fault": None, "refused": False, **measure(content, path)}
    return {"path": path, "bytes": len(content), "digest": digest, **found}


def decoded(content: bytes) -> str:
    """The text of a file in UTF-8 or UTF-16; raises UnicodeDecodeError for another encoding."""
    return content.decode("utf-16" if content.startswith(UTF_16) else "utf-8-sig")


def text_fault(content: bytes, path: str) -> Measures:
    """A fault, where a person could not read the file.

    >>> text_fault(b"two words", "a.txt"), text_fault(b"two\\x00words", "a.txt")
    ({}, {'fault': 'is binary', 'refused': False})
    """
    try:
        text = decoded(content)
    except UnicodeDecodeError as error:
        if b"\x00" in content:
            return faulty("is binary")
        return faulty("is cut inside a character" if error.reason == "unexpected end of data" else "is not UTF-8")
    if "\x00" in text:
        return faulty("is binary")
    if not text.strip():
        return faulty("holds only white space")
    broken = len(CONTROL.findall(text)) / len(text)
    return faulty(f"has {broken:.0%} control or replacement characters") if broken > CONTROL_SHARE else {}
