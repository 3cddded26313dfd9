"""Gutter marks and coloured stretches point at the right characters, counted as the browser counts them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.scenarios import Diagnostic, MarkdownParser, load_vocabulary
from studio.ui.editor import Marker, Positions, by_severity, gutter_marks, markers, safe_fixes, windows_text

VOCABULARY = load_vocabulary()
TEXT = """<SYSTEM>
# Role
You are the Dungeon Master.
</SYSTEM>

<User>I listen. 🐉</User>

<DM>🐉 Hush. [roll: perception]</DM>

<TOOLCALL>perception: 12 + 5(skill) = *99*</TOOLCALL>
"""


def marked(text: str, one: Marker) -> str:
    """The characters of a marker that lies within one line, found by its UTF-16 columns."""
    assert one["startRow"] == one["endRow"]
    line = text.split("\n")[one["startRow"]].encode("utf-16-le")
    return line[2 * one["startCol"] : 2 * one["endCol"]].decode("utf-16-le")


def built_of(*pieces: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=30).map("".join)


def found(text: str = TEXT) -> list[Diagnostic]:
    return MarkdownParser(VOCABULARY).parse_text(text).diagnostics


def test_tags_directives_and_results_are_coloured() -> None:
    by_class: dict[str, list[str]] = {}
    for one in markers(TEXT, VOCABULARY):
        if one["startRow"] == one["endRow"]:
            by_class.setdefault(one["className"], []).append(marked(TEXT, one))
    assert by_class["studio-ask"] == ["[roll: perception]"]
    assert by_class["studio-tag-user"] == ["<User>", "</User>"]
    assert by_class["studio-tag-dm"] == ["<DM>", "</DM>"]
    assert by_class["studio-result"] == ["perception: 12 + 5(skill) = *99*"]


def test_a_problem_is_marked_where_it_is() -> None:
    diagnostics = found()
    wrong = next(one for one in diagnostics if one.code == "T005")
    stretch = next(one for one in markers(TEXT, VOCABULARY, [wrong]) if one["className"] == "studio-error")
    assert marked(TEXT, stretch) == TEXT[wrong.span.start : wrong.span.end]
    assert "99" in marked(TEXT, stretch)


def test_gutter_marks_carry_code_message_and_reason() -> None:
    diagnostics = found()
    marks = gutter_marks(diagnostics)
    assert len(marks) == len(diagnostics)
    wrong = next(one for one in marks if one["text"].startswith("T005"))
    assert (wrong["row"], wrong["type"]) == (TEXT[: TEXT.index("<TOOLCALL>")].count("\n"), "error")


@given(built_of("a", "é", "🐉", "\n", "\r\n", "\r", "\x0c", "\u2028", "<DM>"), st.data())
def test_a_place_is_the_row_and_column_of_its_offset(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    if offset and text[offset - 1 : offset + 1] == "\r\n":
        offset -= 1  # a place inside a line end is no place in an editor
    row, column = Positions(text).place(offset)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    before = text[:offset].replace("\r\n", "\n").replace("\r", "\n")
    assert row == before.count("\n")
    assert column == len(before.rpartition("\n")[2].encode("utf-16-le")) // 2
    assert column <= len(lines[row].encode("utf-16-le")) // 2


@given(built_of("<DM>", "</DM>", "<User>", "<SYSTEM>", "[roll: stealth]", "[", "x", "\n", "🐉", "\ud83d", "---"))
def test_any_text_can_be_marked(text: str) -> None:
    for one in markers(text, VOCABULARY, found(text)):
        assert (one["startRow"], one["startCol"]) <= (one["endRow"], one["endCol"])


def test_problems_are_ordered_by_weight_then_place() -> None:
    ordered = by_severity(found())
    levels = [["error", "warning", "info"].index(one.severity.value) for one in ordered]
    assert levels == sorted(levels)


def test_only_fixes_that_change_no_meaning_go_together() -> None:
    wrong = next(one for one in found() if one.code == "T005")
    assert wrong.fix is not None
    unsafe = wrong.model_copy(update={"fix": wrong.fix.model_copy(update={"safe": False})})
    without = wrong.model_copy(update={"fix": None})
    assert safe_fixes([wrong, unsafe, without]) == [wrong]


@given(st.text(st.sampled_from("abc äöüß€“”é\n")))
def test_windows_text_comes_back_as_its_author_saw_it(text: str) -> None:
    read = text.encode("cp1252").decode("utf-8", errors="surrogateescape")
    assert windows_text(read) == text


def test_slots_and_alternatives_are_coloured_and_a_slot_without_a_choice_is_not() -> None:
    text = (
        "<User>🐉 I {go|run {fast|slowly}}.</User>\n<DM>{a|b [roll: attack, target={c|d}] `{e|f}`</DM>\n"
        "<!-- otherwise: <DM>*FAILED* {No|Nay}.</DM> -->\n<!-- otherwise, a note -->\n"
    )
    by_class: dict[str, list[str]] = {}
    for one in markers(text, VOCABULARY):
        by_class.setdefault(one["className"], []).append(marked(text, one))
    assert by_class["studio-slot"] == ["{go|run {fast|slowly}}", "{No|Nay}"]
    assert by_class["studio-tag-otherwise"] == ["<!-- otherwise:"]
    assert by_class["studio-turn-otherwise"] == ["<!-- otherwise: <DM>*FAILED* {No|Nay}.</DM> -->"]
