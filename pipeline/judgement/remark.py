"""What a part of the diagnosis finds that somebody should look at."""

from typing import Literal

from pipeline.artefacts import Record


class Remark(Record):
    """One thing to look at; `column`: whose, None where it is of the whole model.

    error: answers are of no use there; warning: they may mislead; info: worth knowing.
    """

    name: str
    severity: Literal["error", "warning", "info"]
    column: str | None = None
    message: str
    suggestion: str
