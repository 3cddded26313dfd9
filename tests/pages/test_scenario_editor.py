"""One open scenario: problems and fixes, saving, two tabs, drafts, the file menu, and addresses that lead nowhere.

Typing goes through the Ace editor, a component that AppTest cannot fill in; what it hands over becomes a draft of the
tab, so these tests leave a draft as the page would. The browser tests type for real.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.scenarios.library import ScenarioLibrary
from studio.workspace import Workspace, atomic_write
from tests.pages.visit import Visit

BRAWL = "combat/tavern-brawl"
SHEET = """<SYSTEM>
# Role
You are the Dungeon Master.

# World
An old forest.

# Location
A clearing at dusk.

# Party

## Ada
- Player Character
- Skills: Perception +5
</SYSTEM>
"""
EXCHANGE = """
<User>I look.</User>

<DM>Do. [roll: perception]</DM>

<TOOLCALL>perception: 12 + 5(skill) = *17*</TOOLCALL>
"""
ENDING = "\n<DM>*SUCCESS* You see.</DM>\n"
WRONG_SUM = SHEET + EXCHANGE.replace("*17*", "*99*") + ENDING


@pytest.fixture
def library(scenarios: Path, empty_workspace: Workspace) -> ScenarioLibrary:
    return ScenarioLibrary(empty_workspace)


def type_text(visit: Visit, library: ScenarioLibrary, scenario_id: str, text: str) -> None:
    """What the page does with text that was typed in the tab of `visit`."""
    tab = visit.app.session_state["tab"]
    library.keep_draft(scenario_id, tab, text, library.read(scenario_id).revision)
    visit.run()


def test_a_sound_scenario_has_no_problems_and_nothing_to_save(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL)
    assert visit.problems == []
    assert visit.told("studio_desk_editor")["turns"] == 38
    assert visit.app.button(key="save").disabled
    assert f"{BRAWL}.md" in visit.words


def test_problems_are_told_with_place_code_and_the_edit_that_mends_them(library: ScenarioLibrary) -> None:
    made = library.create("combat", "wrong", WRONG_SUM)
    visit = Visit("scenarios", file=made.id)
    wrong = next(one for one in visit.problems if one["code"] == "T005")
    assert wrong["row"] == WRONG_SUM[: WRONG_SUM.index("= *99*")].count("\n")
    (edit,) = wrong["edits"]
    assert edit["text"] == "17"
    line = WRONG_SUM.split("\n")[edit["startRow"]]
    assert line[edit["startCol"] : edit["endCol"]] == "99"
    outline = visit.told("studio_desk_editor")["outline"]
    assert [one["worst"] for one in outline if one["kind"] == "TOOLCALL"] == ["error"]


def test_a_file_that_changed_under_an_editor_with_nothing_unsaved_is_shown_anew(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL)
    first = visit.told("studio_desk_editor")["edition"]
    stored = library.read(BRAWL)
    library.save(BRAWL, stored.text + "\n<User>THEIRS</User>\n", stored.revision)
    visit.run()
    assert visit.told("studio_desk_editor")["edition"] != first
    assert any("changed elsewhere" in one for one in visit.toasts)
    assert not visit.has("conflict_mine")


def test_the_views_show_story_prompt_and_tokens(workspace: Workspace, library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL).choose("segmented_control", "scenario_view", "Story")
    assert 'class="turn dm"' in visit.words
    visit.choose("segmented_control", "scenario_view", "Prompt")
    assert visit.app.code[0].value.startswith("<|im_start|>system\n")
    visit.choose("segmented_control", "scenario_view", "Tokens")
    assert 'class="trained"' in visit.words
    assert 'class="masked"' in visit.words


def test_the_prompt_needs_a_base_model_and_says_so(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL).choose("segmented_control", "scenario_view", "Prompt")
    assert "No base model yet" in visit.words
    assert visit.click("prompt_base_setup").title == "Setup"


def test_text_that_was_typed_is_a_draft_until_it_is_saved(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL)
    former = library.read(BRAWL).text
    type_text(visit, library, BRAWL, former + "\n<User>I leave.</User>\n")
    assert "Not saved yet" in visit.words
    assert library.read(BRAWL).text == former
    visit.click("save")
    assert library.read(BRAWL).text.endswith("<User>I leave.</User>\n")
    assert library.drafts(BRAWL) == []
    assert [one.reason for one in library.versions(BRAWL)] != []


def test_discarding_goes_back_to_the_file(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL)
    type_text(visit, library, BRAWL, "nothing")
    visit.click("discard")
    assert "Saved" in visit.words
    assert visit.told("studio_desk_editor")["change"]["edits"], "the editor makes the change, so that it can be undone"
    assert library.drafts(BRAWL) == []


def test_text_of_an_earlier_visit_is_offered_and_taken_up(library: ScenarioLibrary) -> None:
    type_text(Visit("scenarios", file=BRAWL), library, BRAWL, "left behind")
    assert "unsaved text" in Visit("scenarios").words
    visit = Visit("scenarios", file=BRAWL)
    assert "Unsaved text of an earlier visit" in visit.words
    visit.click("take_draft")
    assert "Not saved yet" in visit.words
    visit.click("save")
    assert library.read(BRAWL).text == "left behind"


def test_text_of_an_earlier_visit_can_be_forgotten(library: ScenarioLibrary) -> None:
    type_text(Visit("scenarios", file=BRAWL), library, BRAWL, "left behind")
    visit = Visit("scenarios", file=BRAWL).click("drop_draft")
    assert not visit.has("take_draft")
    assert library.drafts(BRAWL) == []


def two_tabs(library: ScenarioLibrary, mine: str, theirs: str) -> Visit:
    """The tab whose text can no longer simply be saved: the conflict is on show before she tries."""
    visit = Visit("scenarios", file=BRAWL)
    stored = library.read(BRAWL)
    type_text(visit, library, BRAWL, mine)
    library.save(BRAWL, theirs, stored.revision)
    return visit.run()


def test_two_tabs_that_changed_different_lines_are_merged(library: ScenarioLibrary) -> None:
    text = library.read(BRAWL).text
    mine, theirs = text + "\n<User>MINE</User>\n", text.replace("# World", "# World\n\nTHEIRS", 1)
    visit = two_tabs(library, mine, theirs)
    shown = visit.app.code[0].value
    assert "+<User>MINE</User>" in shown
    assert "-THEIRS" in shown
    visit.click("conflict_merge")
    saved = library.read(BRAWL).text
    assert "MINE" in saved
    assert "THEIRS" in saved


@pytest.mark.parametrize(("key", "winner"), [("conflict_mine", "mine"), ("conflict_theirs", "theirs")])
def test_two_tabs_that_changed_the_same_line_leave_the_choice(library: ScenarioLibrary, key: str, winner: str) -> None:
    visit = two_tabs(library, "mine", "theirs")
    assert not visit.has("conflict_merge")
    visit.click(key)
    assert library.read(BRAWL).text == winner
    assert not visit.errors


def test_a_third_tab_that_saves_while_the_choice_is_made_loses_nothing(library: ScenarioLibrary) -> None:
    visit = two_tabs(library, "mine", "theirs")
    library.save(BRAWL, "third", library.read(BRAWL).revision)
    visit.click("conflict_mine")
    assert len(visit.errors) == 1
    assert library.read(BRAWL).text == "third"
    assert [one.text for one in library.drafts(BRAWL)] == ["mine"]


def test_a_scenario_deleted_in_another_tab_keeps_the_text_that_was_typed(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL)
    type_text(visit, library, BRAWL, "my text")
    library.delete(BRAWL)
    visit.run()
    assert len(visit.errors) == 1
    assert "my text" in visit.words
    visit.click("draft_recreate")
    assert library.read(BRAWL).text == "my text"
    assert library.drafts(BRAWL) == []


def test_duplicating_opens_the_copy(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL).menu("Duplicate")
    assert visit.address == {"file": "combat/tavern-brawl copy"}
    assert library.read("combat/tavern-brawl copy").text == library.read(BRAWL).text


def test_renaming_moves_file_and_type(library: ScenarioLibrary) -> None:
    visit = Visit("scenarios", file=BRAWL).menu("Rename or move")
    visit.choose("text_input", "rename_name", "Fists")
    visit.choose("segmented_control", "rename_type", "mixed")
    visit.click("rename_now")
    assert visit.address == {"file": "mixed/Fists"}
    assert "Tavern Brawl" in library.read("mixed/Fists").text


@pytest.mark.parametrize("name", ["../../outside", "", "a/b", ".hidden", "ambush-scenario"])
def test_a_name_that_cannot_be_is_refused_with_a_reason(library: ScenarioLibrary, name: str) -> None:
    before = library.counts()
    visit = Visit("scenarios", file=BRAWL).menu("Rename or move")
    visit.choose("text_input", "rename_name", name)
    visit.click("rename_now")
    assert library.read(BRAWL).text
    assert library.counts() == before
    assert visit.errors or name == ""


def test_history_shows_a_former_text_and_restores_it(library: ScenarioLibrary) -> None:
    former = library.read(BRAWL).text
    library.save(BRAWL, "newer", library.read(BRAWL).revision)
    visit = Visit("scenarios", file=BRAWL).menu("History")
    versions = library.versions(BRAWL)
    first = next(one.revision for one in versions if library.read_version(BRAWL, one.revision) == former)
    visit.choose("selectbox", "history_version", first)
    assert "+newer" in visit.words
    visit.click("history_restore")
    assert library.read(BRAWL).text == former


@pytest.mark.parametrize(
    "address",
    [
        "../../etc/passwd",
        "combat/../../../etc/passwd",
        "/etc/passwd",
        "combat/no-such",
        "combat/",
        "x",
        "combat/\x00",
        "combat/" + "a" * 400,
        "<script>alert(1)</script>",
    ],
)
def test_an_address_that_leads_nowhere_shows_an_error_and_the_way_back(library: ScenarioLibrary, address: str) -> None:
    visit = Visit("scenarios", file=address)
    assert len(visit.errors) == 1
    assert "root:" not in visit.words
    assert visit.click("back").title == "Scenarios"


def test_a_file_in_another_encoding_is_not_damaged_and_one_click_converts_it(library: ScenarioLibrary) -> None:
    old = library.path("mixed/old")
    atomic_write(old, "<User>Ich grüße die Hüterin.</User>\r\n".encode("cp1252"))
    visit = Visit("scenarios", file="mixed/old")
    assert any("not UTF-8" in one for one in visit.errors)
    visit.click("convert_text")
    assert old.read_bytes() == "<User>Ich grüße die Hüterin.</User>\r\n".encode()
    assert not visit.errors
    visit.menu("History")


def test_a_scenario_of_a_thousand_turns_opens_in_every_view(workspace: Workspace, library: ScenarioLibrary) -> None:
    library.create("mixed", "long", SHEET + EXCHANGE * 333 + ENDING)
    visit = Visit("scenarios", file="mixed/long")
    assert "1,000 turns" in visit.words
    visit.choose("segmented_control", "scenario_view", "Story")
    assert visit.words.count('class="turn user"') == 333
    visit.choose("segmented_control", "scenario_view", "Tokens")
    assert "more tokens" in visit.words
    assert any("cut into several rows" in one.value for one in visit.app.warning)
