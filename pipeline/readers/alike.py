"""Several sources that are to be one table: they need the same columns, each of types that one column can hold."""

from collections.abc import Sequence

import polars as pl

from pipeline.errors import DataError
from pipeline.readers.source import Source

NAMED = 5  # columns that a message names
SHOWN = 60  # characters of a type: one of categories lists them


def require_same_columns(sources: Sequence[Source]) -> None:
    """Raise DataError for a source that has other columns than the first; their order does not matter."""
    first = sources[0]
    names = set(first.frame.collect_schema().names())
    for other in sources[1:]:
        if different := sorted(names ^ set(other.frame.collect_schema().names())):
            raise DataError(
                f"has other columns than {first.name}: {', '.join(different[:NAMED])} "
                f"{'stand' if len(different) > 1 else 'stands'} in one of them alone",
                where=other.name,
                fix="check them one by one, or make their headers the same",
            )


def require_one_type(sources: Sequence[Source]) -> None:
    """Raise DataError for a column whose types in two sources no type holds together, such as numbers and dates."""
    known: dict[str, tuple[pl.DataType, Source]] = {}
    for source in sources:
        for name, found in source.frame.collect_schema().items():
            before, holder = known.get(name, (pl.Null(), source))
            both = common_type(before, found)
            if both is None:
                raise DataError(
                    f"is {found!s:.{SHOWN}} here and {before!s:.{SHOWN}} in {holder.name}",
                    where=f"{source.name}: {name}",
                    fix="write the column as one type in all files, or take them one by one",
                )
            known[name] = both, holder if both == before else source


def common_type(a: pl.DataType, b: pl.DataType) -> pl.DataType | None:
    """The type that holds the values of both without another meaning; None where there is none.

    Polars takes a date for a number of days, and bytes for text; here they are not.

    >>> common_type(pl.Int64(), pl.Float64()), common_type(pl.Int64(), pl.Date())
    (Float64, None)
    """
    kinds = {_kind(a), _kind(b)} - {"nothing"}
    if len(kinds) > 1 and (kinds >= {"text", "bytes"} or "text" not in kinds):
        return None
    try:
        frames = [pl.LazyFrame(schema={"x": each}) for each in (a, b)]
        return pl.concat(frames, how="vertical_relaxed").collect_schema()["x"]
    except pl.exceptions.PolarsError:
        return None


def _kind(dtype: pl.DataType) -> str:
    if dtype == pl.Null:
        return "nothing"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    return "bytes" if dtype == pl.Binary else "moment" if dtype.is_temporal() else "number"
