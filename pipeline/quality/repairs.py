"""Rules that mend cells: frozen, published as JSON, replayed alike on every later batch and at prediction.

A rule reads the rows as text: the cell as the contract types it, or what stood there where that would not parse. Its
one verb, `mend`, says which cells it mends and what they become; null: nothing stands there any more.
"""

from typing import Annotated, Literal, TypeAlias

import polars as pl
from polars.selectors import by_name
from pydantic import Field

from pipeline.artefacts import Record

Mend: TypeAlias = tuple[pl.Expr, pl.Expr]
NOTHING = pl.lit(None, dtype=pl.String)
EXACT = 1e-9  # beyond the last decimal: what adding floats may differ by


class Replaced(Record):
    """Each of these values becomes another, wherever it stands.

    >>> rows = pl.DataFrame({"shop": ["NORTH", "south"]})
    >>> where, after = Replaced(column="shop", values={"NORTH": "north"}).mend()
    >>> rows.select(where, after.alias("after")).rows()
    [(True, 'north'), (False, None)]
    """

    kind: Literal["replace"] = "replace"
    check: str = ""
    column: str
    values: dict[str, str] = Field(default_factory=dict)

    def mend(self) -> Mend:
        after = mapped(_text(self.column), self.values)
        return after.is_not_null(), after


class Emptied(Record):
    """These values stand for nothing: the cell becomes null.

    >>> where, after = Emptied(column="age", values=["-1"]).mend()
    >>> pl.DataFrame({"age": [-1, 30]}).select(where)["age"].to_list()
    [True, False]
    """

    kind: Literal["empty"] = "empty"
    check: str = ""
    column: str
    values: list[str] = Field(default_factory=list)

    def mend(self) -> Mend:
        return _text(self.column).is_in(self.values), NOTHING


class Trimmed(Record):
    """Blanks at either end are taken off.

    >>> where, after = Trimmed(column="shop").mend()
    >>> pl.DataFrame({"shop": [" north", "south"]}).select(where, after.alias("after")).rows()
    [(True, 'north'), (False, 'south')]
    """

    kind: Literal["trim"] = "trim"
    check: str = ""
    column: str

    def mend(self) -> Mend:
        after = _text(self.column).str.strip_chars()
        return _text(self.column) != after, after


class Folded(Record):
    """What is one of these values but for case and outer blanks becomes that value.

    >>> where, after = Folded(column="shop", values=["north", "south"]).mend()
    >>> pl.DataFrame({"shop": [" NORTH", "south", "east"]}).select(where, after.alias("after")).rows()
    [(True, 'north'), (False, 'south'), (None, None)]
    """

    kind: Literal["fold"] = "fold"
    check: str = ""
    column: str
    values: list[str]

    def mend(self) -> Mend:
        folds = [value.strip().lower() for value in self.values]
        meant = {fold: value for fold, value in zip(folds, self.values, strict=True) if folds.count(fold) == 1}
        after = mapped(_text(self.column).str.strip_chars().str.to_lowercase(), meant)
        return (after != _text(self.column)) & ~_text(self.column).is_in(self.values), after


class Padded(Record):
    """Digits that are fewer than the code's width get their zeros back.

    >>> where, after = Padded(column="zip", width=5).mend()
    >>> pl.DataFrame({"zip": ["2134", "10001"]}).select(where, after.alias("after")).rows()
    [(True, '02134'), (False, '10001')]
    """

    kind: Literal["pad"] = "pad"
    check: str = ""
    column: str
    width: int = Field(ge=1)

    def mend(self) -> Mend:
        cell = _text(self.column)
        return cell.str.contains(r"^\d+$") & (cell.str.len_chars() < self.width), cell.str.zfill(self.width)


class Followed(Record):
    """The cell follows from another of its row: where the determinant has such a value, it is this.

    >>> where, after = Followed(column="city", determinant="zip", values={"02134": "Boston"}).mend()
    >>> pl.DataFrame({"zip": ["02134", "10001"], "city": ["Bostn", "New York"]}).select(where).to_series().to_list()
    [True, False]
    """

    kind: Literal["follow"] = "follow"
    check: str = ""
    column: str
    determinant: str
    values: dict[str, str] = Field(default_factory=dict)

    def mend(self) -> Mend:
        after = mapped(_text(self.determinant), self.values)
        return after.is_not_null() & _text(self.column).ne_missing(after), after


class Computed(Record):
    """A number that is the sum or product of two others of its row, to so many decimals, is computed again.

    >>> rule = Computed(column="total", first="a", operation="+", second="b", decimals=0)
    >>> where, after = rule.mend()
    >>> pl.DataFrame({"a": [1, 1], "b": [2, 2], "total": [3, 9]}).select(where)["total"].to_list()
    [False, True]
    """

    kind: Literal["compute"] = "compute"
    check: str = ""
    column: str
    first: str
    operation: Literal["+", "*"]
    second: str
    decimals: int = Field(ge=0)

    def mend(self) -> Mend:
        total, first, second = (_number(name) for name in (self.column, self.first, self.second))
        computed = first + second if self.operation == "+" else first * second
        off = (total - computed).abs() > 0.5 * 10.0**-self.decimals * (1 + 1e-6) + EXACT * computed.abs()
        return off & total.is_finite() & computed.is_finite(), computed.round(self.decimals).cast(pl.String)


class Scaled(Record):
    """A number within these bounds is in another unit, or of the wrong sign: it becomes factor times it, plus offset.

    >>> where, after = Scaled(column="height", low=50, high=250, factor=0.01).mend()
    >>> pl.DataFrame({"height": [2.5, 180.0]}).select(where, after.alias("after")).rows()
    [(False, '0.025'), (True, '1.8')]
    """

    kind: Literal["scale"] = "scale"
    check: str = ""
    column: str
    low: float | None = None
    high: float | None = None
    factor: float
    offset: float = 0.0

    def mend(self) -> Mend:
        number = _number(self.column)
        over = number >= self.low if self.low is not None else pl.lit(True)
        under = number <= self.high if self.high is not None else pl.lit(True)
        return number.is_finite() & over & under, (number * self.factor + self.offset).cast(pl.String)


AnyRule: TypeAlias = Replaced | Emptied | Trimmed | Folded | Padded | Followed | Computed | Scaled
Rule: TypeAlias = Annotated[AnyRule, Field(discriminator="kind")]
Filled: TypeAlias = Replaced | Emptied | Followed  # a check names one without values: the rows that it hits fill it in


class Plan(Record):
    """The rules of a data version in their order; of a column the first that says something of a cell mends it."""

    rules: list[Rule] = Field(default_factory=list)

    @property
    def columns(self) -> dict[str, list[AnyRule]]:
        """The rules by the column that they mend."""
        found: dict[str, list[AnyRule]] = {}
        for rule in self.rules:
            found.setdefault(rule.column, []).append(rule)
        return found


def read_by(rule: AnyRule) -> list[str]:
    """The columns that the rule reads.

    >>> read_by(Followed(column="city", determinant="zip"))
    ['city', 'zip']
    """
    others = {"follow": ["determinant"], "compute": ["first", "second"]}.get(rule.kind, [])
    return [rule.column, *(str(getattr(rule, name)) for name in others)]


def mapped(cell: pl.Expr, values: dict[str, str]) -> pl.Expr:
    """The text that the cell's text stands for; null where there is none."""
    if not values:
        return NOTHING
    return cell.replace_strict(list(values), list(values.values()), default=None, return_dtype=pl.String)


def _text(name: str) -> pl.Expr:
    return by_name(name).cast(pl.String)


def _number(name: str) -> pl.Expr:
    return _text(name).cast(pl.Float64, strict=False)
