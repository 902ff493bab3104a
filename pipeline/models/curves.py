"""The curves of a training, written by DVCLive in the form that `dvc plots` shows."""

from pathlib import Path

from dvclive import Live


class Curves(Live):  # type: ignore[misc]
    """DVCLive that only writes files: it looks for no repository around it, and sends nothing to a server.

    Plain DVCLive opens, or even makes, a DVC repository in the working directory; here the workspace's DAG
    tracks the folder as an output, and nothing else is wanted.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(dir=str(folder), save_dvc_exp=False, report=None, dvcyaml=None, monitor_system=False)

    def _init_dvc(self) -> None:
        self._save_dvc_exp = False

    def _init_studio(self) -> None:
        self._studio_events_to_skip = {"start", "data", "done"}
