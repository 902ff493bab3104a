"""All of params.yaml is checked before anything runs."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from pipeline import settings
from pipeline.commands import keys
from pipeline.errors import SettingsError
from pipeline.settings import ServeSettings
from pipeline.workspace import Workspace, parse_section

Change = Callable[[dict[str, object]], object]


def changed(tiny: Workspace, change: Change) -> Workspace:
    params = dict(tiny.params)
    change(params)
    tiny.params_file.write_text(yaml.safe_dump(params), encoding="utf-8")
    return Workspace.open(tiny.root)


def test_sound_settings_pass(tiny: Workspace) -> None:
    settings.check(tiny)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda p: p.update(trian={}), "params.yaml: trian: no such key"),
        (lambda p: p.update({5: {}}), "params.yaml: 5: no such key"),
        (lambda p: p.pop("dataset"), "params.yaml: dataset: "),
        (lambda p: p.update(seed=-1), "params.yaml: seed: "),
        (lambda p: p.update(ingest={"sauce": 1}), "params.yaml: ingest.sauce: no such key"),
        (lambda p: p.update(ingest={"null_values": "NA"}), "params.yaml: ingest.null_values: "),
        (lambda p: p.update(ingest={"null_values": ["NA", None]}), "params.yaml: ingest.null_values.1: "),
        (lambda p: p.update(ingest={"derive": {"slow": 5}}), "params.yaml: ingest.derive.slow: "),
        (lambda p: p.update(ingest={"derive": ["slow"]}), "params.yaml: ingest.derive: "),
        (lambda p: p.update(checks={"nonsense": {}}), "params.yaml: checks.nonsense: no such check"),
        (lambda p: p.update(checks={"batch_expectations": "repair"}), "params.yaml: checks.batch_expectations: "),
        (lambda p: p.update(checks={"target_leak": {"x": 1}}), "params.yaml: checks.target_leak.x: "),
        (lambda p: p.update(checks={"target_leak": 1}), "params.yaml: checks.target_leak: "),
        (lambda p: p.update(checks={1: 1}), "params.yaml: checks.1: no such check"),
        (lambda p: p.update(checks="all"), "params.yaml: checks: "),
        (lambda p: p.update(split={"method": "chance"}), "params.yaml: split.method: "),
        (lambda p: p.update(split={"val_share": 1.2}), "params.yaml: split.val_share: "),
        (lambda p: p.update(split={"val_days": 3}), "params.yaml: split: val_days and test_days go together"),
        (lambda p: p.update(split={"val_days": 3, "test_days": 3}), "params.yaml: split: val_days and test_days bel"),
        (lambda p: p.update(train={"epochs": 0}), "params.yaml: train.epochs: "),
        (
            lambda p: p.update(train={"optimizer": {"lr": 1}}),
            "params.yaml: train.optimizer.lr: no such key; remove it, or use one of: betas, ",
        ),
        (lambda p: p.update(train={"mlp": {"hiden": [1]}}), "params.yaml: train.mlp.hiden: no such key; did you mean"),
        (lambda p: p.update(checks={"targt_leak": "off"}), "params.yaml: checks.targt_leak: no such check; did you"),
        (lambda p: p.update(serve={"port": 0}), "params.yaml: serve.port: "),
        (lambda p: p.update(serve={"retraining": "daily"}), "params.yaml: serve.retraining: must be a cron line"),
    ],
)
def test_the_first_bad_key_is_told_on_one_line(tiny: Workspace, change: Change, where: str) -> None:
    with pytest.raises(SettingsError) as raised:
        settings.check(changed(tiny, change))

    assert str(raised.value).startswith(where)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("line", ["0 3 * * 1", "*/15 0-6 1,15 JAN-MAR MON#1", "59 23 31 12 7"])
def test_cron_lines_are_taken(line: str) -> None:
    assert parse_section(ServeSettings, {"monitoring": line}).monitoring == line


@pytest.mark.parametrize("line", ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "0 3 * * $(id)", "@daily"])
def test_what_is_no_cron_line_is_refused(line: str) -> None:
    with pytest.raises(SettingsError, match=r"params\.yaml: serve\.monitoring: must be a cron line"):
        parse_section(ServeSettings, {"monitoring": line})


def test_the_page_of_settings_is_made_of_the_code() -> None:
    written = (Path(__file__).parents[1] / "docs" / "settings.md").read_text(encoding="utf-8")

    assert written == keys.markdown(), "run `python -m pipeline.commands.keys > docs/settings.md`"
