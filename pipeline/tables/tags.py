"""Cells that hold several tags each, as `red;blue` or `["red", "blue"]`: the tags in one, and how often each stands.

What stands between them is the `format` of the contract's column: a delimiter, or `json` for a JSON list. A cell is a
set: spaces around a tag, empty tags, repeats and the order say nothing. A missing cell is null, not an empty set, which
is written `[]` whatever the format.
"""

import json

import polars as pl

JSON = "json"
NONE = "[]"


def parted(cell: pl.Expr, written: str) -> pl.Expr:
    """Text → its tags as a list, each once and in the order of text; null where there is no cell, or no JSON list.

    >>> cells = pl.DataFrame({"x": ["b; a;b", ";", "[]", None]})
    >>> cells.select(parted(pl.col("x"), ";"))["x"].to_list()
    [['a', 'b'], [], [], None]
    >>> pl.DataFrame({"x": ['["b", "a"]', "[]", "a"]}).select(parted(pl.col("x"), "json"))["x"].to_list()
    [['a', 'b'], [], None]
    """
    if written == JSON:
        return cell.map_batches(_of_json, return_dtype=pl.List(pl.String), is_elementwise=True)
    return parts(cell, written).list.unique().list.sort()


def parts(cell: pl.Expr, delimiter: str) -> pl.Expr:
    """Text → its tags in their order, repeats too."""
    part = pl.element().str.strip_chars()
    return cell.str.split(delimiter).list.eval(part.filter(~part.is_in(["", NONE])))


def or_none(cell: pl.Expr, came: pl.Expr) -> pl.Expr:
    """Text of tags, that of an empty set where nothing came; where nothing came in any row they are missing.

    >>> cells = pl.DataFrame({"x": ["a", None], "y": [None, None]}, schema={"x": pl.String, "y": pl.String})
    >>> cells.select(or_none(pl.col(name), pl.col(name)).alias(name) for name in cells.columns).rows()
    [('a', None), ('[]', None)]
    """
    return pl.when(came.is_null() & came.is_not_null().any()).then(pl.lit(NONE)).otherwise(cell)


def joined(cell: pl.Expr, written: str) -> pl.Expr:
    """Text → the same set as one text that is alike for all ways to write it, to compare and to count sets by."""
    return parted(cell, written).list.join(" | ").alias(cell.meta.output_name())


def counted(rows: pl.LazyFrame, cell: pl.Expr, written: str) -> dict[str, int]:
    """How many rows have each tag, the most frequent first, then in the order of text."""
    tags = rows.select(tag=parted(cell, written)).explode("tag", empty_as_null=True, keep_nulls=True).drop_nulls()
    table = tags.group_by("tag").len().sort("len", "tag", descending=[True, False]).collect(engine="streaming")
    return dict(table.iter_rows())


def written(held: list[str], way: str) -> str:
    """Tags as the text of one cell.

    >>> written(["a", "b"], ";"), written([], ";"), written(["a"], "json")
    ('a;b', '[]', '["a"]')
    """
    return json.dumps(held, ensure_ascii=False) if way == JSON else way.join(held) or NONE


def _of_json(cells: pl.Series) -> pl.Series:
    """Each different text is read once."""
    known = cells.drop_nulls().unique()
    read = pl.Series("tags", [_listed(text) for text in known], dtype=pl.List(pl.String))
    table = pl.DataFrame([known.alias("cell"), read])
    return cells.alias("cell").to_frame().join(table, on="cell", how="left", maintain_order="left")["tags"]


def _listed(text: str) -> list[str] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and len(value) == 1:  # as a list in a file that has types comes out of typed_as
        (value,) = value.values()
    return sorted({str(each).strip() for each in value if each is not None} - {""}) if isinstance(value, list) else None
