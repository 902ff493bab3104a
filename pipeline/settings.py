"""All of params.yaml: each section's type stands beside the code that it configures, this composes them."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from pipeline import contract
from pipeline.drift.decision import MonitorSettings
from pipeline.errors import SettingsError, instead
from pipeline.features.target import no_quantiles
from pipeline.judgement import units
from pipeline.judgement.fairness import require as require_groups
from pipeline.judgement.settings import EvaluateSettings
from pipeline.judgement.slices import require as require_slices
from pipeline.metrics import Kind
from pipeline.models import rules
from pipeline.models.choices.tuning import TuneSettings
from pipeline.reports.card import CardSettings
from pipeline.stages.ingest import IngestSettings
from pipeline.stages.normalize import NormalizeSettings
from pipeline.stages.promote import PromoteSettings
from pipeline.stages.split import SplitSettings
from pipeline.stages.train import TrainSettings
from pipeline.stages.validate import ChecksSettings
from pipeline.workspace import Section, Workspace

CRON_MAXIMA = (59, 23, 31, 12, 7)  # minute, hour, day, month, weekday


def _cron(line: str) -> str:
    fields = line.split()
    if len(fields) != len(CRON_MAXIMA) or not all(map(_fits, fields, CRON_MAXIMA)):
        raise ValueError("must be a cron line of five fields: minute, hour, day, month, weekday")
    return line


def _fits(field: str, maximum: int) -> bool:
    numbers = re.findall(r"\d+", field)
    return re.fullmatch(r"[\w*/,#-]+", field) is not None and all(int(number) <= maximum for number in numbers)


Cron = Annotated[str, AfterValidator(_cron)]


class ServeSettings(Section):
    """When `keepfit serve` retrains and monitors, as cron lines in UTC, and the dashboard's port on loopback.

    `notify`: Prefect's notification blocks that are told what happened, each as TYPE/NAME: `slack-webhook/team`, say.
    """

    key: ClassVar[str] = "serve"
    retraining: Cron = "0 3 * * 1"
    monitoring: Cron = "0 * * * *"
    port: int = Field(default=4200, ge=1, le=65_535)
    notify: list[Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]] = Field(default_factory=list)


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
    TuneSettings,
    CardSettings,
)


def check(workspace: Workspace) -> None:
    """Raise SettingsError for the first key of params.yaml that is missing, unknown or out of its rule."""
    known = ["dataset", "seed", *(section.key for section in SECTIONS)]
    unknown = sorted(str(key) for key in workspace.params if key not in known)
    if unknown:
        raise SettingsError("no such key", where=f"params.yaml: {unknown[0]}", fix=instead(unknown[0], known))
    _ = workspace.dataset, workspace.seed  # these two raise by themselves
    for section in SECTIONS:
        workspace.section(section)
    workspace.section(ChecksSettings).configured()


def check_label(workspace: Workspace) -> None:
    """Raise SettingsError, before a training, for a metric, baseline, slice, group or quantiles not of the data."""
    series, quantiles = workspace.section(NormalizeSettings).series, workspace.section(TrainSettings).loss.quantiles
    of_number: Kind = "quantiles" if quantiles else "quantity"
    number: Kind = "forecast" if series is not None and series.horizon else of_number
    agreed, judged = contract.load(workspace.contract_file), workspace.section(EvaluateSettings)
    kind: Kind = number if agreed.label.is_quantity else agreed.label.label_kind
    if quantiles and kind != "quantiles":
        raise no_quantiles(agreed.label.name, kind)
    workspace.section(PromoteSettings).chosen(kind, judged.baselines)
    units.require(judged.resample, agreed)
    rules.require(judged.baselines, agreed, kind)
    require_slices(judged.slices, judged.weak_slices, agreed)
    if judged.fairness is not None:
        require_groups(judged.fairness, agreed)
    workspace.section(MonitorSettings).chosen(kind)
