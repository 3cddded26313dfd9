"""The party tab beside the real editor: what is written can be undone there, what is typed there is not lost here."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from studio.workspace import Workspace
from tests.e2e.driver import keyed, press, settle, visit

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
HOSTILE = "<img src=x onerror=alert(1)><b>Eve</b>"
SCENE = """<SYSTEM>
# Role
You are the Dungeon Master.

# World
An old forest.

# Location
A clearing at dusk.

# Party

## Ada
- Player Character
- Elf Wizard
- Level 3
- Health: 17/17
- Abilities: Str +0, Dex +2, Con +1, Int +3, Wis +1, Cha +0
- Skills: Arcana +5
</SYSTEM>

<User>I look.</User>

<DM>You see nothing.</DM>
"""


@pytest.fixture
def scene(campaign: Workspace) -> Path:
    path = campaign.scenarios_dir / "mixed" / "clearing.md"
    path.write_text(SCENE, encoding="utf-8")
    return path


def test_a_sheet_is_edited_in_the_form_and_undone_in_the_editor(page: Page, scene: Path) -> None:
    alarms: list[str] = []
    page.on("dialog", lambda dialog: (alarms.append(dialog.message), dialog.dismiss()))
    visit(page, "/scenarios?file=mixed/clearing")
    page.get_by_role("radio", name="Party").click()
    expect(keyed(page, "party_card_0")).to_contain_text("Elf Wizard · level 3 · 17/17 hp")

    press(page, "party_edit_0")
    settle(page)  # nobody types into a form that is still being drawn
    field(page, "party_health").fill("4")
    field(page, "party_name").fill(HOSTILE)
    page.get_by_role("tab", name="Skills").click()
    field(page, "party_more_stats").fill("Knife tricks")  # no skill of the rules, and welcome
    page.keyboard.press("Enter")
    expect(field(page, "party_stat_1")).to_have_value("2")
    page.get_by_role("radio", name="Problems").click()  # and back: nothing that was typed is lost
    settle(page)
    page.get_by_role("radio", name="Party").click()
    expect(field(page, "party_health")).to_have_value("4")
    press(page, "party_write")
    expect(keyed(page, "party_card_0")).to_contain_text(f"{HOSTILE[:39]}")
    expect(keyed(page, "party_card_0")).to_contain_text("4/17 hp")
    changed = SCENE.replace("## Ada", f"## {HOSTILE}").replace("17/17", "4/17")
    await_text(page, changed.replace("Arcana +5", "Arcana +5, Knife Tricks +2"))

    undo(page)
    await_text(page, SCENE)
    expect(keyed(page, "party_card_0")).to_contain_text("17/17 hp")
    press(page, "party_remove_0")
    expect(page.get_by_text("Nobody is in the party yet")).to_be_visible()
    undo(page)
    await_text(page, SCENE)
    expect(keyed(page, "party_card_0")).to_contain_text("Ada")
    assert alarms == []
    assert scene.read_text(encoding="utf-8") == SCENE, "nothing was saved"


def test_typing_in_the_editor_while_a_form_is_open_is_kept(page: Page, scene: Path) -> None:
    visit(page, "/scenarios?file=mixed/clearing")
    page.get_by_role("radio", name="Party").click()
    press(page, "party_edit_0")
    settle(page)  # nobody types into a form that is still being drawn
    field(page, "party_health").fill("4")
    row = SCENE.splitlines().index("- Level 3")
    editor(page).evaluate("(e, row) => { e.env.editor.focus(); e.env.editor.gotoLine(row + 1, 1000); }", row)
    page.keyboard.press("Backspace")
    page.keyboard.insert_text("5")
    expect(page.get_by_text("This sheet was changed in the text meanwhile")).to_be_visible()
    expect(keyed(page, "party_write").get_by_role("button").first).to_be_disabled()
    press(page, "party_keep")
    expect(page.get_by_text("This sheet was changed in the text meanwhile")).to_be_hidden()
    press(page, "party_write")
    await_text(page, SCENE.replace("17/17", "4/17").replace("Level 3", "Level 5"))


def field(page: Page, key: str) -> Locator:
    return keyed(page, key).locator("input").first


def editor(page: Page) -> Locator:
    return page.frame_locator("iframe[title^='streamlit_ace']").locator(".ace_editor").first


def undo(page: Page) -> None:
    editor(page).evaluate("e => e.env.editor.focus()")
    page.keyboard.press("Control+z")


def await_text(page: Page, text: str) -> None:
    """Wait until the editor holds that text."""
    frame = editor(page).element_handle().owner_frame()
    assert frame is not None
    frame.wait_for_function("text => document.querySelector('.ace_editor').env.editor.getValue() === text", arg=text)
