"""What the places of a network's weights stand for: columns, categories, classes.

With these names, weights of one network find their places in another, whose columns have another order or number.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

from pipeline.features.preprocessor import Preprocessor

Axis: TypeAlias = Sequence[str] | None  # a name for each place; None: what stands at which place nobody can tell


@dataclass(frozen=True, kw_only=True)
class Names:
    """What goes into a network and what comes out.

    `dense`: each dense value; `codes`: each code of each coded column; `own`: of each column with a tensor of its own,
    by the tensor's name, what its tokens stand for, or nothing where it has none; `outputs`: each output.
    """

    dense: Sequence[str]
    codes: dict[str, list[str]]
    own: dict[str, list[str]]
    outputs: Sequence[str]

    @classmethod
    def of(cls, fitted: Preprocessor) -> Self:
        """The names of the network that reads what this preprocessor makes."""
        target = fitted.target
        return cls(
            dense=fitted.dense_outputs,
            codes=fitted.code_names,
            own={
                name: list(getattr(getattr(each, "reader", None), "vocabulary", ()))
                for name, each in fitted.own.items()
            },
            outputs=fitted.classes or [f"{target.kind} {place}" for place in range(target.outputs)],
        )

    @property
    def inputs(self) -> list[str]:
        """Every column value, category and tensor that goes in."""
        return [*self.dense, *(code for codes in self.codes.values() for code in codes), *self.own]


class Named(NamedTuple):
    """Weights by a name that has columns in it and no numbers of them, and what stands along each of their axes."""

    name: str
    axes: tuple[Axis, ...]


@runtime_checkable
class Naming(Protocol):
    """A module that knows what its weights stand for."""

    def named(self, names: Names) -> dict[str, Named]:
        """Of its own parameters that lie along columns, categories or outputs: by their names, what they are."""
        ...


def along(name: str, *axes: Axis) -> dict[str, Named]:
    """Weights that keep their name.

    >>> along("bias", ["yes", "no"])
    {'bias': Named(name='bias', axes=(['yes', 'no'],))}
    """
    return {name: Named(name, axes)}


def numbered(names: Sequence[str], widths: Sequence[int]) -> list[str]:
    """A name for each of the values that stand for something.

    >>> numbered(["a", "b"], [2, 1])
    ['a 0', 'a 1', 'b 0']
    """
    return [f"{name} {place}" for name, width in zip(names, widths, strict=True) for place in range(width)]
