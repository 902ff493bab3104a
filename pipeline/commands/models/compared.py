"""What `keepfit models compare A B` prints: how the second differs in what went in, and in what came out.

Nothing is scored anew: the test set stays sealed.
"""

from collections.abc import Iterable, Iterator

from pipeline import metrics
from pipeline.commands import summary
from pipeline.commands.models import differences
from pipeline.commands.models.shown import SPLITS, UNKNOWN
from pipeline.commands.models.version import Version
from pipeline.params import parsed_params
from pipeline.stages import gates
from pipeline.wording import count, number

LINES = 20  # of a contract's difference


def compared(first: Version, second: Version) -> Iterator[str]:
    """How the second version differs from the first: what went in, and what came out."""
    yield from _headed("settings", differences.settings(_params(first), _params(second)))
    yield from _headed("contract", _cut(differences.contract(*(_contract(each) for each in (first, second)))))
    if first.lineage and second.lineage:
        yield from _headed("data", differences.data(first.lineage.data, second.lineage.data))
        yield from _headed("made with", differences.environment(first.lineage, second.lineage))
    else:
        yield f"data, environment: {UNKNOWN}"
    yield _same_test(first, second)
    yield from _paired(first, second)


def _headed(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    yield f"{title}: the same" if not found else f"{title}:"
    yield from (f"  {line}" for line in found)


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - LINES
    return [*lines[:LINES], f"… and {count(more, 'line')} more"] if more > 0 else lines


def _params(shown: Version) -> dict[str, object]:
    """The settings; of a version without its params.yaml those of its training."""
    text = shown.text("params.yaml")
    return parsed_params(text) if text else {"seed": shown.manifest.seed, "train": shown.manifest.settings}


def _contract(shown: Version) -> str:
    return shown.text(f"schemas/{shown.lineage.dataset}.py") if shown.lineage else ""


def _same_test(first: Version, second: Version) -> str:
    seals = [each.lineage.test if each.lineage else None for each in (first, second)]
    known = [seal.test for seal in seals if seal]
    if len(known) < len(seals):
        return "test rows: whether they are the same is not known"
    if known[0] == known[1]:
        return f"test rows: the same {count(first.evaluation.rows['test'], 'row')} ({known[0]})"
    return "test rows: other ones, so that the scores below do not say which is better"


def _paired(first: Version, second: Version) -> Iterator[str]:
    """How much better one is than the other on the same rows, where one was judged beside the other as champion."""
    for one, other in ((second, first), (first, second)):
        if one.evaluation.champion == other.name:
            main = metrics.OF[one.evaluation.target].main
            for pair in one.evaluation.paired:
                if pair.model == "champion" and pair.metric == main:
                    told = f"{one.name} beside {other.name}, when it was judged: {gates.difference(pair)}"
                    yield f"{told}; + is better"


def score_rows(first: Version, second: Version) -> list[list[str]]:
    """A row a metric and split: both scores, and the second less the first."""
    rows = []
    a, b = (each.evaluation.scores["candidate"] for each in (first, second))
    for split in reversed(SPLITS):
        for metric in (name for name in a.get(split, {}) if name in b.get(split, {})):
            one, other = a[split][metric].value, b[split][metric].value
            rows.append([split, str(metric), number(one), number(other), f"{other - one:+.4g}"])
    return rows


def show_scores(first: Version, second: Version) -> None:
    """The scores of both, as a table on the screen."""
    names = ["split", "metric", first.name, second.name, f"{second.name} less {first.name}"]
    summary.show_table("Scores of the candidates", names, score_rows(first, second))
