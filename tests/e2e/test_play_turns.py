"""Turns in a real browser: a line edited into a branch, a turn told again and leafed, own dice, copy and stop."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from studio.play import ChatMessage, PlaySettings, Sampling, TurnRecord, load_session, new_session, save_session
from studio.scenarios import MarkdownParser
from studio.workspace import Workspace
from tests.e2e.driver import keyed, press, settle, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
REPLY_MS = 300_000
SHEET = "<SYSTEM>\n# Party\n\n## Ada\n- Player Character\n- Skills: Stealth +7\n</SYSTEM>\n"


def table(campaign: Workspace, name: str, *, played: bool = True, max_tokens: int = 6, **settings: object) -> str:
    """A saved session, with one turn unless it is told otherwise; its address."""
    session = new_session(
        MarkdownParser().parse_text(SHEET),
        session_id=name,
        created=datetime.now(UTC),
        settings=PlaySettings.model_validate(
            {"sampling": Sampling(max_tokens=max_tokens), "rolls_per_turn": 1, **settings}
        ),
        title=name,
    )
    if played:
        session.turns.append(TurnRecord(first_message=1, start=session.counters))
        session.messages += [
            ChatMessage(role="user", content="I look."),
            ChatMessage(role="assistant", content="*Fog.*"),
        ]
    save_session(campaign, session)
    return f"/play?chat={name}"


def said(campaign: Workspace, name: str) -> list[str]:
    return [one.content for one in load_session(campaign, name).messages[1:]]


def test_a_line_is_edited_into_a_branch_that_leads_back(page: Page, campaign: Workspace) -> None:
    visit(page, table(campaign, "evening"))
    keyed(page, "edit_1").get_by_role("button").focus()
    page.keyboard.press("Enter")
    page.get_by_label("Your line").fill("I listen.")
    press(page, "line_play")
    expect(page.get_by_role("heading", name="evening (branch)")).to_be_visible(timeout=REPLY_MS)
    expect(page.locator(".turn.user .body")).to_have_text("I listen.")
    expect(page.locator(".turn.dm .body")).not_to_be_empty(timeout=REPLY_MS)
    settle(page)
    assert said(campaign, "evening") == ["I look.", "*Fog.*"]
    page.get_by_role("button", name="Branched off at turn 1").click()
    expect(page.locator(".turn.user .body")).to_have_text("I look.")


def test_a_turn_is_told_again_and_leafed_and_copied(page: Page, campaign: Workspace) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit(page, table(campaign, "again"))
    press(page, "again")
    expect(page.get_by_text("2/2")).to_be_visible(timeout=REPLY_MS)
    expect(page.locator(".turn.dm .body")).not_to_have_text("Fog.")
    press(page, "leaf_back")
    expect(page.locator(".turn.dm .body")).to_have_text("Fog.")
    settle(page)
    page.get_by_role("button", name="Copy this turn").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == "Player: I look.\n\nDungeon Master: *Fog.*"
    press(page, "undo")
    expect(page.locator(".turn.dm")).to_have_count(0)
    press(page, "redo")
    expect(page.locator(".turn.dm .body")).to_have_text("Fog.")


def test_the_player_throws_her_own_dice(page: Page, campaign: Workspace) -> None:
    asks = 'root ::= "Hush.\\n[roll: stealth, advantage]"'
    visit(page, table(campaign, "dice", played=False, max_tokens=60, dice="own", grammar=asks))
    box = page.get_by_placeholder("What do you do?")
    box.fill("I hide.")
    box.press("Enter")
    faces = keyed(page, "dice_row_0").get_by_role("spinbutton")
    expect(faces).to_have_count(2, timeout=REPLY_MS)
    expect(page.get_by_placeholder("Your dice first")).to_be_disabled()
    faces.nth(0).fill("4")
    faces.nth(1).fill("18")
    press(page, "dice_mine")
    expect(page.locator(".chip.result")).to_contain_text(
        "stealth: 18 (advantage: 4, 18) + 7(skill) = 25", timeout=REPLY_MS
    )
    expect(page.locator(".chip.result .die.out")).to_have_text("4")
    settle(page)
    assert said(campaign, "dice")[2] == "stealth: 18 (advantage: 4, 18) + 7(skill) = *25*"


def test_a_reply_that_is_stopped_is_kept_and_the_page_shows_how_to_go_on(page: Page, campaign: Workspace) -> None:
    visit(page, table(campaign, "stop", played=False, max_tokens=1500, grammar='root ::= ("word " [a-z]{3} " ")+'))
    box = page.get_by_placeholder("What do you do?")
    box.fill("I wait.")
    box.press("Enter")
    expect(page.locator(".turn.dm .body")).to_contain_text("word", timeout=REPLY_MS)
    page.get_by_test_id("stChatInput").get_by_role("button").click()
    expect(page.get_by_text("Stopped by you")).to_be_visible(timeout=REPLY_MS)
    expect(keyed(page, "more").get_by_role("button")).to_be_visible()
    kept = said(campaign, "stop")
    assert kept[1].startswith("word ")
    expect(page.locator(".turn.dm .body")).to_have_text(kept[1])
