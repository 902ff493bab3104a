"""`keepfit explain`: why the model answered a row as it did."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import DataError

if TYPE_CHECKING:
    import polars as pl

    from pipeline.contract import Contract
    from pipeline.judgement.attribution import Explanation
    from pipeline.predictor import Predictor
    from pipeline.workspace import Workspace

Open = Callable[[argparse.Namespace], "Workspace"]
Say = Callable[[str], None]
SHOWN, LETTERS = 12, 60


def add(add: Callable[[str, object, str], argparse.ArgumentParser], opened: Open, say: Say) -> None:
    """The command; `opened` gives the workspace that was named, with its settings checked."""
    words = "say why the model answered rows as it did: what each column added to the answer"
    command = add("explain", lambda chosen: show(chosen, opened(chosen), say), words)
    command.add_argument(
        "rows", nargs="+", metavar="ROW", help="a row_id, as 2013-01.csv.gz#7; with --of a number from 0"
    )
    command.add_argument("--of", type=Path, metavar="FILE", help="rows of this file, which the model has not seen")
    command.add_argument(
        "--model", metavar="VERSION", help="of the registry (default: the champion, else the candidate)"
    )


def show(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit explain ROW...`."""
    from pipeline import artefacts, contract
    from pipeline.contract import ROW_ID
    from pipeline.judgement import attribution

    agreed = contract.load(workspace.contract_file)
    model = model_of(workspace, chosen.model)
    rows = _of_file(workspace, agreed, model, chosen.of, chosen.rows) if chosen.of else _known(workspace, chosen.rows)
    train = artefacts.scan_parquet(workspace.split / "train.parquet").collect()
    target, threshold = model.preprocessor.target, _threshold(workspace, model)
    said = target.said(model.answers(rows), threshold)["answer"]
    told = attribution.explain(model, rows, train, workspace.seed)
    two = target.kind == "classes" and len(target.classes) == 2
    for name, answer, explanation in zip(rows[ROW_ID], said, told, strict=True):
        for line in lines(name, answer, explanation, threshold if two else None):
            say(line)
    return 0


def model_of(workspace: "Workspace", version: str | None) -> "Predictor":
    """The version that is named, the champion, or the candidate where there is none."""
    from pipeline.predictor import Predictor
    from pipeline.versions import registry

    known = registry.folder(workspace, version) if version else registry.champion_folder(workspace)
    return Predictor.load(known or workspace.candidate, workspace.media)


def _threshold(workspace: "Workspace", model: "Predictor") -> float:
    """From which probability the model says yes, as its evaluation chose it; half where it was not judged."""
    from pipeline import artefacts
    from pipeline.versions import registry

    own = model.folder == workspace.candidate
    evaluation = workspace.evaluation if own else model.folder / registry.EVALUATION
    known: dict[str, float] = artefacts.read_json(evaluation)["thresholds"] if evaluation.is_file() else {}
    return known.get("candidate", 0.5)


def _known(workspace: "Workspace", names: Sequence[str]) -> "pl.DataFrame":
    """The rows of train, val and test with these names, in their order; raises DataError for one that is in none."""
    import polars as pl

    from pipeline import artefacts
    from pipeline.contract import ROW_ID
    from pipeline.stages.split import SPLITS

    parts = [artefacts.scan_parquet(workspace.split / f"{name}.parquet") for name in SPLITS]
    found = pl.concat([part.filter(pl.col(ROW_ID).is_in(list(names))) for part in parts]).collect()
    for name in names:
        if name not in found[ROW_ID]:
            raise DataError(
                "is in none of train, val and test",
                where=name,
                fix="`keepfit ledger FILE ROW` says where it went; of a new file use --of FILE",
            )
    return pl.DataFrame({ROW_ID: list(names)}).join(found, on=ROW_ID, how="left", maintain_order="left")


def _of_file(
    workspace: "Workspace", agreed: "Contract", model: "Predictor", path: Path, names: Sequence[str]
) -> "pl.DataFrame":
    """These rows of a file that came, repaired by the model's rules; raises DataError for a row that it has not."""
    import polars as pl
    from polars.selectors import by_name

    from pipeline.monitor import judged
    from pipeline.quality.findings import Table
    from pipeline.stages import ingest
    from pipeline.stages.ingest import IngestSettings

    parsed = ingest.read(path, path.name, workspace.section(IngestSettings), agreed)
    height = parsed.typed.height
    for name in names:
        if not name.isdecimal() or int(name) >= height:
            raise DataError(
                "is no row of that file", where=f"{path.name}#{name}", fix=f"its rows are 0 to {height - 1}"
            )
    partitions = {path.name: parsed.typed.lazy()}
    table = Table(
        contract=agreed, partitions=partitions, unparsed=parsed.unparsed.lazy(), height=height, base=path.parent
    )
    chosen = parsed.typed[[int(name) for name in names]]
    rows = judged.repaired(workspace, table, model.repairs, chosen)
    folder = pl.lit(f"{path.parent.resolve()}/")  # that of train's pictures and sounds is another
    cells = [by_name(name) for name in model.preprocessor.files]
    return rows.with_columns(pl.when(cell.str.starts_with("/")).then(cell).otherwise(folder + cell) for cell in cells)


def lines(name: str, answer: Any, told: "Explanation", threshold: float | None = None) -> Iterator[str]:
    """What is said of one row; `threshold`: from which probability of two the second class is the answer."""
    from pipeline.judgement.attribution import largest
    from pipeline.wording import clip, number

    usual = f"{number(told.usual)} on the mean of train"
    usual = usual if threshold is None else f"said from {number(threshold)}; {usual}"
    yield f"{name}: {clip(number(answer))} ({clip(told.number)} {number(told.answer)}, {usual})"
    causes, rest = largest(told.causes, SHOWN)
    for cause in causes:
        value = "missing" if cause.value is None else clip(number(cause.value), LETTERS)
        yield f"  {cause.added:>+9.3g} ±{cause.error:<7.1g} {cause.column} = {value}"
    if len(told.causes) > SHOWN:
        yield f"  {rest:>+9.3g}          {len(told.causes) - SHOWN} other columns together"
