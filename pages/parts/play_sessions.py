"""The saved sessions: find one among many, go on with it, give it another name, compare it, delete it."""

from __future__ import annotations

import time

import streamlit as st

from pages.parts.layout import say, told, workspace
from studio.play import SessionIndex, SessionSummary, delete_session, rename_session
from studio.play.comparison import MOST_MODELS
from studio.play.sessions.index import of_group
from studio.ui.wording import count, moment, plain
from studio.workspace import Workspace

SHOWN = 12


def session_list() -> None:
    """All sessions of the workspace, newest first, a page of them at a time."""
    found = _index(workspace()).summaries()
    st.markdown("**Earlier sessions**")
    if not found:
        st.caption("None yet. Every session is kept, so you can go on with it tomorrow.")
        return
    words = st.text_input(
        "Find a session", key="session_search", placeholder=f"Find among {len(found):,}", label_visibility="collapsed"
    )
    chosen = [one for one in found if one.matches(words)]
    if not chosen:
        st.caption("No session has these words in its title or its model.")
        return
    titles = {one.id: one.title for one in found}
    for one in _page(chosen):
        _row(one, titles, of_group(found, one.group))


def comparison_list() -> None:
    """The newest comparisons; all of them are among the sessions, too."""
    found = _index(workspace()).summaries()
    groups = list(dict.fromkeys(one.group for one in found if one.group))
    st.markdown("**Earlier comparisons**")
    if not groups:
        st.caption("None yet.")
    for group in groups[:SHOWN]:
        members = of_group(found, group)[:MOST_MODELS]
        with st.container(gap=None, key=f"comparison_{group}"):
            if st.button(plain(members[0].title), key=f"row_compare_{group}", type="tertiary"):
                _open_group(members)
            when = moment(members[0].created.timestamp(), time.time())
            models = [one.model or "not played yet" for one in members]
            st.caption(plain(f"{' and '.join(models)} · {when}"))


def _open_group(members: list[SessionSummary]) -> None:
    st.query_params.from_dict({"compare": ",".join(one.id for one in members)})
    st.rerun()


@st.cache_resource(max_entries=4, show_spinner=False)
def _index(here: Workspace) -> SessionIndex:
    return SessionIndex(here)


def _page(chosen: list[SessionSummary]) -> list[SessionSummary]:
    """The sessions of the page that is chosen."""
    pages = -(-len(chosen) // SHOWN)
    if pages < 2:
        return chosen
    number = min(int(st.session_state.get("session_page") or 1), pages)
    st.session_state["session_page"] = number
    with st.container(horizontal=True, vertical_alignment="center", key="session_pages"):
        st.number_input("Page", 1, pages, key="session_page", label_visibility="collapsed", width=120)
        st.caption(f"of {pages:,} · {count(len(chosen), 'session')}", width="stretch")
    return chosen[(number - 1) * SHOWN : number * SHOWN]


def _row(one: SessionSummary, titles: dict[str, str], group: list[SessionSummary]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"recent_{one.id}"):
        with st.container(width="stretch", gap=None, key=f"recent_words_{one.id}"):
            if st.button(plain(one.title or one.id), key=f"row_chat_{one.id}", type="tertiary"):
                st.query_params.from_dict({"chat": one.id})
                st.rerun()
            st.caption(plain(" · ".join(_facts(one, titles, group))))
        if len(group) > 1 and st.button(
            "", icon=":material/view_column:", key=f"group_{one.id}", type="tertiary", help="Side by side"
        ):
            _open_group(group[:MOST_MODELS])
        if st.button("", icon=":material/edit:", key=f"name_{one.id}", type="tertiary", help="Give it another name"):
            _rename(one)
        if st.button("", icon=":material/delete:", key=f"forget_{one.id}", type="tertiary", help="Delete this session"):
            _forget(one)


def _facts(one: SessionSummary, titles: dict[str, str], group: list[SessionSummary]) -> list[str]:
    told = [count(one.turns, "turn"), moment(one.created.timestamp(), time.time()), one.model]
    if one.branched_from:
        told.append(f"a branch of {titles.get(one.branched_from, 'a deleted session')}")
    if len(group) > 1:
        told.append(f"compared with {count(len(group) - 1, 'other')}")
    return [part for part in told if part]


@st.dialog("Another name")
def _rename(one: SessionSummary) -> None:
    title = st.text_input("Title", one.title, max_chars=120, key="session_title")
    if st.button("Save", type="primary", key="rename_now", icon=":material/check:"):
        with told():
            rename_session(workspace(), one.id, title)
            say("The session has another name.")
            st.rerun()


@st.dialog("Delete this session?")
def _forget(one: SessionSummary) -> None:
    st.markdown(f"**{plain(one.title)}**, {count(one.turns, 'turn')}, is deleted for good.")
    if st.button("Delete", type="primary", key="forget_now", icon=":material/delete:"):
        with told():
            delete_session(workspace(), one.id)
            say("The session is deleted.")
            st.rerun()
