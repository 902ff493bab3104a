"""What can go wrong, each with what is wrong, where, and what to do.

    KeepfitError             one line for the person at the screen
    ├── SettingsError        params.yaml: a key is missing, unknown or out of its rule       (exit 2)
    ├── WorkspaceError       the folder is not a workspace, or a file of it is absent        (exit 2)
    ├── ContractError        schemas/<dataset>.py cannot be used as a contract               (exit 2)
    ├── DataError            a file cannot be read, or what it holds cannot be worked with   (exit 2)
    └── GateFailed           the data or the model did not pass a gate that the settings ask (exit 1)

Bad rows are never an exception: they are findings (pipeline/checks).
"""

import difflib
from collections.abc import Iterable


class KeepfitError(Exception):
    """An error that a person can mend: `what` is wrong, `where`, and `fix`, printed on one line."""

    exit_code = 2

    def __init__(self, what: str, *, where: str, fix: str) -> None:
        self.what, self.where, self.fix = what, where, fix
        super().__init__(" ".join(f"{where}: {what}; {fix}".split()))

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.where, self.fix))


def _rebuild(kind: type[KeepfitError], what: str, where: str, fix: str) -> KeepfitError:
    return kind(what, where=where, fix=fix)


class SettingsError(KeepfitError):
    """params.yaml breaks a rule; `where` names the file and the key."""


class WorkspaceError(KeepfitError):
    """The workspace lacks what a command needs."""


class ContractError(KeepfitError):
    """The contract's file is absent, does not load, or does not say what a column is for."""


class DataError(KeepfitError):
    """Data that cannot be read or worked with; `where` names the file, and the column or line."""


class GateFailed(KeepfitError):
    """A quality gate said no."""

    exit_code = 1


def instead(key: str, known: Iterable[str]) -> str:
    """What to write in place of a key that there is not.

    >>> instead("epoch", ["epochs", "model"]), instead("lr", ["epochs", "model"])
    ('did you mean `epochs`?', 'remove it, or use one of: epochs, model')
    """
    names = list(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.75)
    return f"did you mean `{near[0]}`?" if near else f"remove it, or use one of: {', '.join(names)}"
