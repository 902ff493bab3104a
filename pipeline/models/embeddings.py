"""The columns of a row side by side, as a backbone takes them: numbers embedded or plain, codes embedded or one-hot.

Shapes: B or N rows, D dense values, C coded columns. Sources: embeddings of numbers, Gorishniy et al. 2022
(https://arxiv.org/abs/2203.05556), by the authors' package; the width min(16, 1.6 n^0.56) of a category's embedding is
the rule of fastai's tabular learner, capped.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.models.choices.backbones import Embedding, Periodic, PiecewiseLinear, Plain
from pipeline.models.names import Named, Names, along, numbered

MAXIMUM_WIDTH = 16
INITIAL_SPREAD = 0.05
FEWEST_EDGES = 3  # two of them are one bin: the number as it is


def edges(dense_ND: np.ndarray, numbers: Sequence[bool], embedding: Embedding) -> list[list[float]]:
    """Of each dense value the edges of its bins on the training rows; none for what goes in as it is.

    Embedded is what `numbers` says is one and has more than two values in train. Edges are quantiles, but a value of
    more rows than a bin has is an edge by itself, and the other edges are quantiles of the rows that are left: among
    gains that are mostly 0 those that are not are told apart. LightGBM cuts its bins so, too (Ke et al. 2017).

    >>> edges(np.array([[0, 1, 0], [1, 2, 0], [0, 3, 1]]), [True, True, False], PiecewiseLinear(bins=2))
    [[], [1.0, 2.0, 3.0], []]
    >>> edges(np.array([[0] * 90 + [10, 20, 30, 40, 50]]).T, [True], PiecewiseLinear(bins=3))
    [[0.0, 10.0, 30.0, 50.0]]
    """
    if isinstance(embedding, Plain):
        return []
    bins = embedding.bins if isinstance(embedding, PiecewiseLinear) else FEWEST_EDGES - 1
    return [_edges(column, bins) if number else [] for column, number in zip(dense_ND.T, numbers, strict=True)]


def _edges(value_N: np.ndarray, bins: int) -> list[float]:
    value_V, rows_V = np.unique(value_N, return_counts=True)
    if len(value_V) < FEWEST_EDGES:
        return []
    alone_V = _alone(rows_V, bins + 1)
    if alone_V.all():
        return value_V.astype(np.float32).tolist()
    left_N = np.repeat(value_V[~alone_V], rows_V[~alone_V])
    of_left = np.quantile(left_N, np.linspace(0.0, 1.0, max(bins + 1 - alone_V.sum(), FEWEST_EDGES - 1)))
    return np.unique(np.concatenate([value_V[alone_V], of_left]).astype(np.float32)).tolist()


def _alone(rows_V: np.ndarray, edges: int) -> np.ndarray:
    """(V,) whether a value, of so many rows, has more of them than an edge has of what is left."""
    alone_V = np.full(len(rows_V), len(rows_V) <= edges)
    while not alone_V.all():
        mean = rows_V[~alone_V].sum() / max(edges - alone_V.sum(), 1)
        more_V = ~alone_V & (rows_V > mean)
        if not more_V.any():
            break
        alone_V |= more_V
    return alone_V


class Numbers(nn.Module):
    """(B, D) dense values → (B, sum of `widths`): first the embedded ones, then the others as they are."""

    embedded: Tensor
    plain: Tensor

    def __init__(self, dense: int, edges: Sequence[Sequence[float]], embedding: Embedding) -> None:
        super().__init__()
        places = [place for place, of_column in enumerate(edges) if of_column and not isinstance(embedding, Plain)]
        others = [place for place in range(dense) if place not in set(places)]
        self.embedding = _embedding_of([edges[place] for place in places], embedding) if places else None
        self.register_buffer("embedded", torch.tensor(places, dtype=torch.int64), persistent=False)
        self.register_buffer("plain", torch.tensor(others, dtype=torch.int64), persistent=False)
        self.widths = (
            [1] * len(others) if isinstance(embedding, Plain) else [embedding.width] * len(places) + [1] * len(others)
        )

    def forward(self, dense_BD: Tensor) -> Tensor:
        if self.embedding is None:
            return dense_BD
        embedded = self.embedding(dense_BD.index_select(1, self.embedded)).flatten(1)
        return torch.cat([embedded, dense_BD.index_select(1, self.plain)], dim=1)

    def outputs(self, names: Names) -> list[str]:
        """What each value that comes out stands for."""
        order = [*self.embedded.tolist(), *self.plain.tolist()]
        return numbered([names.dense[place] for place in order], self.widths)

    def named(self, names: Names) -> dict[str, Named]:
        """The weights of each number's embedding; a layer that all share has no names."""
        if self.embedding is None:
            return {}
        columns = [names.dense[place] for place in self.embedded.tolist()]
        shared = "linear." if isinstance(self.embedding.linear, nn.Linear) else None
        found: dict[str, Named] = {}
        for name, weight in self.embedding.named_parameters():
            if shared is None or not name.startswith(shared):
                found |= along(f"embedding.{name}", columns, *[None] * (weight.ndim - 1))
        return found


def _embedding_of(edges: Sequence[Sequence[float]], embedding: Embedding) -> nn.Module:
    from rtdl_num_embeddings import PeriodicEmbeddings, PiecewiseLinearEmbeddings  # a second: it imports scikit-learn

    if isinstance(embedding, PiecewiseLinear):
        bins = [torch.tensor(of_column) for of_column in edges]
        return PiecewiseLinearEmbeddings(bins, embedding.width, activation=False, version="B")
    assert isinstance(embedding, Periodic)  # plain ones have none
    return PeriodicEmbeddings(
        len(edges),
        embedding.width,
        n_frequencies=embedding.frequencies,
        frequency_init_scale=embedding.scale,
        lite=embedding.shared,
    )


class Categories(nn.Module):
    """(B, C) codes → (B, sum of `widths`). Code 0, a category that train never had, is all zeros: it says nothing.

    A column of at most `one_hot` codes goes in one-hot, a larger one by a learnt embedding.
    """

    starts: Tensor
    small: Tensor

    def __init__(self, cardinalities: Sequence[int], one_hot: int = 0) -> None:
        super().__init__()
        small = [place for place, size in enumerate(cardinalities) if size <= one_hot]
        self.large = [place for place, size in enumerate(cardinalities) if size > one_hot]
        sizes = [cardinalities[place] for place in small]
        self.one_hot_width = sum(sizes)
        self.embeddings = nn.ModuleList(
            table(cardinalities[place], width(cardinalities[place])) for place in self.large
        )
        starts = [0, *accumulate(sizes)][: len(sizes)]
        self.register_buffer("small", torch.tensor(small, dtype=torch.int64), persistent=False)
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.widths = [width(cardinalities[place]) for place in self.large] + sizes

    def forward(self, codes_BC: Tensor) -> list[Tensor]:
        learnt = [embed(codes_BC[:, place]) for place, embed in zip(self.large, self.embeddings, strict=True)]
        return [*learnt, self._one_hot(codes_BC.index_select(1, self.small))] if self.one_hot_width else learnt

    def outputs(self, names: Names) -> list[str]:
        """What each value that comes out stands for."""
        columns = [*names.codes]
        learnt = [columns[place] for place in self.large]
        one_hot = [code for place in self.small.tolist() for code in names.codes[columns[place]]]
        return [*numbered(learnt, self.widths[: len(learnt)]), *numbered(one_hot, [1] * len(one_hot))]

    def named(self, names: Names) -> dict[str, Named]:
        """Each column's table has a vector a category; a wider one has the narrower one's values first."""
        columns = [*names.codes]
        found: dict[str, Named] = {}
        for number, place in enumerate(self.large):
            values = numbered(["value"], [self.widths[number]])
            axes = (names.codes[columns[place]], values)
            found[f"embeddings.{number}.weight"] = Named(f"embeddings.{columns[place]}.weight", axes)
        return found

    def _one_hot(self, codes_BC: Tensor) -> Tensor:
        empty = torch.zeros(codes_BC.shape[0], self.one_hot_width, device=codes_BC.device)
        return empty.scatter(1, codes_BC + self.starts, (codes_BC > 0).to(empty.dtype))


class Features(nn.Module):
    """Numbers, codes and what other encoders give, side by side: (B, `width`); `widths` is that of each feature.

    A value of another encoder counts as a feature of its own.
    """

    def __init__(self, numbers: Numbers, categories: Categories, own: Sequence[int]) -> None:
        super().__init__()
        self.numbers, self.categories = numbers, categories
        self.widths = [*numbers.widths, *categories.widths, *[1] * sum(own)]
        self.width = sum(self.widths)
        self.own = tuple(own)

    def forward(self, dense_BD: Tensor, codes_BC: Tensor, own: Sequence[Tensor]) -> Tensor:
        parts = [self.numbers(dense_BD), *self.categories(codes_BC), *own]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def outputs(self, names: Names) -> list[str]:
        """What each value that comes out stands for."""
        return [*self.numbers.outputs(names), *self.categories.outputs(names), *numbered([*names.own], self.own)]


def width(cardinality: int) -> int:
    """How many values stand for a category of so many codes."""
    return min(MAXIMUM_WIDTH, round(1.6 * cardinality**0.56))


def table(cardinality: int, width: int, spread: float = INITIAL_SPREAD) -> nn.Embedding:
    """(B,) codes → (B, width), normal with that spread at first; code 0 is zeros and stays so."""
    made = nn.Embedding(cardinality, width, padding_idx=0)
    nn.init.normal_(made.weight, std=spread)
    with torch.no_grad():
        made.weight[0].zero_()
    return made
