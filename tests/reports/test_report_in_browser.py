"""The reports in a real browser: four looks, no overflow, no error, no request, nothing hostile executed.

Set KEEPFIT_SCREENSHOTS to a folder to keep what the browser showed.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from pipeline.commands.check import examine
from pipeline.commands.reading import Question
from pipeline.reports import quality, report
from pipeline.reports.chapter import Chapter, Table, html
from pipeline.workspace import Workspace
from tests.browser import CHROMIUM, Browser, Json

LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1400, 360)]
HOSTILE = "<script>document.title='broken in'</script></style><img src=x onerror=\"document.title='broken in'\">"

CONTRAST = """(() => {
  const rgb = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => v / 255 <= .03928 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = (colour) => .2126 * linear(colour[0]) + .7152 * linear(colour[1]) + .0722 * linear(colour[2]);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > .5) return colour;
    }
    return [255, 255, 255];
  };
  const under = (one) => {
    if (!one.classList.contains("on")) return ground(one);
    const before = [...one.parentNode.children];
    const cell = before.slice(0, before.indexOf(one)).reverse().find((e) => e.classList.contains("cell"));
    return rgb(getComputedStyle(cell).fill);
  };
  const said = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  return [...document.querySelectorAll("main *, nav *")].filter(said).flatMap((one) => {
    const style = getComputedStyle(one), ink = light(rgb(one.tagName === "text" ? style.fill : style.color));
    const [a, b] = [ink, light(under(one))].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
    return ratio < 4.5 ? [`${one.tagName}.${one.getAttribute("class")} ${ratio.toFixed(2)}`] : [];
  });
})()"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed, so the report is not looked at")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    running = Browser(tmp_path_factory.mktemp("profile"))
    try:
        running.start()
        yield running
    finally:
        running.close()


@pytest.fixture
def page(workspace: Callable[[dict[str, Json]], Workspace], files: dict[str, Json]) -> Path:
    return report.write(workspace(files))


def overflowing(browser: Browser) -> list[str]:
    """What sticks out of the page at the right and is not inside a box that scrolls."""
    found: list[str] = browser.evaluate("""
        [...document.querySelectorAll("main *, nav")].filter((one) => {
          const box = one.getBoundingClientRect();
          return box.width && box.right > innerWidth + 1 && !one.closest(".scroll, .links");
        }).map((one) => `${one.tagName} ${one.getAttribute("class")} ${one.textContent.slice(0, 40)}`)
    """)
    return found


def clashing(browser: Browser) -> list[str]:
    """Words of one chart that lie on each other."""
    found: list[str] = browser.evaluate("""
        [...document.querySelectorAll("svg")].flatMap((svg) => {
          const boxes = [...svg.querySelectorAll("text")].map((one) => [one.getBoundingClientRect(), one.textContent]);
          return boxes.flatMap(([a, words], i) => boxes.slice(i + 1)
            .filter(([b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
              && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4)
            .map(([, other]) => `${svg.getAttribute("aria-label")}: ${words} / ${other}`));
        })
    """)
    return found


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_the_page_fits_and_is_silent(browser: Browser, page: Path, tmp_path: Path, scheme: str, width: int) -> None:
    browser.open(page, scheme, width)
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert overflowing(browser) == []
    assert clashing(browser) == []
    assert browser.complaints() == []
    assert browser.requests() == [page.as_uri()]
    folder = Path(os.environ.get("KEEPFIT_SCREENSHOTS", tmp_path))
    browser.screenshot(folder / f"report-{scheme}-{width}.png")
    assert (folder / f"report-{scheme}-{width}.png").stat().st_size > 50_000


@pytest.mark.parametrize("width", [1400, 360])
def test_the_page_of_a_quantity_fits_and_is_silent(
    browser: Browser,
    workspace: Callable[[dict[str, Json]], Workspace],
    estimated: dict[str, Json],
    width: int,
) -> None:
    browser.open(report.write(workspace(estimated)), "light", width)
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert overflowing(browser) == []
    assert clashing(browser) == []
    assert browser.complaints() == []


def test_the_scores_of_seven_models_fit_on_a_card_without_scrolling(browser: Browser, tmp_path: Path) -> None:
    models = ["candidate", "majority class", "logistic regression", "gradient boosting", "champion before it"]
    rows = [["average precision", *["0.623 (0.587 to 0.658)"] * 7]] * 8
    scores = Table(head=["On test", *models, "what people decided", "a rule of the house"], rows=rows)
    page = tmp_path / "card.html"
    page.write_text(html("flights: late", [Chapter(title="How good it is", table=scores)]), encoding="utf-8")

    browser.open(page, "light", 1300)

    box = "document.querySelector('.scroll')"
    assert browser.evaluate(f"{box}.scrollWidth <= {box}.clientWidth")


@pytest.mark.parametrize("width", [1400, 360])
def test_hostile_text_is_shown_and_not_executed(
    browser: Browser, workspace: Callable[[dict[str, Json]], Workspace], files: dict[str, Json], width: int
) -> None:
    planted = json.loads(
        json.dumps(files).replace("wind_dir", json.dumps(HOSTILE)[1:-1]).replace("2013-08", json.dumps(HOSTILE)[1:-1])
    )
    planted = {place: planted[key] for place, key in zip(files, planted, strict=True)}
    planted["reports/evaluation.json"]["label"] = HOSTILE
    written = report.write(workspace(planted))

    browser.open(written, "light", width)

    assert browser.evaluate("document.title") == "keepfit: flights"
    assert browser.evaluate("document.querySelectorAll('img, script:not(body > script)').length") == 0
    assert HOSTILE in browser.evaluate("document.querySelector('h1').textContent")
    assert browser.complaints() == []
    assert browser.requests() == [written.as_uri()]
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert overflowing(browser) == []


def test_numbers_come_up_on_hover(browser: Browser, page: Path) -> None:
    browser.open(page)
    where = browser.evaluate("""(() => {
        const box = document.querySelector("#timeline .wide rect.hit").getBoundingClientRect();
        scrollTo(0, box.top + scrollY - 300);
        const now = document.querySelector("#timeline .wide rect.hit").getBoundingClientRect();
        return [now.left + now.width / 2, now.top + 90];
    })()""")

    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", x=where[0], y=where[1])

    shown = browser.evaluate("document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent")
    assert "2013-06.csv.gz: v1 in use" in shown
    assert "maintained: AUC 0.739 (0.732 to 0.746)" in shown


def test_the_toggle_switches_colours_and_persists_nothing(browser: Browser, page: Path) -> None:
    browser.open(page, "light")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = browser.evaluate(colour)
    browser.evaluate("document.getElementById('theme').click()")
    after = browser.evaluate(colour)
    browser.open(page, "light")

    assert before != after
    assert browser.evaluate(colour) == before
    browser.open(page, "dark")
    assert browser.evaluate(colour) == after


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_enough(browser: Browser, page: Path, scheme: str) -> None:
    browser.open(page, scheme)
    assert browser.evaluate(CONTRAST) == []


def test_print_shows_everything_in_ink_on_paper(browser: Browser, page: Path) -> None:
    browser.open(page, "dark", media="print")
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert len(base64.b64decode(browser.ask("Page.printToPDF", printBackground=True)["data"])) > 20_000


def test_an_empty_workspace_fits_too(browser: Browser, workspace: Callable[[dict[str, Json]], Workspace]) -> None:
    browser.open(report.write(workspace({})), "light", 360)
    assert browser.complaints() == []
    assert overflowing(browser) == []


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of `keepfit check` for a table with hostile names and values, a copied row and gaps."""
    folder = tmp_path_factory.mktemp("checked")
    rows = {
        HOSTILE: [HOSTILE * (1 + at % 2) for at in range(60)],
        "{{ 7 * 7 }} " + "x" * 300: [float(at % 7) for at in range(60)],
        "gap": [None if at % 3 else 1.5 * at for at in range(60)],
        **{f"number {at:02}": [float((at + 3) * row % 11) for row in range(60)] for at in range(30)},
    }
    frame = pl.DataFrame(rows)
    pl.concat([frame, frame.head(1)]).write_parquet(folder / "<b>bold&.parquet")
    question = Question(paths=[str(folder / "<b>bold&.parquet")])
    (folder / "page.html").write_text(quality.page(examine.examine(question, folder / "scratch").answer))
    return folder / "page.html"


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_the_page_of_a_check_fits_is_silent_and_executes_nothing(
    browser: Browser, checked: Path, tmp_path: Path, scheme: str, width: int
) -> None:
    browser.open(checked, scheme, width)
    browser.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    assert browser.evaluate("document.title") == "keepfit check: <b>bold&.parquet"
    assert browser.evaluate("document.querySelectorAll('img, script:not(body > script)').length") == 0
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert overflowing(browser) == []
    assert clashing(browser) == []
    assert browser.evaluate(CONTRAST) == []
    assert browser.complaints() == []
    assert browser.requests() == [checked.as_uri()]
    folder = Path(os.environ.get("KEEPFIT_SCREENSHOTS", tmp_path))
    browser.screenshot(folder / f"check-{scheme}-{width}.png")
    assert (folder / f"check-{scheme}-{width}.png").stat().st_size > 50_000


def test_a_search_shows_what_holds_its_words(browser: Browser, checked: Path) -> None:
    browser.open(checked)
    shown = "[...document.querySelectorAll('#columns tbody tr')].filter((row) => !row.hidden).length"
    before = browser.evaluate(shown)

    browser.evaluate("""(() => {
        const field = document.querySelector("#columns input");
        field.value = "NUMBER 07";
        field.dispatchEvent(new Event("input"));
    })()""")

    assert (before, browser.evaluate(shown)) == (33, 1)
