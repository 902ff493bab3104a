"""A contract is inferred from all cells; what it says can be written down, loaded, and is no way in for code."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipeline import contract, readers
from pipeline.contract import ROW_ID, Role
from pipeline.errors import DataError
from pipeline.infer import Inferred, evidence, infer
from pipeline.infer.found import Found
from pipeline.tables.cells import is_number_format, typed_as

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def of(columns: Mapping[str, Sequence[str | None]], **roles: Role) -> Inferred:
    return infer(pl.LazyFrame(columns, schema=dict.fromkeys(columns, pl.String)), name="made", text=True, roles=roles)


def one(*cells: str | None, name: str = "x") -> Found:
    return of({name: list(cells)}).column(name)


def typed(found: Inferred, frame: pl.LazyFrame, *, seen: bool = False) -> tuple[pl.DataFrame, list[tuple[object, ...]]]:
    rows, unparsed = found.typed(frame.with_row_index(ROW_ID), seen=seen)
    return rows.collect(), unparsed.sort(ROW_ID, "column").collect().rows()


def real(name: str) -> Inferred:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    return infer(readers.scan(path, []), name="real", text=True, roles={})


NO_ROLES: dict[str, Role] = {}


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["1", "-2", "+30"], pl.Int64()),
        (["1", "2.5", "1e3"], pl.Float64()),
        ([" 7", "8 "], pl.Int64()),
        (["1.0", "2.0"], pl.Float64()),
        (["1,5", "2,25", "3"], pl.Float64()),
        (["0,125", "2,250"], pl.Float64()),
        (["1,234", "2,000"], pl.String()),
        (["1,234.5", "2,000.5"], pl.Float64()),
        (["12%", "7%"], pl.Float64()),
        (["$5", "$6"], pl.Float64()),
        (["$5", "£6"], pl.String()),
        (["A12", "A13"], pl.String()),
        (["00123", "00124"], pl.String()),
        (["12345678901234567890", "22345678901234567890"], pl.String()),
        (["true", "FALSE"], pl.Boolean()),
        (["Yes", "no", "no"], pl.Boolean()),
        (["t", "f"], pl.Boolean()),
        (["yes", "true", "no"], pl.String()),
        (["yes", "yes"], pl.String()),
        (["0", "1"], pl.Int64()),
        (["2024-01-31", "2024-02-29"], pl.Date()),
        (["2024-01-31 12:00", "2024-02-29T01:02:03.5"], pl.Datetime("us")),
        (["2024-01-31T12:00:00Z", "2024-01-31T12:00:00+02:00"], pl.Datetime("us", "UTC")),
        (["1700000000", "1700000001"], pl.Int64()),
        (["20240131", "20240229"], pl.Date()),
        (["20240131", "20249931"], pl.Int64()),
        (["north", "south"], pl.String()),
        ([None, None], pl.String()),
    ],
)
def test_the_type_is_what_the_cells_read_as(cells: list[str | None], dtype: pl.DataType) -> None:
    assert one(*cells).dtype == dtype


@pytest.mark.parametrize(
    ("cells", "pattern", "first"),
    [
        (["03/04/2024", "25/12/2024"], "%d/%m/%Y", date(2024, 4, 3)),
        (["03/04/2024", "12/25/2024"], "%m/%d/%Y", date(2024, 3, 4)),
        (["03.04.2024", "05.06.2024"], "%d.%m.%Y", date(2024, 4, 3)),
        (["03/04/24 10:30", "25/12/24 11:00"], "%d/%m/%y %H:%M", datetime(2024, 4, 3, 10, 30)),
        (["Mar 4, 2024", "Dec 25, 2024"], "%b %d, %Y", date(2024, 3, 4)),
    ],
)
def test_the_whole_column_decides_how_dates_are_written(cells: list[str], pattern: str, first: date) -> None:
    found = of({"x": cells, "y": ["1", "2"]})

    rows, unparsed = typed(found, pl.LazyFrame({"x": cells, "y": ["1", "2"]}))

    assert found.column("x").format == pattern
    assert (rows["x"][0], unparsed) == (first, [])


def test_dates_that_may_be_either_stay_text_and_say_so() -> None:
    found = one("03/04/2024", "05/06/2024")

    assert found.dtype == pl.String
    assert "day first or month first" in found.why


def test_a_type_holds_from_95_percent_on_and_the_rest_is_told() -> None:
    cells = [str(number) for number in range(95)]

    assert one(*cells, *["x"] * 5).dtype == pl.Int64
    assert one(*cells, *["x"] * 5).unparsed == 5
    assert one(*cells, *["x1"] * 6).dtype == pl.String


@pytest.mark.parametrize(
    ("others", "dtype"),
    [
        (["twelve"] * 6, pl.Int64()),
        (["none at all", "many"] * 10, pl.Int64()),
        (["many"] * 26, pl.String()),
        (["A12"] * 6, pl.String()),
        (["12 oz"] * 15, pl.String()),
    ],
)
def test_numbers_among_words_are_numbers_and_codes_among_numbers_are_not(others: list[str], dtype: pl.DataType) -> None:
    found = of({"x": [*map(str, range(1, 101)), *others]}).column("x")

    assert (found.dtype, found.unparsed) == (dtype, len(others) if dtype == pl.Int64() else 0)


def test_a_few_numbers_among_a_few_words_and_codes_by_name_are_names() -> None:
    grades = of({"grade": [*(str(i % 12 + 1) for i in range(100)), *["K"] * 9]})
    codes = of({"code": [*map(str, range(1, 101)), *["POST"] * 9]})

    assert grades.column("grade").dtype == pl.String()
    assert codes.column("code").dtype == pl.String()


def test_markers_of_missing_values_do_not_decide_the_type() -> None:
    found = of({"x": ["1", "NA", "?", "3", None, "N/A"], "y": ["?", "a", "none", "b", "a", "b"]})
    rows, unparsed = typed(found, pl.LazyFrame({"x": ["1", "NA", "?"], "y": ["?", "a", "NA"]}))

    assert found.column("x").dtype == pl.Int64
    assert dict(found.column("x").markers) == {"?": 1, "N/A": 1, "NA": 1}
    assert found.null_values == ["", "NA"]
    assert found.proposed_null_values == ["", "?", "N/A", "NA"]
    assert rows["x"].to_list() == [1, None, None]
    assert unparsed == [(2, "x", "?")]
    assert rows["y"].to_list() == ["?", "a", None]


@pytest.mark.parametrize(
    ("cells", "dtype", "markers"),
    [
        ([*map(str, range(60)), *["***"] * 30], pl.Int64(), {"***": 30}),
        ([*["2024-01-31"] * 99, "~"], pl.Date(), {"~": 1}),
        ([*"12345" * 20, "* *"], pl.Int64(), {"* *": 1}),
        ([*map(str, range(60)), *["∞"] * 30], pl.String(), {}),
        ([*["0"] * 6, *["+"] * 2, *["++"] * 2], pl.String(), {}),
        (["*", "**", "***", "good"], pl.String(), {}),
    ],
)
def test_signs_among_numbers_and_days_are_markers_and_elsewhere_answers(
    cells: list[str | None], dtype: pl.DataType, markers: dict[str, int]
) -> None:
    column = of({"x": cells}).column("x")

    assert (column.dtype, dict(column.markers), column.unparsed) == (dtype, markers, 0)


def test_signs_that_another_column_answers_with_are_not_proposed_as_missing() -> None:
    found = of({"x": [*map(str, range(60)), "***", "~"], "stars": [*["*", "**", "***"] * 20, "*", "*"]})

    assert found.proposed_null_values == ["", "~"]


def test_namibia_is_no_missing_value() -> None:
    countries = ["DE", "FR", "IT", "NA", "ES", "PT"] * 30

    assert of({"country": [*countries]}).null_values == [""]


@pytest.mark.parametrize(
    ("name", "cells", "role", "modality"),
    [
        ("x", [str(i) for i in range(100, 140)], "id", None),
        ("user_id", [str(i * i * 7) for i in range(40)], "id", None),
        ("x", [str(i * i * 7) for i in range(40)], "feature", "numeric"),
        ("x", [f"u-{i:x}" for i in range(40)], "id", None),
        ("x", [f"{i:05}" for i in range(40)], "id", None),
        ("shop_id", ["3", "4", "5", "3"] * 10, "feature", "categorical"),
        ("zip", ["35007", "35008"] * 20, "feature", "categorical"),
        ("rooms", ["3", "4", "5", "3"] * 10, "feature", "numeric"),
        ("x", [f"row {i} tells of many things" for i in range(40)], "feature", "text"),
        ("x", ["the same long words again", "and other long words too"] * 20, "feature", "categorical"),
        ("x", [f"Bend {i}" for i in range(40)], "feature", "categorical"),
        ("x", ["one"] * 40, "feature", "categorical"),
        ("x", [None] * 40, "ignore", None),
        ("x", ["NA", ""] * 20, "ignore", None),
        ("x", ["yes", "no"] * 20, "feature", "categorical"),
    ],
)
def test_role_and_modality_follow_from_values_and_name(
    name: str, cells: list[str | None], role: str, modality: str | None
) -> None:
    found = one(*cells, name=name)

    assert (found.role, found.modality) == (role, modality), found.why


def test_given_roles_win() -> None:
    cells: list[str | None] = [str(i) for i in range(40)]
    found = of({"a": cells, "b": cells, "c": cells, "d": cells}, a="label", b="feature", c="group", d="ignore")

    assert [(c.role, c.modality) for c in found.columns] == [
        ("label", "numeric"),
        ("feature", "numeric"),
        ("group", None),
        ("ignore", None),
    ]
    assert "regression target" in found.column("a").why


def test_a_label_of_zeros_and_ones_is_a_class_and_stays_whole() -> None:
    found = of({"y": ["0", "1"] * 20}, y="label").column("y")

    assert found.dtype == pl.Int64
    assert found.modality == "categorical"


DAYS: list[str | None] = [f"2024-01-{day:02}" for day in range(1, 31)]


def test_a_name_that_pandera_takes_for_a_pattern_is_no_pattern() -> None:
    frame = pl.LazyFrame({"^x$": ["1"], "x": ["a"]})
    found = infer(frame, name="made", text=True, roles=NO_ROLES)

    found.contract.schema.validate(typed(found, frame)[0])

    assert found.contract.names == ["^x$", "x"]


def test_the_only_column_of_many_moments_is_the_time_axis() -> None:
    assert of({"when": DAYS}).column("when").role == "time"
    assert "time axis" in of({"when": DAYS}).column("when").why


@pytest.mark.parametrize(
    "columns",
    [
        {"a": DAYS, "b": DAYS},
        {"date_of_birth": DAYS},
        {"when": DAYS[:2] * 15},
        {"when": [*DAYS, None, None, None]},
    ],
)
def test_a_time_axis_is_not_guessed_where_it_is_in_doubt(columns: dict[str, list[str | None]]) -> None:
    assert not [column.name for column in of(columns).columns if column.role == "time"]


def test_a_stated_time_axis_must_hold_moments() -> None:
    with pytest.raises(DataError, match=r"made: x: holds no dates or moments .* name another column with --time"):
        of({"x": ["a", "b"]}, x="time")


def test_a_role_of_no_column_is_told_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match=r"made: has no column `prise` to be the label; did you mean `price`\?"):
        of({"price": ["1"]}, prise="label")


def test_only_one_column_is_the_label() -> None:
    with pytest.raises(DataError, match="only one column can be the label, got a, b"):
        of({"a": ["1"], "b": ["1"]}, a="label", b="label")


def test_a_file_with_types_keeps_them_and_only_dates_are_looked_for_in_its_text() -> None:
    frame = pl.LazyFrame(
        {
            "small": pl.Series([1, 2], dtype=pl.Int8),
            "money": pl.Series(["1.50", "2.25"]).cast(pl.Decimal(10, 2)),
            "digits": ["1", "2"],
            "day": ["2024-01-01", "2024-01-02"],
            "kind": pl.Series(["a", "b"], dtype=pl.Categorical),
            "many": [[1, 2], [3]],
            "at": [datetime(2024, 1, 1), None],
        }
    )
    found = infer(frame, name="made", text=False, roles=NO_ROLES)
    rows, unparsed = typed(found, frame)

    assert [column.dtype for column in found.columns] == [
        pl.Int64,
        pl.Float64,
        pl.String,
        pl.Date,
        pl.String,
        pl.String,
        pl.Datetime("us"),
    ]
    assert found.column("many").role == "ignore"
    assert rows["many"][0] == '{"many":[1,2]}'
    assert unparsed == []


def test_media_are_paths_of_files() -> None:
    frame = pl.LazyFrame({"file": [f"{i}.png" for i in range(40)]})
    found = infer(frame, name="made", text=False, roles=NO_ROLES, media={"file": "image"})

    assert (found.column("file").role, found.column("file").modality) == ("feature", "image")


def test_no_rows_and_no_columns_are_no_error() -> None:
    assert of({"x": []}).column("x").role == "ignore"
    assert of({}).columns == ()


def test_the_row_id_is_no_column_of_the_data() -> None:
    frame = pl.LazyFrame({"x": ["1"]}).with_row_index(ROW_ID)

    assert [column.name for column in infer(frame, name="made", text=True, roles=NO_ROLES).columns] == ["x"]


def test_counts_do_not_depend_on_where_the_rows_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [f"v{i % 70}" if i % 3 else f"{i % 12 + 1:02}/{i % 28 + 1:02}/2024" for i in range(3000)]
    frame = pl.LazyFrame({"x": cells, "y": [f"{i}" if i % 50 else "NA" for i in range(3000)]})
    whole = infer(frame, name="made", text=True, roles=NO_ROLES)
    monkeypatch.setattr(evidence, "BATCH_ROWS", 97)
    monkeypatch.setattr(evidence, "KEPT", 130)

    cut = infer(frame, name="made", text=True, roles=NO_ROLES)

    for one_way, other in zip(whole.columns, cut.columns, strict=True):
        assert (one_way.dtype, one_way.role, one_way.unparsed, dict(one_way.markers)) == (
            other.dtype,
            other.role,
            other.unparsed,
            dict(other.markers),
        )


def test_typed_tells_each_cell_that_does_not_parse_and_looks_once_where_it_may() -> None:
    frame = pl.LazyFrame({"a": [*map(str, range(40)), "x"], "b": ["1.5"] * 40 + ["1,5"], "c": ["t"] * 41})
    found = infer(frame, name="made", text=True, roles=NO_ROLES)

    rows, unparsed = typed(found, frame)
    again, once = typed(found, frame, seen=True)

    assert unparsed == once == [(40, "a", "x"), (40, "b", "1,5")]
    assert rows.columns == [ROW_ID, "a", "b", "c"]
    assert rows["a"][40] is None
    assert_frame_equal(rows, again)
    clean = infer(pl.LazyFrame({"a": ["1"]}), name="made", text=True, roles=NO_ROLES)
    assert typed(clean, pl.LazyFrame({"a": ["z"]}))[1] == [(0, "a", "z")]


HOSTILE = [
    'x: int = __import__("os").system("false")',
    '"""\nraise SystemExit\n"""',
    "a'b\"c",
    "{x}",
    "[1]",
    "a b",
    "class",
    "_hidden",
    "__init__",
    "pa",
    "Config",
    "to_schema",
    "int",
    "größe",
    "line\nbreak",
    "back\\slash",
    "\u202eevil",
    "x" * 300,
    "",
]


def test_no_name_of_a_column_is_run_as_code(tmp_path: Path) -> None:
    frame = pl.LazyFrame({name: [f'{i}"""\n' for i in range(3)] * 30 for name in HOSTILE})
    found = infer(frame, name='evil"""\nraise SystemExit #', text=True, roles={"pa": "label"})
    file = tmp_path / "evil.py"
    file.write_text(found.source(), encoding="utf-8")

    loaded = contract.load(file)
    rows, _ = typed(found, frame)

    assert loaded.names == HOSTILE
    assert loaded.label.name == "pa"
    loaded.schema.validate(rows.drop(ROW_ID))


def test_the_source_says_what_was_inferred(tmp_path: Path) -> None:
    number: list[str | None] = [f"{i % 60 / 2}" for i in range(200)]
    shop: list[str | None] = ["north", "south"] * 100
    day: list[str | None] = [f"{i % 28 + 1:02}/{i % 12 + 1:02}/2024" for i in range(200)]
    comma: list[str | None] = [None if i == 3 else f"{i},5" for i in range(200)]
    found = of({"size": number, "shop": shop, "the day": day, "price": comma, "y": ["0", "1"] * 100}, y="label")
    file = tmp_path / "made.py"
    file.write_text(found.source(), encoding="utf-8")

    loaded = contract.load(file)

    for column, inferred in zip(loaded.columns, found.columns, strict=True):
        assert (column.name, column.dtype, column.role, column.modality, column.format) == (
            inferred.name,
            inferred.dtype,
            inferred.role,
            inferred.modality,
            inferred.format,
        )
    assert loaded.column("price").nullable and not loaded.column("size").nullable
    assert 'shop: str = pa.Field(isin=["north", "south"], metadata=CATEGORICAL)' in found.source()
    assert re.search(r"size: float = pa\.Field\(ge=0\.0, le=\d+\.0, metadata=NUMERIC\)", found.source())
    assert found.contract.columns[0].nullable
    assert not found.contract.schema.columns["shop"].checks


def test_columns_of_the_names_that_we_give_keep_theirs(tmp_path: Path) -> None:
    found = of({"column_2": ["1", "2"], "a b": ["x", "y"], "column_3": ["z", "z"]})
    file = tmp_path / "made.py"
    file.write_text(found.source(), encoding="utf-8")

    assert contract.load(file).names == ["column_2", "a b", "column_3"]


@pytest.mark.parametrize("name", ["rows", "cell", "text", "^x$"])
def test_a_column_of_text_may_have_any_name(name: str) -> None:
    assert one("a", "b", "a", name=name).distinct == 2


def test_points_may_part_thousands_before_a_decimal_comma() -> None:
    cells: list[str | None] = [*(f"{i}.{100 + i},50" for i in range(1, 60)), "-7,25", "1.234.567,00", "12"]
    found = of({"price": [*cells, "1.234"]})

    rows, unparsed = typed(found, pl.LazyFrame({"price": [*cells, "1.234"]}))

    assert found.column("price").format == ","
    assert rows["price"].to_list()[-5:] == [59159.5, -7.25, 1234567.0, 12.0, None]
    assert [raw for _, _, raw in unparsed] == ["1.234"]


def test_codes_parted_by_points_are_no_numbers() -> None:
    assert one(*(f"{i}.{100 + i}.{200 + i}" for i in range(1, 60))).dtype == pl.String


def test_numbers_near_the_largest_have_no_range() -> None:
    assert one("1e308", "1", "2").rules == {}


def test_types_of_the_flights_are_those_of_their_contract() -> None:
    agreed = contract.load(ROOT / "schemas" / "flights.py")
    frames = [readers.scan(path, []) for path in readers.files(ROOT / "data" / "raw" / "flights")[:2]]

    found = infer(pl.concat(frames), name="flights", text=True, roles=NO_ROLES)

    assert found.null_values == ["", "NA"]
    assert {c.name: c.dtype for c in found.columns} == {c.name: agreed.column(c.name).dtype for c in found.columns}
    assert sum(column.unparsed for column in found.columns) == 0
    assert found.column("time_hour").role == "time"


@pytest.mark.parametrize(
    ("name", "dtypes", "roles"),
    [
        (
            "demos/diamonds.csv.gz",
            {"carat": pl.Float64, "cut": pl.String, "price": pl.Int64},
            {"carat": "feature", "price": "feature"},
        ),
        ("demos/weather_hourly.csv.gz", {"hour": pl.Int64, "time_hour": pl.Datetime}, {"time_hour": "time"}),
        ("demos/reported_heights.csv", {"height": pl.String, "time_stamp": pl.Datetime}, {"time_stamp": "time"}),
        ("cells/beers/dirty.csv", {"ibu": pl.Int64, "ounces": pl.String}, {"id": "id", "brewery_id": "feature"}),
        (
            "cells/hospital/dirty.csv",
            {"zip": pl.Int64, "emergency_service": pl.Boolean, "score": pl.String},
            {"index": "id", "address_2": "ignore"},
        ),
        ("cells/tax/dirty.csv", {"zip": pl.String, "salary": pl.Int64, "rate": pl.Float64}, {"zip": "feature"}),
        ("drift/elec2.csv", {"feat_1": pl.Float64, "target": pl.Int64}, {"feat_1": "feature"}),
        ("series/metro_traffic.csv.gz", {"temp": pl.Float64, "clouds_all": pl.Int64}, {"date_time": "time"}),
        ("duplicates/dataset1.csv", {"rec_id": pl.String, " date_of_birth": pl.Date}, {"rec_id": "id"}),
    ],
)
def test_real_tables_are_read_as_a_person_would(
    name: str, dtypes: dict[str, pl.DataType], roles: dict[str, str]
) -> None:
    found = real(name)

    assert {c: found.column(c).dtype.base_type() for c in dtypes} == dtypes
    assert {c: found.column(c).role for c in roles} == roles


def test_the_adult_census_is_read_through_its_spaces() -> None:
    path = SHARED / "tables" / "adult" / "train.csv"
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    frame = pl.scan_csv(path, has_header=False, infer_schema=False)
    found = infer(frame, name="adult", text=True, roles={"column_14": "label"})

    numbers = [column.name for column in found.columns if column.dtype == pl.Int64]
    assert numbers == [f"column_{place}" for place in (0, 2, 4, 10, 11, 12)]
    assert sum(column.unparsed for column in found.columns) == 0
    assert " ?" in found.proposed_null_values and " ?" not in found.null_values


def test_commas_may_part_thousands_where_one_cell_is_sure_to() -> None:
    cells: list[str | None] = [*(f"{i},{100 + i}" for i in range(1, 60)), "-1,234,567", "12", "7.5", "1,23"]
    found = of({"price": cells})

    rows, unparsed = typed(found, pl.LazyFrame({"price": cells}))

    assert found.column("price").format == "1,234.5"
    assert rows["price"].to_list()[-5:] == [59159.0, -1234567.0, 12.0, 7.5, None]
    assert [raw for _, _, raw in unparsed] == ["1,23"]


def test_commas_that_may_be_either_stay_text_that_names_no_row() -> None:
    found = one(*(f"{i},{100 + i}" for i in range(1, 60)))

    assert found.dtype == pl.String
    assert found.role == "feature"
    assert "may part thousands or stand before decimals" in found.why


@pytest.mark.parametrize("form", ["{},5", "{}.500,5", "{},500.5"])
def test_the_range_is_of_all_numbers_however_they_are_written(form: str) -> None:
    cells: list[str | None] = [*(form.format(i) for i in range(1, 60)), "7", "12"]
    found = of({"price": cells})
    rows, _ = typed(found, pl.LazyFrame({"price": cells}))

    rules = found.column("price").rules

    assert rows.filter(pl.col("price").is_between(rules["ge"], rules["le"])).height == len(cells)


UNITS = {
    "$1,234.5": (["$5", "-$1,200", "$ 7.50"], [5.0, -1200.0, 7.5]),
    "1234.5%": (["12.5%", "+3 %", "-0.5%"], [12.5, 3.0, -0.5]),
    "1234.5 months": (["36 months", "60  Months", "72 months"], [36.0, 60.0, 72.0]),
    "1234,5 €": (["1.200,50 €", "3,2 €", "7 €"], [1200.5, 3.2, 7.0]),
    "1234.5 fl oz.": (["12 fl oz.", "3.5 fl oz.", "1 fl  oz."], [12.0, 3.5, 1.0]),
    "1234.5km": (["12km", "3.5km", "4km"], [12.0, 3.5, 4.0]),
}


@pytest.mark.parametrize("form", UNITS)
def test_numbers_with_one_unit_are_numbers_in_the_way_they_are_written(form: str) -> None:
    cells, numbers = UNITS[form]
    found = one(*cells)

    assert (found.dtype, found.format, found.modality, found.unparsed) == (pl.Float64(), form, "numeric", 0)
    assert is_number_format(form)
    typed = pl.DataFrame({"x": cells}).select(typed_as(pl.col("x"), pl.String(), pl.Float64(), form))
    assert typed["x"].to_list() == numbers


@pytest.mark.parametrize(
    "cells",
    [
        ["12A", "13A", "14A"],  # seats, houses
        ["A12", "A13", "A14"],
        ["12 oz", "1 kg", "3 lb"],
        ["€1,200", "€3,400", "€7,100"],  # thousands or decimals
        ["1.2.3 kg", "1.2 kg", "3 kg"],
        ["5-7 days", "1-2 days", "3 days"],
        ["$", "$", "$"],
    ],
)
def test_codes_other_units_and_doubtful_commas_stay_text(cells: list[str]) -> None:
    assert one(*cells).dtype == pl.String()


def test_a_number_without_the_unit_of_the_others_is_no_number_of_theirs() -> None:
    found = one(*[f"{row} kg" for row in range(40)], "3")

    assert (found.dtype, found.format, found.unparsed) == (pl.Float64(), "1234.5 kg", 1)
