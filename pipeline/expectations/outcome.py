"""What Great Expectations is asked of a batch, and what it said; how to ask it without noise."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.artefacts import Record
from pipeline.runtime.warning_filters import own_filters

Spec = Mapping[str, Any]


class BatchResult(Record):
    """What was found in one batch; `page` is relative to the Data Docs, `rows` counts the whole batch."""

    batch: str
    rows: int
    sampled_rows: int | None
    success: bool
    failed: list[str]
    expectations: int
    page: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One expectation on one batch: the rule, what was seen, and `failure`: None, or one plain line."""

    spec: dict[str, Any]
    seen: dict[str, Any]
    failure: str | None


def configuration(spec: Spec, **meta: Any) -> Any:
    """An expectation as Great Expectations has it; `meta` comes back with its answer."""
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

    return ExpectationConfiguration(type=spec["type"], kwargs=dict(spec["kwargs"]), notes=spec.get("notes"), meta=meta)


@contextmanager
def quiet() -> Iterator[None]:
    """Great Expectations without the warnings that its import raises, and without logged tracebacks."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    with own_filters():
        warnings.filterwarnings("ignore", message=r"module 'sre_\w+' is deprecated")
        logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            logger.setLevel(level)
