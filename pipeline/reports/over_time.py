"""The report's section on whether the candidate grows worse with time. Pure."""

from markupsafe import Markup

from pipeline.judgement.over_time import OverTime
from pipeline.reports import charts, document, figures, words
from pipeline.reports.charts import Series


def section(told: OverTime) -> Markup:
    """The loss of each model by stretches of test."""
    models = list(told.stretches[0].loss)
    names = {model: words.model(model) for model in models}
    series = [
        Series(
            name=name,
            points=[(at + 1.0, one.loss[model]) for at, one in enumerate(told.stretches) if model in one.loss],
            style=figures.STYLES.get(model, "m-majority"),
            shape=figures.SHAPES[figures.STYLES.get(model, "m-majority")],
        )
        for model, name in reversed(list(names.items()))
        if model not in words.UNSEEING
    ]
    axes = ("stretch", words.metric(told.loss))
    chart = figures.half(lambda width: charts.lines(series, f"{axes[1]} by time", names=axes, width=width))
    return document.fragment("over_time.html.j2", told=told, models=models, chart=chart, legend=figures.legend(names))
