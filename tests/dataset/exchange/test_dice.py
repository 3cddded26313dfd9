"""Dice of bots become answers when every number is there, and stay text when one is missing or wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.dataset.exchange.dice import read_dice
from studio.scenarios import find_directives, load_vocabulary, parse_result_line

VOCABULARY = load_vocabulary()


def read(text: str, above: str = "", actor: str | None = None) -> tuple[str, str] | None:
    found = read_dice(text, above, actor, VOCABULARY)
    return (found.request, found.result) if found else None


@pytest.mark.parametrize(
    ("text", "request_text", "result"),
    [
        ("Perception: 1d20+5 = 17", "[roll: perception]", "perception: 12 + 5(skill) = *17*"),
        ("Sleight of Hand check d20 = 4", "[roll: sleight_of_hand]", "sleight_of_hand: 4 + 0(skill) = *4*"),
        ("dex save: 1d20 (7) - 1 = `6`", "[roll: dexterity_save]", "dexterity_save: 7 - 1(save) = *6*"),
        ("To Hit: 1d20 (**20**) + 6 = **26**", "[roll: attack]", "attack: 20 + 6(attack) = *26*"),
        (
            "Stealth 2d20kh1 (~~3~~, 15) + 4 = `19`",
            "[roll: stealth, advantage]",
            "stealth: 15 (advantage: 3, 15) + 4(skill) = *19*",
        ),
        (
            "Stealth 2d20kl1 (3, ~~15~~) + 4 = 7",
            "[roll: stealth, disadvantage]",
            "stealth: 3 (disadvantage: 3, 15) + 4(skill) = *7*",
        ),
        ("Damage: 2d6 (4, 3) + 3 = 10", "[roll: damage, dice=2d6+3]", "damage: 4 + 3 + 3(bonus) = *10*"),
        ("damage 1d8 = 5", "[roll: damage, dice=1d8]", "damage: 5 = *5*"),
        ("Arcana rolling 1d20+5 = (12)+5 = 17", "[roll: arcana]", "arcana: 12 + 5(skill) = *17*"),
        ("Insight [1d20+2+1] 1d20 + 2 + 1 = 14", "[roll: insight]", "insight: 11 + 3(skill) = *14*"),
    ],
)
def test_complete_numbers_are_an_answer(text: str, request_text: str, result: str) -> None:
    assert read(text) == (request_text, result)
    assert parse_result_line(result, VOCABULARY).valid
    assert find_directives(request_text, VOCABULARY)[0].valid


def test_the_line_above_says_what_and_who() -> None:
    assert read("1d20 (12) + 3 = `15`", "Bob makes a Stealth check!") == (
        "[roll: stealth, who=Bob]",
        "stealth (Bob): 12 + 3(skill) = *15*",
    )
    assert read("Stealth: 1d20+3 = 15", "", "Sarah") == (
        "[roll: stealth, who=Sarah]",
        "stealth (Sarah): 12 + 3(skill) = *15*",
    )


@pytest.mark.parametrize(
    "text",
    [
        "1d20+5 = 17",
        "Perception: 1d20+5",
        "Perception: 1d20+5 = 27",
        "Perception: 1d20+5 = 5",
        "Perception: 1d20 (12) + 5 = 18",
        "Perception: 1d20+5 = (12)+4 = 17",
        "Perception: 2d20 (3, 4) = 7",
        "Perception: 1d12+5 = 12",
        "Damage: 2d6+3 = 10",
        "Damage: 2d6 (4) + 3 = 7",
        "Damage: 1d6 (9) + 3 = 12",
        "Stealth: 3d20kh1 (1, 2, 3) = 3",
        "hit points: 1d20 = 3",
        "x" * 500 + " Perception: 1d20+5 = 17",
    ],
)
def test_a_missing_or_impossible_number_is_no_answer(text: str) -> None:
    assert read(text) is None


@given(st.integers(1, 20), st.integers(-5, 15), st.sampled_from(["stealth", "history", "wisdom save"]))
def test_what_is_read_adds_up(die: int, bonus: int, name: str) -> None:
    found = read_dice(
        f"{name}: 1d20 ({die}) {'-' if bonus < 0 else '+'} {abs(bonus)} = {die + bonus}", "", None, VOCABULARY
    )
    assert found is not None
    line = parse_result_line(found.result, VOCABULARY)
    assert (line.dice, line.bonus, line.total, line.problems) == ((die,), bonus, die + bonus, ())


@given(st.text(alphabet="d0123456789+-()[]=*~, `abcSt", max_size=400))
def test_no_text_raises_or_hangs(text: str) -> None:
    read_dice(text, text, None, VOCABULARY)
