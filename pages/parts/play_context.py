"""What the model still sees of a session: how full its window is, what is hidden, the recap, and the very prompt."""

from __future__ import annotations

from html import escape
from pathlib import Path

import streamlit as st

from pages.parts.layout import show_error
from studio.errors import StudioError
from studio.play import ChatSession, ModelHost, PromptRenderer
from studio.play.context.model_view import current_recap, first_seen, seen_messages
from studio.play.sessions.session import as_messages
from studio.ui.context import (
    Shares,
    context_title,
    estimated,
    last_turn_cost,
    recap_cost,
    shares_html,
    view_words,
)
from studio.ui.wording import count, plain

_STYLE = Path(__file__).with_name("play_context.css")


def context_panel(session: ChatSession, host: ModelHost) -> None:
    """How much of the conversation the model is shown. While the model writes, nothing is counted."""
    st.html(_STYLE)
    with st.expander("What the model still sees", key="context_panel"):
        st.caption(plain(f"{context_title(session)}."))
        try:
            _window(session, host)
        except StudioError as error:
            show_error(error)
            return
        _recap(session)
        if cost := last_turn_cost(session):
            st.caption(plain(cost))


def view_line(session: ChatSession, start: int, end: int) -> None:
    """A line above the turn of messages `start` to `end` (exclusive) if the model's view begins in it."""
    first = first_seen(session)
    if session.system_messages < first and start <= first < end:
        st.html(_STYLE)
        st.html(f'<div class="view-line">{escape(view_words(session))}</div>')


def _window(session: ChatSession, host: ModelHost) -> None:
    if host.busy:
        shares = estimated(session, session.settings.context_tokens)
        st.caption("The model is writing; its window is counted when it is done.")
        if shares:
            st.html(shares_html(shares))
        return
    info = host.info()
    prompt, head, system = _texts(session, PromptRenderer.for_file(info))
    counted = _counted(info.played_sha256, prompt, head, system, host)
    shares = Shares(counted[2], counted[1] - counted[2], counted[0] - counted[1], info.context_tokens)
    st.html(shares_html(shares))
    if st.button("Read the prompt", key="context_prompt", icon=":material/article:", type="tertiary"):
        _prompt(prompt, counted[0])


@st.dialog("What the model reads", width="large")
def _prompt(prompt: str, tokens: int) -> None:
    st.caption(f"{count(tokens, 'token')}, control tokens included. The model goes on from the end of this text.")
    st.code(prompt, language=None, wrap_lines=True, height=480)


def _texts(session: ChatSession, renderer: PromptRenderer) -> tuple[str, str, str]:
    """The prompt, and of it the system block with and without the recap."""
    messages = as_messages(seen_messages(session))
    head = messages[0].content if messages and messages[0].role == "system" else ""
    system = session.messages[0].content if session.system_messages else ""
    return renderer.prompt(messages), renderer.renderer.as_plain_text(head), renderer.renderer.as_plain_text(system)


@st.cache_data(max_entries=64, show_spinner=False)
def _counted(model: str, prompt: str, head: str, system: str, _host: ModelHost) -> tuple[int, int, int]:
    """Tokens of each text; counted once for each state of a session, with the file of that hash."""
    return len(_host.tokenize(prompt)), _tokens(_host, head), _tokens(_host, system)


def _tokens(host: ModelHost, text: str) -> int:
    return len(host.tokenize(text)) if text else 0


def _recap(session: ChatSession) -> None:
    recap = current_recap(session)
    if recap is None:
        return
    told = f"<summary>The recap that it reads</summary><div>{escape(recap.text)}</div>"
    st.html(f'<details class="window-recap">{told}</details>')
    if cost := recap_cost(session):
        st.caption(plain(cost))
    for line in recap.corrections:
        st.caption(f":material/rule: {plain(line)}")
