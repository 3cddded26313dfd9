"""A bad reply in a real browser: thumb down, what it should have asked for, review in the editor, on to training."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from studio.play import load_session, save_session
from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace
from tests.e2e.driver import settle, visit
from tests.play.played import HIDES, ROLLED, played


@pytest.mark.slow
def test_a_bad_reply_is_rated_put_right_reviewed_and_leads_to_training(campaign: Workspace, page: Page) -> None:
    save_session(campaign, played(ROLLED, HIDES))
    visit(page, "/play?chat=evening")
    page.locator(".st-key-turn_row_feedback_1 button").nth(1).click()
    page.locator(".st-key-why_1 button").click()
    page.get_by_role("button", name="forgot to ask for a roll").click()
    settle(page)
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.locator(".st-key-turn_row_feedback_1").get_by_text("forgot to ask for a roll")).to_be_visible()
    rating = load_session(campaign, "evening").ratings[0]
    assert (rating.good, rating.tags) == (False, ("forgot to ask for a roll",))

    page.locator(".st-key-teach_1 button:visible").click()
    page.get_by_text("Should have asked for a roll").click()
    dialog = page.get_by_role("dialog").filter(has_text="What should it have asked for?")
    field = dialog.get_by_label("DC", exact=True)
    field.fill("12")
    field.press("Enter")
    expect(dialog.get_by_text("[roll: perception, dc=12]").first).to_be_visible()
    dialog.get_by_label("What happens then").fill("Somebody breathes behind the casks.")
    dialog.get_by_label("What happens then").press("Control+Enter")
    dialog.get_by_role("button", name="Keep for review").click()
    page.get_by_role("button", name="Corrected").click()

    expect(page.get_by_text("It waits for your review.")).to_be_visible()
    page.get_by_role("button", name="It is right").click()
    expect(page.get_by_role("button", name="Train on it")).to_be_visible()
    kept = load_session(campaign, "evening").ratings[0].correction
    text = ScenarioLibrary(campaign).read(kept).text
    assert "review: done" in text
    assert "Somebody breathes behind the casks." in text
    page.get_by_role("button", name="Train on it").click()
    expect(page.get_by_role("heading", level=1, name="Train")).to_be_visible()
