import random

import pytest

from studio.play import Answer, DiceBox, answer
from studio.scenarios import (
    MarkdownParser,
    SystemContext,
    acting_character,
    find_directives,
    load_vocabulary,
    parse_result_lines,
)

from .conftest import SCENARIO

VOCABULARY = load_vocabulary()


@pytest.fixture
def party() -> SystemContext:
    return MarkdownParser().extract_system_context(SCENARIO)


def roll(text: str, party: SystemContext, seed: int = 1, **who: str) -> Answer:
    return answer(find_directives(text, VOCABULARY)[0], party, DiceBox(random.Random(seed)), **who)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    "directive",
    [
        "[roll: perception]",
        "[roll: stealth, advantage]",
        "[roll: dexterity_save, dc=12, disadvantage]",
        "[roll: initiative]",
        "[roll: attack, target=goblin, weapon=shortsword]",
        "[roll: damage, weapon=shortsword]",
        "[roll: damage, dice=2d6+4]",
        "[roll: damage, dice=1d8]",
        "[roll: wisdom, who=Thorin]",
    ],
)
def test_every_line_is_a_result_line_that_adds_up(party: SystemContext, directive: str, seed: int) -> None:
    result = roll(directive, party, seed, speaking_as="Sarah")
    lines = parse_result_lines(result.text, VOCABULARY)
    assert [line.problems for line in lines] == [()] * len(result.rolls)
    assert [line.total for line in lines] == [one.total for one in result.rolls]
    tool = find_directives(directive, VOCABULARY)[0].tool_name
    assert {line.tool_name for line in lines} == {tool}


def test_the_lines_have_exactly_the_form_of_the_training_scenarios(party: SystemContext) -> None:
    plain = roll("[roll: perception]", party).rolls[0]
    assert plain.line == f"perception: {plain.dice[0]} + 5(skill) = *{plain.total}*"
    better = roll("[roll: stealth, advantage]", party, speaking_as="Sarah").rolls[0]
    assert better.pair is not None
    assert better.line == (
        f"stealth: {better.dice[0]} (advantage: {better.pair[0]}, {better.pair[1]}) + 7(skill) = *{better.total}*"
    )
    damage = roll("[roll: damage, dice=2d6+4]", party).rolls[0]
    assert damage.line == f"damage: {damage.dice[0]} + {damage.dice[1]} + 4(bonus) = *{damage.total}*"
    bare = roll("[roll: damage, dice=1d8]", party).rolls[0]
    assert bare.line == f"damage: {bare.dice[0]} = *{bare.total}*"
    alone = roll("[roll: initiative, who=Sarah]", party).rolls
    assert [one.line for one in alone] == [f"initiative: {alone[0].dice[0]} + 3(dexterity) = *{alone[0].total}*"]


def test_initiative_is_rolled_by_the_whole_party_the_acting_one_first(party: SystemContext) -> None:
    rolls = roll("[roll: initiative]", party, speaking_as="Sarah").rolls
    assert [one.character for one in rolls] == ["Sarah", "Chris", "Thorin"]
    assert rolls[0].line.startswith("initiative: ")
    assert rolls[2].line.startswith("initiative (Thorin): ")


def test_the_acting_character_is_found_in_the_agreed_order(party: SystemContext) -> None:
    def name(**given: str) -> str:
        found, _ = acting_character(party, **given)
        return found.name if found else ""

    assert name(who="thorin", speaking_as="Chris", player_text="Sarah: hi") == "Thorin"
    assert name(speaking_as="Chris", player_text="Sarah: hi") == "Chris"
    assert name(player_text="Sarah: hi") == "Sarah"
    assert name(player_text="Nobody: hi") == "Chris"


def test_a_missing_sheet_or_skill_gives_zero_and_a_note(party: SystemContext) -> None:
    for result in (roll("[roll: arcana, who=Gandalf]", party), roll("[roll: athletics]", party)):
        assert result.rolls[0].bonus == 0
        assert len(result.notes) == 1
    assert roll("[roll: arcana]", party).rolls[0].bonus == 4  # from intelligence
    assert roll("[roll: perception]", SystemContext()).notes


def test_proficiency_and_ability_make_the_bonus_where_only_those_are_given() -> None:
    sheet = "## Mira\n- Player Character\n- Abilities: Dex +3, Wis -1\n- Proficiency: +2\n"
    sheet += "- Proficient in: Stealth, Dexterity save, Arcana\n- Skills: Perception +1\n"
    party = MarkdownParser().extract_system_context(f"<SYSTEM>\n# Party\n\n{sheet}</SYSTEM>")
    bonuses = {name: roll(f"[roll: {name}]", party) for name in ("stealth", "dexterity_save", "acrobatics", "arcana")}
    assert {name: one.rolls[0].bonus for name, one in bonuses.items()} == {
        "stealth": 5,
        "dexterity_save": 5,
        "acrobatics": 3,
        "arcana": 2,
    }
    assert not any(one.notes for one in bonuses.values())
    assert bonuses["stealth"].rolls[0].line.endswith(f" + 5(skill) = *{bonuses['stealth'].rolls[0].total}*")
    assert roll("[roll: perception]", party).rolls[0].bonus == 1
