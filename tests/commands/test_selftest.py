"""The self-test: defects are planted where they are said to be, and what is told of them is counted right."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import checks
from pipeline.commands import selftest
from pipeline.commands.selftest import DEFECTS, Outcome, Trial, words
from pipeline.commands.selftest.defect import Damage, Defect, truths
from pipeline.commands.selftest.material import Material, gather
from pipeline.commands.selftest.score import scored
from pipeline.errors import DataError
from pipeline.quality.findings import FLAG_SCHEMA, Finding
from pipeline.quality.inspection import Inspection

CITIES = ("Zurich", "Geneva", "Lausanne", "Lugano", "Winterthur")
BY_NAME = {defect.name: defect for defect in DEFECTS}


def written(path: Path, rows: int = 600) -> Path:
    """A table with a series, words that depend on one another, numbers and a label."""
    rng = np.random.default_rng(0)
    city = rng.integers(len(CITIES), size=rows)
    size, weight = rng.normal(50, 5, rows), rng.normal(70, 9, rows)
    pl.DataFrame(
        {
            "stamp": pl.datetime_range(
                pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 1) + pl.duration(hours=rows - 1), "1h", eager=True
            ),
            "city": [CITIES[place] for place in city],
            "canton": [("Zürich", "Genf", "Waadt", "Tessin", "Zürich")[place] for place in city],
            "size": size.round(2),
            "weight": weight.round(1),
            "late": np.where(size + weight > 120, "yes", "no"),
        }
    ).write_csv(path)
    return path


@pytest.fixture
def material(tmp_path: Path) -> Material:
    return gather([str(written(tmp_path / "a.csv"))], {"late": "label"}, tmp_path / "scratch", 1_000)


def test_every_defect_has_a_name_of_its_own_and_checks_that_exist() -> None:
    assert len(BY_NAME) == len(DEFECTS)
    assert {check for defect in DEFECTS for check in defect.told_by} <= set(checks.registered())
    assert set(selftest.MODELS) <= set(checks.registered())


@pytest.fixture
def measured(tmp_path: Path) -> Material:
    return gather([str(written(tmp_path / "a.csv"))], {"weight": "label"}, tmp_path / "scratch", 1_000)


@pytest.mark.parametrize("defect", DEFECTS, ids=[defect.name for defect in DEFECTS])
def test_the_truth_is_where_the_rows_differ(material: Material, measured: Material, defect: Defect) -> None:
    material = measured if defect.name == "exchanged label" else material
    ground = material.against() if defect.against else material
    columns = defect.chosen(ground, np.random.default_rng(1))
    assert columns, "the table of this test is meant to have a place for each"

    damage = defect.plant(ground, columns, 7, np.random.default_rng(2))
    again = defect.plant(ground, columns, 7, np.random.default_rng(2))

    assert damage.rows.equals(again.rows)
    assert damage.truth.equals(again.truth)
    assert damage.rows["row_id"].is_unique().all()
    assert not damage.rows.equals(ground.rows)
    sound = ground.rows.join(damage.truth, left_on="row_id", right_on="row", how="anti")
    left = damage.rows.join(damage.truth, left_on="row_id", right_on="row", how="anti")
    if damage.truth.height:
        untouched = [name for name in ground.rows.columns if name in left.columns]
        assert left.sort("row_id").select(untouched).equals(sound.sort("row_id").select(untouched))
    for _, row, column in damage.truth.drop_nulls("column").iter_rows():
        before, after = (rows.filter(pl.col("row_id") == row)[column][0] for rows in (ground.rows, damage.rows))
        assert before != after or defect.name == "flat line"


def test_names_that_are_patterns_are_damaged_as_others_are(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.csv")
    names = {name: f"^{name}$" for name in pl.read_csv(plain).columns} | {"size": "*"}
    pl.read_csv(plain, infer_schema=False).rename(names).write_csv(tmp_path / "b.csv")
    one, two = (
        gather([str(tmp_path / file)], {label: "label"}, tmp_path / "scratch", 1_000)
        for file, label in (("a.csv", "late"), ("b.csv", "^late$"))
    )

    for defect in (defect for defect in DEFECTS if defect.places(one)):
        first, second = (each.against() if defect.against else each for each in (one, two))
        places = defect.chosen(first, np.random.default_rng(1))
        assert [names.get(place, place) for place in places] == defect.chosen(second, np.random.default_rng(1))
        damaged = defect.plant(first, places, 7, np.random.default_rng(2)).rows
        again = defect.plant(second, [names.get(place, place) for place in places], 7, np.random.default_rng(2)).rows
        assert damaged.rows() == again.rows()


def test_a_column_of_the_users_own_is_not_taken_for_the_planted_one(tmp_path: Path) -> None:
    rows = pl.read_csv(written(tmp_path / "a.csv"), infer_schema=False)
    rows.with_columns(pl.col("city").alias("extra"), pl.col("size").alias("extra total")).write_csv(tmp_path / "b.csv")
    material = gather([str(tmp_path / "b.csv")], {"late": "label"}, tmp_path / "scratch", 1_000)

    for name in ("leaked label", "column of mails", "wrong sum"):
        places = BY_NAME[name].chosen(material, np.random.default_rng(1))
        damage = BY_NAME[name].plant(material, places, 7, np.random.default_rng(2))
        assert damage.columns[0] in ("extra 2", "extra total 2")
        assert damage.rows["extra"].equals(material.rows["extra"])


def test_so_many_are_planted_as_were_asked_for(material: Material) -> None:
    damage = BY_NAME["outlier x10"].plant(material, ["size", "weight"], 9, np.random.default_rng(0))

    assert damage.truth["column"].value_counts().sort("column").rows() == [("size", 9), ("weight", 9)]
    cells = damage.rows.join(damage.truth.filter(column="size"), left_on="row_id", right_on="row")["size"]
    assert (cells.cast(pl.Float64) > 250).all()


def test_a_copy_and_its_source_are_one_item(material: Material) -> None:
    damage = BY_NAME["exact copy"].plant(material, ["size"], 5, np.random.default_rng(0))

    assert damage.rows.height == material.height + 5
    assert damage.truth.group_by("item").len()["len"].to_list() == [2] * 5
    assert damage.rows.drop("row_id").is_duplicated().sum() == 10


def found(check: str, column: str | None, severity: str = "warning") -> Finding:
    return Finding.model_validate(
        dict.fromkeys(("observed", "threshold"))
        | {"check": check, "severity": severity, "column": column, "rows": 1, "fraction": 0, "policy": "warn"}
        | {"message": "", "suggestion": "", "examples": []}
    )


def seen(*told: tuple[str, str | None, list[int]], severity: str = "warning") -> Inspection:
    """An inspection that says: check, column, rows."""
    cells = [(str(row), column, check) for check, column, rows in told for row in rows]
    flags = pl.DataFrame(cells, schema={"row_id": pl.String, "column": pl.String, "check": pl.String}, orient="row")
    absent = [pl.lit(None, dtype=t).alias(n) for n, t in FLAG_SCHEMA.items() if n not in flags.columns]
    findings = [found(check, column, severity) for check, column, _ in told]
    return Inspection(
        findings=findings,
        flags=flags.with_columns(absent).select(list(FLAG_SCHEMA)),
        accounts=[],
        seconds={},
        private=frozenset(),
    )


@pytest.fixture
def damage(material: Material) -> Damage:
    return Damage(rows=material.rows, truth=truths(material, [(3, "size"), (8, "size")]), columns=("size",))


OUTLIER = BY_NAME["outlier x10"]


def test_what_is_flagged_counts_once_a_cell(damage: Damage) -> None:
    score = scored(OUTLIER, damage, seen(), seen(("z_score_outlier", "size", [3]), ("ts_spike", "size", [3])))

    assert (score.planted, score.found, score.false_rows, score.false_findings) == (2, 1, 0, [])
    assert score.by == {"ts_spike": 1, "z_score_outlier": 1}


def test_what_the_sound_rows_showed_is_subtracted(damage: Damage) -> None:
    before = seen(("z_score_outlier", "size", [3, 5]))

    score = scored(OUTLIER, damage, before, seen(("z_score_outlier", "size", [3, 5, 8])))

    assert (score.found, score.false_rows) == (1, 0)


def test_other_rows_and_other_columns_are_false_alarms(damage: Damage) -> None:
    score = scored(OUTLIER, damage, seen(), seen(("z_score_outlier", "size", [3, 9]), ("string_typos", "city", [3])))

    assert (score.found, score.false_rows) == (1, 2)
    assert score.false_findings == ["string_typos city", "z_score_outlier size"]


def test_what_is_worth_knowing_alone_is_no_false_alarm(damage: Damage) -> None:
    score = scored(OUTLIER, damage, seen(), seen(("skew", "weight", [1]), severity="info"))

    assert (score.found, score.told, score.false_rows, score.false_findings) == (0, False, 0, [])


def test_a_finding_about_the_column_is_told_without_rows(damage: Damage) -> None:
    score = scored(OUTLIER, damage, seen(), seen(("unit_scale_jump", "size", [])))

    assert (score.found, score.told, score.by) == (0, True, {"unit_scale_jump": 0})


def test_the_whole_way_finds_what_it_should_and_is_the_same_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv")
    asked = Trial(paths=[str(path)], rates=(0.01, 0.05), only=["exact copy", "other case", "constant column"])
    before = path.read_bytes()

    one, two = (selftest.selftest(asked, tmp_path / name) for name in ("one", "two"))

    assert path.read_bytes() == before
    assert [(o.defect, o.rate, o.found, o.planted) for o in one.outcomes] == [
        ("other case", 0.01, 12, 12),
        ("other case", 0.05, 60, 60),
        ("exact copy", 0.01, 6, 6),
        ("exact copy", 0.05, 30, 30),
        ("constant column", None, 0, 0),
    ]
    assert one.outcomes[-1].told
    untimed = [[o.model_dump(exclude={"seconds"}) for o in tested.outcomes] for tested in (one, two)]
    assert untimed[0] == untimed[1]
    assert one.baseline == two.baseline
    assert json.loads(one.model_dump_json())["rows"] == 600


def test_what_is_not_planted_says_why(tmp_path: Path) -> None:
    pl.DataFrame({"n": np.random.default_rng(0).normal(size=80).round(2)}).write_csv(tmp_path / "a.csv")

    tested = selftest.selftest(
        Trial(paths=[str(tmp_path / "a.csv")], rates=(0.05,), only=["typo", "flipped label"]), tmp_path / "s"
    )

    assert tested.outcomes == []
    assert tested.left_out == {
        "typo": "as no column takes them",
        "flipped label": "the checks that tell these fit models (--thorough asks them)",
    }
    assert "not planted, as no column takes them: typo" in words.lines(tested)


def test_a_name_that_is_no_defect_and_too_few_rows_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", rows=20)

    with pytest.raises(DataError, match="mischief: is no defect"):
        selftest.selftest(Trial(paths=[str(path)], only=["mischief"]), tmp_path / "s")
    with pytest.raises(DataError, match="has 20 rows"):
        selftest.selftest(Trial(paths=[str(path)]), tmp_path / "t")


def test_rows_of_any_format_are_text_here(tmp_path: Path) -> None:
    frame = pl.read_csv(written(tmp_path / "a.csv"), try_parse_dates=True).with_columns(pl.col("size").cast(pl.Float32))
    frame.with_columns(listed=pl.concat_list("size")).write_parquet(tmp_path / "a.parquet")

    found = gather([str(tmp_path / "a.parquet")], {"late": "label"}, tmp_path / "s", 100)

    assert (found.height, found.time) == (100, "stamp")
    assert set(found.rows.drop("row_id").dtypes) == {pl.String}
    assert found.rows["stamp"][1].startswith("2024-01-01 01:00")


def test_rows_without_a_time_axis_are_drawn_from_all_of_the_file(tmp_path: Path) -> None:
    pl.DataFrame({"n": [1.5 * i for i in range(1_000)]}).write_csv(tmp_path / "a.csv")

    found = gather([str(tmp_path / "a.csv")], {}, tmp_path / "s", 100)

    assert found.rows["n"].to_list()[:3] == ["0.0", "15.0", "30.0"]


def test_the_table_has_one_line_a_defect_and_one_column_a_rate() -> None:
    def outcome(rate: float | None, found: int, *, told: bool = False, beside: int = 0) -> Outcome:
        return Outcome(
            defect="typo" if rate else "leak",
            what="",
            rate=rate,
            columns=["city"],
            planted=10 if rate else 0,
            found=found,
            recall=None,
            told=told,
            by={"string_typos": found} if found or told else {},
            expected=[],
            false_rows=beside,
            false_findings=["ts_gap t"] * (beside > 0),
            seconds=0.1,
        )

    tested = selftest.SelfTest(
        rows=100,
        columns=3,
        seed=1,
        thorough=False,
        baseline={},
        outcomes=[outcome(0.01, 0), outcome(0.05, 9, beside=2), outcome(None, 0, told=True)],
        left_out={},
        seconds=1.0,
    )

    head, typo, leak, beside, last = words.lines(tested)

    assert head.split() == ["planted", "1.0%", "5.0%", "false", "rows", "told", "by"]
    assert typo.split() == ["typo", "-", "9/10", "2", "string_typos"]
    assert leak.split() == ["leak", "told", "0", "string_typos"]
    assert beside == "beside typo at 5.0%: ts_gap t"
    assert last.startswith("100 rows, 3 columns, seed 1: 3 damaged copies, 1 not noticed at all, 1 with false alarms")


def test_lost_signs_and_a_level_that_moves_are_found(tmp_path: Path) -> None:
    trial = Trial(paths=[str(written(tmp_path / "a.csv", 2_000))], rates=(0.01,), only=["lost sign", "level shift"])

    found = {outcome.defect: outcome for outcome in selftest.selftest(trial, tmp_path / "s").outcomes}

    assert found["lost sign"].recall == 1
    assert found["level shift"].by.keys() == {"ts_level_shift"}
    assert [outcome.false_findings for outcome in found.values()] == [[], []]
