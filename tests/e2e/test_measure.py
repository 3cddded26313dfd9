"""Measuring in a browser: started, left alone, found again as a report, and read down to the turns; nothing runs."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from studio.jobs import JobState
from studio.jobs.state import save_state
from studio.metrics import scenario_cases
from studio.scenarios import MarkdownParser, load_vocabulary
from studio.validation.card import REPORT_FILE
from studio.validation.jobs import EVALUATION_KIND
from studio.workspace import Workspace, atomic_write
from tests.e2e.driver import keyed, press, settle, visit
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
    expect(page.get_by_text(re.compile(r"smollm2-135m-instruct has \d of 2 turns right"))).to_be_visible()
    expect(keyed(page, "report_chart").locator(".js-plotly-plot")).to_be_visible()
    press(page, "figure_turn_right_0")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("The author's turn").first).to_be_visible()
    expect(dialog.locator(".judged").first).to_be_visible()


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
