"""The report's section on parts of test: those that are named, and those in which the candidate fails. Pure."""

from markupsafe import Markup

from pipeline.judgement.slices import Named, Slices
from pipeline.reports import document
from pipeline.reports.words import Json


def section(told: Slices) -> Markup:
    """Scores by slice, beside the other models'."""
    models = list(next((one.scores for one in told.named if one.scores), None) or _losing(told))

    def scores(one: Named, model: str) -> Json | None:
        return one.scores[model][told.metric].model_dump() if one.scores else None

    def pair(one: Named, model: str) -> Json | None:
        pairs = [pair for pair in one.paired if (pair.model, pair.metric) == (model, told.metric)]
        return {"value": pairs[0].difference, "low": pairs[0].low, "high": pairs[0].high} if pairs else None

    return document.fragment("slices.html.j2", told=told, models=models, scores=scores, pair=pair)


def _losing(told: Slices) -> list[str]:
    """The models whose loss is told, the candidate first."""
    return list(told.weak[0].loss) if told.weak else []
