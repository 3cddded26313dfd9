"""Changing what was said: another line of the player as a branch, other words of the DM, going back to a turn."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import streamlit as st

from pages.parts.layout import told, told_afterwards, workspace
from pages.parts.play_moves import choose
from studio.play import ChatSession, branch, edit_line, edit_reply, leaf, load_session, redo, save_session, undo
from studio.ui.tables import session_name


@st.dialog("Say something else")
def edit_line_dialog(chat_id: str, message: int) -> None:
    """The player's line of a turn, to be played differently."""
    session = load_session(workspace(), chat_id)
    words = st.text_area("Your line", session.messages[message].content, key="line_words", max_chars=4000)
    st.caption("What came before stays. From here the story goes another way, as a branch; this one is kept.")
    if st.button("Play it", key="line_play", type="primary", icon=":material/play_arrow:", disabled=not words.strip()):
        with told():
            now = datetime.now(UTC)
            name = session_name(now, secrets.token_hex(3))
            other = edit_line(session, message, words, session_id=name, created=now)
            _go_to(session, other)
            choose("on")
            st.rerun()


@st.dialog("Put it in your own words")
def edit_reply_dialog(chat_id: str, start: int, end: int) -> None:
    """The DM's replies of a turn, for play to go on with."""
    session = load_session(workspace(), chat_id)
    said = [place for place in range(start, end) if session.messages[place].role == "assistant"]
    words = {
        place: st.text_area(
            "What the Dungeon Master says", session.messages[place].content, key=f"reply_words_{place}", height=160
        )
        for place in said
    }
    st.caption("Play goes on from your words. The model's own are kept, so that it can learn from the difference.")
    with st.container(horizontal=True):
        if st.button("Keep", key="reply_keep", type="primary", disabled=not all(one.strip() for one in words.values())):
            _keep_replies(session, words)
        own = {place: one for place in said if (one := session.messages[place].original) is not None}
        if own and st.button("Back to the model's words", key="reply_original"):
            _keep_replies(session, own)


def _keep_replies(session: ChatSession, words: dict[int, str]) -> None:
    with told():
        for place, text in words.items():
            if text.strip() != session.messages[place].content:
                edit_reply(session, place, text)
        save_session(workspace(), session)
        st.rerun()


def go_back(chat_id: str, message: int) -> None:
    """A branch with everything before `message`, which is opened."""
    with told_afterwards():
        session, now = load_session(workspace(), chat_id), datetime.now(UTC)
        name = session_name(now, secrets.token_hex(3))
        _go_to(session, branch(session, message, session_id=name, created=now))


def take_back(chat_id: str) -> None:
    """The last turn is taken back."""
    with told_afterwards():
        session = load_session(workspace(), chat_id)
        undo(session)
        save_session(workspace(), session)


def bring_back(chat_id: str) -> None:
    """The turn that was taken back last."""
    with told_afterwards():
        session = load_session(workspace(), chat_id)
        redo(session)
        save_session(workspace(), session)


def show_telling(chat_id: str, place: int) -> None:
    """Another telling of the last turn."""
    with told_afterwards():
        session = load_session(workspace(), chat_id)
        leaf(session, place)
        save_session(workspace(), session)


def _go_to(session: ChatSession, other: ChatSession) -> None:
    """Both are kept, the new one first, so that no link leads nowhere."""
    save_session(workspace(), other)
    save_session(workspace(), session)
    st.query_params["chat"] = other.id
