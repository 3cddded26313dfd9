"""Difficulty, skill bonus, levels, party order, scenes without dice: numbers move only as far as the story allows."""

from __future__ import annotations

import pytest

from studio.dataset.augmentation import OPERATIONS
from studio.scenarios import MarkdownParser
from studio.scenarios.library.party_start import experience_of, proficiency
from studio.scenarios.reading import Reading
from tests.dataset.augmentation.generated import VOCABULARY, shipped_texts

SHEETS = """<SYSTEM>
# Party
## Sarah
- Player Character
- Rogue
- Level 3
- Health: 20/22
- Exp: 1200/2700
- Abilities: Dex +3, Con +1, Wis +1
- Skills: Stealth +5, Perception +3

## Thorin
- NPC Companion
- Dwarf Fighter
- Level 2
- Skills: Stealth +2

## Joss
- NPC Companion
- Skills: Stealth +2
</SYSTEM>
"""


def products(name: str, text: str, times: int = 40) -> set[str]:
    assert MarkdownParser().validate_format(text).errors == []
    made = {OPERATIONS[name].apply(text, seed, VOCABULARY) for seed in range(times)}
    found = {one for one in made if one is not None}
    assert all(MarkdownParser().validate_format(one).errors == [] for one in found)
    return found


def scene(request: str, answer: str, outcome: str) -> str:
    return (
        f"{SHEETS}<User>I go.</User>\n<DM>Go on.\n\n{request}</DM>\n<TOOLCALL>{answer}</TOOLCALL>\n<DM>{outcome}</DM>"
    )


def difficulties(text: str) -> list[str]:
    return [one.arguments["dc"] for turn in Reading(text, VOCABULARY).turns for one in turn.directives]


def test_a_dc_moves_on_its_side_of_the_total() -> None:
    text = scene("[roll: stealth, dc=15, who=Sarah]", "stealth: 12 + 5(skill) = *17*", "*SUCCESS* Past.")
    assert {difficulties(one)[0] for one in products("difficulty", text)} == {"11", "12", "13", "14", "16", "17"}
    failed = scene("[roll: stealth, dc=15, who=Sarah]", "stealth: 8 + 5(skill) = *13*", "*FAILED* Heard.")
    assert {difficulties(one)[0] for one in products("difficulty", failed)} == {"14", "16", "17", "18", "19"}


def test_a_group_check_keeps_one_dc() -> None:
    asked = "[roll: stealth, dc=12, who=Sarah] [roll: stealth, dc=12, who=Thorin]"
    answers = "stealth (Sarah): 9 + 5(skill) = *14*\nstealth (Thorin): 7 + 2(skill) = *9*"
    made = products("difficulty", scene(asked, answers, "*SUCCESS* Somehow."))
    assert {tuple(difficulties(one)) for one in made} == {(dc, dc) for dc in ("10", "11", "13", "14")}


@pytest.mark.parametrize("outcome", ["*SUCCESS* The lock asks for 15, and gets it.", "*SUCCESS* Fifteen is enough."])
def test_a_dc_that_the_story_says_stays(outcome: str) -> None:
    text = scene("[roll: stealth, dc=15, who=Sarah]", "stealth: 12 + 5(skill) = *17*", outcome)
    assert products("difficulty", text) == set()


def test_a_skill_bonus_stays_within_the_rules_and_its_sums_follow() -> None:
    text = scene("[roll: stealth, dc=15, who=Sarah]", "stealth: 12 + 5(skill) = *17*", "*SUCCESS* Past.")
    made = products("skill bonus", text)
    assert {Reading(one, VOCABULARY).party[0].stats["stealth"] for one in made} == {3, 7}
    for one in made:
        reading = Reading(one, VOCABULARY)
        line = reading.exchanges[0].pairs[0].line
        assert line.total == 12 + reading.party[0].stats["stealth"] == 12 + line.bonus
        assert reading.party[0].stats["perception"] == 3


def test_a_skill_bonus_never_turns_the_verdict() -> None:
    close = scene("[roll: stealth, dc=17, who=Sarah]", "stealth: 12 + 5(skill) = *17*", "*SUCCESS* Past.")
    assert {Reading(one, VOCABULARY).party[0].stats["stealth"] for one in products("skill bonus", close)} == {7}


def test_a_roll_that_may_be_anybodys_changes_nobodys_sheet() -> None:
    text = scene("[roll: stealth]", "stealth: 12 + 2(skill) = *14*", "*SUCCESS* Past.")
    assert products("skill bonus", text) == set()


def test_levels_move_within_the_tables() -> None:
    text = scene("[roll: stealth, dc=15, who=Sarah]", "stealth: 12 + 5(skill) = *17*", "*SUCCESS* Past.")
    made = products("levels", text)
    assert {Reading(one, VOCABULARY).party[0].level for one in made} == {2, 4}
    for one in made:
        sarah, thorin, _ = Reading(one, VOCABULARY).party
        level = sarah.level or 0
        assert proficiency(level) == proficiency(3)
        assert sarah.health.max == 22 + (level - 3) * 6  # a d8 is 5 on average, constitution adds 1
        assert sarah.health.current == (sarah.health.max or 0) - 2
        progress = experience_of(level)
        assert sarah.experience.next_level == progress.next_level
        assert (progress.current or 0) <= (sarah.experience.current or 0) < (progress.next_level or 0)
        assert thorin.level == 2


@pytest.mark.parametrize("said", ["You have 20 of 22 left.", "You lose hit points.", "You reach level four."])
def test_levels_stay_in_a_scene_that_speaks_of_them(said: str) -> None:
    text = scene("[roll: stealth, dc=15, who=Sarah]", "stealth: 12 + 5(skill) = *17*", f"*SUCCESS* {said}")
    assert products("levels", text) == set()


def test_the_party_changes_places_behind_its_first_player() -> None:
    text = scene("[roll: stealth, dc=15, who=Sarah]", "stealth: 12 + 5(skill) = *17*", "*SUCCESS* Past.")
    made = products("party order", text)
    assert {tuple(one.name for one in Reading(each, VOCABULARY).party) for each in made} == {
        ("Sarah", "Joss", "Thorin")
    }
    assert all(sorted(each) == sorted(text) for each in made)


def test_a_party_without_sheets_has_no_order() -> None:
    assert OPERATIONS["party order"].apply("<SYSTEM>\n# Party\nNobody.\n</SYSTEM>\n<DM>Hm.</DM>", 1, VOCABULARY) is None


def test_scenes_without_dice_are_made_of_unbroken_talk() -> None:
    talk = "<User>Who is there?</User>\n<DM>Nobody.</DM>\n"
    roll = (
        "<User>I listen.</User>\n<DM>Listen.\n\n[roll: perception, who=Sarah]</DM>\n"
        "<TOOLCALL>perception: 12 + 3(skill) = *15*</TOOLCALL>\n<DM>*SUCCESS* A mouse.</DM>\n"
    )
    assert products("no rolls", SHEETS + talk + roll + talk * 2) == {SHEETS + talk}
    assert products("no rolls", SHEETS + roll + talk + roll + talk * 2) == {SHEETS + talk * 2}
    assert products("no rolls", SHEETS + roll) == set()
    assert products("no rolls", SHEETS + talk) == set()


@pytest.mark.parametrize(("name", "text"), shipped_texts())
def test_scenes_without_dice_hold_only_words_of_their_parent(name: str, text: str) -> None:
    for made in products("no rolls", text, 1):
        turns = [turn.content for turn in Reading(made, VOCABULARY).turns]
        before = [turn.content for turn in Reading(text, VOCABULARY).turns]
        start = before.index(turns[0])
        assert before[start : start + len(turns)] == turns
        assert not any(
            one.tool and one.tool.rolls for turn in Reading(made, VOCABULARY).turns for one in turn.directives
        )
