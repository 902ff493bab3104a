"""The answerer traced by torch.export: for any number of rows, with no code of ours in it."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from pipeline.errors import WorkspaceError
from pipeline.export.answerer import Answerer


def traced(answerer: Answerer, columns: Mapping[str, Tensor]) -> ExportedProgram:
    """`columns`: a few rows, two at least, as the answerer is given them: categories as their codes.

    Raises WorkspaceError where PyTorch cannot follow what the network does.
    """
    rows = Dim("rows", min=1)
    shapes = {name: {0: rows} for name in columns}
    with followed():
        return torch.export.export(answerer.eval(), (dict(columns),), dynamic_shapes=(shapes,))


@contextmanager
def followed() -> Iterator[None]:
    """Tell what PyTorch's exporters raise as WorkspaceError, and nothing else that they say."""
    try:
        with quiet():
            yield
    except RuntimeError as error:  # what all of theirs are
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise WorkspaceError(
            f"PyTorch cannot export this network: {first}",
            where="keepfit models export",
            fix="train one with another backbone or encoder",
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """PyTorch's exporters tell what they lack, and warn of their own parts: of no use to who exports."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
