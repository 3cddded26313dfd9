"""What training sees of a scenario: the rendered prompt, and each token coloured by the loss mask."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import empty_state, facts, show_error, workspace
from studio.bases import BaseModel, ConversationRenderer, RenderedConversation, get_base, list_bases, token_views
from studio.config import TrainingConfig
from studio.errors import StudioError
from studio.scenarios import Message, TrainingScenario, to_messages
from studio.ui.tokens import tokens_html


def prompt_view(scenario: TrainingScenario) -> None:
    """The exact text, special tokens included."""
    if rendered := _rendered(scenario):
        st.caption("This is the exact text that the model reads, special tokens included.")
        st.code(rendered.text, language=None, wrap_lines=True)


def tokens_view(scenario: TrainingScenario) -> None:
    """Every token; green ones are what the model learns to say."""
    rendered = _rendered(scenario)
    if rendered is None:
        return
    total, trained, limit = len(rendered.ids), sum(rendered.mask), TrainingConfig().max_seq_length
    share = f"{trained / total:.0%}" if total else "–"
    facts([("tokens", f"{total:,}"), ("trained", f"{trained:,} ({share})")])
    if total > limit:
        st.warning(
            f"This scenario has {total:,} tokens and a training row holds {limit:,} at most: it will be cut into "
            "several rows, each with the SYSTEM block. Raise the longest row on the training page to keep it whole.",
            icon=":material/content_cut:",
        )
    st.caption("Green tokens are trained: the model learns to say them. Grey ones are only read.")
    st.html(tokens_html(token_views(rendered)))


def choose_base(key: str) -> BaseModel | None:
    """The base model to render for; a selector when there are several, an empty state when there is none."""
    names = [one.name for one in list_bases(workspace()) if one.imported]
    if not names:
        empty_state(
            "download",
            "No base model yet",
            "The prompt and its tokens depend on the base model. Import one; it takes a minute.",
            page="pages/setup.py",
            label="Open Setup",
            key=f"{key}_setup",
        )
        return None
    name = st.selectbox("Base model", names, key=key, label_visibility="collapsed") if len(names) > 1 else names[0]
    return get_base(workspace(), name)


def _rendered(scenario: TrainingScenario) -> RenderedConversation | None:
    try:
        base = choose_base("prompt_base")
        return _render(base, to_messages(scenario)) if base else None
    except StudioError as error:
        show_error(error)
        return None


def _render(base: BaseModel, messages: list[Message]) -> RenderedConversation:
    return _renderer(base.name, base.fingerprint).render(messages)


@st.cache_resource(max_entries=3, show_spinner="Loading the tokenizer")
def _renderer(name: str, fingerprint: str) -> ConversationRenderer:
    base = get_base(workspace(), name)
    return ConversationRenderer(base.tokenizer(), base.template())
