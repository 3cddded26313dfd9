from collections.abc import Callable

import pytest

from studio.metrics import TurnCase, invented_numbers, judge_outcome
from studio.scenarios import Vocabulary


def roll(total: str, dc: str = ", dc=15") -> str:
    asked = f"<User>I sneak.</User>\n<DM>Go.\n\n[roll: stealth{dc}]</DM>\n"
    return f"{asked}<TOOLCALL>stealth: {total}</TOOLCALL>\n<DM>*FAILED* No.</DM>"


@pytest.mark.parametrize(
    ("turns", "demanded"),
    [
        (roll("9 + 7(skill) = *16*"), "success"),
        (roll("8 + 7(skill) = *15*"), "success"),  # a total of the dc succeeds
        (roll("7 + 7(skill) = *14*"), "failure"),
        (roll("7 + 7(skill) = *14*", dc=""), "either"),
        ("<User>I wait.</User>\n<DM>Rain.</DM>", "none"),
        (
            "<User>Hit.</User>\n<DM>[roll: damage, dice=1d4]</DM>\n<TOOLCALL>damage: 3 = *3*</TOOLCALL>\n<DM>Ow.</DM>",
            "none",
        ),
    ],
)
def test_the_dice_demand_an_outcome(
    make_case: Callable[[str], TurnCase], vocabulary: Vocabulary, turns: str, demanded: str
) -> None:
    assert judge_outcome(make_case(turns), "", vocabulary).demanded == demanded


@pytest.mark.parametrize(
    ("text", "coherent"),
    [
        ("*SUCCESS* Nothing stirs.", True),
        ("**Success!** Nothing stirs.", True),
        ("*FAILED* A plank creaks.", False),
        ("Nothing stirs.", False),
        ("", False),
    ],
)
def test_the_word_must_be_what_the_dice_say(
    cellar: list[TurnCase], vocabulary: Vocabulary, text: str, coherent: bool
) -> None:
    assert judge_outcome(cellar[1], text, vocabulary).coherent is coherent


def test_where_the_dice_leave_it_open_any_word_will_do(cellar: list[TurnCase], vocabulary: Vocabulary) -> None:
    assert judge_outcome(cellar[3], "*FAILED* He ducks.", vocabulary).coherent
    assert not judge_outcome(cellar[3], "He ducks.", vocabulary).coherent


def test_a_word_without_a_roll_is_incoherent(cellar: list[TurnCase], vocabulary: Vocabulary) -> None:
    assert not judge_outcome(cellar[0], "*SUCCESS* You are down.", vocabulary).coherent


@pytest.mark.parametrize(
    ("turn", "text", "count"),
    [
        (1, "*SUCCESS* With a total of 16 you are unseen.", 0),
        (1, "*SUCCESS* You rolled a 9, enough.", 0),
        (1, "*SUCCESS* With a total of 23 you are unseen.", 1),
        (1, "*SUCCESS* You rolled a natural 20!", 1),
        (1, "*SUCCESS* A dozen steps, 3 goblins, 40 feet of rope.", 0),
        (1, "stealth: 9 + 7(skill) = *16*", 0),  # it repeats what it was given
        (1, "stealth: 19 + 7(skill) = *26*", 1),
        (0, "stealth: 19 + 7(skill) = *26*", 1),
        (4, "Seven damage, and it falls.", 0),
        (4, "It takes 7 points of damage.", 0),
        (4, "It takes 12 damage.", 1),
        (4, "It resists: 3 damage.", 0),
        (0, "The trap deals 4 damage.", 0),  # no damage was rolled: the DM's own business
        (2, "[roll: attack, dc=17, target=goblin]", 0),
    ],
)
def test_numbers_about_dice_must_come_from_the_dice(
    cellar: list[TurnCase], vocabulary: Vocabulary, turn: int, text: str, count: int
) -> None:
    assert len(invented_numbers(text, cellar[turn].rolls, vocabulary)) == count
