"""Which encoding a text is in, and the same text as UTF-8, block by block.

A byte order mark decides; then whether every byte is UTF-8; then, where some are not, whether the text is UTF-8
that was damaged (more of its characters are whole than broken) or in an encoding of one language.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipeline.readers.packing import BLOCK
from pipeline.readers.source import BadBytes

MARKS = {  # the longer first: UTF-32's begins with UTF-16's
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
WHOLE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
HIGH = re.compile(rb"[\x80-\xff]+")
NO_TEXT = re.compile(rb"[\x81\x8d\x8f\x90\x9d\xff]")  # undefined in cp1252; and 0xff, which fills, and is no letter
SIGNS = re.compile("[€£¥§°©®«»¿¡±²³µ¼½¾…•™\u00a0\u2013\u2014\u2018\u2019\u201c\u201d]")  # and dashes and quotes
# a letter alone, a capital behind a small letter, or another sign
ODD = re.compile(
    r"(?<![^\W\d_])[\u00c0-\u00ff](?![^\W\d_])|(?<=[a-z])[\u00c0-\u00de]|[^\x00-\x7f\u00c0-\u00ffŠšŽžŒœŸ]|[\u00d7\u00f7]"
)
LEGACY = ("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "koi8_r", "cp932", "euc_jp", "gb18030", "big5", "cp949")
OTHER_LETTERS = {"cp1251", "cp1253", "koi8_r"}
MIXED = re.compile(r"[A-Za-z][\u0370-\u04ff]|[\u0370-\u04ff][A-Za-z]")  # Latin letters beside Greek or Cyrillic ones
WORD = re.compile(r"[^\W\d_]*[\u0370-\u04ff][^\W\d_]*")
LATIN = {"cp1250", "cp1252", "cp1254"}  # so near to each other that only the words of a language tell them apart
SAMPLE_BYTES = 1 << 16
JUDGED_BLOCKS = 16  # with bytes that are no UTF-8: enough to judge which they are
FEW = 8  # bytes outside ASCII, too few to tell encodings apart
COHERENT = 0.1
TOLD = 1000  # lines with bad bytes that are told one by one


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The name that Python's codecs know, the length of the mark before the text, and why; `clean`: all is valid."""

    name: str
    why: str
    mark: int = 0
    clean: bool = True


def encoding(path: Path) -> Encoding:
    """Find the encoding of a plain text file; reads all of it, at the speed of the disk where it is ASCII."""
    with path.open("rb") as file:
        start = file.read(BLOCK)
    marked = next((mark for mark in MARKS if start.startswith(mark)), None)
    if marked and marked != codecs.BOM_UTF8:
        return Encoding(name=MARKS[marked], why="its byte order mark says so", mark=len(marked), clean=False)
    if wide := _wide(start):
        return Encoding(name=wide, why="every other byte at its start is zero, and it has no mark", clean=False)
    mark = len(marked or b"")
    broken = _broken(path)
    if not broken:
        return Encoding(
            name="utf-8", why="every byte is valid" + ", and it has a byte order mark" * bool(mark), mark=mark
        )
    text = b"".join(broken)
    whole, damaged = len(WHOLE.findall(text)), sum(map(len, HIGH.findall(WHOLE.sub(b"", text))))
    if mark or whole >= damaged:
        why = f"it has {'its byte order mark' if mark else 'more whole characters than broken ones'}, and bad bytes"
        return Encoding(name="utf-8", why=why, mark=mark, clean=False)
    if name := _legacy(text):
        why = f"{damaged:,} byte{'s are' if damaged > 1 else ' is'} no UTF-8, and read as {name} words"
        return Encoding(name=name, why=why, clean=False)
    why = "it has bytes that are no UTF-8, and no words in another encoding either"
    return Encoding(name="utf-8", why=why, clean=False)


def first_bad(parts: Iterable[bytes]) -> tuple[int, str] | None:
    """The offset of the first byte that is no UTF-8, and what is wrong with it; `parts` may be cut anywhere."""
    decoder, offset = _decoder(), 0
    for part in chain(parts, [b""]):
        held = len(decoder.getstate()[0])  # bytes of a character that the last part cut
        try:
            if held or not part.isascii() or not part:
                decoder.decode(part, final=not part)
        except UnicodeDecodeError as error:
            return offset - held + error.start, error.reason
        offset += len(part)
    return None


def text_of(path: Path) -> Iterator[str]:
    """The text of a file that is UTF-8, in blocks that are cut between any two characters."""
    decoder = _decoder()
    yield from filter(None, (decoder.decode(part) for part in blocks_of(path)))


def blocks_of(path: Path, size: int = BLOCK) -> Iterator[bytes]:
    """The bytes of a plain file in blocks, as long as its lines may be."""
    with path.open("rb") as file:
        yield from iter(lambda: file.read(size), b"")


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")()


def transcode(path: Path, found: Encoding, target: Path) -> list[BadBytes]:
    """Write the text as UTF-8 without a mark; what will not decode becomes U+FFFD and is told, once a line.

    Beyond `TOLD` lines only their number is.
    """
    end = "\n".encode(found.name)
    bad: list[BadBytes] = []
    line, offset, last, more = 1, 0, 0, 0
    with target.open("wb") as out:
        for part in lines_of(path, end):
            text, broken = _decoded(part, found.name)
            for start, stop in broken:
                at = line + part[:start].count(end)
                if at == last:
                    continue
                last, more = at, more + (len(bad) == TOLD)
                if not more:
                    what = f"{part[start:stop].hex(' ')} (hexadecimal) is no {found.name}"
                    bad.append(BadBytes(line=at, byte=offset + start + 1, what=what))
            out.write((text.removeprefix("\ufeff") if offset == 0 else text).encode("utf-8", "replace"))
            line += text.count("\n")
            offset += len(part)
    return [*bad, BadBytes(line=last, byte=offset, what=f"the last of {more:,} more such lines")] if more else bad


def lines_of(path: Path, end: bytes = b"\n", size: int = BLOCK) -> Iterator[bytes]:
    """The bytes in blocks of whole lines; `end` is the line's end, and a block holds at least one line."""
    yield from whole_lines(blocks_of(path, size), end)


def whole_lines(parts: Iterable[bytes], end: bytes = b"\n") -> Iterator[bytes]:
    """The same bytes, cut behind a line's end; a line may be longer than a part.

    Where a part has no such end, it is cut behind a carriage return: some files know no other.
    """
    held: list[bytes] = []
    for part in parts:
        cut = _last(part, end) or _last(part, end.replace(b"\n", b"\r"))
        if cut:
            yield b"".join([*held, part[:cut]])
            held = [part[cut:]] if cut < len(part) else []
        else:
            held.append(part)
    if held:
        yield b"".join(held)


def _last(part: bytes, end: bytes) -> int:
    """Where the last line of `part` ends; parts start at a multiple of the unit, so ends stand at one too."""
    at = part.rfind(end)
    while at > 0 and at % len(end):
        at = part.rfind(end, 0, at + len(end) - 1)
    return at + len(end) if at >= 0 else 0


def _wide(start: bytes) -> str | None:
    """UTF-16 without a mark: text of mostly ASCII has a zero as every second byte, and no other zeros."""
    even, odd = start[0:4096:2], start[1:4096:2]
    zeros = even.count(0), odd.count(0)
    if len(odd) >= 2 and zeros[0] == 0 and zeros[1] > 0.7 * len(odd):
        return "utf-16-le"
    return "utf-16-be" if len(odd) >= 2 and zeros[1] == 0 and zeros[0] > 0.7 * len(even) else None


def _broken(path: Path) -> list[bytes]:
    """Lines with bytes outside ASCII, from the first blocks that are not UTF-8 throughout."""
    found: list[bytes] = []
    if first_bad(blocks_of(path)) is None:  # lines may be as long as the file
        return found
    for part in lines_of(path):
        if part.isascii():
            continue
        try:
            part.decode("utf-8")
        except UnicodeDecodeError:
            found.append(b"\n".join(line for line in part.splitlines() if not line.isascii()))
            if len(found) == JUDGED_BLOCKS:
                break
    return found


def _legacy(text: bytes) -> str | None:
    """The encoding by its words; where these do not tell, the usual one, if the text can be in it."""
    import charset_normalizer

    if sum(map(len, HIGH.findall(text))) < FEW:
        return "cp1252" if _western(text) else None
    sample = text[:SAMPLE_BYTES]
    if len(text) > SAMPLE_BYTES:  # not half a character at its end
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(LEGACY))
    best = matches.best()
    western = max((match.coherence for match in matches if match.encoding == "cp1252"), default=0.0)
    near = best and best.encoding in LATIN and best.coherence <= max(COHERENT, western + 0.05)
    if best and not near and not _is_western_as(sample, best.encoding):
        return best.encoding
    return None if NO_TEXT.search(text) else "cp1252"


def _is_western_as(text: bytes, name: str) -> bool:
    """Whether the text is no less western for what was found: letters of two alphabets in most words, or alike."""
    if name in OTHER_LETTERS:
        words = WORD.findall(text.decode(name, "replace"))
        return 2 * sum(MIXED.search(word) is not None for word in words) > len(words)
    return name in LATIN and text.decode(name, "replace") == text.decode("cp1252", "replace")


def _western(text: bytes) -> bool:
    """Whether a few bytes are letters of western words, or signs that stand in western text; not just any bytes."""
    if NO_TEXT.search(text):
        return False
    return ODD.search(SIGNS.sub(" ", text.decode("cp1252"))) is None


def _decoded(part: bytes, name: str) -> tuple[str, list[tuple[int, int]]]:
    """The text, with U+FFFD for each stretch of bytes that will not decode, and where these stand."""
    broken: list[tuple[int, int]] = []

    def note(error: UnicodeError) -> tuple[str, int]:
        assert isinstance(error, UnicodeDecodeError)
        broken.append((error.start, error.end))
        return "\ufffd", error.end

    codecs.register_error("keepfit-note", note)  # for this call: the next one puts its own in its place
    return part.decode(name, "keepfit-note"), broken
