"""Snippets are what the language reads, and answers are rolled with the sheet's bonus."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.play.turns.dice import DiceBox
from studio.scenarios import MarkdownParser, load_vocabulary, parse_result_line
from studio.scenarios.library import (
    SnippetError,
    directive_text,
    insert,
    insert_answer,
    insert_otherwise,
    open_requests,
    rolled_line,
)

WORDS = load_vocabulary()
SYSTEM = (
    "<SYSTEM>\n# Party\n\n## Ilse\n- Player Character\n- Skills: Stealth +7\n- Abilities: Dex +2\n"
    "- Attacks: Longsword +5 (1d8+3)\n\n## Osk\n- NPC Companion\n- Skills: Medicine +6\n- Abilities: Dex -1\n"
    "</SYSTEM>\n\n"
)
ASKS = SYSTEM + "<User>I sneak.</User>\n\n<DM>Go on.\n\n[roll: stealth, advantage]</DM>\n\n<User>And?</User>\n"


def box(seed: int = 1) -> DiceBox:
    return DiceBox(random.Random(seed))


def test_a_directive_is_written_in_the_canonical_form() -> None:
    assert directive_text("Sneak", {"dc": "14"}) == "[roll: stealth, dc=14]"
    assert directive_text("begin combat") == "[begin combat]"
    for tool, arguments in (("nonsense", {}), ("stealth", {"dc": "many"}), ("stealth", {"target": "a] [b"})):
        with pytest.raises(SnippetError):
            directive_text(tool, arguments)


@given(seed=st.integers(0, 10_000))
def test_a_rolled_line_is_valid_uses_the_sheet_and_depends_on_the_dice_alone(seed: int) -> None:
    party = MarkdownParser().extract_system_context(SYSTEM).party
    tool = WORDS.by_name["stealth"]
    line = rolled_line(tool, {"disadvantage": "true"}, party[0], box(seed))
    read = parse_result_line(line, WORDS)
    assert read.valid
    assert (read.tool_name, read.bonus, read.mode) == ("stealth", 7, "disadvantage")
    assert 8 <= (read.total or 0) <= 27
    assert line == rolled_line(tool, {"disadvantage": "true"}, party[0], box(seed))


def test_damage_takes_dice_and_bonus_from_the_weapon() -> None:
    party = MarkdownParser().extract_system_context(SYSTEM).party
    read = parse_result_line(rolled_line(WORDS.by_name["damage"], {}, party[0], box()), WORDS)
    assert (read.valid, read.bonus, len(read.dice)) == (True, 3, 1)
    with pytest.raises(SnippetError):
        rolled_line(WORDS.by_name["begin_combat"], {}, party[0], box())


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_the_answer_goes_after_the_turn_that_asks(newline: str) -> None:
    text = ASKS.replace("\n", newline)
    position = text.index("Go on")
    assert [one.tool_name for one in open_requests(text, position)] == ["stealth"]
    done = insert_answer(text, position, box())
    assert done.text.startswith(text[: text.index("</DM>") + 5] + newline * 2 + "<TOOLCALL>stealth: ")
    assert done.text.endswith(f"</TOOLCALL>{newline * 2}<User>And?</User>{newline}")
    assert done.text[: done.cursor].endswith("</TOOLCALL>")
    call = next(call for turn in MarkdownParser().extract_conversation(done.text) for call in turn.tool_calls)
    assert call.result is not None
    assert open_requests(done.text, position) == []
    with pytest.raises(SnippetError):
        insert_answer(done.text, position, box())


def test_who_is_named_who_spoke_and_the_whole_party_roll_in_turn() -> None:
    named = insert_answer(SYSTEM + "<DM>Now.\n[roll: medicine, who=Osk]</DM>", 10_000, box())
    assert "+ 6(skill)" in named.text
    spoke = insert_answer(SYSTEM + "<User>Osk: I look.</User>\n<DM>Now.\n[roll: medicine]</DM>", 10_000, box())
    assert "+ 6(skill)" in spoke.text
    everybody = insert_answer(SYSTEM + "<DM>Now.\n[roll: initiative]</DM>", 10_000, box())
    lines = everybody.text[everybody.text.index("<TOOLCALL>") + 10 :].splitlines()
    assert lines[0].startswith("initiative: ")
    assert "+ 2(dexterity)" in lines[0]
    assert lines[1].startswith("initiative (Osk): ")
    assert "- 1(dexterity)" in lines[1]


def test_a_turn_that_is_half_answered_gets_the_missing_line() -> None:
    text = (
        SYSTEM + "<DM>Now.\n[roll: stealth]\n[roll: medicine]</DM>\n<TOOLCALL>stealth: 3 + 7(skill) = *10*</TOOLCALL>\n"
    )
    done = insert_answer(text, len(text), box())
    assert done.text.count("<TOOLCALL>") == 1
    assert "*10*\nmedicine: " in done.text


def test_nothing_waits_where_no_dm_turn_stands() -> None:
    for text in ("", "<User>x</User>", SYSTEM + "<DM>[begin combat]</DM>"):
        with pytest.raises(SnippetError):
            insert_answer(text, 0, box())


@given(
    text=st.text(alphabet="ab <>/DM\r\n", max_size=30),
    position=st.integers(-5, 40),
    snippet=st.sampled_from(["[x]", "a\nb"]),
)
def test_inserting_adds_only_the_snippet_and_line_ends(text: str, position: int, snippet: str) -> None:
    done = insert(text, position, snippet)
    at = min(max(position, 0), len(text))
    assert done.text.startswith(text[:at])
    assert done.text.endswith(text[at:])
    middle = done.text[at : len(done.text) - len(text[at:])]
    assert middle.split() == snippet.split()
    assert done.text[: done.cursor].endswith(snippet[-1])


def test_a_directive_goes_on_a_line_of_its_own() -> None:
    text = "<DM>You listen.</DM>"
    assert insert(text, text.index("</DM>"), "[roll: perception]").text == "<DM>You listen.\n[roll: perception]</DM>"


TOLD = (
    SYSTEM + "<User>I sneak.</User>\n\n<DM>Go on.\n\n[roll: stealth]</DM>\n\n"
    "<TOOLCALL>stealth: 9 + 7(skill) = *16*</TOOLCALL>\n\n<DM>*{}* There.{}</DM>\n\n"
    "<User>And?</User>\n\n<DM>Rest.</DM>\n"
)


@pytest.mark.parametrize(("told", "other"), [("SUCCESS", "FAILED"), ("FAILED", "SUCCESS")])
@pytest.mark.parametrize("asked", ["", " [condition: hidden]\n\n[begin combat]"])
def test_an_alternative_has_the_other_outcome_and_the_same_requests(told: str, other: str, asked: str) -> None:
    text = TOLD.format(told, asked)
    for newline in ("\n", "\r\n"):
        written = text.replace("\n", newline)
        done = insert_otherwise(written, written.index("There"))
        assert done.text[: done.cursor].endswith(f"<!-- otherwise:{newline}<DM>*{other}* ")
        full = done.text[: done.cursor] + "Hush." + done.text[done.cursor :]
        found = {one.code for one in MarkdownParser().validate_format(full).diagnostics}
        assert not found & {"S031", "S032", "S033", "S034"}
        again = insert_otherwise(full, full.index("There"))
        assert again.text == full, "one alternative is enough; the cursor goes to its end"
        assert full[again.cursor :].startswith("</DM>")


@pytest.mark.parametrize("place", ["I sneak", "Go on", "Rest"])
def test_there_is_no_alternative_where_no_outcome_is_told(place: str) -> None:
    text = TOLD.format("SUCCESS", "")
    with pytest.raises(SnippetError):
        insert_otherwise(text, text.index(place))
