"""Bubbles: nothing that a person or a model wrote becomes markup, directives become chips, outcomes are marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.scenarios import ConversationTurn, MarkdownParser, Vocabulary, load_vocabulary
from studio.ui.story import Speaker, scene_html, story_html, turn_html
from studio.workspace import PROJECT_ROOT
from tests.ui.html_check import Reading

VOCABULARY: Vocabulary = load_vocabulary()
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "[click](javascript:alert(1))",
    "![picture](http://example.org/a.png)",
    "<http://example.org>",
    "http://example.org",
    "[a]\n\n[a]: http://example.org",
    '```"><script>alert(1)</script>\nx\n```',
    "`<b>`",
    "</div></div><iframe>",
    "<!-- comment -->",
    "<![CDATA[x]]>",
    "<?php x ?>",
    "[roll: <img src=x onerror=alert(1)>]",
    '[roll: stealth"onmouseover="alert(1)]',
    "\x00\ue0d00\ue0d1\ue0d1\ue0d0",
    "    <b>indented</b>",
    "| a | <b> |\n|--|--|\n| c | d |",
]
SPEAKERS: list[Speaker] = ["User", "DM", "TOOLCALL"]
PIECES = [*"<>&\"'`*_[]()!#:=/ \n\\", "script", "roll: stealth", "a", "&lt;", "\ue0d0", "\ue0d1", "SUCCESS"]
markup = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def dm(text: str) -> Reading:
    return Reading(turn_html("DM", text, VOCABULARY))


@pytest.mark.parametrize("speaker", SPEAKERS)
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(text: str, speaker: Speaker) -> None:
    Reading(turn_html(speaker, text, VOCABULARY, name=text)).assert_harmless()


@given(markup | st.text())
def test_no_text_becomes_markup(text: str) -> None:
    for speaker in SPEAKERS:
        Reading(turn_html(speaker, text, VOCABULARY, name=text)).assert_harmless()


@pytest.mark.parametrize("text", ["<b>x</b> & y", "&lt;b&gt;", "a < b > c", "[x](http://y)", "<script>"])
def test_what_was_written_is_what_is_read(text: str) -> None:
    assert text in dm(text).text
    assert text in Reading(turn_html("TOOLCALL", text, VOCABULARY)).text


def test_a_directive_becomes_a_chip_where_it_stands() -> None:
    reading = dm("You creep. [roll: stealth] Hush, [roll: nonsense, x].")
    assert [one for one in reading.classes() if one.startswith("chip")] == ["chip ask", "chip odd"]
    assert "You creep. casino[roll: stealth] Hush, casino[roll: nonsense, x]." in reading.text


def test_more_than_ten_directives_stay_in_their_order() -> None:
    text = " ".join(f"{number} [roll: {'stealth' if number % 2 else 'perception'}]" for number in range(14))
    assert dm(text).text.replace("casino", "").split("Dungeon Master")[1].strip() == text


@pytest.mark.parametrize(("word", "look"), [("SUCCESS", "outcome good"), ("FAILED", "outcome bad")])
def test_an_outcome_is_marked_and_a_mention_of_it_is_not(word: str, look: str) -> None:
    assert look in dm(f"*{word}* You do it.").classes()
    assert look not in dm(f"{word} is no outcome, and neither is **{word}**.").classes()


def test_markdown_of_a_tale_is_kept() -> None:
    tags = [tag for tag, _ in dm("*soft* and **loud**\nnext line\n\n- one\n- two").elements]
    assert {"em", "strong", "br", "ul", "li"} <= set(tags)


def test_the_total_of_a_roll_stands_out() -> None:
    html = turn_html("TOOLCALL", "perception: 12 + 5(skill) = *17*\n\nstealth: 3 = *3*", VOCABULARY)
    assert html.count('class="chip result"') == 2
    assert "= <b>17</b>" in html


def test_a_turn_in_the_making_has_a_cursor_and_a_name() -> None:
    reading = Reading(turn_html("DM", "Hush", VOCABULARY, name="Mira", writing=True))
    assert "cursor" in reading.classes()
    assert reading.text.startswith("Mira")


def test_every_shipped_scenario_reads_as_bubbles() -> None:
    for path in sorted((PROJECT_ROOT / "data" / "scenarios").rglob("*.md")):
        turns = MarkdownParser(VOCABULARY).parse_scenario(path).conversation
        reading = Reading(story_html(turns, VOCABULARY))
        reading.assert_harmless()
        assert sum(one.startswith("turn ") for one in reading.classes()) == len(turns)
        assert "chip odd" not in reading.classes()


def test_an_empty_turn_is_an_empty_bubble() -> None:
    assert Reading(story_html([ConversationTurn(speaker="User", content="")], VOCABULARY)).text.strip() == "Player"


@given(markup | st.text())
def test_no_text_of_the_system_block_becomes_markup(text: str) -> None:
    Reading(scene_html(text)).assert_harmless()


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_of_the_system_block_is_text(text: str) -> None:
    Reading(scene_html(f"# Party\n\n## {text}\n- {text}\n\n{text}")).assert_harmless()


def test_the_system_block_is_the_scene_with_its_headings() -> None:
    reading = Reading(scene_html("# World\nAn old forest.\n\n# Party\n\n## Ada\n- Level 3"))
    assert [tag for tag, _ in reading.elements if tag in {"h2", "h3", "li"}] == ["h2", "h2", "h3", "li"]
    assert reading.text.startswith("Scene and party")


def test_without_a_system_block_there_is_no_scene() -> None:
    assert scene_html(" \n ") == ""


def test_a_heading_in_a_bubble_is_not_the_title_of_the_page() -> None:
    for html in (scene_html("# World\n\nWorld\n# Two"), turn_html("DM", "# Chapter one", VOCABULARY)):
        assert "h1" not in [tag for tag, _ in Reading(html).elements]


def test_a_slot_shows_its_first_option_and_says_that_there_are_others() -> None:
    text = "It is {dark|very {cold|dim}|}. [roll: attack, target={orc|elf}] `{a|b}`"
    reading = Reading(turn_html("DM", text, VOCABULARY, slots=True))
    assert "It is dark+2. casino[roll: attack, target=orc] {a|b}" in reading.text
    (note,) = [given for _, given in reading.elements if given.get("class") == "others"]
    assert note["title"] == "Another time: very cold · (nothing)"
    assert text[6:31] in dm(text).text, "what a model wrote is shown as it wrote it"


@given(st.lists(st.sampled_from([*PIECES, "{", "|", "}", "{a|", "```"]), max_size=40).map("".join))
def test_no_slot_becomes_markup(text: str) -> None:
    for speaker in SPEAKERS:
        Reading(turn_html(speaker, text, VOCABULARY, slots=True)).assert_harmless()
    assert "{a|b}" not in Reading(scene_html(text + "\n\n{a|b}")).text or "`" in text


def test_a_slot_in_the_name_of_a_code_block_stays_text() -> None:
    nasty = '{```|x}a\n{b|" onmouseover="alert(1)}\n'
    Reading(turn_html("DM", nasty + '{c|"><script>}', VOCABULARY, slots=True)).assert_harmless()
