"""`keepfit init`: a new workspace around data that have no contract yet, in which `dvc repro` works at once.

What ingest reads as it is, is copied as it came. Anything else (another delimiter or encoding, no header, a
spreadsheet) is written anew, as CSV in UTF-8 or as Parquet, and the original is kept beside, in data/original.
What was inferred is written as a contract for people to read and correct.
"""

import json
import keyword
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from polars.selectors import by_name

from pipeline import artefacts, contract, features, readers, settings
from pipeline.commands.init import groups, horizons, labels
from pipeline.commands.init.files import (
    DVC,
    DVCIGNORE,
    GITIGNORE,
    PARAMS,
    PLOTS_OF_FORECAST,
    PLOTS_OF_QUANTITY,
    README,
)
from pipeline.contract import ROW_ID, Role
from pipeline.errors import ContractError, DataError, WorkspaceError
from pipeline.incoming import arrival
from pipeline.infer import Inferred, infer
from pipeline.infer.found import Found
from pipeline.policy import window
from pipeline.readers import Source, anew, folders
from pipeline.versions import dvc, git, registry
from pipeline.wording import count
from pipeline.workspace import Workspace

log = logging.getLogger(__name__)

FEWEST_ROWS = 100  # 15 of them are test: with fewer, nothing that is found there means anything
ROWS_A_CLASS = 10
WORDS_OF_YAML = ("null", "true", "false", "yes", "no", "on", "off")
ALL_ALONG = "; by `time` all would be late, as most groups last from first to last"
TABLE_OF_FILES = "files.csv"
GIT_BYTES = 50_000_000  # up to here the data themselves go into git; it refuses no more, but grows slow


def initialise(
    target: Path,
    data: Path,
    *,
    roles: Mapping[str, Role],
    seed: int = 0,
    horizon: int = 0,
    order: Sequence[str] | None = None,
) -> Workspace:
    """Make a workspace in the new folder `target` around the file or folder `data`.

    `roles` names the label, and whatever else is known of the columns; with a `horizon` the label is forecast, with an
    `order` its classes have it, an empty one that of numbers. Raises WorkspaceError when `target` holds something,
    DataError when the data cannot be read or learnt from; whatever happens, `target` is whole or as it was. What lies
    beside the data and is left out (other sheets, files of another kind) is told in the log.
    """
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise WorkspaceError("is there and is not empty", where=str(target), fix="name a new folder")
    target, data = target.resolve(), data.resolve()
    with TemporaryDirectory() as scratch:
        sources = [_without_sizes(source) for source in readers.open_all(data, scratch=Path(scratch))]
        base = data if data.is_dir() else data.parent
        media = sources[0].media or folders.named(sources[0].frame, base)
        found = _inferred(sources, dataset_name(data), roles, media)
        found, forecast = horizons.plan(found, horizon) if horizon else (found, None)
        found = found if order is None else labels.in_order(found, order)
        require_label(found)
        doubt = labels.doubt(found)
        with artefacts.replacing(target) as folder:
            made = _write(folder, found, seed, forecast)
            _write_data(made, data, sources)
            for source in sources if media else []:
                arrival.bring(source.frame, media, base, made.raw)
            dvc.prepare(made.root)
            _commit_data(made)
    for left_out in filter(None, (source.beside for source in sources)):
        log.warning("not read: %s", left_out)
    if doubt is not None:
        log.info(doubt)
    return Workspace.open(target)


def _without_sizes(source: Source) -> Source:
    """Of a folder of files the table without their sizes: who learns from these looks past what is in the files."""
    return replace(source, frame=source.frame.drop("bytes")) if source.media else source


def _inferred(sources: Sequence[Source], name: str, roles: Mapping[str, Role], media: Mapping[str, str]) -> Inferred:
    """The columns of all files together; those that no encoder reads are set aside."""
    readers.require_same_columns(sources)
    readers.require_one_type(sources)
    columns = sources[0].frame.collect_schema().names()
    if ROW_ID in columns:
        raise DataError("is a name that keepfit needs for itself", where=f"{name}: {ROW_ID}", fix="rename the column")
    with readers.reading(name):
        rows = pl.concat([source.frame.select(by_name(*columns)) for source in sources], how="vertical_relaxed")
        text = any(source.text for source in sources)
        found = infer(rows, name=name, text=text, roles=roles, media=media)
    found = replace(found, groups_last=_groups_last(found, rows))
    known = set(features.registered())
    return replace(found, columns=tuple(_readable(column, known) for column in found.columns))


def _groups_last(found: Inferred, rows: pl.LazyFrame) -> bool:
    named = {role: [column.name for column in found.columns if column.role == role] for role in ("group", "time")}
    if not (named["group"] and named["time"]):
        return False
    typed, _ = found.typed(rows.with_columns(pl.lit("").alias(ROW_ID)), seen=True)
    with readers.reading(found.name):
        return groups.last_through(typed, named["group"], named["time"][0])


def _readable(column: Found, known: set[str]) -> Found:
    if column.role != "feature" or column.modality in known:
        return column
    why = f"{column.why}; ignored, as no encoder reads {column.modality}"
    return replace(column, role="ignore", modality=None, rules={}, why=why)


def dataset_name(data: Path) -> str:
    """A name for the data set: that of the file, as far as it can be a name.

    >>> dataset_name(Path("data/2024 Sales (final).csv.gz"))
    'data_2024_sales_final'
    """
    plain = re.sub(r"\W+", "_", data.name.split(".")[0], flags=re.ASCII).strip("_").lower()
    clashes = not plain.isidentifier() or keyword.iskeyword(plain) or plain in WORDS_OF_YAML
    return f"data_{plain}".rstrip("_") if clashes else plain


def require_label(found: Inferred) -> None:
    """Raise DataError when there are too few rows to learn from, or no label of classes or of many numbers."""
    labels = [column for column in found.columns if column.role == "label"]
    if not labels:
        raise DataError("has no label to learn", where=found.name, fix="name its column with --label")
    column = labels[0]
    where = f"{found.name}: {column.name}"
    if found.rows < FEWEST_ROWS:
        what = f"holds {count(found.rows, 'row')}, and at least {FEWEST_ROWS} are needed to train and to judge a model"
        raise DataError(what, where=found.name, fix="bring more rows")
    if column.is_regression or column.modality == "set":
        return
    if column.distinct < 2:
        raise DataError("has less than two values, so there is nothing to tell apart", where=where, fix="name another")
    if column.distinct * ROWS_A_CLASS > column.values:
        text = "is text that " if column.dtype == pl.String else ""
        what = f"{text}holds {column.distinct:,} different values in {column.values:,} rows, too many to be classes"
        number = "; one to be estimated must be a number, without a unit" if text else ""
        raise DataError(what, where=where, fix=f"name a label with few values, each in many rows{number}")


def _write(folder: Path, found: Inferred, seed: int, forecast: horizons.Plan | None) -> Workspace:
    """Every file of the workspace; its settings and its contract are loaded, so that they are known to be right."""
    files = {
        "params.yaml": _params(found, seed, forecast),
        "dvc.yaml": _dvc(found, forecast),
        f"schemas/{found.name}.py": found.source(),
        ".gitignore": GITIGNORE,
        ".dvcignore": DVCIGNORE,
        "README.md": README.replace("NAME", found.name),
    }
    for name, text in files.items():
        artefacts.write_text(folder / name, text)
    made = Workspace.open(folder)
    made.incoming.mkdir(parents=True)
    registry.ensure_pointer(made)
    window.ensure(made)
    settings.check(made)
    if not contract.load(made.contract_file).features:
        raise ContractError("names no feature", where=found.name, fix="bring columns to learn from")
    return made


def _write_data(made: Workspace, data: Path, sources: Sequence[Source]) -> None:
    """Copy what ingest can read as it is; write the rest anew and keep the originals.

    Of a folder of pictures, sounds or texts the table is written, one row a file.
    """
    if sources[0].media:
        anew.write_csv(made.raw / TABLE_OF_FILES, sources[0].frame)
        return
    if all(map(anew.is_plain, sources, _files(data))):
        for path in _files(data):
            artefacts.copy(path, made.raw / _relative(path, data))
        return
    for path, source in zip(_files(data), sources, strict=True):
        place = _relative(path, data)
        artefacts.copy(path, made.original / place)
        anew.write(source, made.raw / place)


def _files(data: Path) -> list[Path]:
    return readers.files(data)


def _relative(path: Path, data: Path) -> Path:
    return path.relative_to(data) if data.is_dir() else Path(path.name)


def _params(found: Inferred, seed: int, forecast: horizons.Plan | None) -> str:
    roles = {column.role for column in found.columns}
    quantity = _GATE_OF_QUANTITY if forecast is None else _GATE_OF_FORECAST
    method, words = (
        ("time", "the last rows by the time column are val and test")
        if "time" in roles and not found.groups_last
        else ("grouped", "rows of one group stay together" + ALL_ALONG * found.groups_last)
        if "group" in roles
        else ("random", f"drawn by the seed, each {'tenth of the label' if _is_quantity(found) else 'class'} by itself")
    )
    small, middle, large = (found.rows < limit for limit in (2_000, 20_000, 200_000))
    batch, epochs = (32, 40) if small else (64, 25) if middle else (256, 15) if large else (2048, 8)
    count = 2 if small else 5 if middle else 20
    values = {
        "NAME": found.name,
        "SEED": str(seed),
        "NULLS": json.dumps(found.proposed_null_values, ensure_ascii=False),
        "METHOD": f"{method} # {words}" if forecast is None else forecast.split,
        "SERIES": _sets(found, count) + ("" if forecast is None else forecast.series),
        "COUNT": str(count),
        "NETWORK": _network(found) if forecast is None else forecast.network,
        "PACE": _pace(found, epochs, batch),
        "LABELLED": str(min(1000, max(50, found.rows // 10))),
        **(quantity if _is_quantity(found) else labels.GATES[labels.kind_of(found)]),
    }
    return re.sub("|".join(values), lambda match: values[match[0]], PARAMS)


def _sets(found: Inferred, count: int) -> str:
    held = any(column.modality == "set" and column.role == "feature" for column in found.columns)
    return f"  set: {{minimum_count: {count}}} # a tag with fewer rows counts as rare\n" if held else ""


def _network(found: Inferred) -> str:
    """Of text alone a linear model: hidden layers over the words' vectors learn the training rows by heart."""
    modalities = {column.modality for column in found.columns if column.role in ("feature", "time")} - {None}
    if modalities <= {"text", "text-file"}:
        return "model: linear # over what is read of the text; `text: {kind: cnn}` or transformer reads its order too"
    return "mlp: {hidden: [128, 64], dropout: 0.2}"


def _pace(found: Inferred, epochs: int, batch: int) -> str:
    """How long and how fast it is trained; of pictures what suits them, which `train` knows by itself."""
    if any(column.modality == "image" and column.role == "feature" for column in found.columns):
        return "image: {augmentation: {flip: none}} # horizontal, where a mirrored picture keeps its label"
    lines = [f"epochs: {epochs}", "patience: 5", f"batch_size: {batch}", "optimizer: {learning_rate: 0.002}"]
    return "\n  ".join(lines)


_GATE_OF_QUANTITY = {
    "METRIC": "rmse",
    "SCALING": "standard",  # what is far out counts: better than quantile on diamonds and on California, with 3 seeds
    "BASELINE": "mean",
    "STRONGER": "ridge and hist_gradient_boosting",
    "LOSS": "how much worse than the champion, at the low end, is not worse: a share of its rmse",
}
_GATE_OF_FORECAST = _GATE_OF_QUANTITY | {"BASELINE": "persistence", "STRONGER": "seasonal_naive and ridge"}


def _is_quantity(found: Inferred) -> bool:
    return any(column.is_regression for column in found.columns)


def _dvc(found: Inferred, forecast: horizons.Plan | None) -> str:
    """The DAG with the plots of what the label is."""
    of_number = PLOTS_OF_QUANTITY if forecast is None else PLOTS_OF_FORECAST
    plots = of_number if _is_quantity(found) else labels.PLOTS[labels.kind_of(found)]
    files = any(column.modality in features.FILES for column in found.columns)
    text = DVC.replace("FILES", "      - data/raw/NAME\n" if files else "")
    return text.replace("NAME", found.name).replace("KEEPFIT", _command()).replace("PLOTS", plots)


def _command() -> str:
    """Where a shell finds `keepfit`: on its PATH, in the workspace's environment, or in the one that runs now."""
    here = str(Path(sys.executable).parent)
    own = f":{here}" if re.fullmatch(r"[\w./@+ -]+", here) else ""
    return f'PATH="$PATH:$DVC_ROOT/.venv/bin{own}" keepfit'


def _commit_data(made: Workspace) -> None:
    """Small data go into git; what is larger is left to `dvc add`, as the README says."""
    data = [path for path in (made.root / "data").rglob("*") if path.is_file()]
    small = sum(path.stat().st_size for path in data) <= GIT_BYTES
    files = [made.root / "README.md", made.champion, made.window]
    git.commit(made.root, [*files, *data] if small else files, "The data, as they came")
