"""What `keepfit models show V` prints: everything that is kept of a version."""

from collections.abc import Iterator

from pipeline import metrics
from pipeline.commands.models import differences
from pipeline.commands.models.version import Version, fault
from pipeline.models import saved
from pipeline.stages import gates
from pipeline.versions import lineage, registry, sealed
from pipeline.versions.registry import Move
from pipeline.wording import clip, count, listed, number
from pipeline.workspace import Workspace

SPLITS = ("train", "val", "test")
NEWEST = 12  # files of raw data that are told one by one
UNKNOWN = "where it comes from was not kept: it was registered by an earlier keepfit"


def version(workspace: Workspace, shown: Version) -> Iterator[str]:
    """Everything that is kept of a version, a line each."""
    yield f"{shown.name}: {_standing(workspace, shown)}; its weights are {shown.manifest.identity}"
    for move in shown.moves:
        yield f"  promoted   {moved(move)}"
        yield from (f"             {reason}" for reason in move.why)
    yield from _commit(workspace, shown)
    rows = ", ".join(f"{name} {shown.manifest.rows.get(name, 0):,}" for name in SPLITS)
    spans = [span for span in shown.manifest.span.values() if span]
    yield f"  rows       {rows}" + (f"; from {min(s[0] for s in spans)} to {max(s[1] for s in spans)}" if spans else "")
    for line in _scores(shown):
        yield f"  scores     {line}"
    yield from _kept(shown) if shown.lineage else [f"  {UNKNOWN}"]
    wrong = fault(workspace, shown)
    yield f"  files      {wrong or 'as they were written'}, in {workspace.relative(shown.folder)}"


def _standing(workspace: Workspace, shown: Version) -> str:
    pointer = registry.champion(workspace)
    if pointer.version == shown.name:
        return f"the champion since {pointer.promoted_at}"
    return "was champion" if shown.moves else "never was champion"


def moved(move: Move) -> str:
    """When a version became champion, by whom, how, and after which."""
    before = f", after {move.previous}" if move.previous else ""
    return f"{move.at} by {move.by}: {move.how}{before}"


def _commit(workspace: Workspace, shown: Version) -> Iterator[str]:
    tagged, known = shown.tag(workspace), shown.lineage
    if tagged:
        yield f"  commit     {tagged[1][:12]}, with the tag {tagged[0]}"
    elif known and known.commit:
        changed = f", with changes in {listed(known.changed)}" if known.changed else ""
        yield f"  commit     made at {known.commit[:12]}{changed}; none of its own (promote.commit is false)"


def _scores(shown: Version) -> Iterator[str]:
    main = metrics.OF[shown.evaluation.target].main
    beside = shown.evaluation.scores["candidate"]
    yield ", ".join(f"{main} {number(beside[name][main].value)} on {name}" for name in SPLITS if name in beside)
    for pair in shown.evaluation.paired:
        if pair.metric == main:
            yield f"beside {pair.model}: {gates.difference(pair)}; + is better"


def _kept(shown: Version) -> Iterator[str]:
    known = shown.lineage
    if known is None:
        return
    machine, packages = known.machine, known.packages
    names = [f"{name} {packages[name]}" for name in differences.MATTER if name in packages]
    for name, source in list(known.data.items())[-NEWEST:]:
        yield f"  data       {clip(name, 60)}: {count(source.rows, 'row')}, SHA-256 {source.sha256[:12]}"
    if len(known.data) > NEWEST:
        yield f"  data       and {count(len(known.data) - NEWEST, 'file')} before these"
    if known.test:
        yield f"  sealed     {sealed.words(known.test)}"
    yield f"  made by    {known.by}, keepfit's code {known.code[:12]}, seed {shown.manifest.seed}"
    yield f"  with       Python {machine.python}, {', '.join(names)}, and {len(packages) - len(names)} packages more"
    yield f"  on         {machine.processor}, {count(machine.cores, 'core')}, {machine.system}"
    files = sorted(path for path in shown.definition.rglob("*") if path.is_file())
    yield f"  defined by {', '.join(path.relative_to(shown.definition).as_posix() for path in files)}"
    others = {*shown.manifest.files, saved.MANIFEST, lineage.FILE}
    papers = sorted(path.name for path in shown.folder.iterdir() if path.is_file() and path.name not in others)
    yield f"  papers     {', '.join(papers)}"
