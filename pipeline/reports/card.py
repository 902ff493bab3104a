"""The model card (Mitchell et al. 2019): what the candidate is, for what, how good, and what to mind, from the records.

reports/model_card.md and reports/model_card.html say the same. What nobody has measured or stated is said to be so. No
clock is read: the same files give the same bytes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from pipeline import artefacts, contract
from pipeline.contract import Contract
from pipeline.judgement.record import Diagnosis
from pipeline.judgement.remark import Remark
from pipeline.judgement.speed import size_of
from pipeline.models import saved
from pipeline.models.saved import Manifest
from pipeline.reports import speed, words
from pipeline.reports.chapter import Chapter, Table, html, markdown
from pipeline.reports.words import Json
from pipeline.versions import sealed
from pipeline.wording import clip, count, listed, share
from pipeline.workspace import Section, Workspace

MOST_USED, MOST_REASONS = 8, 5
SEVERITIES = ("error", "warning", "info")
UNSTATED = "nobody has said (params.yaml: {key})"


class CardSettings(Section):
    """What of a model card only people know; what is left empty is said to be unknown."""

    key: ClassVar[str] = "card"
    purpose: str = Field(default="", description="what the answers are used for, and by whom")
    not_for: str = Field(default="", description="what they must not be used for")
    owner: str = Field(default="", description="who answers for the model, and how to reach them")
    licence: str = Field(default="", description="under which terms model and data may be used")


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a card is written from; None where a file is absent."""

    dataset: str
    stated: CardSettings
    agreed: Contract
    manifest: Manifest
    network: Json
    evaluation: Json
    diagnosis: Diagnosis | None
    ledger: Json | None
    quality: Json | None
    champion: Json | None
    opened: str | None
    size: int


def write(workspace: Workspace) -> Path | None:
    """Write both forms of the card; None where no candidate has been judged yet."""
    if not workspace.evaluation.is_file() or not (workspace.candidate / saved.MANIFEST).is_file():
        return None
    facts = read(workspace)
    if facts.manifest.identity != facts.evaluation["candidate"]:
        return None  # one that was not judged yet
    title, told = f"{facts.dataset}: {facts.evaluation['label']}", chapters(facts)
    artefacts.write_text(workspace.model_card, markdown(title, told))
    artefacts.write_text(workspace.model_card.with_suffix(".html"), html(title, told))
    return workspace.model_card


def read(workspace: Workspace) -> Facts:
    """Everything that is known of the candidate."""
    evaluation: Json = artefacts.read_json(workspace.evaluation)
    told = Diagnosis.read(workspace.diagnosis) if workspace.diagnosis.is_file() else None
    opened = sealed.seal(workspace)
    return Facts(
        dataset=workspace.dataset,
        stated=workspace.section(CardSettings),
        agreed=contract.load(workspace.contract_file),
        manifest=Manifest.read(workspace.candidate / saved.MANIFEST),
        network=artefacts.read_json(workspace.candidate / saved.NETWORK),
        evaluation=evaluation,
        diagnosis=told if told is not None and told.candidate == evaluation["candidate"] else None,
        ledger=_json(workspace.ledger),
        quality=_json(workspace.quality),
        champion=_json(workspace.champion),
        opened=sealed.words(opened) if opened else None,
        size=size_of(workspace.candidate),
    )


def _json(path: Path) -> Json | None:
    found: Json | None = artefacts.read_json(path) if path.is_file() else None
    return found


def chapters(facts: Facts) -> list[Chapter]:
    """The card, chapter by chapter; pure."""
    return [
        _what_it_is(facts),
        _what_for(facts),
        _data(facts),
        _columns(facts),
        _how_good(facts),
        *_diagnosed(facts),
        _mind(facts),
        _made(facts),
    ]


def _what_it_is(facts: Facts) -> Chapter:
    evaluation, classes = facts.evaluation, facts.evaluation["classes"]
    kind = {"quantity": "a number", "quantiles": "quantiles of a number", "tags": "tags", "forecast": "a forecast"}
    told = kind.get(evaluation.get("target", "classes"), "classes")
    of = f": {listed([clip(each) for each in classes], 12)}" if classes else ""
    version = words.subject(evaluation, facts.champion)
    standing = f"version {version}, in use" if version.startswith("v") else "judged as a candidate"
    backbone = facts.network["backbone"]
    why = (facts.network["why"] or "as set").removeprefix(f"{backbone}: ")
    weights = facts.diagnosis.speed.weights if facts.diagnosis and facts.diagnosis.speed else None
    return Chapter(
        title="What it is",
        points=[
            f"It tells {evaluation['label']} ({told}{of}) from {count(len(facts.agreed.features), 'column')}.",
            f"Model {facts.manifest.identity}: {standing}.",
            f"A network with the backbone {backbone} ({why})"
            + (f" of {count(weights, 'weight')}" if weights else "")
            + f", {speed.size(facts.size)} on disk.",
        ],
    )


def _what_for(facts: Facts) -> Chapter:
    stated = facts.stated
    named = {"Purpose": "purpose", "Not for": "not_for", "Answered for by": "owner", "Licence": "licence"}
    said = [(title, getattr(stated, key) or UNSTATED.format(key=f"card.{key}")) for title, key in named.items()]
    return Chapter(title="What it is for", points=[f"{title}: {text}" for title, text in said])


def _data(facts: Facts) -> Chapter:
    evaluation, ledger, sources = facts.evaluation, facts.ledger, facts.manifest.sources
    first, last = (words.moment(evaluation["window"][end]) for end in ("first", "last"))
    files = {name for of_split in sources.values() for name in of_split}
    points = [
        ", ".join(f"{count(rows, 'row')} of {name}" for name, rows in evaluation["rows"].items())
        + f", of {count(len(files), 'file')}"
        + (f", from {first} to {last}." if evaluation["window"]["first"] else "."),
    ]
    if ledger:
        points.append(
            f"Of {count(ledger['rows_in'], 'row')} that came, {ledger['kept']:,} were kept, {ledger['merged']:,} "
            f"merged with another, {ledger['quarantined']:,} set aside; {ledger['repaired']:,} were repaired."
        )
        points += _reasons(ledger)
    if facts.quality:
        tally = {name: sum(one["severity"] == name for one in facts.quality["findings"]) for name in SEVERITIES}
        points.append("The checks found " + ", ".join(f"{n} of severity {name}" for name, n in tally.items()) + ".")
    return Chapter(title="What it learnt from", points=points)


def _reasons(ledger: Json) -> Iterator[str]:
    found = [(rows, why) for stage in ledger["stages"] for why, rows in stage["reasons"].items()]
    for rows, why in sorted(found, reverse=True)[:MOST_REASONS]:
        yield f"{clip(why)}: {count(rows, 'row')}."


def _columns(facts: Facts) -> Chapter:
    used = facts.diagnosis.importance if facts.diagnosis else None
    lost = {one.column: share(one.lost) for one in used.columns} if used else {}
    rows = [
        (column.name, str(column.modality), "may be" if column.nullable else "never", lost.get(column.name, ""))
        for column in facts.agreed.features
    ]
    head = ("Column", "What it is", "Missing", "Lost without it")
    return Chapter(title="What it looks at", table=Table(head=head, rows=rows))


def _how_good(facts: Facts) -> Chapter:
    evaluation = facts.evaluation
    main, scores = words.main_metric(evaluation), evaluation["scores"]
    models = ["candidate", *(name for name in scores if name != "candidate")]
    names = [words.model(name) for name in models]
    measured = [name for name in words.METRICS if name in scores["candidate"]["test"]]
    measured.sort(key=lambda name: name != main)
    rows = [(words.metric(m), *(words.interval(scores[name]["test"].get(m)) for name in models)) for m in measured]
    points = [
        f"On {count(evaluation['rows']['test'], 'row')} of test that it never saw; 95% intervals by bootstrap.",
        *_compared(evaluation, main),
        f"It {evaluation['fit']['word']}: {evaluation['fit']['why']}.",
    ]
    points += [facts.opened[:1].upper() + facts.opened[1:] + "."] if facts.opened else []
    points += [said for said in (words.unseen(evaluation), words.coverage(evaluation)) if said]
    return Chapter(title="How good it is", points=points, table=Table(head=("On test", *names), rows=rows))


def _compared(evaluation: Json, main: str) -> Iterator[str]:
    several = words.correction(evaluation, main)
    for pair in words.pairs(evaluation, main):
        gain, low, high = words.alike(pair["difference"], pair["low"], pair["high"])
        said = words.compared(pair)
        yield f"It is {said} {words.model(pair['model'])} by {words.metric(main)}: {gain} ({low} to {high}{several})."


def _diagnosed(facts: Facts) -> Iterator[Chapter]:
    """What each part of the diagnosis says of itself in a sentence, and what is used most."""
    if facts.diagnosis is None:
        yield Chapter(title="How it behaves", points=["Nobody has looked: run `keepfit run`."])
        return
    parts = {name: getattr(facts.diagnosis, name) for name in Diagnosis.model_fields}
    said = [part.words for part in parts.values() if getattr(part, "words", "")]
    used = facts.diagnosis.importance
    if used:
        most = [f"{one.column} ({share(one.lost)})" for one in used.columns[:MOST_USED]]
        said.append(f"Without one column this share of what it knows is lost: {', '.join(most)}.")
    silent = [name.replace("_", " ") for name, part in parts.items() if part is None]
    said += [f"Not looked at, or nothing to say: {', '.join(silent)}."] if silent else []
    yield Chapter(title="How it behaves", points=said)


def _mind(facts: Facts) -> Chapter:
    """Everything that was found to be wrong with the model, its training or its data, the worst first."""
    found = [(one["severity"], f"{one['name']}: {one['message']}", one["suggestion"]) for one in _symptoms(facts)]
    found += [
        (one.severity, f"{one.name}: {one.message}", one.suggestion)
        for name in Diagnosis.model_fields
        for one in _remarks(getattr(facts.diagnosis, name, None))
    ]
    found += [
        (one["severity"], f"{one['check']}: {one['message']}", one["suggestion"])
        for one in (facts.quality or {"findings": []})["findings"]
        if one["severity"] == "error"
    ]
    found.sort(key=lambda one: SEVERITIES.index(one[0]))
    rows = [(severity, clip(message), clip(what)) for severity, message, what in found]
    points = [] if rows else ["Nothing was found. That is no proof that nothing is wrong."]
    table = Table(head=("How bad", "What", "What to do"), rows=rows) if rows else None
    return Chapter(title="What to mind", points=points, table=table)


def _symptoms(facts: Facts) -> Sequence[Json]:
    return facts.evaluation.get("health") or []


def _remarks(part: Any) -> Sequence[Remark]:
    return [one for one in getattr(part, "remarks", ()) if isinstance(one, Remark)]


def _made(facts: Facts) -> Chapter:
    versions = ", ".join(f"{name} {version}" for name, version in facts.manifest.versions.items())
    start = f" from the weights of {facts.manifest.start.model}" if facts.manifest.start else ""
    return Chapter(
        title="How it was made",
        points=[
            f"Trained{start} with the seed {facts.manifest.seed}; epoch {facts.evaluation['best_epoch']} of "
            f"{len(_epochs(facts.evaluation))} was the best on val.",
            f"With {versions}.",
            "Its settings, the hash of each file and the rows of each source are in manifest.json beside it.",
        ],
    )


def _epochs(evaluation: Json) -> Sequence[float]:
    curves: Mapping[str, Sequence[float]] = evaluation["curves"]
    return next(iter(curves.values()), ())
