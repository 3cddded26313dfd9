"""Paraphrase slots: authors write the choices, nobody who reads a scenario as a conversation sees the braces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.dataset.augmentation import expand_slots, has_slots
from studio.metrics import turn_cases
from studio.scenarios import MarkdownParser, TrainingScenario, load_vocabulary, parse_tree, to_messages
from studio.scenarios.slots import Choice, expand, find_braces, has, seed_of

PARSER = MarkdownParser()
SYSTEM = "<SYSTEM>\n# Role\nDM\n# World\n{Faerun|Eberron}\n# Location\nA cellar\n# Party\n</SYSTEM>\n"
PIECES = ("{", "|", "}", "a", "bc ", "`", "```\n", "\n", "\n\n", "[", "]", "[roll: stealth]", "愛", "{x|y}", "é|")


def read(turns: str) -> TrainingScenario:
    return PARSER.parse_text(SYSTEM + turns)


def said(turns: str, seed: int | None = None) -> list[str]:
    return [one.content for one in to_messages(read(turns), seed)[1:]]


@pytest.mark.parametrize(
    ("written", "first"),
    [
        ("{Dark|Cold} it is.", "Dark it is."),
        ("{very |}dark", "very dark"),
        ("{|very }dark", "dark"),
        ("{a {b|c}|d}", "a b"),
        ("{{b|c}|d}", "b"),
        ("{x {a|b}}", "{x a}"),
        ("one\n{two\nlines|three}", "one\ntwo\nlines"),
        ("{a|b} and {a {c|d}", "a and {a c"),
        ("[roll: attack, target={goblin|orc}]", "[roll: attack, target=goblin]"),
        ("{[roll: stealth]|You wait.}", "[roll: stealth]"),
    ],
)
def test_the_first_option_is_read_where_no_seed_is_given(written: str, first: str) -> None:
    assert expand(written) == first


@pytest.mark.parametrize(
    "written",
    ["{", "}", "{}", "{x}", "a | b", "{a|b", "a|b}", "`{a|b}`", "```\n{a|b}\n```", "{a\n\n|b}", "}a|b{", "| a | b |"],
)
def test_other_braces_and_bars_are_ordinary_text(written: str) -> None:
    assert not has(written)
    assert expand(written, 3) == written


def test_every_option_comes_up_and_a_seed_always_gives_the_same() -> None:
    text = "{red|green {pale|dark}|blue}"
    made = {seed: expand(text, seed) for seed in range(60)}
    assert set(made.values()) == {"red", "green pale", "green dark", "blue"}
    assert all(expand(text, seed) == words for seed, words in made.items())


def test_square_brackets_leave_no_choice_because_a_request_must_fit_its_answer() -> None:
    text = "{You listen. [roll: perception]|You wait.} [roll: attack, target={goblin|orc}]"
    assert {expand(text, seed) for seed in range(30)} == {
        "You listen. [roll: perception] [roll: attack, target=goblin]"
    }


@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join), st.integers(0, 2**64))
def test_whatever_is_written_no_slot_is_left_and_the_file_and_its_messages_agree(text: str, seed: int) -> None:
    words = expand(text, seed)
    assert words == expand(text, seed)
    assert not has(words)
    file = f"{SYSTEM}<User>{text}</User>\n<DM>{text}{{p|q|r}}</DM>\n"
    assert to_messages(PARSER.parse_text(file), seed) == to_messages(PARSER.parse_text(expand_slots(file, seed)), seed)
    assert not has_slots(expand_slots(file, seed))


@given(st.lists(st.sampled_from(PIECES), max_size=24).map("".join))
def test_reading_a_text_with_slots_loses_nothing_of_it(text: str) -> None:
    file = f"{SYSTEM}<DM>{text}</DM>"
    tree = parse_tree(file)
    assert "".join(file[node.start : node.end] for node in tree.nodes) == file
    for slot in find_braces(text).slots:
        assert (text[slot.start], text[slot.end - 1]) == ("{", "}")
        assert all(text[bar] == "|" for bar in slot.bars)
        assert all(slot.start < one.start < one.end < slot.end for one in slot.inside)


def test_no_role_sees_a_brace_and_only_players_and_dm_leave_a_choice() -> None:
    turns = "<User>{I|We} go.</User><DM>{Yes|No}.</DM><TOOLCALL>{a|b}</TOOLCALL><DM>`{x|y}`</DM>"
    made = {tuple(one.content for one in to_messages(read(turns), seed)) for seed in range(40)}
    assert {one[0] for one in made} == {read(turns).system_context.text.replace("{Faerun|Eberron}", "Faerun")}
    assert {one[1] for one in made} == {"I go.", "We go."}
    assert {one[2] for one in made} == {"Yes.", "No."}
    assert {one[3:] for one in made} == {("a", "`{x|y}`")}
    assert said(turns) == ["I go.", "Yes.", "a", "`{x|y}`"]


def test_the_seed_of_a_text_is_the_same_on_every_machine() -> None:
    assert seed_of("a") == 0xCA978112CA1BBDCA
    assert seed_of("\udc80") != seed_of("a")


def test_one_choice_goes_through_a_whole_scenario() -> None:
    choice = Choice(5)
    turns = "<User>{a|b}{c|d}</User><DM>{e|f}{g|h}</DM>"
    assert said(turns, 5) == [choice.words("{a|b}{c|d}"), choice.words("{e|f}{g|h}")]


def test_tool_calls_and_the_cases_of_an_evaluation_hold_the_words_that_are_read() -> None:
    turns = (
        "<User>{I hit|I strike} it.</User><DM>Do. [roll: attack, target={goblin|orc}]</DM>"
        "<TOOLCALL>attack: 12 + 5(skill) = *17*</TOOLCALL><DM>*SUCCESS* {It falls|It is down}.</DM>"
    )
    scenario = read(turns)
    assert scenario.conversation[1].tool_calls[0].arguments == {"target": "goblin"}
    asked, told = turn_cases(scenario, load_vocabulary())
    assert asked.player_text == "I hit it."
    assert [one.arguments for one in asked.expected] == [{"target": "goblin"}]
    assert told.authored == "*SUCCESS* It falls."
    assert [one.request.arguments for one in told.rolls if one.request] == [{"target": "goblin"}]
    assert all("{" not in one.content for one in told.context)


@pytest.mark.parametrize("text", ["{a|" * 50_000, "{" * 100_000, "{a|b}" * 50_000, "{a|" * 30_000 + "b}" * 30_000])
def test_hostile_braces_are_read_in_linear_time(text: str) -> None:
    assert not has(expand(text, 1))
