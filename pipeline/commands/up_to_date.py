"""A run that finds nothing to do: DVC is asked first, so that no server is started and no network library loaded."""

from typing import TYPE_CHECKING

from pipeline import settings
from pipeline.models import saved
from pipeline.versions import registry
from pipeline.versions.dvc import Versions
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.stages.promote import Promotion


def settle(workspace: Workspace) -> "Promotion | None":
    """The last two steps of the training flow, where it would skip all before them; None where a stage has work.

    That is where DVC calls every stage up to date and the candidate is the champion already. Raises KeepfitError for
    wrong settings, and where another run is at work, as the flow does.
    """
    from pipeline.reports import report
    from pipeline.stages import promote

    if not _reigns(workspace):
        return None
    settings.check(workspace)
    settings.check_label(workspace)
    with workspace.lock():
        with Versions.open(workspace.root) as versions:
            if not versions.at_rest():
                return None
        promotion = promote.run(workspace)
        report.write(workspace)
    return promotion


def _reigns(workspace: Workspace) -> bool:
    """Whether the candidate is the champion; False too in a folder that no run has prepared yet."""
    prepared = (workspace.root / ".dvc").is_dir() and workspace.window.is_file()
    manifest = workspace.candidate / saved.MANIFEST
    if not prepared or not manifest.is_file():
        return False
    return saved.Manifest.read(manifest).identity == registry.champion(workspace).identity
