"""`keepfit predict`: any input, answers and what is set aside, and one line where nothing can be answered."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import artefacts, cli
from pipeline.commands.predict import answers
from pipeline.commands.predict.asked import Part
from pipeline.commands.predict.sieve import Sieve, Sifted
from pipeline.predictor import Predictor
from pipeline.versions import lineage
from pipeline.workspace import Workspace

Write = Callable[[pl.DataFrame, Path], object]
FORMATS: dict[str, Write] = {
    "rows.csv": pl.DataFrame.write_csv,
    "rows.csv.gz": lambda rows, path: rows.write_csv(path, compression="gzip"),
    "semicolons.csv": lambda rows, path: rows.write_csv(path, separator=";"),
    "rows.tsv": lambda rows, path: rows.write_csv(path, separator="\t"),
    "rows.parquet": pl.DataFrame.write_parquet,
    "rows.arrow": pl.DataFrame.write_ipc,
    "rows.jsonl": pl.DataFrame.write_ndjson,
    "rows.json": pl.DataFrame.write_json,
}


def ask(workspace: Workspace, path: object, out: Path, *more: str) -> int:
    return cli.main(["-w", str(workspace.root), "predict", str(path), "--out", str(out), *more])


def cell(row: int, column: str, value: str | None) -> pl.Expr:
    """One cell of the rows as another."""
    return pl.when(pl.int_range(pl.len()) == row).then(pl.lit(value)).otherwise(column).alias(column)


def change_settings(workspace: Workspace, old: str, new: str) -> None:
    """Make the champion as if it had been registered with other settings."""
    folder = workspace.registry / "v1"
    params, known = folder / "workspace" / "params.yaml", lineage.read(folder)
    assert old in params.read_text() and known is not None
    params.write_text(params.read_text().replace(old, new))
    papers = known.papers | {"workspace/params.yaml": artefacts.sha256(params)}
    known.model_copy(update={"papers": papers}).write(folder / lineage.FILE)


def test_settings_of_the_champion_that_were_altered_are_not_asked_by(
    promoted: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    params = promoted.registry / "v1" / "workspace" / "params.yaml"
    params.write_text(params.read_text() + "# altered\n")

    assert ask(promoted, promoted.incoming / "2024-04.csv.gz", tmp_path / "told.csv") == 2

    assert "workspace/params.yaml is not the file that was written" in capsys.readouterr().err
    assert not (tmp_path / "told.csv").exists()


def test_answers_are_those_of_the_model_beside_the_ids_and_the_version(
    promoted_once: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = promoted_once.incoming / "2024-04.csv.gz"

    assert ask(promoted_once, batch, tmp_path / "told.parquet") == 0

    told = pl.read_parquet(tmp_path / "told.parquet")
    rows = pl.read_csv(batch, null_values="NA", try_parse_dates=True).with_columns(
        weekday=pl.col("placed").dt.weekday().cast(pl.String)
    )
    expected = Predictor.load(promoted_once.registry / "v1").answers(rows)
    assert np.array_equal(told.select("p: false", "p: true").to_numpy(), expected)
    assert told.columns == ["row_id", "order", "answer", "p: false", "p: true", "model_version"]
    assert told["row_id"].to_list() == [f"2024-04.csv.gz#{row}" for row in range(200)]
    assert told["order"].to_list() == rows["order"].to_list()
    assert told["model_version"].unique().to_list() == ["v1"]
    assert capsys.readouterr().out == f"answered 200 of 200 rows with v1: {tmp_path / 'told.parquet'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["told.parquet"]


@pytest.mark.parametrize("name", FORMATS)
def test_any_format_is_answered_alike(promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, name: str) -> None:
    FORMATS[name](april, tmp_path / name)
    april.write_csv(tmp_path / "plain.csv")

    assert ask(promoted_once, tmp_path / name, tmp_path / "told.csv") == 0
    assert ask(promoted_once, tmp_path / "plain.csv", tmp_path / "plain.answers.csv") == 0

    told, plain = (pl.read_csv(tmp_path / each) for each in ("told.csv", "plain.answers.csv"))
    assert told.drop("row_id").equals(plain.drop("row_id"))


def test_a_folder_of_tables_is_answered_in_the_order_of_their_names(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    april.tail(50).select(reversed(april.columns)).write_parquet(tmp_path / "in" / "b.parquet")
    april.head(3).with_columns(cell(1, "distance", "far")).write_csv(tmp_path / "in" / "a.csv")
    broken = april.tail(1).select(reversed(april.columns)).with_columns(distance=pl.lit(-1.0))
    broken.write_parquet(tmp_path / "in" / "c.parquet")

    assert ask(promoted_once, tmp_path / "in", tmp_path / "told.csv") == 0

    told, aside = pl.read_csv(tmp_path / "told.csv"), pl.read_csv(tmp_path / "told.aside.csv")
    assert told["row_id"].to_list() == ["a.csv#0", "a.csv#2", *(f"b.parquet#{row}" for row in range(50))]
    assert aside.select("row_id", "reason", "distance").rows() == [
        ("a.csv#1", "dtype_mismatch: distance", "far"),
        ("c.parquet#0", "value_range: distance", "-1.0"),
    ]


def test_a_query_is_answered(promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute(f"create table orders ({str(tuple(april.columns))[1:-1]})")
        database.executemany("insert into orders values (?, ?, ?, ?, ?, ?)", april.rows())
    database.close()

    code = ask(promoted_once, tmp_path / "shop.db", tmp_path / "told.csv", "--sql", "select * from orders limit 7")

    assert code == 0
    assert pl.read_csv(tmp_path / "told.csv").height == 7


def test_rows_that_break_the_contract_are_set_aside_with_the_reason_and_as_they_came(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = april.with_columns(
        shop=pl.when(pl.int_range(pl.len()) < 2).then(pl.lit("moon")).otherwise("shop"),
        distance=pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("far")).otherwise("distance"),
        placed=pl.when(pl.int_range(pl.len()) == 4).then(pl.lit("NA")).otherwise("placed"),
    )
    bad.write_csv(tmp_path / "bad.csv")

    assert ask(promoted_once, tmp_path / "bad.csv", tmp_path / "told.csv") == 0

    told, aside = pl.read_csv(tmp_path / "told.csv"), pl.read_csv(tmp_path / "told.aside.csv", infer_schema=False)
    assert told["row_id"].to_list() == [f"bad.csv#{row}" for row in range(200) if row not in (0, 1, 4)]
    assert aside.columns == ["row_id", "reason", *april.columns]
    assert aside["row_id"].to_list() == ["bad.csv#0", "bad.csv#1", "bad.csv#4"]
    assert [set(reason.split(" + ")) for reason in aside["reason"]] == [
        {"allowed_set: shop"},
        {"allowed_set: shop", "dtype_mismatch: distance"},
        {"null_forbidden: placed", "null_forbidden: weekday"},
    ]
    assert aside.select(april.columns).equals(bad[[0, 1, 4]])
    said = capsys.readouterr().out
    assert f"set aside 3 rows, with the reason of each: {tmp_path / 'told.aside.csv'}\n" in said
    assert "  allowed_set: shop (1 row)\n" in said


def test_what_was_set_aside_is_answered_once_it_is_mended_under_its_old_name(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path
) -> None:
    april.with_columns(cell(7, "shop", "moon")).write_csv(tmp_path / "rows.csv")
    ask(promoted_once, tmp_path / "rows.csv", tmp_path / "told.csv")
    mended = pl.read_csv(tmp_path / "told.aside.csv", infer_schema=False).with_columns(shop=pl.lit("north"))
    mended.write_csv(tmp_path / "mended.csv")

    assert ask(promoted_once, tmp_path / "mended.csv", tmp_path / "more.csv") == 0

    assert pl.read_csv(tmp_path / "more.csv")["row_id"].to_list() == ["rows.csv#7"]


def test_a_row_with_more_cells_or_with_bytes_that_are_no_text_is_set_aside(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path
) -> None:
    lines = april.write_csv().encode().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"\n", b",1\n")
    lines[9] = lines[9].replace(b"2024", b"2\xe9\xff4", 1)  # no UTF-8
    (tmp_path / "rows.csv").write_bytes(b"".join(lines))

    assert ask(promoted_once, tmp_path / "rows.csv", tmp_path / "told.csv") == 0

    told, aside = (pl.read_csv(tmp_path / f"told{part}.csv", infer_schema=False) for part in ("", ".aside"))
    assert told.height + aside.height == len(lines) - 1
    assert aside["reason"].str.contains("placed").sum() == 1
    line = aside.filter(pl.col("reason").str.starts_with("line 4: holds 7 fields"))
    (*cells, last), name = april.row(2), april.columns[-1]
    assert line.rows() == [("rows.csv:line 4", "line 4: holds 7 fields, the header has 6", *cells, f"{last},1")]

    aside.with_columns(pl.lit(last).alias(name), placed=pl.lit(april["placed"][0])).write_csv(tmp_path / "mended.csv")
    assert ask(promoted_once, tmp_path / "mended.csv", tmp_path / "more.csv") == 0
    assert set(pl.read_csv(tmp_path / "more.csv")["row_id"]) == {"rows.csv:line 4", "rows.csv#7"}


def test_columns_that_the_model_does_without_may_be_absent_and_others_are_not_read(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    april.write_csv(tmp_path / "all.csv")
    april.drop("order", "minutes").with_columns(note=pl.lit("x"), weekday=pl.lit("9")).write_csv(tmp_path / "few.csv")

    assert ask(promoted_once, tmp_path / "all.csv", tmp_path / "all.told.csv") == 0
    assert ask(promoted_once, tmp_path / "few.csv", tmp_path / "few.told.csv") == 0

    every, few = (pl.read_csv(tmp_path / f"{name}.told.csv") for name in ("all", "few"))
    assert few.drop("row_id").equals(every.drop("row_id", "order"))
    said = capsys.readouterr().out
    assert "absent, and not needed: order, minutes\n" in said
    assert "not read, as the contract does not name it or it is derived anew: note, weekday\n" in said


def test_a_label_that_breaks_the_contract_does_not_keep_a_row_from_its_answer(
    promoted: Workspace, april: pl.DataFrame, tmp_path: Path
) -> None:
    change_settings(promoted, "    slow: minutes > 30\n", "")
    april.with_columns(slow=pl.lit("perhaps")).write_csv(tmp_path / "rows.csv")

    assert ask(promoted, tmp_path / "rows.csv", tmp_path / "told.csv") == 0

    assert pl.read_csv(tmp_path / "told.csv").height == 200


@pytest.mark.parametrize("policy", ["warn", "stop", "repair"])
def test_the_policies_of_the_settings_decide(
    promoted: Workspace, april: pl.DataFrame, tmp_path: Path, policy: str
) -> None:
    change_settings(promoted, "{batch_expectations: stop}", f"{{contract: {policy}}}")
    april.with_columns(cell(3, "shop", "moon")).write_csv(tmp_path / "rows.csv")

    assert ask(promoted, tmp_path / "rows.csv", tmp_path / "told.csv") == 0

    assert pl.read_csv(tmp_path / "told.csv").height == (200 if policy == "warn" else 199)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("absent.csv", None, "is absent"),
        ("empty.csv", b"", "is empty"),
        ("header.csv", b"order,placed,shop,distance,weight,minutes\n", "has a header and no rows"),
        ("other.csv", b"a,b\n1,2\n", "lacks 4 columns that the model reads: placed, shop, distance, weight"),
        ("page.csv", b"<html><body>not found</body></html>", "is a web page"),
        ("cut.parquet", b"PAR1" + bytes(40), "cannot be read"),
        ("picture.png", b"\x89PNG\r\n\x1a\n", "is a picture"),
        ("broken.json", b'[{"order": 1,', "is no JSON"),
        ("text.csv", b"placed,shop,distance,weight\nlater,north,1.0,2.0\n", "no row can be answered: "),
        ("nul.csv", b"\x00\x01\x02\x03" * 50, ""),
    ],
)
def test_odd_input_ends_in_one_line_and_leaves_what_was_there(
    promoted_once: Workspace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes | None,
    told: str,
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    (tmp_path / "told.csv").write_text("old")

    assert ask(promoted_once, tmp_path / name, tmp_path / "told.csv") == 2

    said = capsys.readouterr().err
    assert (said.count("\n"), told in said) == (1, True)
    assert (tmp_path / "told.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        {"told.csv"} | ({name} if content is not None else set())
    )


def test_a_type_that_a_column_cannot_have_ends_in_one_line(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    april.with_columns(distance=pl.date(2024, 1, 1)).write_parquet(tmp_path / "rows.parquet")

    assert ask(promoted_once, tmp_path / "rows.parquet", tmp_path / "told.csv") == 2

    assert "rows.parquet: distance: holds Date, the contract says Float64" in capsys.readouterr().err


@pytest.mark.parametrize("out", ["told.txt", "rows.csv", "folder.csv", "in/told.csv"])
def test_a_place_where_answers_cannot_go_is_refused_before_anything_is_asked(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    for folder in ("folder.csv", "in"):
        (tmp_path / folder).mkdir()
    april.write_csv(tmp_path / "rows.csv")
    april.write_csv(tmp_path / "in" / "rows.csv")
    path = tmp_path / ("in" if out.startswith("in/") else "rows.csv")

    assert ask(promoted_once, path, tmp_path / out) == 2

    assert f"keepfit: --out {tmp_path / out}: is " in capsys.readouterr().err
    assert pl.read_csv(tmp_path / "rows.csv").height == 200


def test_mended_rows_are_not_taken_away_by_the_answers_to_them(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    april.write_csv(tmp_path / "told.aside.csv")

    assert ask(promoted_once, tmp_path / "told.aside.csv", tmp_path / "told.csv") == 2

    assert "told.csv: has its rows set aside where the rows come from; name a file elsewhere" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["told.aside.csv"]


def test_rows_are_held_to_the_contract_that_the_champion_keeps(
    promoted: Workspace, april: pl.DataFrame, tmp_path: Path
) -> None:
    agreed = promoted.contract_file.read_text()
    promoted.contract_file.write_text(agreed.replace("ge=0, le=100", "ge=0, le=1"))
    april.write_csv(tmp_path / "rows.csv")

    assert ask(promoted, tmp_path / "rows.csv", tmp_path / "told.csv") == 0

    assert pl.read_csv(tmp_path / "told.csv").height == 200


def test_without_a_champion_it_ends_in_one_line(
    trained_once: Workspace, april: pl.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    april.write_csv(tmp_path / "rows.csv")

    assert ask(trained_once, tmp_path / "rows.csv", tmp_path / "told.csv") == 2

    assert "there is no champion" in capsys.readouterr().err


def test_the_old_name_of_the_option_holds(promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path) -> None:
    april.write_csv(tmp_path / "rows.csv")
    words = ["-w", str(promoted_once.root), "predict", str(tmp_path / "rows.csv"), "--to", str(tmp_path / "told.csv")]

    assert cli.main(words) == 0

    assert (tmp_path / "told.csv").is_file()


def test_it_does_not_matter_how_many_rows_are_looked_at_at_a_time(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = april.with_columns(shop=pl.when(pl.int_range(pl.len()) % 40 == 3).then(pl.lit("moon")).otherwise("shop"))
    bad.write_csv(tmp_path / "rows.csv")
    ask(promoted_once, tmp_path / "rows.csv", tmp_path / "whole.csv")
    monkeypatch.setattr(answers, "ROWS", 7)
    parts: list[int] = []
    sift = Sieve.sift

    def counted(sieve: Sieve, part: Part) -> Sifted:
        parts.append(part.rows.height)
        return sift(sieve, part)

    monkeypatch.setattr(Sieve, "sift", counted)

    ask(promoted_once, tmp_path / "rows.csv", tmp_path / "parts.csv")

    assert max(parts) < 20
    for name in ("{}.csv", "{}.aside.csv"):
        whole, part = (pl.read_csv(tmp_path / name.format(each)) for each in ("whole", "parts"))
        assert part.select(pl.exclude(pl.Float64)).equals(whole.select(pl.exclude(pl.Float64)))
    before, after = (pl.read_csv(tmp_path / f"{each}.csv")["p: true"].to_numpy() for each in ("whole", "parts"))
    assert after == pytest.approx(before, abs=1e-7)


def test_what_an_earlier_run_set_aside_goes_when_nothing_is(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path
) -> None:
    april.with_columns(cell(7, "shop", "moon")).write_csv(tmp_path / "rows.csv")
    ask(promoted_once, tmp_path / "rows.csv", tmp_path / "told.csv")
    assert (tmp_path / "told.aside.csv").is_file()
    april.write_csv(tmp_path / "rows.csv")

    ask(promoted_once, tmp_path / "rows.csv", tmp_path / "told.csv")

    assert not (tmp_path / "told.aside.csv").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="a limit on the size of files stands for a full disk")
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_full_disk_ends_in_one_line(
    promoted_once: Workspace, april: pl.DataFrame, tmp_path: Path, ending: str
) -> None:
    pl.concat([april] * 20).write_csv(tmp_path / "rows.csv")
    code = (
        "import resource, sys; from pipeline import cli\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3_000, 3_000)); sys.exit(cli.main(sys.argv[1:]))"
    )
    words = [
        "-w",
        str(promoted_once.root),
        "predict",
        str(tmp_path / "rows.csv"),
        "--out",
        str(tmp_path / f"to{ending}"),
    ]

    ended = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, env={**os.environ}
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1), ended.stderr
    assert not (tmp_path / f"to{ending}").exists()
    assert "file too large; mend that, and run again" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
