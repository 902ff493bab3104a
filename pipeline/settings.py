"""All of params.yaml: each section's type stands beside the code that it configures, this composes them."""

from typing import ClassVar

from pipeline.drift.decision import MonitorSettings
from pipeline.errors import SettingsError
from pipeline.stages.evaluate import EvaluateSettings
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.normalize import NormalizeSettings
from pipeline.stages.promote import PromoteSettings
from pipeline.stages.split import SplitSettings
from pipeline.stages.train import TrainSettings
from pipeline.stages.validate import ChecksSettings
from pipeline.workspace import Section, Workspace


class ServeSettings(Section):
    """When `keepfit serve` retrains and monitors, as cron lines in UTC, and the dashboard's port on loopback."""

    key: ClassVar[str] = "serve"
    retraining: str = "0 3 * * 1"
    monitoring: str = "0 * * * *"
    port: int = 4200


SECTIONS: tuple[type[Section], ...] = (
    IngestSettings,
    ChecksSettings,
    SplitSettings,
    NormalizeSettings,
    TrainSettings,
    EvaluateSettings,
    PromoteSettings,
    MonitorSettings,
    ServeSettings,
)


def check(workspace: Workspace) -> None:
    """Raise SettingsError for the first key of params.yaml that is missing, unknown or out of its rule."""
    known = ["dataset", "seed", *(section.key for section in SECTIONS)]
    unknown = sorted(str(key) for key in workspace.params if key not in known)
    if unknown:
        raise SettingsError(
            "no such key", where=f"params.yaml: {unknown[0]}", fix=f"remove it, or use one of: {', '.join(known)}"
        )
    _ = workspace.dataset, workspace.seed  # these two raise by themselves
    for section in SECTIONS:
        workspace.section(section)
    workspace.section(ChecksSettings).configured()
