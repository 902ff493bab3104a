"""The options of the commands that take any data, and the roles of columns that they name."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pipeline.contract import Role


def add_check(command: argparse.ArgumentParser) -> None:
    """The options of `keepfit check`."""
    command.add_argument(
        "paths", nargs="+", metavar="PATH", help="files or folders, or with --sql a database: its file or URL"
    )
    command.add_argument("--contract", type=Path, metavar="FILE", help="a schemas/x.py (default: inferred)")
    add_roles(command)
    command.add_argument("--reference", metavar="PATH", help="data to compare with, such as the last batch")
    command.add_argument("--sql", metavar="QUERY", help="check the rows of this query")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the findings there")
    command.add_argument("--flags", type=Path, metavar="FILE.parquet", help="write one line for each row hit there")
    command.add_argument("--html", type=Path, metavar="FILE", help="write a report there")
    command.add_argument("--impact", action="store_true", help="say which findings change a quick model's score")
    command.add_argument(
        "--fail-on", choices=("error", "warning", "never"), default="error", help="exit with 1 from there on"
    )


def add_selftest(command: argparse.ArgumentParser) -> None:
    """The options of `keepfit selftest`."""
    command.add_argument("paths", nargs="+", metavar="PATH", help="files or folders")
    add_roles(command)
    command.add_argument(
        "--rows", type=_natural, default=10_000, help="rows that defects are planted in (default: 10000)"
    )
    _add_seed(command, "of what is drawn")
    command.add_argument("--thorough", action="store_true", help="ask the checks that fit models too")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")


def add_init(command: argparse.ArgumentParser) -> None:
    """The options of `keepfit init`."""
    command.add_argument("directory", type=Path, metavar="DIR", help="where the workspace is made")
    command.add_argument("--data", type=Path, required=True, metavar="PATH", help="a file or folder of data")
    add_roles(command, label_required=True)
    command.add_argument(
        "--horizon",
        type=_natural,
        default=0,
        metavar="STEPS",
        help="forecast the label so many steps ahead; needs --time",
    )
    command.add_argument(
        "--order",
        type=_listed,
        nargs="?",
        const=(),
        metavar="LOW,...,HIGH",
        help="the classes of the label from the lowest; without them in the order of numbers",
    )
    _add_seed(command, "of the workspace, in its params.yaml")


def roles(chosen: argparse.Namespace) -> "dict[str, Role]":
    """Column → role, as the options say; raises SettingsError where one column is named for two roles."""
    named: dict[Role, list[str | None]] = {
        "group": chosen.group, "id": chosen.id, "time": [chosen.time], "label": [chosen.label],
    }  # fmt: skip
    found: dict[str, Role] = {}
    for role, columns in named.items():
        for column in (each for each in columns if each is not None):  # a column may be called ""
            if (other := found.setdefault(column, role)) != role:
                what = f"{column} cannot have two roles, and is named for both"
                raise SettingsError(what, where=f"--{other}, --{role}", fix="leave one of them out")
    return found


def _listed(text: str) -> tuple[str, ...]:
    """Several values, with commas between."""
    return tuple(part.strip() for part in text.split(","))


def _natural(text: str) -> int:
    """A whole number from 0 on."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {number}")
    return number


def between(text: str) -> float:
    """A share between 0 and 1, neither of them."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, got {text}")
    return number


def _add_seed(command: argparse.ArgumentParser, whose: str) -> None:
    command.add_argument("--seed", type=_natural, default=0, help=f"the seed {whose} (default: 0)")


def add_roles(command: argparse.ArgumentParser, *, label_required: bool = False) -> None:
    """The options that name columns by their role."""
    command.add_argument("--label", required=label_required, metavar="COL", help="what is to be told")
    command.add_argument("--time", metavar="COL", help="the time axis")
    for role, words in (("group", "rows of one group belong together"), ("id", "names a row, and tells nothing")):
        command.add_argument(f"--{role}", action="append", default=[], metavar="COL", help=f"{words}; may be repeated")
