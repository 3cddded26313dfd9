"""Measuring in a browser: started, left alone, found again as a report, and read down to the turns; nothing runs."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from studio.conversion.metadata import ADAPTER, BASE_NAME
from studio.jobs import JobState
from studio.jobs.state import save_state
from studio.metrics import scenario_cases
from studio.scenarios import MarkdownParser, load_vocabulary
from studio.validation.card import REPORT_FILE
from studio.validation.jobs import EVALUATION_KIND
from studio.workspace import Workspace, atomic_write
from tests.e2e.driver import PATIENCE_MS, keyed, press, settle, visit
from tests.validation.conftest import CELLAR, card_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
ATTACK = (
    '"><img src=x onerror="window.hacked=1"><script>window.hacked=1</script>[x](javascript:window.hacked=1)<b>bold</b>'
)


def turn(page: Page, key: str, value: str) -> None:
    """Type a number into a field of the form."""
    field = keyed(page, key).locator("input")
    field.fill(value)
    field.press("Enter")
    settle(page)


def test_a_measurement_goes_on_without_its_page_and_its_figures_lead_to_the_turns(page: Page) -> None:
    visit(page, "/measure")
    keyed(page, "measure_details").locator("summary").click()
    turn(page, "report_turns", "1")
    turn(page, "report_tokens", "8")
    keyed(page, "report_stress").locator("label").click()
    settle(page)
    press(page, "measure_start")
    expect(page).to_have_url(re.compile(r"report=evaluate-"))
    address = page.url
    visit(page, "/models")
    page.goto(address)
    expect(page.get_by_text(re.compile(r"smollm2-135m-instruct has \d of 2 turns right"))).to_be_visible(
        timeout=PATIENCE_MS
    )
    expect(keyed(page, "report_chart").locator(".js-plotly-plot")).to_be_visible()
    press(page, "figure_turn_right_0")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("The author's turn").first).to_be_visible()
    expect(dialog.locator(".judged").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    dot = keyed(page, "report_chart").locator(".scatterlayer path.point").first
    dot.scroll_into_view_if_needed()
    place = dot.bounding_box()
    assert place
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    expect(dialog.get_by_text("The author's turn").first).to_be_visible()


def test_what_a_model_or_an_author_wrote_runs_nothing(page: Page, campaign: Workspace) -> None:
    words = load_vocabulary()
    text = CELLAR.replace("I creep down the stairs.", ATTACK).replace("The steps are slick", ATTACK)
    scenario = MarkdownParser(words).parse_text(text)
    scenario.metadata["source"] = f"{ATTACK}.md"
    cases = scenario_cases([scenario], words)
    card = card_of(cases, words, **{ATTACK: [ATTACK] * len(cases), "other": ["It rains."] * len(cases)})
    folder = campaign.jobs_dir / "evaluate-hostile"
    atomic_write(folder / REPORT_FILE, card.model_dump_json())
    asked = {"models": [{"label": ATTACK}, {"label": "other"}]}
    state = {"kind": EVALUATION_KIND, "status": "done", "created": time.time(), "arguments": asked}
    save_state(folder, JobState.model_validate(state))
    visit(page, "/measure")
    expect(keyed(page, "row_evaluate-hostile")).to_contain_text(ATTACK)
    press(page, "row_evaluate-hostile")
    expect(keyed(page, "report_chart").locator(".js-plotly-plot")).to_contain_text("<b>bold</b>")
    press(page, "figure_turn_right_0")
    expect(page.get_by_role("dialog").locator(".story").first).to_contain_text(ATTACK)
    assert page.evaluate("window.hacked") is None
    assert page.locator("img[src=x]").count() == 0


def test_a_click_on_a_dot_of_the_history_opens_its_report(page: Page, campaign: Workspace) -> None:
    words = load_vocabulary()
    cases = scenario_cases([MarkdownParser(words).parse_text(CELLAR)], words)
    for number, label in enumerate(("tavern.Q8_0", "tavern.Q4_0")):
        card = card_of(cases, words, **{label: [case.authored for case in cases]})
        stamp = card.models[0].model.model_copy(update={"parents": {BASE_NAME: "smol", ADAPTER: label}})
        measured = card.models[0].model_copy(update={"model": stamp})
        folder = campaign.jobs_dir / f"evaluate-history-{number}"
        made = card.model_copy(update={"created": time.time() + number, "models": (measured,)})
        atomic_write(folder / REPORT_FILE, made.model_dump_json())
        state = {"kind": EVALUATION_KIND, "status": "done", "created": time.time(), "arguments": {}}
        save_state(folder, JobState.model_validate(state))
    visit(page, "/measure")
    chart = keyed(page, "history_chart")
    expect(chart.locator(".js-plotly-plot")).to_contain_text("Q8_0")
    chart.locator(".scatterlayer .points path").last.click(force=True)
    expect(page).to_have_url(re.compile(r"report=evaluate-history-1"))
    expect(page.get_by_text("tavern.Q4_0 has 3 of 3 turns right")).to_be_visible()
    press(page, "all_reports")  # the dot that was clicked does not open the report once more
    expect(keyed(page, "history_chart").locator(".js-plotly-plot")).to_be_visible()
    settle(page)
    assert "report=" not in page.url
