"""`keepfit predict`: its options, and what it does."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import DataError

if TYPE_CHECKING:
    from pipeline.cleaning.ledger import Entry
    from pipeline.commands.predict.asked import Asked
    from pipeline.workspace import Workspace

Open = Callable[[argparse.Namespace], "Workspace"]
Say = Callable[[str], None]

ENDINGS = (".csv", ".parquet")
SHOWN = 5  # reasons that are printed


def add(add: Callable[[str, object, str], argparse.ArgumentParser], opened: Open, say: Say) -> None:
    """The command; `opened` gives the workspace that was named, with its settings checked."""
    command = add("predict", lambda chosen: predict(chosen, opened, say), "write what the champion answers of rows")
    command.add_argument(
        "path", metavar="PATH", help="a file or folder, or with --sql a database: its file or URL; labels may be absent"
    )
    command.add_argument(
        "--out", "--to", type=Path, required=True, metavar="FILE", help="where the answers go: a .csv or .parquet"
    )
    command.add_argument("--sql", metavar="QUERY", help="answer the rows of this query")


def predict(chosen: argparse.Namespace, opened: Open, say: Say) -> int:
    """`keepfit predict PATH --out FILE`."""
    from tempfile import TemporaryDirectory

    from pipeline.runtime import memory

    memory.wait_asleep()
    workspace = opened(chosen)
    from pipeline.commands.predict.answers import beside
    from pipeline.wording import count

    _require_place(chosen.out, beside(chosen.out), Path(chosen.path))
    with TemporaryDirectory(prefix="keepfit-predict-") as scratch:
        asked, entry, version = answered(workspace, chosen.path, chosen.sql, chosen.out, Path(scratch))
    say(f"answered {entry.kept:,} of {count(entry.rows_in, 'row')} with {version}: {chosen.out}")
    for line in _lines(asked, entry, beside(chosen.out)):
        say(line)
    return 0


def answered(
    workspace: "Workspace", path: str, query: str | None, out: Path, scratch: Path
) -> "tuple[Asked, Entry, str]":
    """Write what the champion answers of the rows at `path`: what was asked, what became of its rows, and the version.

    Rows are read, held to a contract and repaired as the champion's own were. Raises KeepfitError where there is no
    champion, or the rows cannot be read, and then writes nothing.
    """
    from pipeline import contract, monitor
    from pipeline.commands.predict import asked as asking
    from pipeline.commands.predict.answers import Asker
    from pipeline.commands.predict.sieve import Sieve
    from pipeline.incoming import lookback
    from pipeline.stages.evaluate import Evaluation
    from pipeline.stages.ingest import IngestSettings
    from pipeline.stages.validate import ChecksSettings
    from pipeline.versions import registry

    defined = _definition(workspace)
    agreed, settings = contract.load(defined.contract_file), defined.section(IngestSettings)
    model = monitor.champion_of(workspace, agreed)
    known = model.preprocessor
    asked = asking.opened(path, query, agreed, known, settings.derive, scratch=scratch / "input")
    before = [record.batch for record in monitor.records(workspace) if record.batch != Path(path).name]
    model = replace(model, base=asked.base, past=lookback.past(workspace, agreed, known, before))
    asker = Asker(
        model=model,
        version=model.folder.name,
        threshold=Evaluation.read(model.folder / registry.EVALUATION).thresholds.get("candidate", 0.5),
        sieve=Sieve.of(settings, defined.section(ChecksSettings).configured(), asked.contract, model.repairs),
    )
    return asked, asker.answer(asked, out, scratch), model.folder.name


def _definition(workspace: "Workspace") -> "Workspace":
    """The settings and the contract as the champion's version keeps them; of one that keeps none those of today."""
    from pipeline.versions import lineage, registry
    from pipeline.workspace import Workspace

    home = registry.champion_folder(workspace)
    kept = None if home is None else home / lineage.DEFINITION
    return Workspace.open(kept) if kept is not None and (kept / "params.yaml").is_file() else workspace


def _require_place(out: Path, aside: Path, path: Path) -> None:
    """Raise DataError where answers cannot go to `out`, or rows to `aside`, without hitting those that are asked about.

    `aside` is written, or taken away where nothing is set aside: mended rows of an earlier run may stand there.
    """
    if out.suffix not in ENDINGS:
        raise DataError("is no name for answers", where=f"--out {out}", fix=f"end it in {' or '.join(ENDINGS)}")
    if out.is_dir():
        raise DataError("is a folder", where=f"--out {out}", fix="name a file in it")
    source, places = path.resolve(), {out.resolve(), aside.resolve()}
    if path.exists() and (source in places or (path.is_dir() and source in out.resolve().parents)):
        said = "has its rows set aside" if source == aside.resolve() else "is"
        raise DataError(f"{said} where the rows come from", where=f"--out {out}", fix="name a file elsewhere")


def _lines(asked: "Asked", entry: "Entry", aside: Path) -> Iterator[str]:
    """What else there is to be said of a prediction: what was set aside and why, and what was not read."""
    from pipeline.wording import clip, count

    if entry.quarantined:
        yield f"set aside {count(entry.quarantined, 'row')}, with the reason of each: {aside}"
    for reason, hit in list(entry.reasons.items())[:SHOWN]:
        yield f"  {clip(reason)} ({count(hit, 'row')})"
    if len(entry.reasons) > SHOWN:
        yield f"  and {count(len(entry.reasons) - SHOWN, 'other reason')}"
    if asked.absent:
        yield f"absent, and not needed: {', '.join(asked.absent)}"
    if asked.unread:
        yield f"not read, as the contract does not name it or it is derived anew: {', '.join(asked.unread)}"
