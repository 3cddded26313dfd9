"""The report card as a file: opened from a disk it draws its chart, leads to every turn, and asks for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from studio.metrics import scenario_cases
from studio.scenarios import MarkdownParser, load_vocabulary
from studio.validation import ReportCard, report_html
from tests.e2e.test_measure import ATTACK
from tests.validation.conftest import CELLAR, GATE, card_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def card() -> ReportCard:
    """Four files side by side; what players, authors and models wrote, and a file's name, try to run."""
    words = load_vocabulary()
    hostile = CELLAR.replace("I creep down the stairs.", ATTACK).replace("The steps are slick", ATTACK)
    cases = scenario_cases([MarkdownParser(words).parse_text(text) for text in (hostile, GATE)], words)
    rain, authors = ["It rains."] * len(cases), [case.authored for case in cases]
    texts = {"base": rain, "tuned": authors, "tuned.Q8_0": authors, ATTACK: [ATTACK] * len(cases)}
    return card_of(cases, words, **texts)


@pytest.fixture(scope="module")
def folder(card: ReportCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both forms of the report."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "report.html").write_text(report_html(card), encoding="utf-8")
    (folder / "small.html").write_text(report_html(card, interactive=False), encoding="utf-8")
    return folder


@pytest.fixture
def open_file(browser: Browser, folder: Path) -> Iterator[Open]:
    """Opens a form of the report. Afterwards: it asked for nothing but itself, and nothing went wrong in it."""
    asked: list[str] = []
    errors: list[str] = []
    opened = []

    def opens(name: str, *, width: int = 1360, scripts: bool = True) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=scripts)
        opened.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto((folder / name).as_uri())
        return page

    yield opens
    for context in opened:
        context.close()
    assert set(asked) <= {(folder / name).as_uri() for name in ("report.html", "small.html")}
    assert errors == []


def test_a_dot_of_the_chart_leads_to_the_turns_and_the_chart_can_show_one_kind_of_scene(open_file: Open) -> None:
    page = open_file("report.html")
    expect(page.locator("#plot .main-svg").first).to_be_visible()
    expect(page.locator(".still")).to_be_hidden()
    dot = page.locator("#plot .scatterlayer .trace").nth(1).locator("path.point").first.bounding_box()
    assert dot
    page.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    sheet = page.locator(".behind:visible")
    expect(sheet).to_have_count(1)
    expect(sheet.locator("h3")).to_have_text("Turns that are right tuned")
    sheet.locator("a[href^='#t']").first.click()
    expect(page.locator("details.turn[open]")).to_have_count(1)
    expect(page.locator("details.turn[open]")).to_contain_text("the author's turn")
    expect(sheet).to_have_count(1)
    sheet.locator(".close").click()
    expect(sheet).to_have_count(0)
    page.get_by_label("Scenes").select_option("roleplay")
    page.wait_for_function("() => document.getElementById('plot').data[0].customdata[0][1] === 4")


def test_what_was_written_does_not_run_nor_would_a_script_that_got_past_the_escaping(
    browser: Browser, folder: Path
) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    broken = folder / "broken.html"
    broken.write_text(text.replace("<h1>", "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'><h1>"))
    page = browser.new_page()
    page.goto(broken.as_uri())
    expect(page.locator("#plot .legend")).to_contain_text("<b>bold</b>")
    expect(page.locator(".said").last).to_contain_text(ATTACK)
    assert page.evaluate("window.hacked") is None
    page.close()


@pytest.mark.parametrize("name", ["report.html", "small.html"])
def test_without_scripts_every_number_still_leads_to_its_turns(open_file: Open, name: str) -> None:
    page = open_file(name, scripts=False)
    expect(page.locator(".still .lane").first).to_be_visible()
    page.locator("table.figures a").first.click()
    sheet = page.locator(".behind:visible")
    expect(sheet).to_have_count(1)
    sheet.locator("a[href^='#t']").first.click()
    expect(page.get_by_text("the author's turn").first).to_be_visible()


def test_four_models_fit_a_narrow_window(open_file: Open) -> None:
    page = open_file("report.html", width=390)
    expect(page.locator("#plot .main-svg").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
