"""What `keepfit check` and `keepfit checks` print: a few lines for each finding, and each check's question."""

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.examine import Examination


def show_examination(answer: "Examination") -> None:
    """Every finding with what to do, worst first, then one line of totals."""
    for finding in answer.findings:
        column = f" {finding.column}" if finding.column else ""
        say(f"{finding.severity:8}{finding.check}{column}: {finding.message}")
        if finding.examples:
            say(f"        rows: {'; '.join(finding.examples)}")
        say(f"        do:   {finding.suggestion}")
    for origin in answer.sources:
        for damage in origin.damage:
            say(f"damage  {origin.name}: {damage}")
    skipped = [account for account in answer.checks if not account.examined]
    counts = Counter(finding.severity for finding in answer.findings)
    told = ", ".join(f"{counts[name]} {name}{'s' * (counts[name] != 1)}" for name in ("error", "warning", "info"))
    say(
        f"{answer.rows:,} rows, {answer.columns:,} columns: {told}; "
        f"{len(answer.checks) - len(skipped)} checks asked, {len(skipped)} do not apply (--json says why)"
    )


def show_checks() -> None:
    """Each check by its family: its question, its parameters, where they come from."""
    from pipeline import checks

    family = ""
    for kind in checks.registered().values():
        if (own := kind.__module__.rsplit(".", maxsplit=1)[-1]) != family:
            family = own
            say(f"{family}")
        parameters = ", ".join(f"{field.name}={field.default}" for field in dataclasses.fields(kind))  # type: ignore[arg-type]
        say(f"  {kind.name}: {(kind.__doc__ or '').splitlines()[0]}")
        say(f"      {parameters}; {kind.source}")


def say(line: str) -> None:
    """Print a line in which nothing from data can move the cursor or change a colour."""
    print("".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line))
