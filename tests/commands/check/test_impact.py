"""Which findings matter: planted defects that cost a model something, beside ones that do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import r2_score, roc_auc_score

from pipeline.commands.check import impact
from pipeline.commands.check.impact import Impact
from pipeline.quality.findings import FLAG_SCHEMA, Finding, Skipped, Table
from pipeline.quality.inspection import Inspection
from tests.checks.conftest import ROLES, made

ROWS = 3_000


def told(check: str, column: str | None) -> Finding:
    return Finding(
        check=check,
        severity="warning",
        column=column,
        rows=1,
        fraction=0.1,
        observed=None,
        threshold=None,
        message="",
        suggestion="",
        examples=[],
        policy="warn",
    )


def flagged(check: str, column: str | None, rows: list[int], suggested: list[str | None] | None = None) -> pl.DataFrame:
    frame = pl.DataFrame({"row_id": [f"rows#{row}" for row in rows]}, schema={"row_id": pl.String}).with_columns(
        column=pl.lit(column, dtype=pl.String),
        check=pl.lit(check),
        score=pl.lit(1.0),
        value=pl.lit(None, dtype=pl.String),
        suggested=pl.Series(suggested or [None] * len(rows), dtype=pl.String),
        rule=pl.lit(None, dtype=pl.String),
        policy=pl.lit("warn"),
    )
    return frame.select(pl.col(name).cast(dtype) for name, dtype in FLAG_SCHEMA.items())


def inspection(*flags: pl.DataFrame) -> Inspection:
    found = [told(part["check"][0], part["column"][0]) for part in flags]
    return Inspection(findings=found, flags=pl.concat(flags), accounts=[], seconds={}, private=frozenset())


def sound(rng: np.random.Generator, rows: int = ROWS) -> dict[str, np.ndarray]:
    strong, weak, noise = rng.normal(size=(3, rows))
    y = strong + 0.5 * weak + rng.normal(scale=0.1, size=rows) > 0
    return {"strong": strong, "weak": weak, "noise": noise, "y": np.where(y, "yes", "no")}


def ranked(table: Table, asked: Inspection) -> list[Impact]:
    found = impact.impacts(table, asked)
    assert not isinstance(found, Skipped)
    return found


def test_what_matters_is_told_before_what_does_not() -> None:
    rng = np.random.default_rng(2)
    data = sound(rng)
    flipped, scaled, harmless = (rng.permutation(ROWS)[:300] for _ in range(3))
    right = data["y"][flipped].tolist()
    data["y"][flipped] = np.where(data["y"][flipped] == "yes", "no", "yes")
    before = data["strong"][scaled]
    data["strong"][scaled] = -4 * before
    table = made({name: values.tolist() for name, values in data.items()})

    found = ranked(
        table,
        inspection(
            flagged("z_score_outlier", "noise", harmless.tolist()),
            flagged("unit_scale_jump", "strong", scaled.tolist(), [str(cell) for cell in before]),
            flagged("label_error", "y", flipped.tolist(), right),
        ),
    )

    helping = [(each.check, each.action) for each in found if each.shown and each.change > 0]
    assert helping[0] == ("unit_scale_jump", "repair")
    assert {check for check, _ in helping} == {"unit_scale_jump", "label_error"}
    assert [each.check for each in found if not each.shown] == ["z_score_outlier"]
    assert next(iter(impact.lines(found))).startswith("fixing unit_scale_jump in strong: AUC +0.0")
    assert any("z_score_outlier in noise: no difference shown" in line for line in impact.lines(found))


def test_a_number_as_label_is_judged_by_its_explained_variance() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=1_000)
    y = (2 * x + rng.normal(scale=0.3, size=1_000)).tolist()
    broken = list(range(0, 1_000, 12))
    cells = x.copy()
    cells[broken] = rng.permutation(x[broken]) + 3
    table = made({"x": cells.tolist(), "y": y})

    (repair, drop) = ranked(table, inspection(flagged("a", "x", broken, [str(x[row]) for row in broken])))

    assert (repair.action, repair.metric, repair.shown) == ("repair", "R²", True)
    assert drop.action == "drop"


def test_a_suggested_null_empties_the_cell_and_what_is_of_no_type_stays() -> None:
    rows = pl.DataFrame({"row_id": [1, 2, 3, 4], "n": [10, 20, 30, 40]})
    cells = pl.DataFrame(
        {"row_id": ["1", "2", "3"], "suggested": ["7.0", "x", None], "emptied": [False, False, True]},
        schema={"row_id": pl.String, "suggested": pl.String, "emptied": pl.Boolean},
    )

    assert impact.mended(rows, "n", cells)["n"].to_list() == [7, 20, None, 40]


def test_the_same_seed_gives_the_same_bytes_whatever_the_partitions() -> None:
    data = {name: values.tolist() for name, values in sound(np.random.default_rng(5), 600).items()}
    asked = inspection(flagged("a", "noise", list(range(0, 600, 9))))

    one, seven = (ranked(made(data, parts=parts), asked) for parts in (1, 7))

    assert one == seven


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"x": [1.0] * 300}, "no column has the role label"),
        ({"x": [1.0] * 300, "y": ["a"] * 300}, "1 classes"),
        ({"x": [1.0] * 40, "y": ["a", "b"] * 20}, "40 labelled rows"),
        ({"y": ["a", "b"] * 200}, "no feature"),
        ({"x": list(range(400)), "y": ["a", "b"] * 200}, "no finding hits"),
        ({"x": [1.0] * 400, "y": ["a", "b"] * 200}, "one group, or equal"),
        ({"x": list(range(400)), "g": ["one"] * 400, "y": ["a", "b"] * 200}, "one group, or equal"),
        ({"x": [], "y": []}, "classes"),
    ],
)
def test_what_cannot_be_judged_says_why(data: dict[str, list[object]], why: str) -> None:
    table = made(pl.DataFrame(data, schema_overrides={"x": pl.Float64, "y": pl.String} if data.get("x") == [] else {}))

    found = impact.impacts(table, inspection(flagged("a", "x", [1, 2])))

    assert isinstance(found, Skipped)
    assert why in found.why


def test_gaps_nan_and_columns_of_nothing_are_learnt_from_as_they_are() -> None:
    data = {name: values.tolist() for name, values in sound(np.random.default_rng(6), 400).items()}
    data["strong"] = [None if i % 5 == 0 else float("nan") if i % 7 == 0 else v for i, v in enumerate(data["strong"])]
    data["empty"] = [None] * 400
    table = made(pl.DataFrame(data, schema_overrides={"empty": pl.Float64}))

    (found,) = ranked(table, inspection(flagged("a", None, list(range(20)))))

    assert (found.rows, found.action) == (20, "drop")


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(7)
    y, score, weight = rng.random(200) < 0.4, rng.random(200).round(1), rng.integers(0, 4, (3, 200)).astype(float)
    target = rng.normal(size=200)

    aucs, explained = impact._auc(y, score, weight), impact._explained(target, score, weight)

    assert aucs == pytest.approx([roc_auc_score(y, score, sample_weight=each) for each in weight])
    assert explained == pytest.approx([r2_score(target, score, sample_weight=each) for each in weight])


def test_private_values_do_not_come_into_the_answer(tmp_path: Path) -> None:
    data = {name: values.tolist() for name, values in sound(np.random.default_rng(8), 400).items()}
    asked = replace(
        inspection(flagged("a", "noise", list(range(30)), ["12345.678"] * 30)), private=frozenset({"noise"})
    )

    found = ranked(made(data), asked)

    assert all("12345" not in each.model_dump_json() for each in found)


def test_a_label_whose_name_looks_like_a_pattern_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROLES, "^y$", "label")
    data = {name: values.tolist() for name, values in sound(np.random.default_rng(8), 600).items()}
    hit = list(range(0, 600, 9))

    plain, odd = (
        ranked(
            made({name if column == "y" else column: cells for column, cells in data.items()}),
            inspection(flagged("a", name, hit, ["no"] * len(hit)), flagged("b", "noise", hit)),
        )
        for name in ("y", "^y$")
    )

    assert [(each.action, each.change, each.low) for each in odd] == [(e.action, e.change, e.low) for e in plain]
