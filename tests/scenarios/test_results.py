"""Answers of all three shapes: rolls, changes, and what is simply done; and which request a line answers."""

from __future__ import annotations

import pytest

from studio.scenarios import MarkdownParser, load_vocabulary, parse_result_line
from studio.scenarios.checks.rule import example_file

VOCABULARY = load_vocabulary()
PARSER = MarkdownParser()


@pytest.mark.parametrize("tool", VOCABULARY.tools, ids=lambda tool: tool.name)
def test_every_request_has_an_answer_that_is_read_and_written_alike(tool: object) -> None:
    label = f"({tool.label})"
    line = {
        "roll": f"{tool.name} (Sarah): 12 + 5{label} = *17*",
        "change": f"{tool.spoken} (Sarah): 12 + 5 = *17*",
        "done": f"{tool.spoken} (Sarah): *done*",
    }[tool.result]
    read = parse_result_line(line, VOCABULARY)
    assert (read.tool, read.actor, read.problems, read.canonical) == (tool, "Sarah", (), line)


@pytest.mark.parametrize(
    ("request_", "answer", "right"),
    [
        ("[hit points: -6]", "hit points: 17 - 6 = *11*", True),
        ("[hit points: -6]", "hit points: 17 - 5 = *12*", False),
        ("[hit points: +6]", "hit points: 17 - 6 = *11*", False),
        ("[experience: +300]", "experience: 800 + 300 = *1100*", True),
        ("[inventory: remove Health Potion x2]", "inventory: 3 - 2 = *1*", True),
        ("[inventory: remove Health Potion x2]", "inventory: 3 - 1 = *2*", False),
        ("[inventory: add 50 gold pieces]", "inventory: 10 + 50 = *60*", True),
        ("[inventory: add Rope]", "inventory: 0 + 1 = *1*", True),
        ("[spell slot: 1st]", "spell slot: 4 - 1 = *3*", True),
        ("[spell slot: restore 1st]", "spell slot: 3 - 1 = *2*", False),
    ],
)
def test_the_answer_to_a_change_must_be_that_change(request_: str, answer: str, right: bool) -> None:
    turns = f"<User>On.</User>\n\n<DM>So be it.\n\n{request_}</DM>\n\n<TOOLCALL>{answer}</TOOLCALL>\n\n<DM>And on.</DM>"
    found = [one for one in PARSER.validate_format(example_file("turns", turns)).diagnostics if one.code[0] == "T"]
    assert [one.code for one in found] == ([] if right else ["T029"])
    assert all(one.fix is not None for one in found)


@pytest.mark.parametrize("line", ["condition: poisoned, badly", "rest: 8 + 1 = *9*", "begin combat: 3"])
def test_what_is_only_done_takes_no_numbers(line: str) -> None:
    assert parse_result_line(line, VOCABULARY).canonical is None


def test_lines_find_their_request_by_name_and_by_who_rolls() -> None:
    text = (
        "<User>Go.</User>\n<DM>All of you!\n[roll: stealth, who=Bo]\n[roll: stealth, who=Sarah]\n[roll: arcana]</DM>\n"
        "<TOOLCALL>stealth (Sarah): 9 + 7(skill) = *16*\narcana: 4 - 1(skill) = *3*\nstealth (Bo): 2 + 0(skill) = *2*"
        "</TOOLCALL>\n<DM>*FAILED* Noise.</DM>"
    )
    calls = PARSER.extract_conversation(text)[1].tool_calls
    assert [(one.tool_name, one.arguments.get("who"), one.result.partition(":")[0]) for one in calls] == [
        ("stealth", "Bo", "stealth (Bo)"),
        ("stealth", "Sarah", "stealth (Sarah)"),
        ("arcana", None, "arcana"),
    ]


def test_initiative_of_everyone_takes_a_line_for_each() -> None:
    text = (
        "<User>Go.</User>\n<DM>They draw.\n[roll: initiative]\n[begin combat]</DM>\n"
        "<TOOLCALL>initiative: 9 + 3(dexterity) = *12*\n"
        "initiative (Goblin 1): 5 + 2(dexterity) = *7*\ninitiative (Goblin 2): 8 + 2(dexterity) = *10*</TOOLCALL>\n"
        "<DM>You are first.</DM>"
    )
    assert len(PARSER.extract_conversation(text)[1].tool_calls[0].result.splitlines()) == 3
    found = PARSER.validate_format(example_file("turns", text)).diagnostics
    assert [one for one in found if one.code[0] == "T"] == []
