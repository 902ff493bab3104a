"""From the published JSON to the charts: which numbers, in which order, and how many at most. Pure.

Everything here has a bound, so that the report does not grow with the rows, nor without end with the columns
or batches.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from pipeline.metrics import LOWER_IS_BETTER
from pipeline.reports import charts, words
from pipeline.reports.charts import Cell, Entry, Series, Step
from pipeline.reports.svg import Interval, Scale
from pipeline.reports.timeline import Event, Moment, timeline
from pipeline.reports.words import Json, metric, short_names
from pipeline.wording import clip, count, number, share

WIDE, HALF, NARROW = 1000.0, 480.0, 340.0
BATCHES, COLUMNS, CLASSES = 48, 40, 12
STYLES = {
    "candidate": "own",
    "champion": "m-champion",
    "hist_gradient_boosting": "m-trees",
    "logistic_regression": "m-linear",
    "majority": "m-majority",
    "mean": "m-majority",
    "train_quantiles": "m-majority",
    "persistence": "m-majority",
    "seasonal_naive": "m-trees",
    "ridge": "m-linear",
}
SHAPES = {"own": "circle", "m-champion": "diamond", "m-trees": "square", "m-linear": "up", "m-majority": "cross"}


def both(draw: Callable[[float], Markup]) -> Markup:
    """The drawing for a wide page and that for a narrow one; the style sheet shows one of them."""
    return Markup('<div class="wide">{}</div><div class="narrow">{}</div>').format(draw(WIDE), draw(NARROW))


def half(draw: Callable[[float], Markup]) -> Markup:
    """As `both`, for a drawing that takes half of a wide page."""
    return both(lambda width: draw(min(width, HALF)))


def score(raw: Json | None) -> Interval | None:
    """A published score as an interval."""
    return None if raw is None else Interval(raw["value"], raw.get("low"), raw.get("high"))


def watched_metric(batches: Sequence[Json]) -> str:
    """The metric that the decisions were made by."""
    return str(batches[-1]["decision"]["evidence"].get("metric", "auc")) if batches else "auc"


def timeline_of(batches: Sequence[Json]) -> Markup:
    """The timeline of the last batches."""
    shown, name = batches[-BATCHES:], watched_metric(batches)
    names = short_names([batch["batch"] for batch in shown])
    moments = [_moment(batch, short, name) for batch, short in zip(shown, names, strict=True)]
    return both(lambda width: timeline(moments, metric(name), width))


def _moment(batch: Json, short: str, name: str) -> Moment:
    live = batch.get("live") or {}
    own, first = (live.get(who, {}).get(name) for who in ("champion", "first"))
    promised = batch["reference"].get(name)
    drifted = drifted_columns(batch)
    event, became = _event(batch)
    of = len(batch["drift"]["columns"])
    tip = [
        f"{batch['batch']}: {batch['champion']} in use",
        f"maintained: {metric(name)} {words.interval(own)}" if own else "no labels yet",
        f"first, frozen: {metric(name)} {words.interval(first)}" if first else "",
        f"on test when promoted: {words.interval(promised)}" if promised else "",
        f"drifted: {len(drifted)} of {count(of, 'column')}",
        {"": "decision: keep", "asked": "decision: retrain, not done yet", "kept": "retrained, not promoted"}.get(
            event, f"retrained: {became} promoted"
        ),
    ]
    return Moment(
        name=short,
        version=batch["champion"],
        maintained=score(own),
        frozen=score(first),
        promised=promised["value"] if promised else None,
        drifted=len(drifted),
        columns=of,
        event=event,
        became=became,
        tip="\n".join(filter(None, tip)),
    )


def _event(batch: Json) -> tuple[Event, str]:
    outcome = batch.get("outcome")
    if outcome is None:
        return ("asked" if batch["decision"]["retrain"] else ""), ""
    return ("promoted", outcome["version"] or "") if outcome["promoted"] else ("kept", "")


def drifted_columns(batch: Json) -> list[Json]:
    """The columns that drifted, by falling effect."""
    return sorted((c for c in batch["drift"]["columns"] if c["drifted"]), key=lambda c: (-c["effect"], c["column"]))


def other_metrics(batches: Sequence[Json]) -> list[Markup]:
    """The live metrics that the decisions do not look at, one small chart each."""
    live = [(at, batch["live"]) for at, batch in enumerate(batches[-BATCHES:], 1) if batch.get("live")]
    if not live:
        return []
    names = [name for name in words.METRICS if name in live[0][1]["champion"] and name != watched_metric(batches)]
    return [
        charts.lines(
            [
                Series(name=who, points=[(at, one[key][name]["value"]) for at, one in live], style=style, shape=shape)
                for who, key, style, shape in (
                    ("first, frozen", "first", "frozen", "square"),
                    ("maintained", "champion", "maintained", "circle"),
                )
            ],
            f"{metric(name)} on each batch",
            names=("batch", metric(name)),
        )
        for name in names
    ]


def names_of(evaluation: Json, champion: Json | None) -> dict[str, str]:
    """What each judged model is called in the charts, the candidate first, then from the best by the main metric."""
    scores, main = evaluation["scores"], words.main_metric(evaluation)
    sign = 1 if main in LOWER_IS_BETTER else -1
    ranks = {model: sign * splits["test"].get(main, {"value": 0})["value"] for model, splits in scores.items()}
    ranked = sorted(scores, key=lambda model: (model != "candidate", ranks[model], model))
    own = words.subject(evaluation, champion)
    before = f"champion {evaluation.get('champion') or ''}".strip()
    called = {"candidate": "candidate" if own.startswith("The ") else own, "champion": before}
    return {name: called.get(name, words.model(name)) for name in ranked}


def forest(evaluation: Json, names: Mapping[str, str], name: str, width: float) -> Markup:
    """Every model's test score and interval on one metric; what looks at no column may lie off the scale."""
    entries = []
    for model, called in names.items():
        raw, style = evaluation["scores"][model]["test"].get(name), STYLES.get(model, "m-majority")
        if raw is not None:
            entries.append(_scored(called, raw, name, (style, SHAPES[style]), scaled=style != "m-majority"))
    return _scores(entries, name, f"{metric(name)} of each model on test", width)


def _scored(called: str, raw: Json, name: str, look: tuple[str, str], *, scaled: bool = True) -> Entry:
    return Entry(
        name=called,
        interval=Interval(raw["value"], raw.get("low"), raw.get("high")),
        style=look[0],
        note=number(raw["value"]),
        tip=f"{called}: {metric(name)} {words.interval(raw)}",
        shape=look[1],
        scaled=scaled,
    )


def _scores(entries: Sequence[Entry], name: str, label: str, width: float) -> Markup:
    better = "◂ lower is better" if name in LOWER_IS_BETTER else "higher is better ▸"
    return charts.dots(entries, width, label, better=better) if entries else Markup("")


def paired(evaluation: Json, names: Mapping[str, str], name: str, width: float) -> Markup:
    """The candidate less each other model on the same rows; right of zero it is better."""
    entries = []
    known = {pair["model"]: pair for pair in words.pairs(evaluation, name)}
    for pair in (known[model] for model in names if model in known):
        word = words.compared(pair).removesuffix(" than").removeprefix("about ").replace("as well as", "unclear")
        style = {"better": "good", "worse": "bad"}.get(word, "even")
        value = (pair["difference"], pair["low"], pair["high"])
        called = names.get(pair["model"], words.model(pair["model"]))
        shown = words.alike(*value)
        tip = f"against {called}: {metric(name)} {shown[0]} ({shown[1]} to {shown[2]}), {word}"
        shape = {"good": "up", "bad": "down"}.get(style, "diamond")
        far = pair["model"] not in words.UNSEEING or len(evaluation["paired"]) == 1
        note = f"{shown[0]} {word}"
        entries.append(
            Entry(name=called, interval=Interval(*value), style=style, note=note, tip=tip, shape=shape, scaled=far)
        )
    if not entries:
        return Markup("")
    better = "◂ worse · better ▸"
    return charts.dots(entries, width, f"Paired differences in {metric(name)}", zero=True, better=better)


def splits(evaluation: Json, name: str, width: float = NARROW) -> Markup:
    """The candidate on train, val and test beside each other."""
    own = evaluation["scores"]["candidate"]
    entries = [
        _scored(split, raw, name, (f"split-{split}", shape))
        for split, shape in (("train", "square"), ("val", "diamond"), ("test", "circle"))
        if (raw := own.get(split, {}).get(name)) is not None
    ]
    return _scores(entries, name, f"{metric(name)} on train, val and test", width)


def multiples(evaluation: Json, names: Mapping[str, str]) -> list[tuple[str, Markup]]:
    """ROC, precision and recall, and calibration, every model in each; of several classes those of the last."""
    of = f" of {clip(evaluation['classes'][-1], longest=30)}" if len(evaluation["classes"]) > 2 else ""
    return [
        (f"ROC{of}", _multiple(evaluation["roc"], names, ("false positive rate", "true positive rate"), diagonal=True)),
        (f"Precision and recall{of}", _multiple(evaluation["precision_recall"], names, ("recall", "precision"))),
        (
            f"Calibration{of}",
            _multiple(evaluation["calibration"], names, ("predicted", "observed share"), diagonal=True),
        ),
    ]


def by_step(evaluation: Json, names: Mapping[str, str]) -> Markup:
    """The mean absolute error of each model by step ahead."""
    series = [
        Series(
            name=called,
            points=[(step + 1.0, error) for step, error in enumerate(evaluation["steps"][model])],
            style=STYLES.get(model, "m-majority"),
            shape="",
        )
        for model, called in reversed(list(names.items()))
        if evaluation["steps"].get(model)
    ]
    axes = ("steps ahead", metric("mae"))
    return half(lambda width: charts.lines(series, f"{axes[1]} by step ahead", names=axes, width=width))


def _multiple(
    by_model: Mapping[str, Sequence[Sequence[float]]],
    names: Mapping[str, str],
    axes: tuple[str, str],
    *,
    diagonal: bool = False,
) -> Markup:
    down = -1 if axes[1] == "precision" else 1  # where recall stays, precision falls
    few = axes[0] == "predicted"  # the bins of the calibration are worth a mark each
    series = [
        Series(
            name=called,
            points=sorted(
                ((point[0], point[1]) for point in by_model[model]), key=lambda point: (point[0], down * point[1])
            ),
            style=STYLES.get(model, "m-majority"),
            shape=SHAPES[STYLES.get(model, "m-majority")] if few else "",
        )
        for model, called in reversed(list(names.items()))
        if by_model.get(model) and model != "majority"
    ]
    highest = max(max(point) for one in series for point in one.points) if few and series else 1.0
    square = Scale.over([0.0, highest], 0, 1).high
    return charts.lines(series, f"{axes[1]} against {axes[0]}", names=axes, square=square, diagonal=diagonal)


def answers(evaluation: Json, width: float) -> Markup:
    """The candidate's answer beside the truth, a dot a row of test."""
    label = "answer against truth, on test"
    return charts.scatter(evaluation["predicted"], label, names=("truth", "answer"), width=width)


def residuals(evaluation: Json, width: float) -> Markup:
    """Answer less truth where the answers are low, and where they are high: its mean, and where 80% of the rows are."""
    entries = [
        Entry(
            name=f"about {number(tenth['answer'])}",
            interval=Interval(tenth["answer"] - tenth["truth"], tenth["low"], tenth["high"]),
            style="split-val",
            note=f"off by {number(tenth['absolute'])}",
            tip=f"{count(tenth['rows'], 'row')} answered about {number(tenth['answer'])}: in truth "
            f"{number(tenth['truth'])} on the mean, 80% of the residuals within {number(tenth['low'])} and "
            f"{number(tenth['high'])}, off by {number(tenth['absolute'])} on the mean",
        )
        for tenth in evaluation["residuals"]
    ]
    label = "answer less truth, by tenth of the answers"
    return charts.dots(entries, width, label, zero=True, better="◂ answer too low · too high ▸")


def legend(names: Mapping[str, str]) -> list[tuple[Markup, str]]:
    """The key to the models' lines."""
    styles = {model: STYLES.get(model, "m-majority") for model in names if model not in words.UNSEEING}
    return [(charts.swatch(style, SHAPES[style]), names[model]) for model, style in styles.items()]


def confusion(evaluation: Json) -> Markup:
    """The confusion matrix of the candidate on test."""
    counts, classes = evaluation["confusion"], evaluation["classes"]
    return charts.confusion([row[:CLASSES] for row in counts[:CLASSES]], classes[:CLASSES])


def curves(evaluation: Json) -> list[tuple[str, Markup]]:
    """Train beside val, epoch by epoch, the best epoch marked: one chart for the loss, one for each metric."""
    raw = evaluation["curves"]
    measures = [key.removeprefix("train_") for key in raw if key.startswith("train_") and f"val_{key[6:]}" in raw]
    best = (evaluation["best_epoch"], f"best: epoch {evaluation['best_epoch']}")
    return [(metric(name), _curve(raw, name, best)) for name in measures if raw[f"train_{name}"]]


def _curve(raw: Json, name: str, best: tuple[float, str]) -> Markup:
    epochs = raw.get("epoch") or range(1, 1 + len(raw[f"train_{name}"]))
    series = [
        Series(
            name=split,
            points=list(zip(epochs, raw[f"{split}_{name}"], strict=True)),
            style=f"split-{split}",
            shape=shape,
        )
        for split, shape in (("train", "square"), ("val", "circle"))
    ]
    label = f"{metric(name)} by epoch, train and val"
    return half(lambda width: charts.lines(series, label, names=("epoch", metric(name)), width=width, best=best))


def gradients(evaluation: Json) -> Markup | None:
    """The norm of the gradient by epoch: of the median step, and the highest; None where none was measured."""
    raw = evaluation.get("gradients")
    epochs = evaluation["curves"].get("epoch") or range(1, 1 + len(raw["median"])) if raw else ()
    series = [
        Series(name=name, points=known, style=style, shape=shape)
        for name, style, shape in (("highest", "split-train", "square"), ("median", "split-val", "circle"))
        if (known := [(x, y) for x, y in zip(epochs, raw[name], strict=True) if y is not None] if raw else [])
    ]
    if not series:
        return None
    label = "The norm of the gradient by epoch: of the median step, and the highest"
    return half(lambda width: charts.lines(series, label, names=("epoch", "norm"), width=width))


def flow(ledger: Json) -> Markup:
    """The ledger as a flow."""
    steps = [
        Step(
            name=stage["stage"],
            rows_in=stage["rows_in"],
            kept=stage["kept"],
            repaired=stage["repaired"],
            lost=(("merged", stage["merged"]), ("quarantined", stage["quarantined"])),
        )
        for stage in ledger["stages"]
    ]
    counts = ("rows_in", "kept", "merged", "quarantined")
    label = ", ".join(f"{ledger[name]:,} {name.replace('_', ' ')}" for name in counts)
    return both(lambda width: charts.flow(steps, width, label)) if steps else Markup("")


def heatmap(batches: Sequence[Json]) -> Markup:
    """Effect of the drift by column and batch: answers and label first, then the columns that drifted most."""
    shown = batches[-BATCHES:]
    short = short_names([batch["batch"] for batch in shown])
    by_batch = [{column["column"]: column for column in batch["drift"]["columns"]} for batch in shown]
    most: dict[str, float] = {}
    for columns in by_batch:
        for name, column in columns.items():
            most[name] = max(most.get(name, 0.0), column["effect"])
    outcome = [("predictions", [batch["drift"].get("prediction") for batch in shown])]
    outcome.append(("label", [batch["drift"].get("label") for batch in shown]))
    features = sorted(most, key=lambda name: (-most[name], name))[:COLUMNS]
    found = [*outcome, *((name, [columns.get(name) for columns in by_batch]) for name in features)]
    rows = [
        (name, [_cell(name, batch, drift) for batch, drift in zip(short, drifts, strict=True)])
        for name, drifts in found
        if any(drifts)
    ]
    return both(lambda width: charts.heatmap(rows, short, width, "Drift effect of each column in each batch"))


def _cell(name: str, batch: str, drift: Json | None) -> Cell:
    if drift is None:
        return Cell(value=None, marked=False, tip=f"{name} in {batch}: nothing to compare")
    judged = "drifted" if drift["drifted"] else "not drifted"
    tip = (
        f"{name} in {batch}: {judged}\n"
        f"effect {number(drift['effect'])} ({drift['statistic']}), adjusted p {number(drift['p_adjusted'])}"
        f"\nmissing {share(drift['reference_missing'])} in the reference, {share(drift['batch_missing'])} in the batch"
    )
    return Cell(value=drift["effect"], marked=drift["drifted"], tip=tip)


def profile_rows(quality: Json) -> list[dict[str, Any]]:
    """The columns of the profile, the most often missing first, each with its share of missing rows and its span."""
    rows = max(quality["rows"], 1)
    drawn = []
    for name, column in quality["profile"].items():
        missing = column.get("missing") or 0
        part = missing / rows if isinstance(missing, int) else missing  # a count, or a share already
        ends = [column.get(key) for key in ("min", "mean", "max")]
        numeric = all(isinstance(end, int | float) for end in ends)
        span = charts.span_bar(*ends) if numeric else Markup("")
        drawn.append({**column, "name": name, "missing": min(part, 1.0), "span": span})
    return sorted(drawn, key=lambda column: (-column["missing"], column["name"]))
