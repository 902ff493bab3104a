"""`keepfit predict`: rows that came → what the champion answers of each, as a table."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from pipeline.workspace import Workspace

Open = Callable[[argparse.Namespace], "Workspace"]
Say = Callable[[str], None]


def add(add: Callable[[str, object, str], argparse.ArgumentParser], opened: Open, say: Say) -> None:
    """The command; `opened` gives the workspace that was named, with its settings checked."""
    command = add(
        "predict", lambda chosen: write(chosen, opened(chosen), say), "write what the champion answers of rows"
    )
    command.add_argument("path", type=Path, metavar="FILE", help="rows as the contract says; labels may be missing")
    command.add_argument("--to", type=Path, required=True, metavar="FILE.csv", help="or .parquet")


def write(chosen: argparse.Namespace, workspace: "Workspace", say: Say) -> int:
    """`keepfit predict FILE --to FILE.csv`."""
    from pipeline import artefacts

    told = answers(workspace, chosen.path)
    if chosen.to.suffix == ".parquet":
        artefacts.write_parquet(chosen.to, told.lazy())
    else:
        artefacts.write_text(chosen.to, told.write_csv())
    say(f"wrote {told.height:,} answers to {chosen.to}, {told['answer'].null_count():,} of them missing")
    return 0


def answers(workspace: "Workspace", path: Path) -> "pl.DataFrame":
    """row_id and what is answered of each row of a file, in its order: the answer, then all that is told beside it.

    Of classes and tags these are probabilities, of quantiles each of them. Rows are repaired by the champion's rules
    and no check is asked; what does not parse is a missing value. Raises KeepfitError where there is no champion, or
    the file cannot be read.
    """
    import polars as pl

    from pipeline import contract, lookback, monitor, registry
    from pipeline.contract import ROW_ID
    from pipeline.findings import Table
    from pipeline.stages import ingest
    from pipeline.stages.evaluate import Evaluation
    from pipeline.stages.ingest import IngestSettings

    agreed = contract.load(workspace.contract_file)
    model = monitor.champion_of(workspace, agreed)
    before = [record.batch for record in monitor.records(workspace) if record.batch != path.name]
    model = replace(model, base=path.parent, past=lookback.past(workspace, agreed, model.preprocessor, before))
    parsed = ingest.read(path, path.name, workspace.section(IngestSettings), agreed)
    table = Table(
        contract=agreed,
        partitions={path.name: parsed.typed.lazy()},
        unparsed=parsed.unparsed.lazy(),
        height=parsed.typed.height,
        base=path.parent,
    )
    rows = monitor.repaired(workspace, table, model.repairs, parsed.typed)
    thresholds = Evaluation.read(model.folder / registry.EVALUATION).thresholds
    said = model.preprocessor.target.said(model.answers(rows), thresholds.get("candidate", 0.5))
    return pl.concat([rows.select(ROW_ID), said], how="horizontal")
