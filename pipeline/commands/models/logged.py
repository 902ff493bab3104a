"""What `keepfit models log` prints: every promotion and rollback, and whether anything was altered since."""

from collections.abc import Iterator

from pipeline.commands.models.shown import moved
from pipeline.commands.models.version import Version, fault
from pipeline.versions import registry
from pipeline.wording import count
from pipeline.workspace import Workspace


def log(workspace: Workspace) -> Iterator[str]:
    """Each move of the pointer, and whether journal, pointer and versions agree; a broken chain raises."""
    journal, pointer = registry.promotions(workspace), registry.champion(workspace)
    for line, move in zip(journal.lines(), journal.entries(), strict=True):
        yield f"{line.number}. {move.version}: {moved(move)}"
        yield from (f"   {reason}" for reason in move.why)
    yield from faults(workspace)
    told = f"the journal is whole: {count(len(journal.lines()), 'move')}"
    yield f"{told}; the champion is {pointer.version or 'none'}"


def faults(workspace: Workspace) -> Iterator[str]:
    """What of pointer and versions is not as the journal says; raises WorkspaceError for a broken chain."""
    yield from _of_pointer(workspace)
    for name in registry.versions(workspace):
        wrong = fault(workspace, Version.read(workspace, name))
        if wrong:
            yield f"{name}: {wrong}"


def _of_pointer(workspace: Workspace) -> Iterator[str]:
    lines, pointer = registry.promotions(workspace).lines(), registry.champion(workspace)
    heads = [None, *(line.sha256 for line in lines)]
    if pointer.move == heads[-1]:
        return
    if len(heads) > 1 and pointer.move == heads[-2]:
        yield f"line {len(lines)} is of a promotion that was killed: {pointer.version or 'none'} is still champion"
        return
    where = workspace.relative(workspace.champion)
    yield f"{where} is not where the journal ends: it was changed by hand, or lines were cut off"
