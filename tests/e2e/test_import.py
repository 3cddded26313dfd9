"""A Dungeon Master's old forum game in a browser: uploaded, mapped, imported, opened."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace, atomic_write
from tests.e2e.driver import keyed, press, settle, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
POSTS = """# The Cellar
Tom: Something breathes in the dark.
sarah_k: I creep closer. <img src=x onerror=window.hacked=1>
Tom: It is a child.
sarah_k: I wave.
Lurker: lol
Lurker: **nice**
Tom: It waves back.
"""


def choose(page: Page, speaker: str, part: str) -> None:
    page.get_by_role("combobox", name=f"{speaker} is").click()
    page.get_by_role("option", name=part, exact=True).click()
    settle(page)


def test_a_forum_game_is_mapped_imported_and_opened(page: Page, campaign: Workspace, tmp_path: Path) -> None:
    game = tmp_path / "<b>forum</b>.txt"
    atomic_write(game, POSTS)
    visit(page, "/scenarios")
    press(page, "import")
    keyed(page, "import_files").locator("input[type=file]").set_input_files(game)
    expect(page.get_by_text("Who tells the story?")).to_be_visible()
    expect(page.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    choose(page, "Tom", "Dungeon Master")
    choose(page, "Lurker", "Leave out")
    page.get_by_placeholder("sarah_k").fill("Sarah")
    page.get_by_placeholder("sarah_k").press("Enter")
    expect(page.get_by_text("1 conversation becomes a scenario.")).to_be_visible()
    settle(page)

    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported 1 scenario.")).to_be_visible()
    page.get_by_role("button", name="mixed/The Cellar").click()
    expect(page.get_by_test_id("stMain").get_by_role("heading", name="The Cellar")).to_be_visible()
    row = page.get_by_role("tree", name="Scenario files").get_by_role("treeitem", name="The Cellar")
    expect(row).to_have_attribute("aria-selected", "true")
    text = ScenarioLibrary(campaign).read("mixed/The Cellar").text
    assert "<User>Sarah: I creep closer." in text
    assert "lol" not in text
    assert page.evaluate("window.hacked") is None
