"""Cells as the types of a contract: text, numbers and moments of any file are read alike."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ISO_DATE = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}"
ISO_ZONE = r":\d{2}.*(Z|[+-]\d{2}:?\d{2})$"  # after a time of day
DECIMAL_COMMA = ","
GROUPED = "1,234.5"  # commas part thousands
AS_WRITTEN = ("1234.5", GROUPED, "1234,5")  # beside a unit: `$1,234.5`, `1234,5 %`
PLAIN_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)$"
COMMA_THOUSANDS = r"^[+-]?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?$"
THOUSANDS = r"^[+-]?\d{1,3}(\.\d{3})+,\d+$"  # 27.120,00; without the comma it may be an id, or a decimal point
SURE = (  # stands for a missing value wherever it stands; lower case, without spaces around
    *("?", "??", "???", "-", "--", "---", ".", "..", "n/a", "#n/a", "n.a.", "n.a", "#na", "<na>", "nan", "#nan", "nat"),
    *("null", "#null!", "(null)", "<null>", "\\n", "nil", "missing", "empty", "undefined", "tbd", "(blank)"),
    *("#value!", "#ref!", "#div/0!", "#name?", "#num!", "n/k", "n.k.", "n/d", "n.d.", "k.a.", "no data"),
    *("not available", "not applicable", "not known", "not provided", "not recorded", "not stated"),
)
DOUBTFUL = ("na", "none", "unknown", "unk", "unspecified")  # an answer as often as a gap
SIGNS = r"^[^\p{L}\p{N}\u{221E}\u{FFFD}]{1,20}$"  # no letter, no digit; neither infinity nor bytes that were lost
BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "t": True, "f": False, "y": True, "n": False}


def typed_as(cell: "pl.Expr", found: "pl.DataType", wanted: "pl.DataType", pattern: str | None = None) -> "pl.Expr":
    """`cell` as the contract's type; what will not parse is null, and so is what would lose digits or meaning.

    Text is read alike whatever stands before and after it, so it does not matter how a file is cut. `pattern` is the
    column's `format`.
    """
    import polars as pl

    from pipeline.tables import tags

    countable = [each.is_numeric() or each == pl.Boolean for each in (found, wanted)]
    moment = [each.is_temporal() for each in (found, wanted)]
    apart = (countable[0] and moment[1]) or (moment[0] and countable[1])  # a day is no number of days
    if apart or found in (pl.Categorical, pl.Enum) or wanted in (pl.Categorical, pl.Enum):
        cell, found = cell.cast(pl.String), pl.String()
    if found == pl.String and wanted in (pl.Date, pl.Datetime):
        return _moment(cell, wanted, pattern)
    if found == pl.String and wanted == pl.Boolean:
        return cell.str.to_lowercase().replace_strict(
            BOOLEANS | {"1": True, "0": False}, default=None, return_dtype=pl.Boolean
        )
    if found == pl.String and wanted == pl.String and pattern == tags.JSON:
        cell = pl.when(tags.parted(cell, pattern).is_not_null()).then(cell)
    if found == pl.String and wanted.is_float() and pattern is not None:
        return _number(cell, pattern).cast(wanted, strict=False)
    if found.is_nested() and wanted == pl.String:
        return pl.when(cell.is_not_null()).then(pl.struct(cell).struct.json_encode())
    if found == pl.Binary and wanted == pl.String:
        return cell.bin.encode("hex")
    if found.is_integer() and wanted == pl.Boolean:
        cell = pl.when(cell.is_in([0, 1])).then(cell)
    if (found.is_float() or found.is_decimal()) and wanted.is_integer():
        cell = pl.when(cell == cell.floor()).then(cell)
    return cell.cast(wanted, strict=False)


def is_number_format(pattern: object) -> bool:
    """Whether a contract's `format` says how a number is written.

    >>> [is_number_format(each) for each in (",", "1,234.5", "$1,234.5", "1234,5 %", "%Y", "5", None)]
    [True, True, True, True, False, False, False]
    """
    return isinstance(pattern, str) and (pattern == DECIMAL_COMMA or _around(pattern) is not None)


def _around(pattern: str) -> tuple[str, str, str] | None:
    """What stands before a number, how its digits are written, and what stands behind; None for another format."""
    for written in AS_WRITTEN:
        before, found, after = pattern.partition(written)
        if found and not re.search(r"\d", before + after):
            return before.strip(), written, after.strip()
    return None


def _number(cell: "pl.Expr", pattern: str) -> "pl.Expr":
    """Text with commas or a unit in its numbers as Polars reads one; null for what the pattern does not read."""
    import polars as pl

    around = _around(pattern)
    if around is not None and pattern != GROUPED:
        before, written, after = around
        signed = rf"(?i)^\s*([+-]?)(?:{_literal(before)})\s*([+-]?)([\d.,]+)\s*(?:{_literal(after)})\s*$"
        bare = _only(cell, signed).str.replace(signed, "${1}${2}${3}")
        if written == AS_WRITTEN[0]:
            return _only(bare, PLAIN_NUMBER)
        return _number(bare, GROUPED if written == GROUPED else DECIMAL_COMMA)
    if pattern == GROUPED:
        return _only(cell, COMMA_THOUSANDS).str.replace_all(",", "", literal=True)
    grouped, pointed = cell.str.contains(THOUSANDS), cell.str.contains(".", literal=True)
    bare = pl.when(grouped).then(cell.str.replace_all(".", "", literal=True)).when(~pointed).then(cell)
    return bare.str.replace(",", ".", literal=True)


def _literal(text: str) -> str:
    """The text as a regular expression that finds it, with any spaces where it has one."""
    return r"\s+".join(map(re.escape, text.split()))


def _moment(cell: "pl.Expr", wanted: "pl.DataType", pattern: str | None) -> "pl.Expr":
    """Text as a moment. Without a pattern Polars guesses one from the first cells: only ISO dates may come to it."""
    import polars as pl

    if not isinstance(wanted, pl.Datetime):
        return cell.str.to_date(pattern, strict=False) if pattern else _only(cell, ISO_DATE).str.to_date(strict=False)
    unit, zone = wanted.time_unit, wanted.time_zone
    if pattern:
        return cell.str.to_datetime(pattern, time_unit=unit, time_zone=zone, strict=False)
    zoned = cell.str.contains(ISO_ZONE)
    plain = pl.when(~zoned).then(_only(cell, ISO_DATE)).str.to_datetime(time_unit=unit, strict=False)
    if zone is None:
        return plain
    moved = pl.when(zoned).then(_only(cell, ISO_DATE)).str.to_datetime(time_unit=unit, time_zone=zone, strict=False)
    return pl.coalesce(moved, plain.dt.replace_time_zone(zone, ambiguous="null", non_existent="null"))


def _only(cell: "pl.Expr", pattern: str) -> "pl.Expr":
    import polars as pl

    return pl.when(cell.str.contains(pattern)).then(cell)
