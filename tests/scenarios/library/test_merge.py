"""Merging takes both changes or asks; it never drops one."""

from hypothesis import given
from hypothesis import strategies as st

from studio.scenarios.library import Hunk, merge_texts, stored_text
from studio.scenarios.library.merge import MAX_LINES, split_lines
from studio.scenarios.library.text_form import editor_text

TEXTS = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "d", "\r"]), max_size=12).map("".join)


@given(text=st.text(alphabet="ab\r\n\x0b\u2028"))
def test_lines_joined_are_the_text(text: str) -> None:
    assert "".join(split_lines(text)) == text


@given(base=TEXTS, changed=TEXTS)
def test_a_change_on_one_side_only_is_taken(base: str, changed: str) -> None:
    for merge in (
        merge_texts(base, changed, base),
        merge_texts(base, base, changed),
        merge_texts(base, changed, changed),
    ):
        assert merge is not None
        assert merge.text == changed


@given(base=TEXTS, mine=TEXTS, theirs=TEXTS)
def test_choosing_one_side_everywhere_keeps_every_line_of_that_side_or_a_clean_change(
    base: str, mine: str, theirs: str
) -> None:
    merge = merge_texts(base, mine, theirs)
    swapped = merge_texts(base, theirs, mine)
    assert merge is not None
    assert swapped is not None
    assert merge.clean == swapped.clean
    assert [(one.base, one.theirs, one.mine) for one in swapped.conflicts] == [
        (one.base, one.mine, one.theirs) for one in merge.conflicts
    ]
    resolved = merge.resolved([one.mine for one in merge.conflicts])
    new = set(split_lines(mine)) - set(split_lines(base))
    assert new <= set(split_lines(resolved))


def test_changes_of_the_same_line_are_left_to_a_person() -> None:
    merge = merge_texts("a\nb\nc\n", "a\nB\nc\n", "a\nbee\nc\n")
    assert merge is not None
    assert merge.pieces == ("a\n", Hunk("b\n", "B\n", "bee\n"), "c\n")
    assert merge.text is None
    assert merge.resolved(["x\n"]) == "a\nx\nc\n"


def test_texts_beyond_the_limit_are_not_merged() -> None:
    assert merge_texts("a\n" * (MAX_LINES + 1), "", "") is None


@given(text=st.text(alphabet="ab\r\n\ufeff", max_size=30))
def test_text_that_was_not_edited_comes_back_byte_for_byte(text: str) -> None:
    assert stored_text(editor_text(text), text) == text


def test_only_the_edited_line_gets_the_usual_line_end() -> None:
    assert stored_text("a\nNEW\nb\nc", "\ufeffa\r\nb\nc") in ("\ufeffa\r\nNEW\r\nb\nc", "\ufeffa\r\nNEW\nb\nc")
    assert stored_text("a\nb\nc\n", "a\r\nb\r\n") == "a\r\nb\r\nc\r\n"
