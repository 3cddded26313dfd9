"""Prompt and tokens as HTML: the text is the model's to the character, every token a box of its colour, all escaped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.bases import TokenView
from studio.config import TrainingConfig, TrainingPreset, load_presets
from studio.ui.tokens import RowLimit, prompt_html, row_limits, tokens_html
from studio.workspace import PROJECT_ROOT, Workspace
from tests.ui.html_check import Reading

PIECES = [*"<>&\"' \n\r\t", "\u00a0", "\u200b", "\u202e", "\ufeff", "🐉", "<script>", "<|im_end|>", "&lt;", "the"]
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=8)
token = st.builds(
    TokenView,
    text=st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | texts,
    id=st.integers(0, 50_000),
    trained=st.booleans(),
    control=st.booleans(),
)
views = st.lists(token, max_size=30)


def preset(title: str, length: int) -> TrainingPreset:
    return TrainingPreset(title=title, summary="", training=TrainingConfig(max_seq_length=length))


def boxes(html: str) -> list[tuple[str, str]]:
    """Kind and hover text of every token."""
    found, kind = [], ""
    for tag, attributes in Reading(html).elements:
        if attributes.get("class") in {"trained", "masked"}:
            kind = str(attributes["class"])
        elif tag == "span" and "title" in attributes:
            found.append((kind, str(attributes["title"])))
    return found


@given(views)
def test_the_text_of_both_views_is_the_models_to_the_character(tokens: list[TokenView]) -> None:
    text = "".join(one.text for one in tokens)
    for html in (tokens_html(tokens), prompt_html(tokens)):
        reading = Reading(html)
        reading.assert_harmless()
        assert reading.text == text


@given(views)
def test_every_token_is_one_box_of_its_colour_that_tells_its_number_and_text(tokens: list[TokenView]) -> None:
    found = boxes(tokens_html(tokens))
    assert [kind for kind, _ in found] == ["trained" if one.trained else "masked" for one in tokens]
    assert [int(hover.split()[0]) for _, hover in found] == [one.id for one in tokens]
    assert all(repr(one.text) in hover for one, (_, hover) in zip(tokens, found, strict=True) if one.text)


@given(views)
def test_every_control_token_is_one_chip_in_the_prompt(tokens: list[TokenView]) -> None:
    assert Reading(prompt_html(tokens)).classes().count("control") == sum(one.control for one in tokens)


def test_spaces_line_ends_and_what_nobody_sees_are_marked() -> None:
    html = tokens_html([TokenView(" <b>", 5, True), TokenView("  ", 6, True), TokenView("\n\t\u200b\r", 7, False)])
    assert Reading(html).classes() == [
        "tokens", "trained", "spaced", "spaces", "masked",
        "mark newline", "mark tab", "mark unseen", "mark return",
    ]  # fmt: skip


def test_a_null_which_html_cannot_carry_is_shown_as_a_sign_of_its_own() -> None:
    assert Reading(prompt_html([TokenView("a\x00b", 1, False)])).text == "a\ufffdb"


def test_a_token_that_goes_on_with_the_character_before_says_so() -> None:
    assert "more of the character before" in boxes(tokens_html([TokenView("", 9, False)]))[0][1]


def test_a_long_scenario_says_how_much_is_left_out() -> None:
    tokens = [TokenView("a", 1, True)] * 5001
    html = tokens_html(tokens, limit=3000)
    assert len(boxes(html)) == 3000
    assert "2,001 more tokens" in html
    assert Reading(prompt_html(tokens, limit=3000)).text.startswith("a" * 3000 + "… and 2,001 more tokens")


def test_presets_that_train_with_the_same_row_are_one_choice_in_their_order() -> None:
    presets = {"a": preset("Quick", 2048), "b": preset("Best", 4096), "c": preset("Good", 2048)}
    assert row_limits(presets) == [RowLimit(2048, ("Quick", "Good")), RowLimit(4096, ("Best",))]


def test_the_longest_rows_are_those_of_the_shipped_presets() -> None:
    presets = load_presets(Workspace(PROJECT_ROOT))
    assert {one.tokens for one in row_limits(presets)} == {one.training.max_seq_length for one in presets.values()}
