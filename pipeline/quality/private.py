"""What private values look like: their shapes, their checksums, how they are named, and how they are shown masked.

Shapes are regular expressions for the engine of Polars. One that other numbers and codes have by chance needs a
checksum too, or a column's name that says the same.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass

import polars as pl

NOT_SSN = re.compile(r"000|666|9")
NOT_NINO = ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
CARD_PREFIX = (  # by ISO/IEC 7812: Visa, Mastercard, American Express, Discover, Diners, JCB, UnionPay
    r"^(4(\d{12}|\d{15}|\d{18})|(5[1-5]|2(2[2-9]|[3-6]\d|7[01]))\d{12,14}|3[47]\d{13}|6(011|5\d\d|4[4-9]\d)\d{12}"
    r"|3(0[0-5]|[68]\d)\d{11}|35(2[89]|[3-8]\d)\d{12}|62\d{14,17})$"
)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of private value: `share` of the distinct values must have its shape and checksum, of at least `least`.

    With `named`, the column's name, in small letters and figures alone, must match that too.
    """

    what: str
    shape: str
    proof: Callable[[str], bool] | None = None
    named: str | None = None
    share: float = 0.9
    least: int = 3


def luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812-1, annex B).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = [int(d) * (1 + i % 2) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def card(value: str) -> bool:
    """A payment card's number: issuer, length and check digit."""
    digits = re.sub(r"[ -]", "", value)
    return re.match(CARD_PREFIX, digits) is not None and luhn(digits) and len(set(digits)) > 1


def iban(value: str) -> bool:
    """An account's number by its check digits (ISO 13616: the rest of 97 is 1).

    >>> iban("GB82 WEST 1234 5698 7654 32"), iban("GB83 WEST 1234 5698 7654 32")
    (True, False)
    """
    compact = value.replace(" ", "").upper()
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def social_security(value: str) -> bool:
    """A number that the United States may have issued: no group is all 0, the area is not 666 or over 899."""
    digits = value.replace("-", "").zfill(9)
    return not NOT_SSN.match(digits) and digits[3:5] != "00" and digits[5:] != "0000"


def national_insurance(value: str) -> bool:
    """A British number whose prefix is one that is given out."""
    return value[:2] not in NOT_NINO


def german_tax(value: str) -> bool:
    """A German tax number: one digit of the first ten stands two or three times, and ISO 7064 MOD 11,10 holds.

    >>> german_tax("86095742719"), german_tax("86095742718")
    (True, False)
    """
    digits = value.replace(" ", "")
    times = sorted(digits[:10].count(d) for d in set(digits[:10]))
    product = 10
    for digit in digits[:10]:
        product = 2 * ((int(digit) + product - 1) % 10 + 1) % 11
    return times[-1] in (2, 3) and times[-2] == 1 and (11 - product) % 10 == int(digits[10])


def french_social(value: str) -> bool:
    """A French number by its key: 97 less the rest of the first 13 digits.

    >>> french_social("255081416802538"), french_social("255081416802539")
    (True, False)
    """
    digits = value.replace(" ", "")
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def spanish(value: str) -> bool:
    """A Spanish DNI by its letter, the rest of 23.

    >>> spanish("12345678Z"), spanish("12345678A")
    (True, False)
    """
    return DNI_LETTERS[int(value[:8]) % 23] == value[-1].upper()


def internet(value: str) -> bool:
    """An address of the internet protocol, version 4 or 6.

    >>> internet("192.168.0.1"), internet("300.1.1.1"), internet("2001:db8::1"), internet("12:30:45")
    (True, False, True, False)
    """
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def phone(value: str) -> bool:
    """As many digits as a telephone number may have (ITU-T E.164: at most 15)."""
    return 7 <= sum(map(str.isdigit, value)) <= 15


SHORTEST = 4  # letters of a value that is looked for outside quotes too
STREETS = r"street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|place|pl|way|circle|parkway"
KINDS = (  # the surest first
    Kind(
        what="mail addresses", shape=r"^[^\s@<>,;:]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}$", share=0.5, least=1
    ),
    Kind(what="account numbers (IBAN)", shape=r"^[A-Za-z]{2}\d{2}[ A-Za-z0-9]{11,36}$", proof=iban),
    Kind(what="payment cards", shape=r"^\d{4}[ -]?\d{4,6}[ -]?\d{4,5}[ -]?\d{0,4}[ -]?\d{0,3}$", proof=card),
    Kind(what="United States social security numbers", shape=r"^\d{3}-\d{2}-\d{4}$", proof=social_security),
    Kind(
        what="British national insurance numbers",
        shape=r"^[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]$",
        proof=national_insurance,
    ),
    Kind(what="German tax numbers", shape=r"^[1-9]\d ?\d{3} ?\d{3} ?\d{3}$", proof=german_tax),
    Kind(
        what="French social security numbers",
        shape=r"^[12] ?\d{2} ?\d{2} ?\d{2} ?\d{3} ?\d{3} ?\d{2}$",
        proof=french_social,
    ),
    Kind(what="Spanish identity numbers", shape=r"^\d{8}-?[A-Za-z]$", proof=spanish),
    Kind(what="Italian tax codes", shape=r"^[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]$"),
    Kind(
        what="social security numbers",
        shape=r"^\d{3}[- ]?\d{2}[- ]?\d{3,4}$|^\d{7,9}$",
        named=r"ssn|socialsec|socsec|nationalid|personalid",
        share=0.5,
    ),
    Kind(what="internet addresses", shape=r"^(\d{1,3}\.){3}\d{1,3}$|^[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*$", proof=internet),
    Kind(what="telephone numbers", shape=r"^(\+[1-9]|00[1-9]\d{0,2}[ /-])[\d ()./-]{6,22}$", proof=phone),
    Kind(what="telephone numbers", shape=r"^(\+?1[ .-]?)?(\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}$", proof=phone),
    Kind(
        what="telephone numbers",
        shape=r"^\+?[\d ()./-]{7,24}$",
        proof=phone,
        named=r"phone|telefon|faxn|^fax$",
        share=0.5,
    ),
    Kind(
        what="street addresses",
        shape=rf"(?i)^\d{{1,5}}[a-z]? [\p{{L}}\d.' -]+ ({STREETS})\.?(,? .{{1,20}})?$",
        share=0.8,
    ),
    Kind(
        what="street addresses",
        shape=rf"\p{{L}}.* .*\d|\d.* .*\p{{L}}|(?i)\b({STREETS})\b",
        named=r"^(home|street|postal|mailing|billing|shipping|customer|patient)?address(line)?1?$|^stra(ss|ß)e$",
        share=0.5,
    ),
    Kind(
        what="names of persons",
        shape=r"^\p{L}[\p{L}'\u2019. -]{0,60}$",
        named=r"^f(irst)?name$|^l(ast)?name$|^(given|middle|family|maiden)name$|forename|surname|vorname|nachname"
        r"|^(full|patient|customer|employee|person|student|client)name$|^prenom$|^apellidos?$|^cognome$",
        share=0.5,
    ),
    Kind(
        what="dates of birth",
        shape=r"^\d{1,4}[-/. ]?\d{1,2}[-/. ]?\d{1,4}([ T].*)?$",
        named=r"dateofbirth|birthda(te|y)|^dob$|geburtsdatum|datenaissance",
        share=0.5,
    ),
)

SECRETS = {
    "a private key": r"-----BEGIN ([A-Z]+ )*PRIVATE KEY( BLOCK)?-----",
    "an AWS access key": r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Slack token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    "a Stripe key": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "a Google API key": r"\bAIza[0-9A-Za-z_-]{35}\b",
    "a language model's API key": r"\bsk-((proj|ant|svcacct)-[A-Za-z0-9_-]{32,}|[A-Za-z0-9]{40,})",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{34}\b",
    "an npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "a PyPI token": r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}",
    "a SendGrid key": r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b",
    "a signed web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}",
    "a password in an address": r"\b[a-z][a-z0-9+.-]{1,20}://[^\s:@/]{1,64}:[^\s@/]{3,64}@[A-Za-z0-9]",
}
PASSWORD_COLUMN = (
    r"^(user|login|account|admin|db)?(password|passwd|passwort|pwd|passphrase)(hash)?$"
    r"|^(api|secret|private)key$|^(access|refresh|auth|bearer)token$|^clientsecret$"
)
PASSWORD = r"^\S{6,}$"


def redacted(texts: Sequence[str], values: Iterable[str]) -> list[str]:
    """The texts with `***` for each of the values that stands in them, in any case; short ones only within quotes.

    A word is hidden where it is a word, and not within another; a name with capitals is none of the small words around.

    >>> redacted(["cannot read 'Ann' and JONATHAN", "several, while"], ["Ann", "Jonathan", "Jon", "Sever", "While"])
    ['cannot read *** and ***', 'several, while']
    """
    wanted = sorted({value if len(value) >= SHORTEST else f"'{value}'" for value in values if value})
    found = pl.lit(pl.Series(texts, dtype=pl.String)).str.extract_many(
        wanted, ascii_case_insensitive=True, overlapping=True
    )
    held = pl.select(found).to_series().to_list() if wanted else [[]] * len(texts)
    known = set(wanted)
    return [_without(text, set(said), known) if said else text for text, said in zip(texts, held, strict=True)]


def _without(text: str, found: Iterable[str], known: Set[str]) -> str:
    longest_first = sorted(found, key=lambda value: (-len(value), value))
    return re.sub("|".join(_pattern(value, known) for value in longest_first), "***", text)


def _pattern(found: str, known: Set[str]) -> str:
    if not found.isalpha():
        return re.escape(found)
    return rf"\b{found}\b" if found in known or not found.islower() else rf"(?<='){found}(?=')"


def plain_name(column: str) -> str:
    """A column's name in small letters and figures alone.

    >>> plain_name("First_Name "), plain_name("E-Mail")
    ('firstname', 'email')
    """
    return re.sub(r"[\W_]", "", column).lower()


def masked(value: str) -> str:
    """The value's shape, with the first letter of each word.

    >>> masked("jane.doe@example.org"), masked("+49 30 1234"), masked("Jane O'Hara")
    ('j***@e***.org', '+## ## ####', 'J*** O***')
    """
    local, at, domain = value.partition("@")
    if at:
        return f"{local[:1]}***@{domain[:1]}***.{domain.rpartition('.')[2]}"
    return re.sub(r"[^\W\d_][^\s\d]*", lambda word: f"{word[0][0]}***", re.sub(r"\d", "#", value))
