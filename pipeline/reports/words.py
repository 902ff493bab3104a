"""How the report says things: names, intervals, and the plain sentences above the charts. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.metrics import IN_UNIT, LOWER_IS_BETTER, OF
from pipeline.models import stopwatch
from pipeline.models.stopwatch import Lap
from pipeline.wording import NOTHING, clip, count, number, share

Json = Mapping[str, Any]

MODELS = {
    "candidate": "candidate",
    "champion": "champion before it",
    "hist_gradient_boosting": "gradient boosting",
    "logistic_regression": "logistic regression",
    "majority": "majority class",
    "mean": "mean of train",
    "train_quantiles": "quantiles of train",
    "persistence": "last value",
    "seasonal_naive": "value a season before",
    "ridge": "ridge regression",
}
UNSEEING = ("majority", "mean", "train_quantiles")  # the baselines that look at no column
METRICS = {
    "quadratic_weighted_kappa": "quadratic weighted kappa",
    "rank_mae": "mean distance of ranks",
    "mean_average_precision": "mean average precision",
    "micro_f1": "F1 of all tags together",
    "macro_f1": "mean F1 of the tags",
    "subset_accuracy": "share of rows with all tags right",
    "hamming_loss": "share of tags told wrong",
    "pinball": "pinball loss",
    "coverage_gap": "distance of the coverage from what it should be",
    "interval_width": "mean width of the interval",
    "auc": "AUC",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "brier": "Brier score",
    "rmse": "RMSE",
    "mse": "mean squared error",
    "mase": "MASE",
    "mae": "mean absolute error",
    "median_absolute_error": "median absolute error",
    "r2": "R²",
    "skill": "skill against the mean",
}


def alike(value: float, low: float, high: float) -> tuple[str, str, str]:
    """A value and its interval with as many decimals as give the interval's width two digits.

    >>> alike(0.0075, 0.0039, 0.01112), alike(0.7481, 0.7402, 0.7561)
    (('0.0075', '0.0039', '0.0111'), ('0.748', '0.740', '0.756'))
    """
    width = high - low
    decimals = 3 if not width > 0 else min(max(1 - math.floor(math.log10(width)), 0), 8)
    shown = [f"{one:,.{decimals}f}" for one in (value, low, high)]
    return shown[0], shown[1], shown[2]


def interval(score: Json | None) -> str:
    """`0.748 (0.741 to 0.755)`; without an interval the value alone."""
    if score is None:
        return NOTHING
    if score.get("low") is None or score.get("high") is None:
        return number(score["value"])
    value, low, high = alike(score["value"], score["low"], score["high"])
    return f"{value} ({low} to {high})"


def model(name: str) -> str:
    """A model's name as people say it."""
    return MODELS.get(name, name.replace("_", " "))


def metric(name: str) -> str:
    """A metric's name as people say it."""
    return METRICS.get(name, name.replace("_", " "))


def main_metric(evaluation: Json) -> str:
    """The metric by which its kind of label is judged first."""
    return str(OF[evaluation.get("target", "classes")].main)


def short_names(names: Sequence[str]) -> list[str]:
    """File names without what follows the first dot, where they still differ.

    >>> short_names(["2013-06.csv.gz", "2013-07.csv.gz"])
    ['2013-06', '2013-07']
    """
    short = [name.split(".")[0] or name for name in names]
    return short if len(set(short)) == len(set(names)) else list(names)


def moment(iso: str | None) -> str:
    """A moment in ISO form as people read it: date and time, without a time of midnight.

    >>> moment("2026-11-21T11:20:05+00:00"), moment("2013-05-31T00:00:00")
    ('2026-11-21 11:20 UTC', '2013-05-31')
    """
    if not iso:
        return NOTHING
    day, _, rest = iso.replace(" ", "T").partition("T")
    zone = " UTC" if rest.endswith(("+00:00", "Z")) else ""
    return day if not rest or rest.startswith("00:00") else f"{day} {rest[:5]}{zone}"


def title_case(words: str) -> str:
    """The words with their first letter upright, the others as they are.

    >>> title_case("log loss"), title_case("AUC")
    ('Log loss', 'AUC')
    """
    return words[:1].upper() + words[1:]


def confusion(evaluation: Json) -> str:
    """What a confusion matrix of two classes says, in words; for more classes how to read it."""
    counts, classes = evaluation["confusion"], evaluation["classes"]
    if len(counts) != 2:
        return "rows, and the share of each true class"
    (_, false), (missed, found) = counts
    return (
        f"{share(found / max(found + missed, 1))} of {classes[1]} rows are found; "
        f"{share(found / max(found + false, 1))} of the answers {classes[1]} are right"
    )


def coverage(evaluation: Json) -> str:
    """What the interval from the first to the last quantile holds of test, and what it should; empty of all else."""
    told = evaluation.get("below", ())
    if len(told) < 2:
        return ""
    gap = evaluation["scores"]["candidate"]["test"]["coverage_gap"]
    first, last = told[0], told[-1]
    each = ", ".join(f"{share(one['below'])} below the {one['quantile']:g} quantile" for one in told)
    return (
        f"Of the test rows, the interval from the {first['quantile']:g} to the {last['quantile']:g} quantile "
        f"should hold {share(last['quantile'] - first['quantile'])}; it is off by {interval(gap)}. In truth {each}."
    )


def unseen(evaluation: Json) -> str:
    """Which columns the baselines do not look at; empty where they see all.

    >>> unseen({"unseen": ["message"], "classes": ["no", "yes"]})
    'Of the columns, logistic regression and gradient boosting do not see message: the difference is partly its own.'
    """
    columns = evaluation.get("unseen") or []
    if not columns:
        return ""
    linear = "logistic regression" if evaluation["classes"] else "ridge regression"
    whose = "its" if len(columns) == 1 else "their"
    named = ", ".join(map(clip, columns))
    return f"Of the columns, {linear} and gradient boosting do not see {named}: the difference is partly {whose} own."


def compared(pair: Json) -> str:
    """How the candidate stands to the pair's model: the interval of the difference decides."""
    if pair["low"] > 0:
        return "better than"
    return "worse than" if pair["high"] < 0 else "about as well as"


def pairs(evaluation: Json, name: str) -> list[Json]:
    """The candidate against each other model by a metric; intervals are corrected for as many as were compared.

    So a sentence and the chart beside it say the same. Other metrics than the main one are not corrected.

    >>> pair = {"model": "ridge", "metric": "r2", "difference": 0.02, "low": 0.01, "high": 0.03}
    >>> wider = {**pair, "low": -0.01, "high": 0.05, "word": "not shown to be better", "compared": 3}
    >>> [compared(one) for one in pairs({"paired": [pair], "verdicts": [wider]}, "r2")]
    ['about as well as']
    """
    corrected = {one["model"]: one for one in evaluation.get("verdicts", ()) if one["metric"] == name}
    return [corrected.get(pair["model"], pair) for pair in evaluation["paired"] if pair["metric"] == name]


def correction(evaluation: Json, name: str) -> str:
    """What is said of intervals that are wider as several models are compared, as the end of a phrase.

    >>> correction({"verdicts": [{"metric": "auc", "compared": 3}]}, "auc"), correction({}, "auc")
    (', corrected for 3 comparisons', '')
    """
    several = next((one["compared"] for one in evaluation.get("verdicts", ()) if one["metric"] == name), 1)
    return f", corrected for {several} comparisons" if several > 1 else ""


def answer(verdict: Json) -> str:
    """Whether the candidate is better than a model, and by how much.

    >>> verdict = {"model": "ridge", "metric": "r2", "word": "better", "difference": 0.02, "low": 0.01, "high": 0.03}
    >>> answer({**verdict, "compared": 3})
    'Better than ridge regression: R² 0.020 better (0.010 to 0.030, corrected for 3 comparisons).'
    """
    amount, low, high = alike(verdict["difference"], verdict["low"], verdict["high"])
    several = f", corrected for {verdict['compared']} comparisons" if verdict["compared"] > 1 else ""
    what = f"{metric(verdict['metric'])} {amount} better ({low} to {high}{several})"
    return f"{title_case(verdict['word'])} than {model(verdict['model'])}: {what}."


def resampled(evaluation: Json) -> str:
    """What was drawn to make the intervals, where it was no single rows.

    >>> resampled({"resampled": {"by": "groups", "units": 12, "columns": ["shop"]}})
    'Intervals draw 12 whole groups of shop, as rows of one are alike.'
    """
    told = evaluation.get("resampled") or {"by": "rows"}
    if told["by"] == "rows":
        return ""
    named = f" of {', '.join(map(clip, told['columns']))}" if told["columns"] else ""
    what = f"whole groups{named}" if told["by"] == "groups" else f"stretches of time{named}"
    return f"Intervals draw {told['units']:,} {what}, as rows of one are alike."


def subject(evaluation: Json, champion: Json | None) -> str:
    """Who was judged: the champion's version when the candidate became it, else the candidate."""
    version, identity = (champion or {}).get("version"), (champion or {}).get("identity")
    same = version is not None and identity in (None, evaluation.get("candidate"))
    return str(version) if same else "The latest candidate"


def verdict(evaluation: Json, champion: Json | None) -> tuple[str, str]:
    """The judgement against the strongest baseline, in one sentence: what is claimed, and its range."""
    who, label, scores = subject(evaluation, champion), evaluation["label"], evaluation["scores"]
    main = main_metric(evaluation)
    others = [pair for pair in pairs(evaluation, main) if pair["model"] not in ("champion", *UNSEEING)]
    if not others:
        own = interval(scores["candidate"]["test"].get(main))
        return f"{who} predicts {label} with an {metric(main)} of {own} on test", ""
    pair = min(others, key=lambda p: float(p["difference"]))  # the strongest: all are against the same candidate
    own, other = (number(scores[name]["test"][main]["value"]) for name in ("candidate", pair["model"]))
    gain, low, high = alike(pair["difference"], pair["low"], pair["high"])
    claim = f"{who} predicts {label} {compared(pair)} {model(pair['model'])}: {metric(main)} {own} against {other}"
    return claim, f"(difference {gain}, 95% interval {low} to {high}{correction(evaluation, main)})"


def standing(evaluation: Json | None, champion: Json | None) -> str:
    """What is in use, where the headline's candidate is not."""
    version = (champion or {}).get("version")
    if evaluation is None or version is None:
        return "" if version else "No model has been promoted yet."
    return "" if subject(evaluation, champion) == version else f"It is not in use: {version} is."


def maintenance(batches: Sequence[Json], name: str) -> str:
    """What keeping the model up has brought, over the batches on which it is another than the first."""
    live = [batch["live"] for batch in batches if batch.get("live")]
    apart = [one for one in live if one["champion"] != one["first"] and name in one["champion"]]
    if not live:
        return "No batch has labels yet, so there is no live metric."
    if not apart:
        return f"So far the first model is the one in use: {count(len(live), 'batch')} scored."
    own, first = (sum(one[who][name]["value"] for one in apart) / len(apart) for who in ("champion", "first"))
    gain = (first - own) if name in LOWER_IS_BETTER else (own - first)
    least, size = (0.0005 * own, number(abs(gain))) if name in IN_UNIT else (0.0005, f"{abs(gain):.3f}")
    word = f"{size} {'better' if gain > 0 else 'worse'}" if abs(gain) >= least else "no difference"
    return (
        f"On the {count(len(apart), 'batch')} since the first retraining, the maintained model's {metric(name)} "
        f"averages {number(own)}, the frozen first model's {number(first)}: {word}."
    )


def retrainings(batches: Sequence[Json]) -> str:
    """How often retraining was asked for, and what came of it."""
    asked = sum(bool(batch["decision"]["retrain"]) for batch in batches)
    outcomes = [batch["outcome"] for batch in batches if batch.get("outcome")]
    promoted = [str(outcome["version"]) for outcome in outcomes if outcome["promoted"]]
    if not asked:
        return f"None of {count(len(batches), 'batch')} asked for retraining."
    came = (
        f"{count(len(promoted), 'new version')} promoted: {', '.join(promoted)}"
        if promoted
        else "no new version promoted"
    )
    waiting = f"; {asked - len(outcomes)} still to do" if asked > len(outcomes) else ""
    return f"{asked} of {count(len(batches), 'batch')} asked for retraining; {came}{waiting}."


def drift_words(batches: Sequence[Json]) -> str:
    """How much drifted, and what most often."""
    times: dict[str, int] = {}
    for batch in batches:
        for column in batch["drift"]["columns"]:
            times[column["column"]] = times.get(column["column"], 0) + bool(column["drifted"])
    drifted = sum(any(column["drifted"] for column in batch["drift"]["columns"]) for batch in batches)
    if not drifted:
        return f"No column drifted in {count(len(batches), 'batch')}."
    often = sorted((-n, name) for name, n in times.items() if n)[:3]
    named = ", ".join(f"{name} ({-n})" for n, name in often)
    return f"Columns drifted in {drifted} of {count(len(batches), 'batch')}, most often {named}."


def took(evaluation: Json, times: Json | None) -> str:
    """What the candidate's training took here; nothing where the times are those of another, or not known.

    >>> took({"candidate": "a1"}, {"identity": "a1", "laps": [{"compute": 2.0}]})
    '2.00 s an epoch (100% forward, backward and step)'
    >>> took({"candidate": "a1"}, {"identity": "b2", "laps": [{"compute": 2.0}]})
    ''
    """
    if times is None or times["identity"] != evaluation.get("candidate"):
        return ""
    return stopwatch.words([Lap.model_validate(lap) for lap in times["laps"]])
