"""Requests as people type them: what is understood, what is quoted, what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.scenarios import Directive, Problem, find_directives, format_directive, load_vocabulary

VOCABULARY = load_vocabulary()
TEXT = [name for name, one in VOCABULARY.arguments.items() if one.type in ("text", "character")]


def one_of(text: str) -> Directive:
    (directive,) = find_directives(text, VOCABULARY)
    return directive


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        (
            '[roll: attack, target="goblin, the big one", weapon=bow]',
            {"target": "goblin, the big one", "weapon": "bow"},
        ),
        ("[roll: attack, target=“goblin, the big one”]", {"target": "goblin, the big one"}),
        ("[roll: attack, at the goblin, with longbow]", {"target": "the goblin", "weapon": "longbow"}),
        ("[roll: stealth, Difficulty Class: 12, adv]", {"dc": "12", "advantage": "true"}),
        ("[roll: stealth, who='Jörg']", {"who": "Jörg"}),
        ("[roll: stealth, who=Tom O'Shea]", {"who": "Tom O'Shea"}),
        ("[roll: damage, dice=2D6 + 1d4 - 1]", {"dice": "2d6+1d4-1"}),
        ('[inventory: add "Rope, silk" x2]', {"action": "add", "item": "Rope, silk x2"}),
        ("[inventory: lose Lamp]", {"action": "remove", "item": "Lamp"}),
        ("[condition: remove poisoned]", {"state": "end", "condition": "poisoned"}),
        ("[spell slot: regain level 3]", {"change": "restore", "level": "3rd"}),
        ("[hit points: −6]", {"amount": "-6"}),
        ("[xp: 450]", {"amount": "+450"}),
        ("【roll：stealth，dc＝12】", {"dc": "12"}),
    ],
)
def test_arguments_are_read_in_the_ways_people_write_them(written: str, arguments: dict[str, str]) -> None:
    directive = one_of(written)
    assert directive.valid
    assert directive.arguments == arguments
    again = one_of(directive.canonical)
    assert (again.arguments, again.problems) == (arguments, ())


PLAIN = st.text(
    st.characters(blacklist_categories=("C", "Z"), blacklist_characters="[]`:=\"',(：“”„«»‘’，（＝［］【】")
).filter(str.strip)


@given(st.sampled_from(TEXT), PLAIN)
def test_any_plain_word_survives_as_a_value(name: str, value: str) -> None:
    tool = next(tool for tool in VOCABULARY.tools if name == (tool.value or (name,))[-1] and name in tool.arguments)
    arguments = {one: VOCABULARY.arguments[one].choices[0] for one in tool.value[:-1]} | {name: f"a {value}, b"}
    written = format_directive(tool, arguments)
    directive = one_of(f"x {written} y")
    assert (directive.arguments, directive.problems) == (arguments, ())


@pytest.mark.parametrize(
    "text",
    [
        "[the wind howls]",
        "[1]",
        "[sic]",
        "[History: the tower is older than the road]",
        "[Nature](https://example.org)",
        "[roll of thunder]",
        "[search]",
        "[Note: he lies]",
        "`[roll: stealth]`",
        "```\n[roll: stealth]\n```",
        "[" + "x" * 500 + "]",
        "[roll:\nstealth]",
    ],
)
def test_brackets_that_ask_for_nothing_are_left_alone(text: str) -> None:
    assert [one for one in find_directives(text, VOCABULARY) if one.tool] == []
    assert [one for one in find_directives(text, VOCABULARY) if one.valid] == []


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("[roll: damage, dice=0d6]", Problem.BAD_VALUE),
        ("[roll: stealth, dc=]", Problem.MISSING_VALUE),
        ("[roll: ]", Problem.MISSING_NAME),
        ("[roll: stealth, advantage, disadvantage]", Problem.EXCLUDED_ARGUMENT),
        ("[begin combat: goblins]", Problem.UNKNOWN_ARGUMENT),
        ("[hit points]", Problem.MISSING_VALUE),
        ("[roll: 1d20+5]", Problem.UNKNOWN_TOOL),
        ("[beginn combat]", Problem.UNKNOWN_TOOL),
    ],
)
def test_what_the_engine_cannot_do_has_its_problem(written: str, problem: Problem) -> None:
    directive = one_of(written)
    assert not directive.valid
    assert problem in {one.problem for one in directive.problems}


def test_a_save_that_is_asked_for_by_its_ability_stays_a_save() -> None:
    assert one_of("[save: dexterity]").tool_name == "dexterity_save"
    assert one_of("[saving throw: dexterity]").tool_name == "dexterity_save"
    assert one_of("[check: dexterity]").tool_name == "dexterity"
