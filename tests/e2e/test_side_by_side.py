"""Two models answer one line in a browser, column after column, and one of them is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from studio.play import PlaySettings, Sampling, load_session, save_session
from studio.ui.tables import compared_tables
from studio.workspace import Workspace
from tests.e2e.driver import keyed, press, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
BASE = "base/smollm2-135m-instruct/base.gguf"
REPLY_MS = 300_000


def test_a_line_goes_to_both_the_second_waits_for_the_first_and_one_is_kept(page: Page, campaign: Workspace) -> None:
    settings = PlaySettings(sampling=Sampling(max_tokens=12))
    now, scene = datetime.now(UTC), "You are the Dungeon Master."
    tables = compared_tables(scene, now, "e2e", settings=settings, seed=7, playables=[BASE, BASE])
    for one in tables:
        save_session(campaign, one)
    visit(page, f"/play?compare={','.join(one.id for one in tables)}")
    field = keyed(page, "compare_line").get_by_role("textbox")
    field.fill("I <b>look</b> around.")
    field.press("Enter")
    cells = page.locator(".compared .cell")
    expect(page.locator(".compared .figures")).to_have_count(2, timeout=REPLY_MS)
    expect(cells.nth(0).locator(".turn.dm .body")).not_to_be_empty()
    expect(page.locator(".compared .turn.user")).to_contain_text("I <b>look</b> around.")
    said = [[one.content for one in load_session(campaign, table.id).messages] for table in tables]
    assert len(said[0]) == len(said[1]) == 3
    press(page, f"keep_{tables[1].id}")
    expect(keyed(page, "player_line")).to_be_visible()
    expect(page.locator(".turn.dm .body").first).to_contain_text(said[1][2].split()[0])
