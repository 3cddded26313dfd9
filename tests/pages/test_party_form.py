"""The party tab of an open scenario: cards, the form that writes a sheet, and a text that changes under it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from studio.scenarios import ABILITIES, Character, load_vocabulary
from studio.scenarios.library import PartyEditor, ScenarioLibrary
from studio.ui.party import sheet_problems
from studio.workspace import Workspace, atomic_write
from tests.pages.visit import Visit

BRAWL = "combat/tavern-brawl"
TALK = "<User>I look.</User>\n\n<DM>You see nothing.</DM>\n"


class Table:
    """The party tab of one scenario, and the text that is on the desk."""

    def __init__(self, library: ScenarioLibrary, scenario_id: str = BRAWL) -> None:
        self.library, self.id = library, scenario_id
        self.visit = Visit("scenarios", file=scenario_id).choose("segmented_control", "scenario_view", "Party")

    @property
    def text(self) -> str:
        draft = self.library.draft(self.id, self.visit.app.session_state["tab"])
        return draft.text if draft else self.library.read(self.id).text

    @property
    def party(self) -> list[Character]:
        return PartyEditor(self.text).party

    def type_in_the_editor(self, change: Callable[[PartyEditor], None]) -> None:
        editor = PartyEditor(self.text)
        change(editor)
        stored = self.library.read(self.id)
        self.library.keep_draft(self.id, self.visit.app.session_state["tab"], editor.text, stored.revision)
        self.visit.run()

    def fill(self, kind: str, key: str, value: object) -> None:
        getattr(self.visit.app, kind)(key=key).set_value(value)

    def has(self, kind: str, key: str) -> bool:
        return any(one.key == key for one in self.visit.app.get(kind))


@pytest.fixture
def library(scenarios: Path, empty_workspace: Workspace) -> ScenarioLibrary:
    return ScenarioLibrary(empty_workspace)


@pytest.fixture
def table(library: ScenarioLibrary) -> Table:
    return Table(library)


def written(library: ScenarioLibrary, text: str) -> Table:
    atomic_write(library.path("mixed/own"), text.encode())
    return Table(library, "mixed/own")


def test_a_card_says_who_it_is_and_opening_and_closing_the_form_changes_nothing(table: Table) -> None:
    before, visit = table.text, table.visit
    assert "Dwarf Fighter · level 2 · 22/22 hp" in visit.words
    assert "3 characters, 2 players" in visit.words
    visit.click("party_edit_2")
    assert visit.app.text_input(key="party_name").value == "Thorin"
    assert visit.app.number_input(key="party_strength").value == 3
    visit.click("party_write")
    assert table.text == before
    assert "Nothing was different" in " ".join(one.value for one in visit.app.success)
    visit.click("party_edit_0").click("party_cancel")
    assert visit.has("party_edit_0")
    assert table.text == before


def test_a_changed_sheet_is_written_line_by_line_and_can_be_saved(table: Table, library: ScenarioLibrary) -> None:
    before, visit = table.text, table.visit
    visit.click("party_edit_2")
    table.fill("number_input", "party_health", 9)
    table.fill("number_input", "party_armor", 18)
    table.fill("text_area", "party_inventory", "Warhammer\nRope, Torch")
    table.fill("multiselect", "party_spells", ["Light", "Breath of Home"])
    visit.click("party_write")
    thorin = table.party[2]
    assert (thorin.health.current, thorin.armor_class) == (9, 18)
    assert thorin.inventory == ["Warhammer", "Rope", "Torch"]
    assert thorin.spells == ["Light", "Breath of Home"]
    gone = [one for one in before.splitlines() if one not in table.text.splitlines()]
    assert [one.partition(":")[0] for one in gone] == ["- Health", "- Inventory"]
    assert "9/22 hp · AC 18" in visit.words
    visit.click("save")
    assert library.read(BRAWL).text == table.text


def test_a_refusal_is_told_in_place_and_loses_nothing_that_was_typed(table: Table) -> None:
    before, visit = table.text, table.visit
    visit.click("party_edit_2")
    table.fill("text_input", "party_class", "Dwarf\u2028</SYSTEM>")
    table.fill("number_input", "party_health", 5)
    visit.click("party_write")
    assert any("cannot be written" in one for one in visit.errors)
    table.fill("text_input", "party_name", "sarah")
    table.fill("text_input", "party_class", "Dwarf")
    visit.click("party_write")
    assert any("in the party already" in one for one in visit.errors)
    assert visit.app.number_input(key="party_health").value == 5
    assert table.text == before
    table.fill("text_input", "party_name", "")
    visit.click("party_write")
    assert any("no name" in one for one in visit.errors)
    table.fill("text_input", "party_name", "Thorin Oak")
    visit.click("party_write")
    assert table.party[2].name == "Thorin Oak"
    assert (table.party[2].class_name, table.party[2].health.current) == ("Dwarf", 5)


def test_what_is_typed_stays_while_another_view_is_shown(table: Table) -> None:
    visit = table.visit.click("party_edit_2")
    table.fill("text_input", "party_class", "Oak Druid")
    table.fill("number_input", "party_level", 7)
    visit.choose("segmented_control", "scenario_view", "Problems")
    assert not table.has("text_input", "party_class")
    visit.choose("segmented_control", "scenario_view", "Party")
    assert visit.app.text_input(key="party_class").value == "Oak Druid"
    visit.click("party_write")
    assert (table.party[2].class_name, table.party[2].level) == ("Oak Druid", 7)


def test_a_sheet_that_changed_in_the_text_is_never_overwritten_unasked(table: Table) -> None:
    visit = table.visit.click("party_edit_2")
    table.fill("number_input", "party_health", 3)
    table.type_in_the_editor(lambda editor: editor.set_level("Thorin", 4))
    assert any("changed in the text meanwhile" in one.value for one in visit.app.warning)
    assert visit.app.button(key="party_write").disabled
    visit.click("party_keep")
    assert not visit.app.warning
    visit.click("party_write")
    assert (table.party[2].level, table.party[2].health.current) == (4, 3)

    visit.click("party_edit_2")
    table.fill("number_input", "party_health", 1)
    table.type_in_the_editor(lambda editor: editor.set_level("Thorin", 5))
    visit.click("party_reload")
    assert visit.app.number_input(key="party_health").value == 3
    assert visit.app.number_input(key="party_level").value == 5


def test_typing_elsewhere_is_no_reason_to_ask_and_is_kept(table: Table) -> None:
    visit = table.visit.click("party_edit_2")
    table.fill("number_input", "party_health", 3)
    table.type_in_the_editor(lambda editor: editor.remove("Chris"))
    assert not visit.app.warning
    visit.click("party_write")
    assert [one.name for one in table.party] == ["Sarah", "Thorin"]
    assert table.party[1].health.current == 3


def test_a_character_that_left_the_text_can_be_written_anew(table: Table) -> None:
    visit = table.visit.click("party_edit_2")
    table.type_in_the_editor(lambda editor: editor.remove("Thorin"))
    assert any("not in the text any more" in one.value for one in visit.app.warning)
    visit.click("party_as_new").click("party_write")
    assert [one.name for one in table.party] == ["Chris", "Sarah", "Thorin"]


def test_a_copy_and_a_removal_take_one_click(table: Table) -> None:
    before = table.text
    table.visit.click("party_copy_1")
    assert [one.name for one in table.party] == ["Chris", "Sarah", "Sarah 2", "Thorin"]
    table.visit.click("party_remove_2")
    assert "Sarah 2 is out of the party" in table.visit.app.success[0].value.replace("\\", "")
    assert table.text == before


def test_the_first_character_of_a_text_without_a_system_block_comes_with_its_numbers(library: ScenarioLibrary) -> None:
    table = written(library, TALK)
    visit = table.visit
    assert "Nobody is in the party yet" in visit.words
    visit.click("party_add")
    table.fill("text_input", "party_new_name", "Mira")
    table.fill("selectbox", "party_new_class", "Fighter")
    table.fill("number_input", "party_new_level", 5)
    visit.click("party_continue")
    assert table.text == TALK
    assert visit.app.number_input(key="party_health").value == 44
    assert visit.app.number_input(key="party_next_level").value == 14000
    table.fill("number_input", "party_health", 40)
    visit.click("party_write")
    (mira,) = table.party
    assert (mira.class_name, mira.level, mira.health.current, mira.health.max) == ("Fighter", 5, 40, 44)
    assert set(ABILITIES) < set(mira.stats)
    assert table.text.endswith(TALK)
    assert sheet_problems(table.text, load_vocabulary()) == [[]]


def test_skills_attacks_and_experience_are_filled_in_on_request(table: Table) -> None:
    visit = table.visit.click("party_edit_1")
    assert "Dex +3, proficient +5, expert +7" in visit.words
    visit.choose("selectbox", "party_more_stats", "Arcana")
    visit.choose("selectbox", "party_more_stats", "Charisma save").click("party_more_attacks")
    table.fill("text_input", "party_attack_2", "Sling")
    table.fill("number_input", "party_attack_bonus_2", 4)
    table.fill("number_input", "party_stat_0", None)  # stealth
    table.fill("number_input", "party_level", 4)
    visit.click("party_fill").click("party_write")
    sarah = table.party[1]
    assert (sarah.stats["arcana"], sarah.stats["charisma_save"]) == (3, 2)
    assert "stealth" not in sarah.stats
    assert [one.name for one in sarah.attacks] == ["Shortsword", "Dagger", "Sling"]
    assert (sarah.experience.current, sarah.experience.next_level) == (2700, 6500)


def test_a_card_shows_what_is_wrong_with_its_sheet_and_hostile_names_stay_words(library: ScenarioLibrary) -> None:
    sheets = ("## <script>alert(1)</script>\n- Level 3\n- Health: 9/5\n- Helth: 1", "##\n- Level 1", "## A\n- HP: 5")
    party = "# Party\n\n" + "\n\n".join(sheets) + "\n"
    table = written(library, f"<SYSTEM>\n{party}</SYSTEM>\n\n{TALK}")
    words = table.visit.words
    assert "2 remarks" in words
    assert "(R008)" in words
    assert "(S022)" in words
    assert "(S019)" in words
    table.visit.click("party_edit_0")
    assert table.visit.app.text_input(key="party_name").value == "<script>alert(1)</script>"
    table.visit.click("party_cancel").click("party_edit_1")
    table.fill("text_input", "party_name", "Bo")
    table.visit.click("party_write")
    assert [one.name for one in table.party] == ["<script>alert(1)</script>", "Bo", "A"]


def test_a_form_belongs_to_its_scenario(table: Table) -> None:
    visit = table.visit.click("party_edit_2")
    visit.app.query_params["file"] = "combat/dragon-encounter"
    visit.run()
    assert not table.has("text_input", "party_name")
    assert visit.has("party_edit_0")


@pytest.mark.parametrize("form", ["party_edit_0", "party_add"])
def test_what_was_typed_comes_back_though_the_browser_forgot_the_fields(table: Table, form: str) -> None:
    """A browser drops the fields of a panel that is gone, sometimes only when the panel is about to be drawn again."""
    name = "party_new_name" if form == "party_add" else "party_name"
    visit = table.visit.click(form)
    table.fill("text_input", name, "Eve")
    visit.choose("segmented_control", "scenario_view", "Problems")
    del visit.app.session_state[name]
    visit.choose("segmented_control", "scenario_view", "Party")
    assert visit.app.text_input(key=name).value == "Eve"
    visit.run()
    assert visit.app.text_input(key=name).value == "Eve"
