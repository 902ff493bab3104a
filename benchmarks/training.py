"""Rows a second in training: keepfit beside the tightest loop that can be written, plain loops, and other trainers.

    python -m benchmarks.training [--rows 1e6] [--batch 256 4096] [--passes 5] [--threads 1] [--python PYTHON ...]

Rows of 50 float32, an MLP of 256 and 256, two classes, AdamW. All loops of this process take turns, epoch by epoch,
and the quickest epoch of each counts: user and system time of the process (its CPU time), and wall time beside it. On
a busy machine use one thread and look at the CPU time: threads that wait for each other burn it. Tools that are not
installed here run in processes of their own, with the interpreters that are named, and are left out where none has
them. Only training is timed: no look at val, no imports, the first epoch is not counted.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import numpy as np

COLUMNS, WIDTH, CLASSES, RATE, DECAY = 50, 256, 2, 1e-3, 1e-2
BETAS, EPSILON = (0.9, 0.999), 1e-8
TIMEOUT_SECONDS = 1800
Epoch: TypeAlias = Callable[[], object]


def data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    x_NF = random.normal(size=(rows, COLUMNS)).astype(np.float32)
    return x_NF, (x_NF[:, 0] + x_NF[:, 1] * x_NF[:, 2] > 0).astype(np.int64)


def network() -> Any:
    from torch import nn

    layers = [nn.Linear(COLUMNS, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES)]
    return nn.Sequential(*layers)


def by_hand(x_NF: np.ndarray, y_N: np.ndarray, batch: int, one_dnn: bool) -> Epoch:
    """The step written out: no autograd, buffers used again, one vector of weights, rows shuffled beforehand."""
    import torch

    rows, labels = torch.from_numpy(x_NF), torch.nn.functional.one_hot(torch.from_numpy(y_N), CLASSES).float()
    shapes = [(WIDTH, COLUMNS), (WIDTH,), (WIDTH, WIDTH), (WIDTH,), (CLASSES, WIDTH), (CLASSES,)]
    sizes = [int(np.prod(shape)) for shape in shapes]
    flat = torch.cat([p.detach().flatten() for p in network().parameters()])
    slope, first, second, step = torch.zeros_like(flat), torch.zeros_like(flat), torch.zeros_like(flat), torch.zeros(())
    w1, b1, w2, b2, w3, b3 = (part.view(shape) for part, shape in zip(torch.split(flat, sizes), shapes, strict=True))
    g1, h1, g2, h2, g3, h3 = (part.view(shape) for part, shape in zip(torch.split(slope, sizes), shapes, strict=True))
    hidden = [torch.empty(batch, WIDTH) for _ in range(4)]
    out, cut, product = torch.empty(batch, CLASSES), torch.ops.aten.threshold_backward.grad_input, torch.mm
    linear = torch.ops.mkldnn._linear_pointwise

    def forward_backward(x: Any, y: Any) -> None:
        a1, a2, d2, d1 = (buffer[: len(x)] for buffer in hidden)
        logits = out[: len(x)]
        torch.addmm(b1, x, w1.t(), out=a1).relu_()
        torch.addmm(b2, a1, w2.t(), out=a2).relu_()
        torch.addmm(b3, a2, w3.t(), out=logits)
        p = torch.log_softmax(logits, 1).exp_().sub_(y).div_(len(x))
        product(p.t(), a2, out=g3), torch.sum(p, 0, out=h3)
        cut(product(p, w3, out=d2), a2, 0, grad_input=d2)
        product(d2.t(), a1, out=g2), torch.sum(d2, 0, out=h2)
        cut(product(d2, w2, out=d1), a1, 0, grad_input=d1)
        product(d1.t(), x, out=g1), torch.sum(d1, 0, out=h1)

    def forward_backward_dnn(x: Any, y: Any) -> None:
        logits = out[: len(x)]
        a1 = linear(x, w1, b1, "relu", [], "")
        a2 = linear(a1, w2, b2, "relu", [], "")
        torch.addmm(b3, a2, w3.t(), out=logits)
        p = torch.log_softmax(logits, 1).exp_().sub_(y).div_(len(x))
        product(p.t(), a2, out=g3), torch.sum(p, 0, out=h3)
        d2 = hidden[2][: len(x)]
        cut(product(p, w3, out=d2), a2, 0, grad_input=d2)
        g2.copy_(linear(d2.t(), a1.t(), None, "none", [], "")), torch.sum(d2, 0, out=h2)
        d1 = linear(d2, w2.t(), None, "none", [], "")
        cut(d1, a1, 0, grad_input=d1)
        g1.copy_(linear(x.t(), d1.t(), None, "none", [], "").t()), torch.sum(d1, 0, out=h1)

    work = forward_backward_dnn if one_dnn else forward_backward
    adam: dict[str, Any] = {"lr": RATE, "beta1": BETAS[0], "beta2": BETAS[1], "weight_decay": DECAY, "eps": EPSILON}

    def epoch() -> None:
        order = torch.randperm(len(rows))
        for x, y in zip(torch.split(rows[order], batch), torch.split(labels[order], batch), strict=True):
            work(x, y)
            step.add_(1)
            torch._fused_adamw_([flat], [slope], [first], [second], [], [step], **adam, amsgrad=False, maximize=False)

    return epoch


def plain(x_NF: np.ndarray, y_N: np.ndarray, batch: int, fused: bool, compiled: bool = False) -> Epoch:
    """The loop of a tutorial over slices of tensors; `fused` with the fused optimiser, `compiled` by torch.compile."""
    import torch

    rows, labels, made = torch.from_numpy(x_NF), torch.from_numpy(y_N), network()
    net = torch.compile(made) if compiled else made
    optimizer = torch.optim.AdamW(made.parameters(), RATE, weight_decay=DECAY, fused=fused or None)

    def epoch() -> None:
        for places in torch.split(torch.randperm(len(rows)), batch):
            loss = torch.nn.functional.cross_entropy(net(rows[places]), labels[places])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return epoch


def loader_of(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Any:
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(torch.from_numpy(x_NF), torch.from_numpy(y_N)), batch, shuffle=True)


def data_loader(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Epoch:
    import torch

    net, loader = network(), loader_of(x_NF, y_N, batch)
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=DECAY)

    def epoch() -> None:
        for x, y in loader:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return epoch


def lightning_loader(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Epoch:
    import pytorch_lightning as lightning
    import torch

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = network()

        def training_step(self, batch: Any, _: int) -> Any:
            return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), RATE, weight_decay=DECAY)

    module, loader = Module(), loader_of(x_NF, y_N, batch)
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}

    def epoch() -> None:
        lightning.Trainer(max_epochs=1, accelerator="cpu", devices=1, enable_model_summary=False, **quiet).fit(
            module, loader
        )

    return epoch


def keepfit(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Epoch:
    """`train.fit` itself: clipping, schedule, mean of weights, curves, checkpoints; its second epoch, without val."""
    from pipeline.features.target import Classes
    from pipeline.models.backbones import TableShape
    from pipeline.models.module import Learner
    from pipeline.models.network import NetworkShape
    from pipeline.stages import train
    from pipeline.stages.train import TrainSettings

    codes_NC = np.zeros((len(x_NF), 0), np.int64)
    part = {"dense": x_NF, "codes": codes_NC, "label": y_N}
    parts = {"train": part, "val": {name: array[:256] for name, array in part.items()}}
    shape = NetworkShape(
        table=TableShape(dense=COLUMNS, cardinalities=[], outputs=CLASSES),
        backbone="mlp",
        settings={"hidden": [WIDTH, WIDTH], "dropout": 0.0},
    )
    chosen = {"epochs": 2, "batch_size": batch, "accelerator": "cpu", "mlp": {"hidden": [WIDTH, WIDTH], "dropout": 0.0}}
    settings = TrainSettings.model_validate(chosen)
    target = Classes(column="y", classes=["no", "yes"])

    times: list[tuple[float, float]] = []
    for hook in ("on_train_epoch_start", "on_validation_epoch_start"):
        setattr(Learner, hook, noting(times, getattr(Learner, hook)))

    def epoch() -> tuple[float, float]:
        times.clear()
        with TemporaryDirectory() as folder:
            curves, checkpoint = Path(folder) / "curves", Path(folder) / "checkpoint"
            train.fit(parts, shape, target, settings, seed=0, curves=curves, checkpoint=checkpoint)
        (*_, began, ended) = times
        return ended[0] - began[0], ended[1] - began[1]

    return epoch


def noting(times: list[tuple[float, float]], hook: Callable[[Any], None]) -> Callable[[Any], None]:
    """The hook, and its time noted: before all else at the start of an epoch, and before it looks at val."""

    def noted(module: Any) -> None:
        times.append((time.process_time(), time.perf_counter()))
        hook(module)

    return noted


def lightning_itself(x_NF: np.ndarray, y_N: np.ndarray, batch: int, passes: int) -> tuple[float, int, int]:
    """CPU seconds that Lightning spends an epoch around steps that do nothing, its steps, and those of keepfit.

    The chunks are keepfit's own; what making them takes without Lightning is taken off. The quickest epoch counts.
    """
    import pytorch_lightning as lightning
    import torch

    from pipeline.models.batches import Batches, Epochs
    from pipeline.models.trainer import lightning_manners

    inputs = {"dense": torch.from_numpy(x_NF), "codes": torch.zeros(len(x_NF), 0, dtype=torch.int64)}
    batches = Batches(inputs=inputs, target=torch.from_numpy(y_N), size=batch, seed=0)
    spent: list[float] = []

    class Idle(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def training_step(self, *_: Any) -> None: ...

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters())

        def on_train_epoch_start(self) -> None:
            self.began = time.process_time()

        def on_train_epoch_end(self) -> None:
            spent.append(time.process_time() - self.began)

    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.Trainer(
        max_epochs=passes + 1, accelerator="cpu", devices=1, enable_model_summary=False, **quiet
    )
    with lightning_manners():
        trainer.fit(Idle(), Epochs(batches=batches, steps_done=lambda: len(spent) * len(batches)))
    alone: list[float] = []
    for epoch in range(passes + 1):
        began = time.process_time()
        chunks = sum(1 for _ in batches.chunks(epoch))
        alone.append(time.process_time() - began)
    return max(0.0, min(spent[1:]) - min(alone[1:])), chunks, len(batches)


def skorch(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Epoch:
    import torch
    from skorch import NeuralNetClassifier

    net = NeuralNetClassifier(
        network(),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        lr=RATE,
        batch_size=batch,
        max_epochs=1,
        train_split=None,
        verbose=0,
        iterator_train__shuffle=True,
    )
    return lambda: net.partial_fit(x_NF, y_N)


def keras(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Epoch:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras as library

    layers = [library.layers.Dense(WIDTH, "relu") for _ in range(2)]
    net = library.Sequential([library.Input((COLUMNS,)), *layers, library.layers.Dense(CLASSES)])
    loss = library.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(library.optimizers.AdamW(RATE, DECAY), loss)
    return lambda: net.fit(x_NF, y_N, batch_size=batch, epochs=1, verbose=0)


def fastai(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Epoch:
    from fastai.basics import DataLoader, DataLoaders, Learner
    from torch.nn import functional

    rows = list(zip(x_NF, y_N, strict=True))
    loaders = DataLoaders(DataLoader(rows, bs=batch, shuffle=True, num_workers=0), [])
    learner = Learner(loaders, network(), loss_func=functional.cross_entropy)

    def epoch() -> None:
        with learner.no_bar(), learner.no_logging():
            learner.fit(1, RATE)

    return epoch


def pytorch_tabular(x_NF: np.ndarray, y_N: np.ndarray, batch: int) -> Epoch:
    import pandas as pd
    from pytorch_tabular import TabularModel
    from pytorch_tabular.config import DataConfig, OptimizerConfig, TrainerConfig
    from pytorch_tabular.models import CategoryEmbeddingModelConfig

    names = [f"x{place}" for place in range(COLUMNS)]
    frame = pd.DataFrame(x_NF, columns=names).assign(y=y_N)
    quiet = {"progress_bar": "none", "load_best": False, "checkpoints": None, "early_stopping": None}
    model = TabularModel(
        data_config=DataConfig(target=["y"], continuous_cols=names, normalize_continuous_features=False),
        model_config=CategoryEmbeddingModelConfig(task="classification", layers=f"{WIDTH}-{WIDTH}", dropout=0.0),
        optimizer_config=OptimizerConfig(optimizer="AdamW"),
        trainer_config=TrainerConfig(batch_size=batch, max_epochs=1, accelerator="cpu", **quiet),
        verbose=False,
    )
    return lambda: model.fit(train=frame, validation=frame[:256])


HERE: dict[str, Callable[[np.ndarray, np.ndarray, int], Epoch]] = {
    "by hand, PyTorch's products": lambda x, y, b: by_hand(x, y, b, one_dnn=False),
    "by hand, oneDNN's products": lambda x, y, b: by_hand(x, y, b, one_dnn=True),
    "plain loop, fused AdamW": lambda x, y, b: plain(x, y, b, fused=True),
    "plain loop": lambda x, y, b: plain(x, y, b, fused=False),
    **({"compiled, fused AdamW": lambda x, y, b: plain(x, y, b, fused=True, compiled=True)} if which("g++") else {}),
    "keepfit": keepfit,
    "DataLoader": data_loader,
    "Lightning with DataLoader": lightning_loader,
}
ELSEWHERE = {"skorch": skorch, "keras": keras, "fastai": fastai, "pytorch_tabular": pytorch_tabular}
LIMITS = [name for name in HERE if name.startswith("by hand")]


def measured(epochs: dict[str, Epoch], passes: int) -> dict[str, tuple[float, float]]:
    """(CPU seconds, wall seconds) of the quickest epoch of each; the first is not counted."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in epochs}
    for _ in range(passes + 1):
        for name, epoch in epochs.items():
            processor, wall = time.process_time(), time.perf_counter()
            own = epoch()
            took = (time.process_time() - processor, time.perf_counter() - wall)
            seen[name].append(own if isinstance(own, tuple) else took)
    return {name: (min(c for c, _ in each[1:]), min(w for _, w in each[1:])) for name, each in seen.items()}


def table(rows: int, batch: int, passes: int, threads: int, pythons: Sequence[str]) -> str:
    """A Markdown table: rows a second by CPU and by wall time, and the share of the tightest loop's."""
    x_NF, y_N = data(rows)
    found = measured({name: make(x_NF, y_N, batch) for name, make in HERE.items()}, passes)
    found |= {
        name: others
        for name in ELSEWHERE
        if (others := elsewhere(name, rows, batch, passes, threads=threads, pythons=pythons))
    }
    limit = [min(found[name][kind] for name in LIMITS) for kind in (0, 1)]
    lines = [
        f"| batches of {batch:,} | rows/s of CPU time | of the limit | rows/s | of the limit |",
        "|---|---|---|---|---|",
    ]
    for name, (processor, wall) in sorted(found.items(), key=lambda each: each[1][0]):
        shares = f"{rows / processor:,.0f} | {limit[0] / processor:.2f} | {rows / wall:,.0f} | {limit[1] / wall:.2f}"
        lines.append(f"| {name} | {shares} |")
    lines += [f"| {name} | not installed | | | |" for name in ELSEWHERE if name not in found]
    own, chunks, steps = lightning_itself(x_NF, y_N, batch, passes)
    whole = found["keepfit"][0]
    lines += [
        "",
        f"Lightning itself, around {chunks:,} steps of its own for {steps:,} of keepfit's: {1e6 * own / chunks:.1f} µs "
        f"of CPU time each, {1e6 * own / steps:.2f} µs of the {1e6 * whole / steps:,.0f} µs that a step takes: "
        f"{own / whole:.2%}.",
    ]
    return "\n".join(lines)


def elsewhere(
    name: str, rows: int, batch: int, passes: int, *, threads: int, pythons: Sequence[str]
) -> tuple[float, float] | None:
    """What a tool's own process measured, under the first interpreter that has it; None where none has."""
    for python in pythons:
        command = [python, "-m", "benchmarks.training", "--tool", name, "--rows", str(rows), "--batch", str(batch)]
        command += ["--passes", str(passes), "--threads", str(threads)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
        if done.returncode == 0:
            processor, wall = json.loads(done.stdout.splitlines()[-1])
            return processor, wall
    return None


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=float, default=1e6)
    parser.add_argument("--batch", type=int, nargs="+", default=[256, 4096])
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--python", nargs="*", default=[sys.executable])
    parser.add_argument("--tool", choices=ELSEWHERE)
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(asked.threads)
    if asked.tool:
        found = measured({asked.tool: ELSEWHERE[asked.tool](*data(int(asked.rows)), asked.batch[0])}, asked.passes)
        print(json.dumps(found[asked.tool]))
        return
    import logging

    import torch

    from pipeline.runtime import memory

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.set_num_threads(asked.threads)
    memory.keep_freed()  # for all alike
    capability = torch.backends.cpu.get_cpu_capability()
    print(f"{int(asked.rows):,} rows, {asked.threads} threads, {torch.__version__}, {capability}")
    for batch in asked.batch:
        print(table(int(asked.rows), batch, asked.passes, asked.threads, asked.python), flush=True)


if __name__ == "__main__":
    main()
