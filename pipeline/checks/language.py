"""Checks of language: scripts and languages that are mixed in a column."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

import polars as pl
from pydantic import Field

from pipeline.checks.prose import WORD, few
from pipeline.checks.values import NO_PROSE, Values, every, prose, rows_in, shown, text, texts
from pipeline.quality.findings import HIT_ROWS, Hit, Policy, Skipped, Table
from pipeline.wording import share

SCRIPTS = (
    *("Latin", "Cyrillic", "Greek", "Arabic", "Hebrew", "Devanagari", "Thai", "Hangul", "Armenian", "Georgian"),
    *("Bengali", "Tamil", "Ethiopic"),
)
EAST_ASIAN = r"[\p{Han}\p{Hiragana}\p{Katakana}]"
PATTERNS = {name: rf"\p{{{name}}}" for name in SCRIPTS} | {"East Asian": EAST_ASIAN}
LOOKALIKES = r"\p{Latin}[\p{Cyrillic}\p{Greek}]|[\p{Cyrillic}\p{Greek}]\p{Latin}"  # Cyrillic `а` within `paypal`  # noqa: RUF003
SMALL_WORDS = {
    "English": "the and of to is was that it for with you not are this have be from they",
    "German": "der die das und ist nicht ein eine den dem mit sich auf für von auch wird",
    "French": "le la les et est des une dans pour que qui pas sur avec ce cette vous nous",
    "Spanish": "el los las y es una por con para que del se como pero está muy más",
    "Italian": "il gli che di è una per non con sono della nel più questo anche come",
    "Portuguese": "os as e é uma por com para que não do da em mas você mais muito",
    "Dutch": "de het een en van is niet dat met voor zijn op ook wordt maar deze",
}

STOPWORDS = {language: frozenset(words.split()) for language, words in SMALL_WORDS.items()}


@dataclass(frozen=True, kw_only=True)
class MixedScripts:
    """Which cells are written in another script than their column, or mix scripts within a word?"""

    usual_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "mixed_scripts"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "quarantine", "warn")
    source: ClassVar[str] = "one text in twenty: fewer in another script are no second script of the column"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, texts(table), self._of)

    def _of(self, values: Values) -> Iterator[Hit]:
        letters = values.counts.filter(pl.col("value").str.contains(r"\p{L}"))
        beyond = letters.filter(pl.col("value").str.contains(r"[^\p{Latin}\p{Common}\p{Inherited}]"))
        usual = self._usual(letters) if beyond.height else None
        mixed = beyond.filter(pl.col("value").str.contains(LOOKALIKES))
        other = letters.filter(~pl.col("value").str.contains(PATTERNS[usual])) if usual else letters.clear()
        if mixed.height or other.height:
            cell = text(values.name)
            foreign = cell.str.contains(r"\p{L}") & ~cell.str.contains(PATTERNS[usual]) if usual else pl.lit(False)
            yield values.hit(
                self.name,
                {*mixed["value"], *other["value"]},
                message=f"{values.name} mixes Latin with Greek or Cyrillic letters within a word in "
                f"{HIT_ROWS}: {shown(mixed['value'])}"
                if mixed.height
                else f"{values.name} is written in {usual} letters, but not in {HIT_ROWS}: " + shown(other["value"]),
                suggestion="letters that look alike make equal words differ: write each word in one script"
                if mixed.height
                else "look whether they belong here: a model of one script cannot read them",
                otherwise=cell.str.contains(LOOKALIKES) | foreign,
                threshold=1 - self.usual_share,
                severity="warning" if mixed.height else "info",
            )

    def _usual(self, letters: pl.DataFrame) -> str | None:
        """The script that nearly all texts hold, where there is one."""
        has = letters.select("rows", *(pl.col("value").str.contains(p).alias(n) for n, p in PATTERNS.items()))
        rows = has.select((pl.col(name) * pl.col("rows")).sum() for name in PATTERNS).row(0, named=True)
        script = max(rows, key=lambda name: rows[name])
        return script if self.usual_share * rows_in(letters) <= rows[script] else None


@dataclass(frozen=True, kw_only=True)
class LanguageMix:
    """Is free text written in several languages, told by the commonest small words of seven?"""

    usual_share: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    policy: Policy = "warn"
    name: ClassVar[str] = "language_mix"
    policies: ClassVar[tuple[Policy, ...]] = ("stop", "warn")
    source: ClassVar[str] = "one text in twenty: fewer in another language are no second language of the column"

    def hits(self, table: Table) -> Iterator[Hit | Skipped]:
        yield from every(table, prose(table), self._of, none=NO_PROSE)

    def _of(self, values: Values) -> Iterator[Hit]:
        told = Counter(language for value in few(values.counts["value"]) if (language := language_of(value)))
        known = told.total()
        minor = known - max(told.values(), default=0)
        if known >= 100 and minor > (1 - self.usual_share) * known:
            shares = ", ".join(f"{language} {share(texts / known)}" for language, texts in told.most_common())
            yield Hit(
                check=self.name,
                column=values.name,
                observed=minor / known,
                threshold=1 - self.usual_share,
                message=f"{values.name} is written in several languages: {shares} (of {known:,} texts that tell)",
                suggestion="keep one language, or use a model that knows them all",
                severity="info",
            )


CHECKS = (MixedScripts, LanguageMix)


def language_of(value: str) -> str | None:
    """The language whose small words stand most often in the text; null for fewer than three, or two languages.

    >>> language_of("Der Zug ist nicht auf dem Gleis"), language_of("Paris")
    ('German', None)
    """
    words = WORD.findall(value.lower())
    (best, most), (_, second) = Counter(
        {language: sum(word in stops for word in words) for language, stops in STOPWORDS.items()}
    ).most_common(2)
    return best if most >= 3 and most > second else None
