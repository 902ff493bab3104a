"""The sections on calibration, cost and classes: what is said is what was measured, and names are escaped."""

import numpy as np

from pipeline.features.target import Classes
from pipeline.judgement.by_class import by_class
from pipeline.judgement.calibration import Tempered, calibration
from pipeline.judgement.cost import CostSettings, cost
from pipeline.reports import by_class as classes_section
from pipeline.reports import calibration as calibration_section
from pipeline.reports import cost as cost_section
from tests.judgement.made import case, two

YES_NO = Classes(column="late", classes=["<b>no</b>", "yes"])
RANDOM = np.random.default_rng(0)
P_N = RANDOM.beta(1, 3, 3000)
JUDGED = case(
    YES_NO,
    (RANDOM.random(3000) < P_N).astype(np.int64),
    {"candidate": two(P_N), "champion": two(P_N**3)},
    candidate=0.5,
    champion=0.5,
)


def test_calibration_says_the_word_of_each_model_and_what_the_temperature_did() -> None:
    found = calibration(JUDGED)
    assert found is not None
    made = Tempered(
        temperature=1.5, rows=3000, ece_without=0.08, ece_with=0.02, log_loss_without=0.6, log_loss_with=0.5
    )

    page = calibration_section.section(found.model_copy(update={"tempered": made}))

    assert f"{found.candidate.word.title()}: calibration error" in page
    assert found.models[1].word in page
    assert "temperature of 1.50" in page and "from 0.0800 to 0.0200" in page
    assert page.count("<tr>") == 1 + len(found.candidate.bins)
    assert "temperature of" not in calibration_section.section(found)


def test_cost_says_what_an_answer_costs() -> None:
    found = cost(JUDGED, CostSettings(of={"yes": {"<b>no</b>": 5}}, unit="EUR"))

    page = cost_section.section(found)

    assert found.words in page.replace("&lt;", "<").replace("&gt;", ">")
    assert "<b>no" not in page
    assert "EUR a row" in page and "champion before it" in page


def test_every_class_is_a_row() -> None:
    found = by_class(JUDGED)
    assert found is not None

    page = classes_section.section(found)

    assert page.count("<tr>") == 1 + 2
    assert "<b>no" not in page
