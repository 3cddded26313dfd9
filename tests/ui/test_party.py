"""What the party's forms hold and hint at, worked out without a page."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.scenarios import Attack, Character, Gauge, Progress, load_vocabulary
from studio.scenarios.library import PartyEditor, PartyError
from studio.scenarios.srd import load_srd
from studio.ui.party import (
    AttackRow,
    SheetRows,
    StatRow,
    changed_rows,
    character_of,
    free_name,
    lines,
    merged,
    place_of,
    rows_of,
    same_sheet,
    sheet_problems,
    short,
    spell_choices,
    spell_label,
    stat_choices,
    stat_hint,
    stat_key,
    summary,
    with_stats,
)
from studio.workspace import PROJECT_ROOT

WORDS = load_vocabulary()
SHIPPED = sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md"))
THORIN = Character(
    name="Thorin",
    character_type="NPC Companion",
    class_name="Dwarf Fighter",
    level=3,
    health=Gauge(current=17, max=21),
    experience=Progress(current=900, next_level=2700),
    stats={"strength": 3, "athletics": 5, "strength_save": 5, "initiative": 1, "deft_hands": 2},
    attacks=[Attack(name="Warhammer", bonus=5, damage="1d8+3")],
    inventory=["Rope (50 ft, silk)", "Rope (50 ft, silk)"],
    spells=["Light", "Light"],
    armor_class=14,
    spell_save_dc=11,
    spell_slots={1: 2},
    notes=["Hates: elves"],
)
TEXTS = st.text(alphabet="ab ,()x\n1", max_size=12)
NUMBERS = st.none() | st.integers(-5, 40)


def test_a_form_that_nobody_touched_describes_the_character_it_was_opened_with() -> None:
    assert character_of(rows_of(THORIN)) == THORIN
    for path in SHIPPED:
        for one in PartyEditor(path.read_text(encoding="utf-8")).party:
            assert character_of(rows_of(one)) == one


@given(
    rows=st.builds(
        SheetRows,
        name=TEXTS,
        kind=TEXTS,
        class_name=TEXTS,
        level=NUMBERS,
        armor_class=NUMBERS,
        initiative=NUMBERS,
        health_now=NUMBERS,
        health_max=NUMBERS,
        experience=NUMBERS,
        next_level=NUMBERS,
        abilities=st.tuples(*[NUMBERS] * 6),
        stats=st.lists(st.builds(StatRow, st.sampled_from(["stealth", "wisdom_save"]), NUMBERS), max_size=2).map(tuple),
        attacks=st.lists(st.builds(AttackRow, TEXTS, NUMBERS, TEXTS), max_size=2).map(tuple),
        inventory=TEXTS,
        spells=st.lists(TEXTS, max_size=2).map(tuple),
        spell_save_dc=NUMBERS,
        spell_slots=st.sampled_from(["", "1st x4, 2nd x2", "3rd 1", "many"]),
    )
)
@settings(max_examples=200, deadline=None)
def test_any_form_is_a_character_or_says_what_is_missing(rows: SheetRows) -> None:
    try:
        made = character_of(rows)
    except PartyError:
        return
    assert character_of(rows_of(made)) == made


@pytest.mark.parametrize(
    "rows",
    [
        {"name": "  "},
        {"experience": None},
        {"attacks": (AttackRow("", 3, ""),)},
        {"attacks": (AttackRow(" ", None, "1d6"),)},
        {"spell_slots": "plenty"},
    ],
)
def test_what_a_form_lacks_is_said_before_anything_is_written(rows: dict[str, object]) -> None:
    opened = rows_of(THORIN)
    with pytest.raises(PartyError):
        character_of(SheetRows(**{**vars(opened), **rows}))


def test_an_empty_field_is_an_empty_field_of_the_sheet() -> None:
    opened = vars(rows_of(THORIN))
    made = character_of(
        SheetRows(
            **{
                **opened,
                "level": None,
                "armor_class": None,
                "health_now": None,
                "health_max": None,
                "experience": None,
                "next_level": None,
                "initiative": None,
                "abilities": (None,) * 6,
                "stats": (StatRow("athletics", None), StatRow("deft_hands", 4)),
                "attacks": (AttackRow(),),
                "inventory": " \n",
                "spells": (),
                "spell_save_dc": None,
                "spell_slots": "",
            }
        )
    )
    kept = {one: getattr(THORIN, one) for one in ("name", "character_type", "class_name", "notes")}
    assert made == Character(**kept, stats={"deft_hands": 4})
    half = character_of(SheetRows(**{**opened, "health_now": None}))
    assert half.health == Gauge(current=21, max=21)


def test_items_stand_one_a_line_or_between_commas() -> None:
    assert lines("Rope (50 ft, silk)\n Torch, Map \n\n") == ["Rope (50 ft, silk)", "Torch", "Map"]


def test_what_changed_in_the_text_is_taken_over_where_the_form_did_not_change() -> None:
    mine = SheetRows(**{**vars(rows_of(THORIN)), "level": 4, "inventory": "Map"})
    now = THORIN.model_copy(update={"level": 9, "armor_class": 18, "health": Gauge(current=3, max=21)})
    rows = merged(mine, now)
    assert (rows.level, rows.inventory, rows.armor_class, rows.health_now) == (4, "Map", 18, 3)
    assert rows.origin is now
    assert changed_rows(rows_of(THORIN), rows_of(now)) == ["level", "armor class", "hit points"]
    assert not same_sheet(THORIN, now)
    assert same_sheet(THORIN, THORIN.model_copy(update={"notes": []}))


def test_a_character_is_found_again_where_it_went() -> None:
    party = [Character(name=one) for one in ("Ada", "Bo", "Ada")]
    assert place_of(party, 2, "Ada") == 2
    assert place_of(party, 0, "Bo") == 1
    assert place_of(party, 9, "Cy") is None


def test_hints_are_the_numbers_of_the_rules() -> None:
    rows = SheetRows(level=5, abilities=(3, None, 0, 0, -1, 0))
    assert stat_hint("athletics", rows, WORDS) == "Str +3, proficient +6, expert +9"
    assert stat_hint("wisdom_save", rows, WORDS) == "Wis -1, proficient +2"
    assert stat_hint("stealth", rows, WORDS) == ""
    assert stat_hint("deft_hands", rows, WORDS) == ""


def test_skills_are_added_with_the_bonus_of_a_proficient_character() -> None:
    rows = SheetRows(level=1, abilities=(3, 1, 0, 0, 0, 0), stats=(StatRow("athletics", 9),))
    choices = stat_choices(rows, WORDS)
    assert len(choices) == 17 + 6
    assert "Athletics" not in choices
    assert {"Sleight of hand", "Dexterity save"} <= set(choices)
    added = with_stats(rows, ["Sleight of hand", "Dexterity save", "Athletics", "Deft hands", "hide"], WORDS)
    assert added.stats == (
        StatRow("athletics", 9),
        StatRow("sleight_of_hand", 3),
        StatRow("dexterity_save", 3),
        StatRow("deft_hands", 2),
        StatRow("stealth", 3),
    )
    assert stat_key("DEX save", WORDS) == "dexterity_save"


def test_spells_of_the_class_and_level_come_first() -> None:
    srd = load_srd()
    choices = spell_choices("Elf Wizard", 3)
    assert len(choices) == len(set(choices)) == len(srd.spells)
    first = [srd.spells[one.lower()] for one in choices[:30]]
    assert all("wizard" in one.classes and one.level <= 2 for one in first)
    assert spell_choices("", None)[0] != ""
    assert (spell_label("Fireball"), spell_label("Light"), spell_label("Own")) == (
        "Fireball (3)",
        "Light (cantrip)",
        "Own",
    )


def test_a_card_says_what_the_sheet_says() -> None:
    assert summary(THORIN) == "Dwarf Fighter · level 3 · 17/21 hp · AC 14"
    assert summary(Character(name="X")) == ""
    assert len(summary(Character(name="X", class_name="y" * 10_000))) == len(short("y" * 10_000)) == 60


def test_a_copy_gets_the_next_free_name() -> None:
    party = [Character(name=one) for one in ("Wolf", "wolf 2", "Wolf 3")]
    assert free_name("Wolf", party) == "Wolf 4"
    assert free_name("Wolf 3", party) == "Wolf 4"
    assert free_name("Ada", party) == "Ada 2"
    assert free_name("", party) == "Somebody 2"


def test_each_sheet_has_its_own_problems_and_turns_have_none() -> None:
    text = (
        "---\ndiagnostics: {S023: off}\n---\n<SYSTEM>\n# Party\n\n## Ada\n- Level 3\n- Health: 9/5\n- Exp: lots\n\n"
        "## Bo\n- Player Character\n\n## ada\n- Helth: 3/3\n</SYSTEM>\n\n<DM>Do. [roll: perceptoin]</DM>\n"
    )
    found = [[one.code for one in problems] for problems in sheet_problems(text, WORDS)]
    assert found[1] == []
    assert set(found[0]) == {"R008", "S021"}
    assert set(found[2]) == {"S020", "S022"}
    assert sheet_problems("<User>Hi</User>", WORDS) == []
    for path in SHIPPED:
        assert all(not one for one in sheet_problems(path.read_text(encoding="utf-8"), WORDS)), path


def test_labels_of_spells_never_hide_what_was_written() -> None:
    odd = "<img src=x> **b**"
    assert spell_label(odd) == odd
    assert re.search(r"\d", short("1" * 100))
