"""The dataset page in a browser: a row and its trained tokens, a balance, and a scenario that is begun from a gap."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from studio.bases import get_base
from studio.config import load_dataset_config
from studio.dataset import TrainingDataProcessor
from studio.dataset.augmentation import AugmentationStore
from studio.workspace import Workspace
from tests.e2e.driver import editor_text, keyed, press, settle, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def view(page: Page, name: str) -> None:
    keyed(page, "dataset_view").get_by_role("radio", name=name).click()
    settle(page)


def test_a_row_shows_its_trained_tokens_and_a_reload_shows_them_again(page: Page, campaign: Workspace) -> None:
    visit(page, "/")
    page.get_by_role("link", name="Dataset").click()
    keyed(page, "rows_search").get_by_role("textbox").fill("brawl")
    press(page, "row_train_4")
    page.wait_for_url("**row=train-4**")
    page.reload()
    expect(page.locator(".tokens .trained").first).to_be_visible()
    base = get_base(campaign, "smollm2-135m-instruct")
    dataset = TrainingDataProcessor.configured(campaign, base, 2048).process_scenarios(campaign.scenarios_dir)
    row = dataset.row("train", 4)
    expect(page.locator(".tokens .trained > span[title], .tokens .masked > span[title]")).to_have_count(
        len(row.input_ids)
    )
    expect(page.locator(".tokens .trained > span[title]")).to_have_count(row.trained_tokens)
    page.get_by_role("radio", name="Exact text").click()
    read = base.tokenizer().decode(row.input_ids, skip_special_tokens=False)
    expect(page.locator(".exact")).to_be_visible()
    assert page.locator(".exact").evaluate("one => one.textContent") == read


def test_a_balance_is_used_for_training_and_the_training_page_says_so(page: Page, campaign: Workspace) -> None:
    visit(page, "/dataset?view=balance")
    press(page, "balance_use")
    expect(keyed(page, "balance_in_use")).to_contain_text("Scenario types, outcomes")
    assert load_dataset_config(campaign).balance.by == ["type", "outcome"]
    page.get_by_role("link", name="Train").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Train")
    settle(page)
    expect(page.get_by_text(re.compile("Scenario types, outcomes")).first).to_be_visible()
    press(page, "to_dataset")
    expect(keyed(page, "balance_in_use")).to_be_visible()
    view(page, "Report")
    page.wait_for_url("**view=report**")
    expect(page.get_by_role("heading", name="Phrases on both sides")).to_be_visible()


def test_what_to_write_next_opens_in_the_editor_with_gaps_to_fill(page: Page, campaign: Workspace) -> None:
    before = set(campaign.scenarios_dir.rglob("*.md"))
    visit(page, "/dataset")
    view(page, "Coverage")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    press(page, "begin_0")
    page.wait_for_url("**file=**")
    page.wait_for_function("() => window.studioDesk?.ready")
    assert "«" in editor_text(page)
    [made] = set(campaign.scenarios_dir.rglob("*.md")) - before
    assert editor_text(page) == made.read_text(encoding="utf-8")
    made.unlink()


def test_a_variation_is_proposed_read_accepted_and_then_trained_on(page: Page, campaign: Workspace) -> None:
    visit(page, "/dataset?view=variations")
    press(page, "variations_propose")
    expect(page.locator(".changes ins").first).to_be_visible()
    title = keyed(page, "variations_review").get_by_role("heading").first
    shown = title.inner_text()
    press(page, "variation_accepted")
    expect(title).not_to_have_text(shown)
    [accepted] = AugmentationStore(campaign).proposals("accepted")
    view(page, "Rows")
    keyed(page, "rows_search").get_by_role("textbox").fill("variations/")
    expect(page.get_by_text(f"variations/{accepted.name.removesuffix('.md')}").first).to_be_visible()
