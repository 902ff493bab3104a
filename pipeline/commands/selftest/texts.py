"""Defects of text: markers of nothing, other spellings, broken characters, personal data."""

from collections.abc import Callable, Sequence

import polars as pl

from pipeline.commands.selftest.defect import Cell, Damage, Defect, Rng, cells, whole
from pipeline.commands.selftest.material import Material

MARKERS = ("?", "N/A", "null", "-")
ACCENTS = {"a": "ä", "e": "é", "i": "í", "o": "ö", "u": "ü", "A": "Ä", "E": "É", "I": "Í", "O": "Ö", "U": "Ü"}
UNSEEN = ("\u200b", "\x07", "\x00", "\u00ad")
FIRST, LAST = ("anna", "jean", "li", "omar", "rosa", "tom"), ("meier", "rossi", "dubois", "chen", "smith", "novak")


def marker(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """A word that stands for nothing."""
    return str(rng.choice(MARKERS))


def recased(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """In capitals, in small letters, or the other way round, whichever is another cell."""
    forms = [form for form in (cell.upper(), cell.lower(), cell.swapcase()) if form != cell]
    return str(rng.choice(forms)) if forms else cell


def spaced(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """With a blank before, after, or doubled inside."""
    forms = [f" {cell}", f"{cell} ", cell.replace(" ", "  ")]
    return str(rng.choice([form for form in forms if form != cell]))


def mistyped(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """One letter dropped, doubled, replaced, or swapped with the next; words of under four letters stay."""
    letters = [i for i, sign in enumerate(cell) if sign.isalpha()]
    if len(letters) < 4:
        return cell
    at = int(rng.choice(letters[1:-1]))
    forms = [
        cell[:at] + cell[at + 1 :],
        cell[:at] + cell[at] + cell[at:],
        cell[:at] + str(rng.choice(list("aeinrst"))) + cell[at + 1 :],
        cell[: at - 1] + cell[at] + cell[at - 1] + cell[at + 1 :],
    ]
    return str(rng.choice(forms))


def mangled(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """One letter gets an accent, and its two bytes are read as two letters."""
    at = next((i for i, sign in enumerate(cell) if sign in ACCENTS), None)
    if at is None:
        return cell
    broken = ACCENTS[cell[at]].encode().decode("cp1252", errors="replace")
    return cell[:at] + broken + cell[at + 1 :]


def replaced(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """One sign becomes U+FFFD."""
    at = int(rng.integers(len(cell)))
    return cell[:at] + "\ufffd" + cell[at + 1 :]


def unseen(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """A character that is not seen, somewhere inside."""
    at = int(rng.integers(len(cell) + 1))
    return cell[:at] + str(rng.choice(list(UNSEEN))) + cell[at:]


def mail(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """A mail address at the end."""
    return f"{cell} {_mail(rng)}"


def renamed(cell: str, column: pl.Series, rng: Rng) -> Cell:
    """A value that the column never had, one of a few."""
    return f"other kind {'abc'[int(rng.integers(3))]}"


def _mail(rng: Rng) -> str:
    return f"{rng.choice(FIRST)}.{rng.choice(LAST)}{rng.integers(1000)}@example.org"


def _phone(rng: Rng) -> str:
    return f"+41 44 {rng.integers(100, 999)} {rng.integers(10, 99)} {rng.integers(10, 99)}"


def _column(name: str, kind: str, made: Callable[[Rng], str]) -> Defect:
    """A column of that name with something personal in every row."""

    def plant(material: Material, columns: Sequence[str], count: int, rng: Rng) -> Damage:
        new = material.free(name)
        cells = pl.Series(new, [made(rng) for _ in range(material.height)])
        return whole(material.rows.with_columns(cells), new)

    return Defect(
        name=f"column of {kind}",
        what=f"a column called {name} that holds {kind}",
        told_by=("pii_present",),
        places=lambda material: [name],
        plant=plant,
        rated=False,
    )


def texts(material: Material) -> Sequence[str]:
    """Columns of words."""
    return material.texts


def categories(material: Material) -> Sequence[str]:
    """Columns of words that repeat."""
    return material.categories


TYPOS = ("string_typos", "string_variants", "functional_dependency", "pattern_outlier")
DEFECTS = (
    Defect(
        name="null marker in words",
        what="?, N/A, null or - in a column of words",
        told_by=("mixed_null_tokens",),
        places=texts,
        plant=cells(marker),
    ),
    Defect(
        name="other case",
        what="categories in other capitals",
        told_by=("string_variants",),
        places=categories,
        plant=cells(recased),
    ),
    Defect(
        name="other spaces",
        what="categories with a blank too much",
        told_by=("surrounding_whitespace", "string_variants"),
        places=categories,
        plant=cells(spaced),
    ),
    Defect(
        name="typo", what="categories with one letter wrong", told_by=TYPOS, places=categories, plant=cells(mistyped)
    ),
    Defect(
        name="mojibake",
        what="accents read in another encoding",
        told_by=("mojibake",),
        places=texts,
        plant=cells(mangled),
    ),
    Defect(name="lost bytes", what="U+FFFD in words", told_by=("invalid_utf8",), places=texts, plant=cells(replaced)),
    Defect(
        name="unseen characters",
        what="control and zero-width characters in words",
        told_by=("control_characters",),
        places=texts,
        plant=cells(unseen),
    ),
    Defect(
        name="mail in words",
        what="mail addresses in a column of other words",
        told_by=("pii_present", "pattern_outlier", "mixed_types_in_column"),
        places=texts,
        plant=cells(mail),
    ),
    Defect(
        name="new category",
        what="values that the reference does not know",
        told_by=("unseen_category", "distribution_shift"),
        places=categories,
        plant=cells(renamed),
        against=True,
    ),
    _column("extra", "mails", _mail),
    _column("extra phone", "phone numbers", _phone),
)
