"""One of several processes of a training, for a device that is not the first's: started by `pipeline.models.crew`."""

import sys
import warnings
from pathlib import Path

import torch

from pipeline.models import crew
from pipeline.stages import train


def main(folder: Path, rank: int, world: int) -> None:
    """Train as process `rank` of `world` at the work that lies in the folder."""
    share = crew.joined(folder, rank, world)
    warnings.simplefilter("ignore")  # the first process gives them too, to somebody who reads them
    work = crew.Work.read(folder)
    if work.settings.accelerator != "cpu" and torch.cuda.is_available():
        torch.cuda.set_device(rank)
    train.trained(work, share, curves=folder / f"curves-{rank}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
