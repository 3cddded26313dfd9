"""The trained-tokens view: every token a box, coloured by the mask, text escaped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from studio.bases import TokenView
from studio.ui.tokens import tokens_html
from tests.ui.html_check import Reading

token = st.builds(TokenView, text=st.text(max_size=8), id=st.integers(0, 50_000), trained=st.booleans())
views = st.lists(token, max_size=30)


@given(views)
def test_every_token_is_one_box_of_its_colour(tokens: list[TokenView]) -> None:
    reading = Reading(tokens_html(tokens))
    reading.assert_harmless()
    boxes = [attributes for tag, attributes in reading.elements if tag == "span"]
    assert [one["class"] for one in boxes] == ["trained" if one.trained else "masked" for one in tokens]
    assert [one["title"] for one in boxes] == [str(one.id) for one in tokens]


def test_spaces_line_ends_and_markup_are_visible() -> None:
    html = tokens_html([TokenView(" <b>", 5, True), TokenView("\n", 6, False)])
    assert "·&lt;b&gt;" in html
    assert "↵<br>" in html


def test_a_long_scenario_says_how_much_is_left_out() -> None:
    html = tokens_html([TokenView("a", 1, True)] * 5001, limit=3000)
    assert html.count('class="trained"') == 3000
    assert "2,001 more tokens" in html
