"""What people really type: each way of writing is understood, reported with its code, and mended by its safe fix."""

from __future__ import annotations

import pytest

from studio.scenarios import Diagnostic, MarkdownParser, fix_text

PARSER = MarkdownParser()
HEAD = (
    "<SYSTEM>\n# Role\nYou are the Dungeon Master.\n\n# World\nFaerun\n\n# Location\nA cellar\n\n# Party\n\n## Sarah\n"
    "- Player Character\n- Rogue\n- Level 3\n- Health: 22/22\n- Exp: 900/2700\n"
    "- Skills: Stealth +7, Perception +5, Arcana -1\n- Attacks: Dagger +5 (1d4+3)\n</SYSTEM>\n\n"
)
USER, REQUEST, ANSWER, OUTCOME = (
    "<User>I look.</User>", "[roll: perception]", "perception: 12 + 5(skill) = *17*", "*SUCCESS*",
)  # fmt: skip
TURNS = (
    f"{USER}\n\n<DM>You look around.\n\n{REQUEST}</DM>\n\n<TOOLCALL>{ANSWER}</TOOLCALL>\n\n<DM>{OUTCOME} A rat.</DM>\n"
)
GOOD = HEAD + TURNS

TAGS = [
    ("<user>I look.</user>", "S007"),
    ("<USER>I look.</User>", "S007"),
    ("< User >I look.</ User>", "S007"),
    ("<Player>I look.</Player>", "S007"),
    ("<U ser>I look.</User>", "S007"),
    ("<Usr>I look.</Usr>", "S007"),
    ("<users>I look.</users>", "S007"),
    ("<User name='x'>I look.</User>", "S007"),
    ("<User/>I look.", "S007"),
    ("**User:** I look.", "S007"),
    ("**User**: I look.", "S007"),
    ("__User:__ I look.", "S007"),
    ("User: I look.", "S007"),
    ("Player： I look.", "S007"),
    ("## User\nI look.", "S007"),
    ("[User]I look.[/User]", "S007"),
    ("&lt;User&gt;I look.&lt;/User&gt;", "S007"),
    (r"\<User\>I look.\</User\>", "S007"),
    ("＜User＞I look.＜/User＞", "S007"),
    ("‹User›I look.‹/User›", "S007"),
    ("<User\nI look.</User>", "S007"),
    ("<User>I look.</user", "S007"),
    ("<User>I look.</Usr>", "S007"),
    ("<User>I look.<\\User>", "S007"),
    ("<User>I look.<User/>", "S007"),
    ("<User>I look.", "S003"),
    ("<User>I look.<User>", "S007"),
    ("<User>I look.</User></User>", "S005"),
    ("<Us\u200ber>I look.</User>", "S018"),
    ("<\u00a0User>I look.</User>", "S018"),
    ("<Us\u00ader>I look.</User>", "S018"),
    ("<User>I\tlook.</User>", "S016"),
    ("<User>I\u00a0look.</User>", "S018"),
    ("<User>I look.\x00</User>", "S017"),
    ("<User>I \udce9look.</User>", "S017"),
]
DM_TAGS = [
    ("<Dm>", "</dm>"),
    ("< DM >", "< /DM >"),
    ("<D M>", "</D M>"),
    ("<D.M.>", "</D.M.>"),
    ("<dm/>", ""),
    ("<GM>", "</GM>"),
    ("<Dungeon Master>", "</Dungeon Master>"),
    ("**DM:** ", ""),
    ("[DM]", "[/DM]"),
    ("&lt;DM&gt;", "&lt;/DM&gt;"),
]
REQUESTS = [
    ("[Roll:Perception]", "T017"),
    ("[ roll : perception ]", "T017"),
    ("[ROLL: PERCEPTION]", "T017"),
    ("［roll：perception］", "T017"),
    ("[roll： perception]", "T017"),
    ("【roll: perception】", "T017"),
    ("[roll perception]", "T018"),
    ("[perception]", "T018"),
    ("[check: perception]", "T018"),
    ("[roll: perception", "T012"),
    ("[roll:\tperception]", "S016"),
    ("[roll:\u00a0perception]", "S018"),
    ("[roll: per\u200bception]", "S018"),
]
ANSWERS = [
    ("Perception: 12 + 5 (skill) = *17*", "T019"),
    ("perception： 12 + 5(skill) = *17*", "T019"),
    ("perception : 12+5 = 17", "T019"),
    ("- perception: 12 + 5(skill) = **17**", "T019"),
    ("**perception:** 12 + 5(skill) = *17*", "T019"),
    ("perception: 12 + 5(skill) = *16*", "T005"),
    ("perception:\u00a012 + 5(skill) = *17*", "S018"),
]
OUTCOMES = [("*Success*", "T028"), ("**SUCCESS**", "T028"), ("*success!*", "T028"), ("SUCCESS", "T028")]
WHOLE_FILES = [
    (GOOD.replace("\n", "\r\n"), "S015"),
    (GOOD.replace("\n", "\r"), "S015"),
    (GOOD.replace("\n", "\r\n", 7), "S015"),
    ("\ufeff" + GOOD, "S014"),
    (GOOD.replace("You look", "\ufeffYou look"), "S018"),
    (GOOD.replace("<DM>", "\ufeff<DM>"), "S018"),
    (GOOD.replace("<", "&lt;").replace(">", "&gt;"), "S007"),
    (GOOD.replace("<", "&lt;"), "S007"),
    (GOOD.replace("\n", "\u2028"), "S018"),
]  # fmt: skip


def found(text: str) -> list[Diagnostic]:
    return PARSER.validate_format(text).diagnostics


def check(text: str, code: str, fixed: str = GOOD) -> None:
    """The code is reported with a fix, and the safe fixes make `fixed` of the text."""
    assert [one for one in found(text) if one.code == code and one.fix is not None], [one.code for one in found(text)]
    assert fix_text(text, PARSER).text == fixed


def test_the_example_that_everything_is_mended_to_is_flawless() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize(("written", "code"), TAGS, ids=[ascii(one[0]) for one in TAGS])
def test_a_tag_is_understood_in_every_spelling(written: str, code: str) -> None:
    check(GOOD.replace(USER, written), code, GOOD.replace(USER, "<User>\nI look.</User>") if "\n" in written else GOOD)


@pytest.mark.parametrize(("opening", "closing"), DM_TAGS, ids=[one[0] for one in DM_TAGS])
def test_so_is_the_dungeon_masters_and_her_turns_are_the_same(opening: str, closing: str) -> None:
    text = GOOD.replace("<DM>", opening).replace("</DM>", closing)
    check(text, "S007")
    said = [(turn.speaker, turn.content, turn.tool_calls) for turn in PARSER.extract_conversation(text)]
    assert said == [(turn.speaker, turn.content, turn.tool_calls) for turn in PARSER.extract_conversation(GOOD)]


@pytest.mark.parametrize(("written", "code"), REQUESTS, ids=[ascii(one[0]) for one in REQUESTS])
def test_a_request_is_understood_in_every_spelling(written: str, code: str) -> None:
    check(GOOD.replace(REQUEST, written), code)


@pytest.mark.parametrize(("written", "code"), ANSWERS, ids=[ascii(one[0]) for one in ANSWERS])
def test_an_answer_is_understood_in_every_spelling(written: str, code: str) -> None:
    check(GOOD.replace(ANSWER, written), code)


def test_an_answer_with_the_dash_of_a_word_processor_is_a_minus() -> None:
    good = GOOD.replace(REQUEST, "[roll: arcana]").replace(ANSWER, "arcana: 12 - 1(skill) = *11*")
    for dash in ("–", "−"):
        check(good.replace(" - 1(", f" {dash} 1("), "T019", good)


@pytest.mark.parametrize(("written", "code"), OUTCOMES, ids=[one[0] for one in OUTCOMES])
def test_an_outcome_is_understood_in_every_spelling(written: str, code: str) -> None:
    check(GOOD.replace(OUTCOME, written), code)


@pytest.mark.parametrize(("text", "code"), WHOLE_FILES, ids=range(len(WHOLE_FILES)))
def test_a_whole_file_that_another_program_has_changed_is_mended(text: str, code: str) -> None:
    check(text, code)


def test_a_code_fence_around_the_whole_file_is_removed() -> None:
    for fence in ("```", "~~~"):
        fixed = fix_text(f"{fence}markdown\n{GOOD}{fence}\n", PARSER)
        assert fixed.text.strip() == GOOD.strip()
        assert fixed.diagnostics == []


def test_the_wrong_closing_tag_is_reported_and_its_fix_asks_first() -> None:
    text = GOOD.replace("I look.</User>", "I look.</DM>")
    (one,) = found(text)
    assert (one.code, one.fix is not None and one.fix.safe) == ("S004", False)
    assert fix_text(text, PARSER, unsafe=True).text == GOOD


def test_curly_quotes_become_straight_ones_in_a_request_and_around_it() -> None:
    text = GOOD.replace(REQUEST, "[roll: perception, target=“the goblin”]").replace("You look", "“You” ‘look’")
    fixed = fix_text(text, PARSER)
    assert fixed.text == GOOD.replace(REQUEST, "[roll: perception, target=the goblin]").replace(
        "You look", "\"You\" 'look'"
    )
    assert fixed.diagnostics == []


def test_names_in_other_scripts_and_emoji_are_names_like_any_other() -> None:
    for name in ("Søren", "Zoë", "Zoe\u0308", "שרה", "龍", "🧝 Ælfrún", "Ольга", "İpek"):
        text = GOOD.replace("Sarah", name).replace(REQUEST, f"[roll: perception, who={name}, target=🐉]")
        text = text.replace("perception: 12", f"perception ({name}): 12").replace("I look.", f"{name}: I look.")
        assert found(text) == []
        (call,) = [
            call for turn in PARSER.extract_conversation(text) if turn.speaker == "DM" for call in turn.tool_calls
        ]
        assert call.arguments == {"who": name, "target": "🐉"}
        assert call.result == f"perception ({name}): 12 + 5(skill) = *17*"


def test_inside_a_turn_what_looks_like_a_label_is_part_of_the_story() -> None:
    text = GOOD.replace(
        "You look around.", "You look around.\n\n**DM:** is painted on the wall.\n\nUser: unknown. &lt;DM&gt;"
    )
    assert found(text) == []
    assert len(PARSER.extract_conversation(text)) == len(PARSER.extract_conversation(GOOD))


def test_a_closing_tag_that_closes_nothing_is_no_turn() -> None:
    assert PARSER.extract_conversation("</DM></User>") == []
    assert PARSER.extract_system_context("</SYSTEM>").text == ""


def test_a_scene_copied_from_a_chat_is_read_as_turns() -> None:
    chat = (
        "**User:** I look.\n\n**DM:** You look around.\n\n[roll: perception]\n\n**Tool:** "
        + ANSWER
        + "\n\n**DM:** *SUCCESS* A rat.\n"
    )
    assert fix_text(HEAD + chat, PARSER).text.split() == GOOD.split()
