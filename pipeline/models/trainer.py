"""How Lightning is used: quietly, on one device a process, deterministic, and with Ctrl-C as others know it."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch

from pipeline.models.devices import Share
from pipeline.models.module import KeepBest


def trainer(keep: KeepBest, accelerator: str, root: Path, share: Share | None = None) -> lightning.Trainer:
    """A trainer for the epochs that are left; of several processes each has the GPU of its rank, or else the CPU."""
    gpu = accelerator != "cpu" and torch.cuda.is_available()
    if share is not None and not gpu and accelerator == "auto":
        accelerator = "cpu"  # and no other kind
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    return lightning.Trainer(
        accelerator=accelerator,
        devices=[share.rank] if share is not None and gpu else 1,
        max_epochs=keep.epochs - len(keep.history),
        callbacks=[keep],
        deterministic=True,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=root,
    )


@contextmanager
def lightning_manners() -> Iterator[None]:
    """Keep Lightning from warning of its own use of PyTorch, and from turning Ctrl-C into a plain exit.

    Algorithms are deterministic in the block, but new memory is not filled with NaN, as PyTorch then does to find who
    reads what nobody wrote.
    """
    settings: Any = torch.utils.deterministic
    filled, strict = settings.fill_uninitialized_memory, torch.are_deterministic_algorithms_enabled()
    settings.fill_uninitialized_memory = False
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r".*LeafSpec", FutureWarning, r"pytorch_lightning\.utilities\._pytree")
        warnings.filterwarnings("ignore", r".*in eval mode at the start of training")  # what is frozen is so on purpose
        interrupted = signal.getsignal(signal.SIGINT)
        try:
            yield
        except SystemExit as stopped:  # by then Ctrl-C is ignored
            signal.signal(signal.SIGINT, interrupted)
            raise KeyboardInterrupt from stopped
        finally:
            settings.fill_uninitialized_memory = filled
            torch.use_deterministic_algorithms(strict)
