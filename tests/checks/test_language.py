"""Language: other scripts, mixed scripts within a word, several languages."""

from collections.abc import Callable

from pipeline.checks.language import LanguageMix, MixedScripts, language_of
from pipeline.quality.findings import Table
from pipeline.quality.inspection import hits

from .cells import prose, told
from .conftest import made

Make = Callable[..., Table]
ENGLISH = "the train to the town is not the one that you want"
GERMAN = "der Zug in die Stadt ist nicht der, den ich will und auch nicht das Ziel"


def scripts(parts: int = 1) -> Table:
    return made({"city": ["Paris", "Berlin", "Roma"] * 20 + ["Москва", "p\u0430ypal", None, "42"]}, parts=parts)


def languages(parts: int = 1) -> Table:
    return prose([f"{ENGLISH} {i}" for i in range(90)] + [f"{GERMAN} {i}" for i in range(30)], parts=parts)


PLANTED: dict[str, Callable[[int], Table]] = {"mixed_scripts": scripts, "language_mix": languages}


def test_another_script_and_a_word_of_two_are_told() -> None:
    (hit,) = hits(MixedScripts(), scripts())

    assert hit.flags is not None and hit.flags["value"].to_list() == ["Москва", "p\u0430ypal"]
    assert hit.severity == "warning"


def test_another_script_alone_is_worth_knowing(make: Make) -> None:
    (hit,) = hits(MixedScripts(), make({"city": ["Paris", "Berlin"] * 20 + ["北京"]}))

    assert (hit.rows, hit.severity) == (1, "info")


def test_letters_with_accents_and_a_column_of_two_scripts_are_one_language(make: Make) -> None:
    assert told(MixedScripts(), make({"a": ["Ærø", "Łódź", "naïve"] * 9, "b": ["Москва", "Paris", "北京"] * 9})) == {}


def test_several_languages_of_free_text_are_told() -> None:
    (hit,) = hits(LanguageMix(), languages())

    assert hit.observed == 0.25
    assert "English 75%, German 25%" in hit.message


def test_one_language_is_no_mix() -> None:
    assert told(LanguageMix(), prose([f"{ENGLISH} {i}" for i in range(150)])) == {}


def test_the_language_shows_in_small_words() -> None:
    texts = {
        "French": "il est dans la maison avec les enfants et pas sur le toit",
        "Spanish": "los niños y las niñas están muy bien pero no con el perro",
        "Italian": "gli amici che non sono con il cane della casa",
        "Portuguese": "os meninos não estão com as meninas mas você é da casa",
        "Dutch": "het huis van de man is niet op een berg maar ook niet in zee",
    }

    assert [language_of(text) for text in texts.values()] == list(texts)
