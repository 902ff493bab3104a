"""Classes of few rows: what is done in training, and what takes it back so that probabilities mean what they say.

A network that sees class k r_k times as often, or whose loss weighs it w_k times, learns p(k | x) r_k w_k up to a
factor (Elkan 2001, theorem 2; Saerens et al. 2002): log(r_k w_k) is taken from its outputs when it answers. Made rows
are only nearly rows of their class, so after smote that is an approximation. Focal loss is taken back by
`losses.unfocused`, logit adjustment is in the outputs by itself. Shapes: N rows, K classes. Shares are those of train.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import SettingsError
from pipeline.features.preprocessor import LABEL
from pipeline.features.target import Target
from pipeline.models import losses
from pipeline.models.choices.optimization import ImbalanceSettings, LossSettings, Method
from pipeline.models.sampling import Rows

if TYPE_CHECKING:
    from imblearn.over_sampling.base import BaseOverSampler

    from pipeline.models.network import Network

Tensors: TypeAlias = Mapping[str, np.ndarray]
RARE_CLASS_SHARE = 0.1
TABLE = {"dense", "codes", LABEL}  # what smote can make rows of
BY_LOSS: tuple[Method, ...] = ("none", "class_weights", "focal", "logit_adjustment")
WHERE = "params.yaml: train.imbalance"


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What a training is done with.

    `train`: the tensors, those of made rows last. `rows`: those of each epoch, None for all in any order. `weight_K`:
    what a row of each class weighs in the loss. `offset_K`: what is added to the outputs in the loss. `drawn_K`: how
    much more often a row of each class is seen. `prior_K`: what all of it adds to the outputs, to be taken back.
    """

    train: Tensors
    loss: LossSettings
    weight_K: Tensor
    prior_K: Tensor
    offset_K: Tensor | None = None
    drawn_K: Tensor | None = None
    rows: Rows | None = None

    def loss_of(self, target: Target) -> nn.Module:
        """The loss of training."""
        return losses.loss_of(target, self.loss, self.weight_K, self.offset_K, self.drawn_K)

    def correct(self, network: "Network", target: Target) -> None:
        """Tell the network what it has to take back when it answers."""
        network.prior_K.copy_(self.prior_K)
        focal = losses.named(target, self.loss) == "focal"
        network.focal_gamma.fill_(self.loss.focal_gamma if focal else 0.0)


def balance(train: Tensors, target: Target, settings: ImbalanceSettings, loss: LossSettings, *, seed: int) -> Balance:
    """What is done with the tensors of train. `auto` is no method: `trials.choose` turns it into one.

    Raises SettingsError for a method that these data, or this machine, cannot have.
    """
    none_K = torch.zeros(target.outputs)
    plain = Balance(train=train, loss=loss, weight_K=torch.ones(target.outputs), prior_K=none_K)
    if target.kind == "tags" and settings.kind == "class_weights":
        weight_K = torch.from_numpy(weights_of_tags(train[LABEL], settings.strength)).float()
        return replace(plain, weight_K=weight_K, prior_K=weight_K.log())
    if target.kind not in ("classes", "ordinal"):
        _require_none(settings, target)
        return plain
    rows_K = np.bincount(train[LABEL], minlength=target.outputs)
    method = resolved(settings, rows_K)
    if why := clash(method, loss):
        raise SettingsError(why, where=WHERE, fix="use one of the two")
    if method in BY_LOSS:
        return _by_loss(plain, method, rows_K, settings)
    take_K = taken(method, rows_K, settings.strength)
    drawn_K = torch.from_numpy(np.where(rows_K > 0, take_K / rows_K.clip(1), 1.0)).float()
    seen = replace(plain, drawn_K=drawn_K, prior_K=drawn_K.log())
    if method == "smote":
        return replace(seen, train=smote(train, take_K, settings.neighbours, seed=seed))
    label_N = torch.from_numpy(train[LABEL])
    rows = Rows(class_N=label_N, take_K=take_K.tolist(), seed=seed, replaced=method == "weighted_sampling")
    return replace(seen, rows=rows)


def _by_loss(plain: Balance, method: Method, rows_K: np.ndarray, settings: ImbalanceSettings) -> Balance:
    """The balance of a method that takes the rows as they are, and changes at most the loss."""
    if method == "class_weights":
        weight_K = torch.from_numpy(weights(rows_K, settings.strength)).float()
        return replace(plain, weight_K=weight_K, prior_K=weight_K.log())
    if method == "logit_adjustment":
        offset_K = torch.from_numpy(settings.tau * np.log(rows_K.clip(1) / rows_K.sum())).float()
        return replace(plain, offset_K=offset_K, prior_K=-offset_K)
    if method == "focal":
        return replace(plain, loss=plain.loss.model_copy(update={"kind": "focal"}))
    return plain


def candidates(train: Tensors, loss: LossSettings) -> list[Method]:
    """Every method that these tensors, this loss and this machine can have, none first."""
    can_smote = set(train) <= TABLE and importlib.util.find_spec("imblearn") is not None
    possible: list[Method] = [method for method in get_args(Method) if method != "smote" or can_smote]
    return [method for method in possible if not clash(method, loss)]


def clash(method: Method, loss: LossSettings) -> str | None:
    """Why the method cannot go with the loss, as what both do cannot be taken back together."""
    if method == "logit_adjustment" and loss.kind == "focal":
        return "logit_adjustment is of cross_entropy, and train.loss is focal"
    if method == "focal" and loss.label_smoothing:
        return "focal has no label_smoothing, and train.loss has"
    return None


def resolved(settings: ImbalanceSettings, rows_K: np.ndarray) -> Method:
    """The method that is meant, with by_share resolved."""
    if settings.kind == "by_share":
        return "class_weights" if rows_K.min() < RARE_CLASS_SHARE * rows_K.sum() else "none"
    assert settings.kind != "auto"
    return settings.kind


def weights(rows_K: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """(K,) what a row of each class weighs, 1 in the mean over the rows; a class without rows as if it had one.

    >>> weights(np.array([90, 10])).round(2).tolist()
    [0.56, 5.0]
    """
    raised_K = rows_K.clip(1) ** -float(strength)
    weight_K: np.ndarray = raised_K * rows_K.sum() / (raised_K * rows_K.clip(1)).sum()
    return weight_K


def weights_of_tags(held_NK: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """(K,) what a row that has a tag weighs against one that has not: until both weigh the same.

    >>> weights_of_tags(np.array([[1, 0], [0, 0], [0, 1], [0, 1]])).tolist()
    [3.0, 1.0]
    """
    share_K = held_NK.mean(axis=0, dtype=np.float64).clip(1 / len(held_NK), 1 - 1 / len(held_NK))
    weight_K: np.ndarray = ((1 - share_K) / share_K) ** strength
    return weight_K


def taken(method: Method, rows_K: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """(K,) int64 how many rows of each class an epoch has; 0 of a class without rows.

    >>> taken("over_sampling", np.array([90, 10])), taken("under_sampling", np.array([90, 10]), strength=0.5)
    (array([90, 90]), array([30, 10]))
    """
    present_K = rows_K > 0
    if method == "weighted_sampling":
        take_K = rows_K * weights(rows_K, strength)
    else:
        kept = rows_K[present_K].min() if method == "under_sampling" else rows_K.max()
        take_K = kept * (rows_K / kept) ** (1 - strength)
    return np.where(present_K, take_K.round().clip(1), 0).astype(np.int64)


def smote(train: Tensors, take_K: np.ndarray, neighbours: int, *, seed: int) -> Tensors:
    """The tensors with made rows behind them, until class k has `take_K[k]` rows.

    Decimals are somewhere on the line to a near row of the class (Chawla et al. 2002), codes what most of the near rows
    have (SMOTE-NC, there section 6.1). A class of one row, which has no neighbour, is repeated. Takes some 20 bytes a
    cell. Raises SettingsError where a column has a tensor of its own, or imbalanced-learn is not installed.
    """
    _require_table(train)
    rows_K = np.bincount(train[LABEL], minlength=len(take_K))
    alone = np.flatnonzero((rows_K == 1) & (take_K > 1))
    more = {int(k): int(take_K[k]) for k in np.flatnonzero((take_K > rows_K) & (rows_K > 1))}
    if more:
        near = min(neighbours, min(int(rows_K[k]) for k in more) - 1)
        train = _made(train, _sampler(train, more, near, seed))
    for k in alone:
        repeated = np.flatnonzero(train[LABEL] == k).repeat(take_K[k] - 1)
        train = {name: np.concatenate([array, array[repeated]]) for name, array in train.items()}
    return train


def _made(train: Tensors, sampler: "BaseOverSampler") -> Tensors:
    """The tensors and behind them what the sampler makes of them."""
    dense = train["dense"].shape[1]
    table = np.concatenate([train["dense"], train["codes"]], axis=1)  # float64, so that codes stay exact
    made, label = sampler.fit_resample(table, train[LABEL])
    rows = len(train[LABEL])
    new = {"dense": made[rows:, :dense], "codes": made[rows:, dense:], LABEL: label[rows:]}
    return {name: np.concatenate([array, new[name].astype(array.dtype)]) for name, array in train.items()}


def _sampler(train: Tensors, more: dict[int, int], neighbours: int, seed: int) -> "BaseOverSampler":
    """Of decimals alone, of codes alone, or of both."""
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    dense, codes = train["dense"].shape[1], train["codes"].shape[1]
    chosen = {"sampling_strategy": more, "k_neighbors": neighbours, "random_state": seed}
    if not codes:
        return SMOTE(**chosen)
    return SMOTENC(categorical_features=list(range(dense, dense + codes)), **chosen) if dense else SMOTEN(**chosen)


def _require_none(settings: ImbalanceSettings, target: Target) -> None:
    if settings.kind not in ("none", "by_share"):
        raise SettingsError(
            f"{settings.kind} is of classes, and {target.column} is of the kind {target.kind}",
            where=WHERE,
            fix="leave it out",
        )


def _require_table(train: Tensors) -> None:
    if own := sorted(set(train) - TABLE):
        raise SettingsError(
            f"smote makes rows of numbers and categories, not of {', '.join(own)}", where=WHERE, fix="use over_sampling"
        )
    if importlib.util.find_spec("imblearn") is None:
        raise SettingsError(
            "smote needs imbalanced-learn", where=WHERE, fix='install it (pip install "keepfit[imbalance]")'
        )
