"""The party panel beside the chat: how everybody is after what was said."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.layout import vocabulary
from studio.play import ChatSession
from studio.scenarios.game import game_after
from studio.ui.game import game_html, game_sentence
from studio.ui.wording import plain

_STYLE = Path(__file__).with_name("play_party.css")


def party_panel(session: ChatSession) -> None:
    """Everybody's state, worked out from the sheets and the conversation."""
    game = game_after(session.system, session.messages, vocabulary(), speaking_as=session.settings.speaking_as)
    st.html(_STYLE)
    with st.expander("Party", expanded=True, key="party_panel"):
        st.caption(plain(game_sentence(game)))
        st.html(game_html(game))
