"""What `keepfit check` and `keepfit checks` print: a few lines for each finding, and each check's question."""

import dataclasses
import re
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from pipeline.wording import clip, count, printable

if TYPE_CHECKING:
    from pipeline.commands.check.examine import Examination
    from pipeline.quality.findings import Check, Severity

SEVERITIES: "tuple[Severity, ...]" = ("error", "warning", "info")
EXAMPLE = 80  # signs of an example that are printed
DAMAGE = 5  # damaged places of a file that are printed


def show_examination(answer: "Examination") -> None:
    """Every finding with what to do, worst first, then one line of totals."""
    from pipeline.commands.check.impact import lines as impact_lines

    for finding in answer.findings:
        column = "" if finding.column is None else f" {finding.column}"
        say(f"{finding.severity:8}{finding.check}{column}: {finding.message}")
        if finding.examples:
            numbered = all(re.match(r"\d+(: |$)", example) for example in finding.examples)
            shown = "; ".join(clip(example, EXAMPLE) for example in finding.examples)
            say(f"        {'rows:' if numbered else 'e.g.:'} {shown}")
        say(f"        do:   {finding.suggestion}")
    for origin in answer.sources:
        for damage in origin.damage[:DAMAGE]:
            say(f"damage  {origin.name}: {damage}")
        if len(origin.damage) > DAMAGE:
            say(f"damage  {origin.name}: and {len(origin.damage) - DAMAGE:,} more")
    for line in impact_lines(answer.impact) if answer.impact else []:
        say(line)
    if answer.impact_skipped:
        say(f"impact: {answer.impact_skipped}")
    if any("`repair`" in finding.suggestion for finding in answer.findings):
        say("`repair` is a policy: set it for a check in params.yaml of a workspace (keepfit init makes one)")
    skipped = [account for account in answer.checks if not account.examined]
    counts = Counter(finding.severity for finding in answer.findings)
    told = ", ".join(count(counts[severity], severity) for severity in SEVERITIES)
    say(
        f"{count(answer.rows, 'row')}, {count(answer.columns, 'column')}: {told}; "
        f"{count(len(answer.checks) - len(skipped), 'check')} asked, "
        f"{count(len(skipped), 'does', 'do')} not apply (--json says why)"
    )


def show_checks() -> None:
    """Each check by its family: its question, its parameters, where they come from."""
    for family, _, kinds in _families():
        say(family)
        for kind in kinds:
            parameters = ", ".join(f"{name}={value}" for name, value in _parameters(kind).items())
            say(f"  {kind.name}: {_question(kind)}")
            say(f"      {parameters}; {kind.source}")


def markdown() -> str:
    """docs/checks.md: a table for each family, made of what the checks say of themselves."""
    families = list(_families())
    lines = [
        "# The checks",
        "",
        f"{sum(len(kinds) for _, _, kinds in families)} checks, by family; `keepfit checks` prints the same, and",
        "[check.md](check.md) says how to use them. Parameters and policy of a check are set under its name in",
        "`params.yaml`. The default policy is **bold**; `off` works for each.",
        "",
        "This file is made of the code by `python -m pipeline.commands.check.listing > docs/checks.md`.",
    ]
    for family, about, kinds in families:
        lines += ["", f"## {family}", "", about, ""]
        lines += ["| check | asks | defaults | where they come from | policies |", "|---|---|---|---|---|"]
        lines += [_row(kind) for kind in kinds]
    return "\n".join(lines) + "\n"


def _row(kind: "type[Check]") -> str:
    parameters = _parameters(kind)
    chosen = parameters.pop("policy")
    defaults = ", ".join(f"`{name}: {value}`" for name, value in parameters.items())
    policies = ", ".join(f"**{policy}**" if policy == chosen else policy for policy in kind.policies)
    cells = (f"`{kind.name}`", _question(kind), defaults, kind.source, policies)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _families() -> "Iterator[tuple[str, str, list[type[Check]]]]":
    """Each file of checks: its name, what it says of itself in one line, its checks."""
    from pipeline import checks

    for module, kinds in groupby(checks.registered().values(), key=lambda kind: kind.__module__):
        about = (sys.modules[module].__doc__ or "").splitlines()[0]
        yield module.rsplit(".", maxsplit=1)[-1], about, list(kinds)


def _question(kind: "type[Check]") -> str:
    return (kind.__doc__ or "").splitlines()[0]


def _parameters(kind: "type[Check]") -> dict[str, object]:
    """The parameters with their defaults, as they are written in params.yaml."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    return {field.name: "null" if field.default is None else field.default for field in fields}


def say(line: str) -> None:
    """Print a line in which nothing from data can move the cursor or change a colour."""
    print(printable(line))


if __name__ == "__main__":
    print(markdown(), end="")
