"""Where a session parted from another one, and which sessions parted from it: links between the two."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import workspace
from studio.errors import StudioError
from studio.play import BranchPoint, ChatSession, load_session, story_turns
from studio.ui.wording import plain


def branch_links(session: ChatSession) -> None:
    """A button for each of them that is still there."""
    points = [*([session.branched_from] if session.branched_from else []), *session.branches]
    titles = {one.session: _title(one.session) for one in points}
    if not any(titles.values()):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="branch_links"):
        for one in points:
            if titles[one.session]:
                _link(session, one, titles[one.session])


def _link(session: ChatSession, point: BranchPoint, title: str) -> None:
    turn = 1 + sum(one.end <= point.message for one in story_turns(session))
    words = "Branched off at" if point is session.branched_from else "A branch at"
    st.button(
        f"{words} turn {turn}: {plain(title)}", key=f"go_{point.session}", type="tertiary",
        icon=":material/alt_route:", on_click=_open, args=(point.session,),
    )  # fmt: skip


def _title(chat_id: str) -> str:
    """Empty for one that is gone or cannot be read."""
    try:
        session = load_session(workspace(), chat_id)
    except StudioError:
        return ""
    return session.title or session.id


def _open(chat_id: str) -> None:
    st.query_params["chat"] = chat_id
