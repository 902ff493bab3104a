"""Texts as a whole: lengths, what they are made of, new words, boilerplate."""

from collections.abc import Callable

from pipeline.checks.prose import StringLengthOutlier, TextFrequentSubstrings, TextPropertyOutlier, TextUnknownTokens
from pipeline.quality.findings import Skipped, Table
from pipeline.quality.inspection import hits

from .cells import against, prose, told
from .conftest import made

Make = Callable[..., Table]
WORDS = "river stone apple cloud music winter garden letter bridge market".split()  # noqa: SIM905


def sentence(seed: int) -> str:
    """Eight words, other ones for each seed."""
    return " ".join(f"{WORDS[(seed * 7 + i * i + seed // 10 * i) % 10]}{'' if i % 3 else 's'}" for i in range(8))


def codes(parts: int = 1) -> Table:
    return made({"code": [f"K{i:04}" for i in range(300)] * 4 + ["K12", None]}, parts=parts)


def shouting(parts: int = 1) -> Table:
    return prose([sentence(i) for i in range(120)] + ["CALL NOW TO CLAIM", "08712 405 020 300"], parts=parts)


def signed(parts: int = 1) -> Table:
    return prose([f"{sentence(i)} sent from my telephone on the road" for i in range(40)], parts=parts)


def foreign(parts: int = 1) -> Table:
    known = prose([sentence(i) for i in range(200)])
    return against(prose([f"qu{i} blorp{i} zzyx{i}" for i in range(60)], parts=parts), known)


PLANTED: dict[str, Callable[[int], Table]] = {
    "string_length_outlier": codes,
    "text_property_outlier": shouting,
    "text_frequent_substrings": signed,
    "text_unknown_tokens": foreign,
}


def test_a_code_of_another_length_is_told() -> None:
    assert told(StringLengthOutlier(), codes()) == {"code": [(1200, "K12", None)]}


def test_a_shorter_name_that_repeats_as_the_others_do_is_none(make: Make) -> None:
    assert told(StringLengthOutlier(), make({"code": [f"K{i:04}" for i in range(300)] * 4 + ["K12"] * 4})) == {}


def test_a_text_far_longer_than_the_others_is_told(make: Make) -> None:
    rows = ["red", "green", "blue"] * 40 + ["a note that somebody typed into the wrong field of the form, as it seems"]

    assert list(told(StringLengthOutlier(), make({"s": rows})).values()) == [[(120, rows[-1], None)]]


def test_texts_of_mostly_capitals_or_digits_are_told_where_no_other_is() -> None:
    assert told(TextPropertyOutlier(), shouting()) == {
        "words": [(120, "CALL NOW TO CLAIM", None), (121, "08712 405 020 300", None)]
    }


def test_where_all_texts_shout_none_does() -> None:
    assert told(TextPropertyOutlier(), prose([sentence(i).upper() for i in range(120)])) == {}


def test_what_every_text_carries_is_boilerplate() -> None:
    (hit,) = hits(TextFrequentSubstrings(), signed())

    assert (hit.column, hit.observed, hit.severity) == ("words", 1.0, "info")
    assert "'from my telephone on the road'" in hit.message


def test_texts_of_their_own_have_none() -> None:
    assert told(TextFrequentSubstrings(), prose([f"{i} {WORDS[i % 10]} of {i // 10} and {i}" for i in range(50)])) == {}


def test_words_that_the_reference_does_not_know_are_counted() -> None:
    (hit,) = hits(TextUnknownTokens(), foreign())

    assert hit.observed == 1.0
    assert hit.threshold == 0.1


def test_the_same_words_again_are_known() -> None:
    known = prose([sentence(i) for i in range(200)])

    assert told(TextUnknownTokens(), against(prose([sentence(i) for i in range(50)]), known)) == {}


def test_without_a_reference_or_free_text_nothing_is_asked(make: Make) -> None:
    assert list(TextUnknownTokens().hits(prose(["a"]))) == [Skipped(why="no reference to compare with")]
    assert list(TextPropertyOutlier().hits(make({"s": ["a"]}))) == [Skipped(why="no column of free text")]
