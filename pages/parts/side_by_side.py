"""A scenario three ways side by side, turn by turn: the story, the exact prompt, and the tokens that are learned."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import empty_state, facts, told, vocabulary, workspace
from pages.parts.prompt_views import (
    SELECTOR_WIDTH,
    choose_base,
    conversation_key,
    limit_title,
    load_style,
    note_of_choices,
    offered_limits,
    render,
    renderer,
)
from studio.bases import BaseModel, ConversationRenderer
from studio.dataset import Cut, cut_conversation
from studio.scenarios import Message, TrainingScenario, to_messages
from studio.ui.side_by_side import Comparison, compare, comparison_html, page_title, pages, warnings
from studio.ui.tokens import RowLimit
from studio.ui.wording import count, plain


def side_by_side_view(scenario: TrainingScenario) -> None:
    """The whole view. A scenario without a turn, or a studio without a base model, says what comes first."""
    if not scenario.conversation:
        empty_state(
            "view_column",
            "Nothing to compare yet",
            "Write a turn, and see here how the model reads it and what it learns from it.",
        )
        return
    load_style()
    with told():
        with st.container(horizontal=True, vertical_alignment="bottom", key="views_choices"):
            base = choose_base("views_base", labelled=True)
            limit = _choose_limit() if base else None
        if base and limit:
            _compared(scenario, base, limit)


def _compared(scenario: TrainingScenario, base: BaseModel, limit: RowLimit) -> None:
    messages = to_messages(scenario)
    rendered = render(base, messages)
    if rendered is None:
        return
    key = conversation_key(base, messages)
    cut = _cut(key, limit.tokens, messages, renderer(base))
    comparison = compare(scenario, rendered, cut, limit.tokens, renderer(base).control_ids)
    _figures(comparison)
    for text in warnings(comparison):
        st.warning(plain(text), icon=":material/warning:")
    st.caption("Green is what the model learns to say; it only reads the rest. Point at a token to see its number.")
    note_of_choices(scenario)
    shown = _page(comparison)
    st.html(_html(key, limit.tokens, (shown.start, shown.stop), _words_changed(), comparison))


def _choose_limit() -> RowLimit:
    return st.selectbox(
        "Longest training row", offered_limits(), key="views_limit", format_func=limit_title, width=SELECTOR_WIDTH,
        help="As the training page offers it. A longer row keeps more of a scene together and takes more memory.",
    )  # fmt: skip


def _figures(comparison: Comparison) -> None:
    longest = comparison.longest
    facts(
        [
            ("tokens", f"{comparison.total:,}"),
            ("learned", f"{comparison.trained:,} ({comparison.share})"),
            ("longest turn", f"{count(len(longest.tokens), 'token')}, turn {longest.turns.stop}" if longest else ""),
            ("training rows", f"{comparison.training_rows}"),
        ]
    )


def _page(comparison: Comparison) -> range:
    """The rows to draw; a browser gets slow beyond some thousand tokens."""
    ranges = pages(comparison.rows)
    if len(ranges) == 1:
        return ranges[0]
    with st.container(horizontal=True, vertical_alignment="center", key="views_pages"):
        chosen = st.pagination(len(ranges), key="views_page")
        shown = ranges[min(chosen, len(ranges)) - 1]
        st.caption(page_title(comparison, shown))
    return shown


def _words_changed() -> int:
    """When the vocabulary, which decides what becomes a chip, was last changed."""
    return workspace().config_file("tools.yaml").stat().st_mtime_ns


@st.cache_data(max_entries=12, show_spinner=False)
def _html(key: str, limit: int, shown: tuple[int, int], changed: int, _comparison: Comparison) -> str:
    return comparison_html(_comparison, vocabulary(), range(*shown))


@st.cache_resource(max_entries=6, show_spinner="Working out the training rows")
def _cut(key: str, limit: int, _messages: list[Message], _renderer: ConversationRenderer) -> Cut:
    return cut_conversation(_messages, _renderer, limit)
