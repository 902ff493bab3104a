"""Packed files: what the first bytes say, and the same bytes unpacked, block by block."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.errors import DataError
from pipeline.readers.source import File

BLOCK = 1 << 20
PACKED = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz"}
PACKED_SUFFIXES = {".gz": "gzip", ".zst": "zstd", ".bz2": "bzip2", ".xz": "xz"}
ZIP = b"PK\x03\x04"
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)
TAR_MAGIC = slice(257, 262)


def suffix(path: Path) -> str:
    """What the name says the file is, without the suffix of a packer: `.csv` for `T.CSV.gz`."""
    last = path.suffix.lower()
    return Path(path.stem).suffix.lower() if last in PACKED_SUFFIXES else last


def require_file(path: Path) -> None:
    """Raise DataError unless `path` is a regular file that holds something; a pipe is not opened: it would wait."""
    if not path.exists():
        raise DataError("is absent", where=str(path), fix="name a file that is there")
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no regular file (a pipe, socket or device)"
        raise DataError(f"is {what}", where=path.name or str(path), fix="name a file; save a stream to one first")
    if path.stat().st_size == 0:
        raise DataError("is empty", where=path.name, fix="replace it by a file with a header and rows")


def packing(path: Path) -> str | None:
    """How the file is packed: by its first bytes, or by its name, for a packed file cut or altered at the start."""
    with path.open("rb") as file:
        start = file.read(8)
    found = next((name for magic, name in PACKED.items() if start.startswith(magic)), None)
    return found or PACKED_SUFFIXES.get(path.suffix.lower())


def blocks(path: Path) -> Iterator[bytes]:
    """The bytes of the file, unpacked while they are read; raises DataError where they are cut or altered."""
    packed = packing(path)
    try:
        yield from _zstd(path) if packed == "zstd" else _opened(path, packed)
    except DAMAGE as error:
        if packed is None:
            raise
        raise DataError(
            f"is a damaged {packed} file ({error})", where=path.name, fix="fetch it again: it was cut or altered"
        ) from error


def require_whole(path: Path) -> None:
    """A cut file may parse as fewer rows: read it to its checksum, block by block, before anything else."""
    if packing(path):
        for _ in blocks(path):
            pass


def unpacked(file: File) -> tuple[File, str | None]:
    """The file as it is, or unpacked into its scratch, and how it was packed; a zip of one file is that file."""
    with file.path.open("rb") as stream:
        zipped = stream.read(4) == ZIP
    if zipped:
        return replace(file, plain=_member(file)), "zip"
    packed = packing(file.path)
    if packed is None:
        return file, None
    target = file.fresh(suffix(file.path))
    with target.open("wb") as out:
        out.writelines(blocks(file.path))
    if target.stat().st_size == 0:
        raise DataError("is empty once unpacked", where=file.path.name, fix="replace it by a file with rows")
    _refuse_tar(target, file.path.name)
    return replace(file, plain=target), packed


def _opened(path: Path, packed: str | None) -> Iterator[bytes]:
    with _stream(path, packed) as stream:
        yield from iter(partial(stream.read, BLOCK), b"")


def _stream(path: Path, packed: str | None) -> BinaryIO:
    if packed == "gzip":
        return cast(BinaryIO, gzip.open(path))
    if packed == "bzip2":
        return cast(BinaryIO, bz2.open(path))
    return cast(BinaryIO, lzma.open(path)) if packed == "xz" else path.open("rb")


def _zstd(path: Path) -> Iterator[bytes]:
    """Frame by frame: zstandard's own stream says nothing of a last frame that is cut."""
    import zstandard

    unpack = zstandard.ZstdDecompressor().decompressobj()
    whole = True
    try:
        for block in _opened(path, None):
            rest = block
            while rest:
                yield unpack.decompress(rest)
                rest, whole = unpack.unused_data, unpack.eof
                if whole:
                    unpack = zstandard.ZstdDecompressor().decompressobj()
    except zstandard.ZstdError as error:
        raise OSError(str(error)) from error
    if not whole:
        raise EOFError("it ends inside a frame")


def _member(file: File) -> Path:
    """The one file of a zip, unpacked; raises DataError where it holds more."""
    try:
        with zipfile.ZipFile(file.path) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir() and "__MACOSX/" not in i.filename]
            if len(names) != 1:
                raise DataError(
                    f"is a zip of {len(names)} files",
                    where=file.path.name,
                    fix="unpack it, and name the file, or the folder for all of them",
                )
            target = file.fresh(Path(names[0]).suffix.lower())
            with archive.open(names[0]) as stream, target.open("wb") as out:
                out.writelines(iter(partial(stream.read, BLOCK), b""))
    except DAMAGE as error:
        raise DataError(
            f"is a damaged or locked zip file ({error})", where=file.path.name, fix="unpack it first"
        ) from error
    return target


def _refuse_tar(target: Path, name: str) -> None:
    with target.open("rb") as file:
        if file.read(512)[TAR_MAGIC] == b"ustar":
            raise DataError("is a tar archive", where=name, fix="unpack it, and name the file or the folder")
