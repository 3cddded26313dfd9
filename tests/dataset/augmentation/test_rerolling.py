"""Dice are thrown again and the story stays true: the verdict that is told, or the one that the author wrote for it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.dataset.augmentation.rerolling import RerolledDice
from studio.dataset.augmentation.rolls import SeededDice
from studio.scenarios import MarkdownParser, parse_result_line
from studio.scenarios.reading import Reading
from tests.dataset.augmentation.generated import VOCABULARY

REROLLED = RerolledDice()
HEAD = """<SYSTEM>
# Party
## Sarah
- Player Character
- Skills: Stealth +7
- Attacks: Shortsword +5 (1d6+3)
</SYSTEM>

<User>I creep on.</User>
"""


def scene(request: str, answer: str, outcome: str, after: str = "") -> str:
    return f"{HEAD}<DM>Go on.\n\n[{request}]</DM>\n<TOOLCALL>{answer}</TOOLCALL>\n<DM>{outcome}</DM>\n{after}"


def rerolls(text: str, times: int = 60) -> list[str]:
    assert MarkdownParser().validate_format(text).errors == []
    return [made for seed in range(times) if (made := REROLLED.apply(text, seed, VOCABULARY))]


def total(text: str) -> int:
    line = Reading(text, VOCABULARY).exchanges[0].pairs[0].line
    return line.total or 0


WITH_DC = scene("roll: stealth, dc=15", "stealth: 9 + 7(skill) = *16*", "*SUCCESS* You are past.")
OTHERWISE = "\n<!-- otherwise:\n<DM>*FAILED* A bottle rolls.</DM>\n-->\n"


def test_without_an_alternative_every_throw_keeps_the_verdict() -> None:
    totals = {total(made) for made in rerolls(WITH_DC)}
    assert min(totals) >= 15
    assert len(totals) > 6


def test_with_an_alternative_the_other_verdict_tells_the_authors_other_turn() -> None:
    made = rerolls(WITH_DC + OTHERWISE)
    failed = [one for one in made if total(one) < 15]
    assert 0.15 < len(failed) / len(made) < 0.6  # 7 of 20 faces fail; never less than one in seven of 60 fair throws
    for one in failed:
        reading = Reading(one, VOCABULARY)
        assert reading.turns[-1].content == "*FAILED* A bottle rolls."
        assert "<!-- otherwise:\n<DM>*SUCCESS* You are past.</DM>\n-->" in one
        assert MarkdownParser().validate_format(one).errors == []


@pytest.mark.parametrize(
    "comment",
    [
        "<!-- otherwise: <DM>It fails without saying so.</DM> -->",
        "<!-- otherwise: <DM>*FAILED* A bottle rolls. [roll: damage]</DM> -->",
        "<!-- otherwise: <DM>*FAILED* One.</DM><DM>Two.</DM> -->",
        "<!-- <DM>*FAILED* No mark.</DM> -->",
        "<!-- otherwise: *FAILED* No turn. -->",
    ],
)
def test_a_comment_that_is_no_usable_alternative_changes_nothing(comment: str) -> None:
    made = rerolls(WITH_DC + comment)
    assert made
    assert all(total(one) >= 15 and one.endswith(comment) for one in made)


@pytest.mark.parametrize(("word", "fits"), [("*SUCCESS*", lambda new: new >= 16), ("*FAILED*", lambda new: new <= 16)])
def test_without_a_dc_a_success_is_never_lower_and_a_failure_never_higher(
    word: str, fits: Callable[[int], bool]
) -> None:
    made = rerolls(scene("roll: stealth", "stealth: 9 + 7(skill) = *16*", f"{word} So it goes.") + OTHERWISE)
    assert made
    assert all(fits(total(one)) for one in made)


def test_numbers_that_the_story_says_stay() -> None:
    said = scene("roll: stealth, dc=15", "stealth: 9 + 7(skill) = *16*", "*SUCCESS* Sixteen! You are past.")
    assert rerolls(said) == []
    damage = scene("roll: damage, dice=1d6+3", "damage: 4 + 3(bonus) = *7*", "He loses 7 of his nine lives.")
    assert rerolls(damage) == []
    books = scene("roll: damage, dice=1d6+3", "damage: 4 + 3(bonus) = *7*", "[hit points: -2]\n\nHe staggers.")
    assert rerolls(books) == []


def test_damage_is_thrown_with_the_same_dice() -> None:
    text = scene("roll: damage, dice=2d4+1d8+3", "damage: 4 + 1 + 8 + 3(bonus) = *16*", "He staggers.")
    lines = [Reading(one, VOCABULARY).exchanges[0].pairs[0].line for one in rerolls(text)]
    assert len({line.dice for line in lines}) > 20
    assert all(max(line.dice[:2]) <= 4 and line.dice[2] <= 8 and len(line.dice) == 3 for line in lines)
    assert all(line.total == sum(line.dice) + 3 for line in lines)


def test_a_natural_twenty_stays_and_no_other_attack_becomes_one() -> None:
    critical = scene("roll: attack, dc=12", "attack: 20 + 5(attack) = *25*", "*SUCCESS* Right through.")
    assert rerolls(critical) == []
    plain = rerolls(scene("roll: attack, dc=12", "attack: 10 + 5(attack) = *15*", "*SUCCESS* A hit."), 200)
    dice = {Reading(one, VOCABULARY).exchanges[0].pairs[0].line.dice[0] for one in plain}
    assert dice <= set(range(7, 20))
    assert len(dice) > 8


def test_initiative_keeps_its_order() -> None:
    sheets = HEAD.replace("</SYSTEM>", "## Thorin\n- NPC\n- Initiative: +1\n</SYSTEM>")
    text = (
        f"{sheets}<DM>Now!\n\n[roll: initiative]</DM>\n<TOOLCALL>initiative: 5 + 0(dexterity) = *5*\n"
        "initiative (Thorin): 11 + 1(dexterity) = *12*</TOOLCALL>\n<DM>Thorin is first.</DM>"
    )
    made = rerolls(text)
    assert made
    for one in made:
        first, second = (pair.line.total or 0 for pair in Reading(one, VOCABULARY).exchanges[0].pairs)
        assert first < second
    alone = scene("roll: initiative", "initiative: 5 + 0(dexterity) = *5*", "You are last.")
    assert rerolls(alone) == []


@given(st.integers(), st.integers(1, 6), st.sampled_from([4, 6, 8, 10, 12, 20]))
def test_seeded_dice_show_what_such_dice_can_show(seed: int, count: int, sides: int) -> None:
    thrown = SeededDice(random.Random(seed)).throw(f"{count}d{sides}+3")
    assert thrown == SeededDice(random.Random(seed)).throw(f"{count}d{sides}+3")
    assert len(thrown.dice) == count
    assert all(1 <= die <= sides for die in thrown.dice)
    assert thrown.bonus == 3


def test_seeded_dice_keep_the_right_one_of_two_and_refuse_what_they_cannot_throw() -> None:
    dice = SeededDice(random.Random(4))
    for mode, pick in (("advantage", max), ("disadvantage", min)):
        for _ in range(50):
            thrown = dice.throw("1d20", mode)
            assert thrown.pair
            assert thrown.dice == (pick(thrown.pair),)
    faces = Counter(dice.throw("1d6").dice[0] for _ in range(600))
    assert set(faces) == set(range(1, 7))
    for wrong in ("", "d", "2x6", "1d0"):
        with pytest.raises(ValueError, match="cannot be thrown"):
            dice.throw(wrong)


def test_other_modifiers_of_a_line_stay() -> None:
    text = scene("roll: stealth, dc=15", "stealth: 9 + 7(skill) + 2(bless) = *18*", "*SUCCESS* You are past.")
    for made in rerolls(text):
        line = parse_result_line(Reading(made, VOCABULARY).turns[2].content, VOCABULARY)
        assert [(one.amount, one.label) for one in line.modifiers] == [(7, "skill"), (2, "bless")]
        assert line.valid
