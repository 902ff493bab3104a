"""How a text table is written, from its first lines: delimiter, quote, header, comments, decimal sign; each with why.

The delimiter is the character that stands equally often, outside quotes, in each of the first lines.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pipeline.readers.lines import Grammar, bare_text

HEAD_BYTES = 1 << 18
HEAD_ROWS = 1000
DELIMITERS = "\t;|, "  # what fits alike is taken in this order: a comma may be a decimal sign, a space is in most text
BY_SUFFIX = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|"}
ALONE = "\x1f"  # the unit separator: no line of a one-column table has it
NAMES = {"\t": "tab", " ": "space", ALONE: "none"}
MOSTLY = 0.9
NUMBER = re.compile(r"[+-]?(\d[\d ,'_]*\.?\d*|\.\d+|\d+,\d+)([eE][+-]?\d+)?%?")
MOMENT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(:\d{2})?")
COMMA_NUMBER = re.compile(r"(?![+-]?\d{1,3}(,\d{3})+$)[+-]?\d+(\.\d{3})*,\d+")
POINT_NUMBER = re.compile(r"(?![+-]?\d{1,3}(\.\d{3})+$)[+-]?\d+(,\d{3})*\.\d+")
STATED = re.compile(r"sep=([\t !#$%&()*+,./:;<=>?@^_`{|}~-])\r?")  # no letter, digit, quote, backslash or bracket
MISSING = {"", "?", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "-"}

Rows = list[list[str]]


@dataclass(frozen=True, kw_only=True)
class Sniffed:
    """The grammar, the names (of `width` columns), whether the first row holds them, and the lines before it.

    skipped: lines (and the bytes of them) before the table; why: what a person is told of each
    """

    grammar: Grammar
    names: list[str]
    header: bool
    skipped: int = 0
    skipped_bytes: int = 0
    why: dict[str, str] = field(default_factory=dict)


def sniff(head: str, suffix: str, header: bool | None = None, quote: str | None = "?") -> Sniffed:
    """Find out how a table is written from its `head`, whole lines; `header` and `quote` are kept where given."""
    end = "\n" if "\n" in head or "\r" not in head else "\r"
    skipped, stated = _preamble(head, end)
    body = head[sum(len(line) + 1 for line in head.split(end)[:skipped]) :]
    separator, why = _delimiter(body, end, suffix, stated)
    grammar = Grammar(separator=separator, quote=_quote(body, separator, end) if quote == "?" else quote, end=end)
    rows = cells(body, grammar)
    first, header_why = (header, "as told") if header is not None else _header(rows)
    names, renamed = distinct_names(rows[0] if rows else [""], first)
    found = {
        "delimiter": f"{NAMES.get(separator, separator)} ({why})",
        "quote": f"{grammar.quote or 'none'}",
        "header": f"{'yes' if first else 'no'} ({header_why})",
        "decimal": _decimal(rows[1:]),
        "names": "; ".join(renamed),
        "line ends": "carriage returns" if end == "\r" else "",
        "skipped": f"{skipped} line{'s' * (skipped != 1)} before the table" if skipped else "",
    }
    lost = len(head[: len(head) - len(body)].encode())
    told = {key: text for key, text in found.items() if text}
    return Sniffed(grammar=grammar, names=names, header=first, skipped=skipped, skipped_bytes=lost, why=told)


def cells(text: str, grammar: Grammar, rows: int = HEAD_ROWS) -> Rows:
    """The first rows, cut by the grammar; a quote that is not closed ends with its line. Blank lines are left out."""
    found: Rows = []
    row: list[str] = []
    data, at = text.encode(), 0
    while at < len(data) and len(found) < rows:
        cell = grammar.cell.match(data, at)
        if cell is None:  # cut anywhere: the pass over all lines will say what is wrong
            cut = data.find(grammar.end.encode(), at)
            stop = len(data) if cut < 0 else cut
            row.append(data[at:stop].decode())
            at, ended = stop + 1, True
        else:
            row.append(_text(cell, grammar))
            at, ended = cell.end(), cell["stop"] != grammar.separator.encode()
        if ended:
            found += [row] if row != [""] else []
            row = []
    return found + ([row] if row else [])


def _text(cell: re.Match[bytes], grammar: Grammar) -> str:
    if (bare := bare_text(cell)) is not None or grammar.quote is None:
        return (bare or b"").decode()
    if cell["quoted"] is not None:
        return cell["quoted"].decode().replace(grammar.quote * 2, grammar.quote)
    return re.sub(r"\\(.)", r"\1", cell["slashed"].decode(), flags=re.DOTALL)


def _preamble(head: str, end: str) -> tuple[int, str | None]:
    """How many lines before the table are comments (`# ...`) or state the delimiter (`sep=;`), and that delimiter.

    Blank lines among them count too. The last comment stays when it has as many cells as the next line: then it is
    the header.
    """
    lines = head.split(end)
    if stated := STATED.fullmatch(lines[0]):
        return next((i for i, line in enumerate(lines[1:], 1) if line.strip("\r")), 1), stated[1]
    count = next((i for i, line in enumerate(lines) if line.strip("\r") and not line.startswith("#")), 0)
    if count:
        header, row = lines[count - 1], lines[count]
        if header.startswith("#") and any(row.count(c) == header.count(c) > 0 for c in DELIMITERS[:-1]):
            count -= 1
    return (count, None) if any(lines[count:]) else (0, None)


def _delimiter(body: str, end: str, suffix: str, stated: str | None) -> tuple[str, str]:
    """The delimiter, and why."""
    if stated:
        return stated, "the first line says so"
    evidence = {c: _evidence(cells(body, Grammar(separator=c, end=end)), c, suffix) for c in DELIMITERS}
    for c, (share, rows, usual) in evidence.items():
        if share == 1.0:
            return c, f"{usual} in each of the first {rows:,} rows" if rows > 1 else f"{usual} in the first row"
    best = max(DELIMITERS, key=lambda c: evidence[c][0])
    share, rows, usual = evidence[best]
    if share >= MOSTLY:
        return best, f"{usual} in {share:.0%} of the first {rows:,} rows"
    first = body.split(end, 1)[0]
    named = BY_SUFFIX.get(suffix)
    if named and named in first:
        return named, "by the file's name: no other fits better"
    if named and share > 0 and best in first:
        return best, f"{usual} in {share:.0%} of the first {rows:,} rows"
    return ALONE, "no character stands equally often in the lines: one column"


def _evidence(rows: Rows, separator: str, suffix: str) -> tuple[float, int, int]:
    """The share of rows with as many separators as is usual, the rows, and how many that is."""
    if not rows:
        return 0.0, 0, 0
    usual, count = max(Counter(len(row) - 1 for row in rows).items(), key=lambda item: (item[1], item[0]))
    if usual < 1 or (separator == " " and not _numeric_column(rows[1:] or rows)):
        return 0.0, len(rows), usual
    return count / len(rows), len(rows), usual


def _numeric_column(rows: Rows) -> bool:
    """Whether a column holds numbers alone: what spaces part is a table then, and no sentence."""
    width = min(map(len, rows))
    return any(all(NUMBER.fullmatch(row[i]) for row in rows) for i in range(width))


def _quote(body: str, separator: str, end: str) -> str:
    """Double quotes, unless there is none and some column is in single quotes throughout."""
    if '"' in body or "'" not in body:
        return '"'
    rows = cells(body, Grammar(separator=separator, quote=None, end=end))
    for i in range(min(map(len, rows))):
        column = [row[i] for row in rows[1:] if row[i]]
        if column and all(len(c) > 1 and c[0] == c[-1] == "'" for c in column):
            return "'"
    return '"'


def _header(rows: Rows) -> tuple[bool, str]:
    """Whether the first row holds names: each column votes whether its first cell is unlike the others."""
    if not rows:
        return False, "no line has a name"
    first, rest = (
        [cell.strip() for cell in rows[0]],
        [row for row in rows[1:] if len(row) == len(rows[0]) and row != rows[0]],
    )  # the header again: files were joined
    if not rest:
        named = not any(is_value(cell) for cell in first) and any(first)
        return named, "one line alone, without a number" if named else "one line alone, with numbers"
    if _counted(first) and not _counted([cell.strip() for cell in rest[0]]):
        return True, "the first row counts on from column to column"
    votes = [vote(cell, [row[i].strip() for row in rest]) for i, cell in enumerate(first)]
    if sum(votes) != 0:
        like = sum(each * sum(votes) > 0 for each in votes)
        return sum(votes) > 0, f"the first cell is {'un' * (sum(votes) > 0)}like the others in {like:,} columns"
    named = len(set(first)) == len(first) and all(first[1:]) and not any(is_value(cell) for cell in first)
    return named, "its cells differ, and none is a number" if named else "its cells are no names"


def vote(cell: str, others: Sequence[str]) -> int:
    """1: the cell is no value of its column; -1: it is like the others; 0: no telling."""
    filled = [other for other in others if other not in MISSING]
    typed = sum(map(is_value, filled))
    if filled and typed >= MOSTLY * len(filled):
        return -1 if is_value(cell) else int(cell not in MISSING)
    return -1 if cell and cell in filled else 0


def is_value(cell: str) -> bool:
    """Whether it is a number or a moment, and so no name."""
    return bool(NUMBER.fullmatch(cell) or MOMENT.fullmatch(cell))


def _counted(first: Sequence[str]) -> bool:
    """Whether the numbers of the row, three at least, go up by one: years, or the positions that pandas writes."""
    numbers = [int(cell) for cell in first if re.fullmatch(r"\d{1,9}", cell)]
    steps = {b - a for a, b in pairwise(numbers)}
    return len(numbers) >= 3 and steps == {1} and not any(is_value(c) for c in first if not c.isdigit())


def distinct_names(first: Sequence[str], header: bool) -> tuple[list[str], list[str]]:
    """A name for each column, its own; and what was renamed."""
    if not header:
        return [f"column_{i}" for i in range(1, len(first) + 1)], []
    names: dict[str, None] = {}
    taken = set(first)
    renamed: list[str] = []
    for i, wanted in enumerate(first, 1):
        name = wanted or f"column_{i}"
        number = 2
        while name in names or (name != wanted and name in taken):
            name, number = f"{wanted or f'column_{i}'}_{number}", number + 1
        if name != wanted:
            why = f"{wanted} stands twice" if wanted else "it has no name"
            renamed.append(f"column {i} is called {name} ({why})")
        names[name] = None
    return list(names), renamed


def _decimal(rows: Rows) -> str:
    """The decimal sign, where numbers have one; a number such as 1,234 counts for neither."""
    every = [cell.strip() for row in rows for cell in row]
    comma = sum(bool(COMMA_NUMBER.fullmatch(cell)) for cell in every)
    point = sum(bool(POINT_NUMBER.fullmatch(cell)) for cell in every)
    if not comma and not point:
        return ""
    sign, count = (",", comma) if comma > point else (".", point)
    return f"{sign} ({count:,} of {comma + point:,} numbers with one, in the first rows)"
