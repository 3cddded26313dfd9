"""What the editor's parts in the browser are told: edits that make one text of another, problems, outline, words."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from studio.play import DiceBox
from studio.scenarios import BOM, Diagnostic, MarkdownParser, find_directives, load_vocabulary, parse_tree
from studio.scenarios.library import SnippetError, editor_text
from studio.scenarios.otherwise import find_otherwise
from studio.ui.desk import DeskAction, TextEdit, completion_words, outline, problem_rows, text_edits
from studio.ui.desk_actions import carry_out
from studio.ui.editor import Positions, markers, system_row

VOCABULARY = load_vocabulary()
PARSER = MarkdownParser(VOCABULARY)
TEXT = """<SYSTEM>
# Role
You are the Dungeon Master.

# World
A forest.

# Location
A clearing.

# Party

## Ada
- Player Character
- Level 1
- Health: 9/9
- Skills: Perception +5
</SYSTEM>

<User>Ada: I listen. 🐉</User>

<DM>🐉 Hush. [roll: perceptoin]</DM>
"""
PIECES = st.lists(st.sampled_from(["a", "🐉", "é", "\n", "<DM>", "x y\n", "\u2028", "\x0c"]), max_size=25).map("".join)


def made(text: str, edits: list[TextEdit]) -> str:
    """What a browser makes of a text: the edits from the last to the first, in UTF-16 columns."""
    lines = [line.encode("utf-16-le", "surrogatepass") for line in text.split("\n")]
    for one in reversed(edits):
        head = lines[one["startRow"]][: 2 * one["startCol"]]
        tail = lines[one["endRow"]][2 * one["endCol"] :]
        new = [line.encode("utf-16-le", "surrogatepass") for line in one["text"].split("\n")]
        lines[one["startRow"] : one["endRow"] + 1] = [*new[:-1], new[-1] + tail]
        lines[one["startRow"]] = head + lines[one["startRow"]]
    return "\n".join(line.decode("utf-16-le", "surrogatepass") for line in lines)


def found(text: str) -> list[Diagnostic]:
    return PARSER.validate_format(text).diagnostics


def action(kind: str, text: str, place: str = "", **more: object) -> DeskAction:
    """A click with the cursor behind `place`."""
    row, column = Positions(text).place(text.index(place) + len(place) if place else len(text))
    return DeskAction.model_validate(
        {"action": kind, "text": editor_text(text), "version": 1, "row": row, "column": column, **more}
    )


def after(text: str, kind: str, place: str = "", **more: object) -> str:
    done = carry_out(text, action(kind, text, place, **more), VOCABULARY, DiceBox(random.Random(3)))
    assert done is not None
    return done.text


@given(PIECES, PIECES)
def test_the_edits_make_the_new_text_of_the_old(old: str, new: str) -> None:
    assert made(old, text_edits(old, new)) == new


def test_lines_that_did_not_change_are_left_alone() -> None:
    edits = text_edits("a\nb\nc\nd\n", "a\nB\nc\nd!\n")
    assert [(one["startRow"], one["text"]) for one in edits] == [(1, "B"), (3, "!")]


@given(PIECES, st.data())
def test_a_place_in_the_editor_is_the_place_in_the_text(text: str, data: st.DataObject) -> None:
    text = BOM + text if data.draw(st.booleans()) else text
    first = len(BOM) if text.startswith(BOM) else 0
    offset = data.draw(st.integers(first, len(text)))
    assert Positions(text).offset(*Positions(text).place(offset)) == offset


@given(PIECES, st.integers(0, 99), st.integers(0, 99))
def test_a_place_outside_the_text_becomes_one_inside(text: str, row: int, column: int) -> None:
    assert 0 <= Positions(text).offset(row, column) <= len(text)


def test_a_problem_carries_the_edit_that_mends_it() -> None:
    (row,) = [one for one in problem_rows(TEXT, found(TEXT)) if one["code"] == "T003"]
    assert row["edits"]
    assert "[roll: perception]" in made(TEXT, row["edits"])
    assert (row["level"], row["row"]) == ("error", TEXT[: TEXT.index("perceptoin")].count("\n"))


@pytest.mark.parametrize("code", ["S014", "S015"])
def test_what_an_editor_does_not_show_is_mended_in_the_file(code: str) -> None:
    text = (BOM + TEXT).replace("\n", "\r\n")
    (row,) = [one for one in problem_rows(text, found(text)) if one["code"] == code]
    assert row["edits"] is None
    fixed = after(text, "fix", code=code, start=row["start"])
    assert code not in {one.code for one in found(fixed)}
    assert editor_text(fixed) == editor_text(text)


def test_the_worst_problems_come_first_and_no_more_than_the_limit() -> None:
    text = TEXT + "<DM>[roll: nonsense] and <b>bold</b></DM>\n" * 50
    rows = problem_rows(text, found(text), limit=10)
    assert len(rows) == 10
    assert {one["level"] for one in rows} == {"error"}


def test_the_outline_names_scene_characters_and_turns_and_marks_trouble() -> None:
    rows = outline(PARSER.parse_text(TEXT), TEXT, system_row(markers(TEXT, VOCABULARY)))
    assert [(one["kind"], one["who"].strip()) for one in rows] == [
        ("SYSTEM", ""), ("Character", "Ada"), ("User", "Ada:"), ("DM", ""),
    ]  # fmt: skip
    assert [TEXT.split("\n")[one["row"]][:6] for one in rows] == ["<SYSTE", "## Ada", "<User>", "<DM>🐉 "]
    assert [one["worst"] for one in rows] == ["", "", "", "error"]


def test_completion_offers_only_requests_that_are_valid_as_they_stand() -> None:
    words = [one["text"] for one in completion_words(VOCABULARY) if one["text"].startswith("[")]
    assert len(words) == len(VOCABULARY.tools)
    for word in words:
        (read,) = find_directives(word, VOCABULARY)
        assert read.valid, word


def test_completion_offers_the_arguments_that_a_request_takes() -> None:
    stealth = next(one for one in completion_words(VOCABULARY) if one["text"] == "[roll: stealth]")
    assert {"dc=", "advantage", "disadvantage", "who="} <= {one["text"] for one in stealth["arguments"]}


def test_a_new_turn_stands_after_the_block_of_the_cursor() -> None:
    assert after(TEXT, "turn", "I listen", speaker="DM").count("</User>\n\n<DM></DM>\n\n<DM>🐉") == 1
    assert after("", "turn", speaker="User") == "<User></User>"


def test_a_request_goes_into_the_dm_turn_of_the_cursor_or_into_a_new_one() -> None:
    inside = after(TEXT, "ask", "Hush. ", request="[roll: stealth]")
    assert "Hush. \n[roll: stealth]\n[roll: perceptoin]</DM>" in inside
    outside = after(TEXT, "ask", "I listen", request="[roll: stealth]")
    assert "</User>\n\n<DM>\n\n[roll: stealth]</DM>\n" in outside


def test_the_answer_is_really_rolled_with_the_bonus_of_the_sheet() -> None:
    text = TEXT.replace("perceptoin", "perception")
    rolled = after(text, "roll", "Hush")
    (line,) = [one for one in rolled.split("\n") if one.startswith("<TOOLCALL>")]
    assert "+ 5(skill)" in line
    assert [one.code for one in found(rolled) if one.severity == "error"] == []


def test_no_answer_where_nothing_asks() -> None:
    with pytest.raises(SnippetError):
        after(TEXT.replace("[roll: perceptoin]", ""), "roll")


def test_one_click_fixes_all_that_is_safe() -> None:
    text = TEXT.replace("<User>", "<user>").replace("</DM>", "</dm>")
    fixed = after(text, "fix_all")
    assert "<User>Ada" in fixed
    assert "</DM>" in fixed


def test_a_fix_that_is_gone_changes_nothing() -> None:
    gone = action("fix", TEXT, code="T003", start=1)
    assert carry_out(TEXT, gone, VOCABULARY, DiceBox(random.Random(3))) is None


@pytest.mark.parametrize(
    "wrong", [{"action": "format_disk"}, {"row": -1}, {"version": "x"}, {"request": "x" * 500}, {"speaker": "SYSTEM"}]
)
def test_what_a_browser_may_not_ask_for_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DeskAction.model_validate({"action": "turn", "text": "", "version": 1, **wrong})


def test_otherwise_is_put_behind_the_turn_that_tells_an_outcome() -> None:
    told = after(TEXT.replace("perceptoin", "perception"), "roll", "Hush") + "\n<DM>*SUCCESS* An owl.</DM>\n"
    assert after(told, "otherwise", "An owl").endswith("An owl.</DM>\n\n<!-- otherwise:\n<DM>*FAILED* </DM>\n-->\n")
    with pytest.raises(SnippetError):
        after(told, "otherwise", "Hush")


def test_the_outline_shows_the_first_option_of_a_slot() -> None:
    text = TEXT.replace("I listen.", "I {listen|hark}.")
    rows = outline(PARSER.parse_text(text), text, system_row(markers(text, VOCABULARY)))
    assert [one["text"] for one in rows if one["kind"] == "User"] == ["I listen. 🐉"]


def test_completion_offers_an_alternative_that_can_be_read() -> None:
    (one,) = [word for word in completion_words(VOCABULARY) if word["kind"] == "Alternative"]
    assert [found.success for found in find_otherwise(parse_tree(one["text"]))] == [False]
