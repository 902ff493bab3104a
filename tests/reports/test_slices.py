"""The sections on slices, single errors and time: what they show, and that text from the data is only text."""

from pipeline.judgement.errors import Confused, Errors, Sure, Wrong
from pipeline.judgement.over_time import OverTime, Stretch
from pipeline.judgement.slices import Named, Searched, Slices, Weak
from pipeline.metrics import Paired, Score
from pipeline.reports import errors, over_time, slices

HOSTILE = "<script>alert(1)</script>"
WEAK = Weak(
    words=f"shop {HOSTILE}",
    sql=f"\"shop\" = '{HOSTILE}'",
    rows=120,
    share=0.12,
    loss={"candidate": 0.71, "majority": 0.64},
    loss_elsewhere=0.4,
    score=0.512,
    score_elsewhere=0.734,
    told=-0.1,
    told_elsewhere=0.3,
    excess=0.2,
    p=0.0004,
    worst=["a.csv#7"],
)
NAMED = Named(
    name="large",
    sql="size > 9",
    rows=40,
    share=0.04,
    scores={"candidate": {"auc": Score(value=0.66, low=0.6, high=0.7)}, "champion": {"auc": Score(value=0.61)}},
    paired=[Paired(model="champion", metric="auc", difference=0.05, low=-0.01, high=0.11, resamples=50)],
)
EMPTY = Named(name="nothing", sql="size > 99", rows=0, share=0, scores={}, paired=[])


def of_slices(named: list[Named], weak: list[Weak]) -> str:
    searched = Searched(rows=900, columns=["shop"], proposed=3)
    told = Slices(loss="log_loss", metric="auc", named=named, weak=weak, searched=searched, words="It fails somewhere.")
    return str(slices.section(told))


def test_a_weak_slice_is_shown_beside_all_others() -> None:
    page = of_slices([], [WEAK])

    for said in ("0.512", "0.734", "-10%", "30%", "0.710", "0.640", "0.0004", "a.csv#7", "It fails somewhere."):
        assert said in page
    assert HOSTILE not in page


def test_a_named_slice_has_every_models_score_and_one_without_rows_none() -> None:
    page = of_slices([EMPTY, NAMED], [])

    for said in ("0.66 (0.60 to 0.70)", "0.610", "0.05 (-0.01 to 0.11)", "nothing", "champion"):
        assert said in page


def test_without_slices_there_is_a_sentence() -> None:
    assert "It fails somewhere." in of_slices([], [])


def test_errors_are_shown_by_pairs_and_rows() -> None:
    told = Errors(
        loss="log_loss",
        rows=200,
        wrong=30,
        worst=[Wrong(row="a.csv#9", truth=HOSTILE, said="no", confidence=0.97, loss=3.5)],
        confused=[Confused(truth=HOSTILE, said=None, rows=12, share=0.4, worst=["a.csv#9"])],
        sure=Sure(at=0.9, rows=50, wrong=8, expected=2.5),
    )

    page = str(errors.section(told))

    for said in ("a.csv#9", "97%", "3.50", "40%", "none instead", "8 are wrong, and 2.50 would be"):
        assert said in page
    assert HOSTILE not in page


def test_errors_of_a_number_have_no_sureness() -> None:
    told = Errors(loss="mae", rows=2, wrong=None, worst=[Wrong(row="r1", truth="1", said="9", loss=8.0)])

    page = str(errors.section(told))

    assert "r1" in page
    assert "as sure as" not in page


def test_time_is_a_line_for_each_model_that_sees_columns() -> None:
    loss = {"candidate": 0.4, "majority": 0.6, "hist_gradient_boosting": 0.38}
    stretches = [
        Stretch(first=f"2024-01-0{day}", last=f"2024-01-0{day + 1}", rows=50, loss=loss, told=0.3) for day in (1, 3, 5)
    ]

    page = str(over_time.section(OverTime(column="day", loss="log_loss", stretches=stretches, later=2.5, p=0.01)))

    assert "surely worse" in page
    assert "worse_with_time" in page
    assert "2024-01-05" in page
    assert '<div class="wide">' in page
    assert "gradient boosting" in page
