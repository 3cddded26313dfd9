"""The chat: what was said, the turn in the making, which file is loaded, and the figures of the last turn."""

from __future__ import annotations

import secrets
import time
from contextlib import closing
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.layout import facts, header, show_error, told_afterwards, vocabulary, workspace
from pages.parts.play_party import party_panel
from studio.conversion import resolve_playable
from studio.errors import StudioError
from studio.play import (
    ChatSession,
    HostOptions,
    HostPool,
    ModelHost,
    TurnEndEvent,
    load_session,
    play_turn,
    save_session,
    scenario_text,
)
from studio.ui.live_turn import LiveTurn, session_html, statistics_sentence, turn_notes
from studio.ui.playable import Playable, find_playable, list_choices, played_with
from studio.ui.sampling import VOICES
from studio.ui.tables import same_table
from studio.ui.wording import plain

FRAME_SECONDS = 0.08


@st.cache_resource(show_spinner=False)
def host_pool() -> HostPool:
    """The loaded model files of this app."""
    return HostPool()


def chat_view(chat_id: str) -> None:
    """The whole page of one session."""
    try:
        session = load_session(workspace(), chat_id)
    except StudioError as error:
        header("Play", "This session cannot be opened.")
        show_error(error)
        st.button("Another table", key="leave", icon=":material/arrow_back:", on_click=_leave)
        return
    header(session.title or "Play", _location(session))
    host = _host(session)
    _actions(session)
    story, party = st.columns([3, 1], gap="medium") if session.system.party else (st.container(), None)
    if party is not None:
        with party:
            party_panel(session)
    with story:
        if session.turns or len(session.messages) > session.system_messages:
            st.html(session_html(session, vocabulary()))
        else:
            st.caption("You speak first. Say what you do; the Dungeon Master answers.")
        if host is None:  # what was said can be read and taken along; there is nobody to answer
            return
        place = st.container(key="live_turn")
        _last_figures(session)
    said = st.chat_input("What do you do?", key="player_line", submit_mode="stop", max_chars=4000)
    if said:
        _play(session, said, host, place)


def _model(session: ChatSession) -> Playable:
    """The file that the address names, else the one that the session was played with, else the first."""
    if asked := st.query_params.get("model"):
        return find_playable(workspace(), asked)
    files = list_choices(workspace())
    if chosen := played_with(files, session.model):
        return chosen
    gone = session.model.adapter or session.model.path if session.model else ""
    if gone and files:
        st.info(
            f"{plain(gone)}, which this session was played with, is not there any more. "
            f"It goes on with {plain(files[0].title)}.",
            icon=":material/swap_horiz:",
        )
    return files[0] if files else find_playable(workspace(), gone)


def _host(session: ChatSession) -> ModelHost | None:
    """The host of the session's file, with what it loaded on show; None when it cannot be loaded."""
    try:
        model = _model(session)
        loaded = resolve_playable(workspace(), model.path)
        host = host_pool().get(loaded.path, HostOptions(adapter=loaded.adapter))
        with st.spinner(f"Loading {plain(model.title)}"):
            info = host.info()
    except StudioError as error:
        show_error(error)
        return None
    with st.container(border=True, key="loaded_file"):
        facts(
            [
                ("model", model.title),
                ("file SHA-256", info.sha256[:16]),
                *([("adapter SHA-256", info.adapter.sha256[:16])] if info.adapter else []),
                ("window", f"{info.context_tokens:,} tokens"),
                ("threads", str(info.threads)),
            ]
        )
    return host


def _actions(session: ChatSession) -> None:
    voice = next((one.title for one in VOICES.values() if one.sampling == session.settings.sampling), "custom")
    with st.container(horizontal=True, vertical_alignment="center", key="chat_actions"):
        st.button("Another table", key="leave", icon=":material/arrow_back:", type="tertiary", on_click=_leave)
        speaker = session.settings.speaking_as or "the party"
        st.caption(f"You speak as {plain(speaker)} · {voice} · seed {session.seed}", width="stretch")
        st.button(
            "Start again",
            key="restart",
            icon=":material/restart_alt:",
            type="tertiary",
            on_click=_restart,
            args=(session,),
            help="The same scene and dice from the beginning, as a new session; this one is kept.",
        )
        st.download_button(
            "Transcript", scenario_text(session), file_name=f"{session.id}.md", mime="text/markdown", key="transcript",
            icon=":material/download:", type="tertiary", on_click="ignore",
            help="The session as a scenario file, ready to correct and to train on.",
        )  # fmt: skip


def _play(session: ChatSession, said: str, host: ModelHost, place: DeltaGenerator) -> None:
    """One turn. However it ends (done, stopped, tab closed), what was said is kept."""
    turn = LiveTurn(vocabulary(), said, session.settings.speaking_as)
    bubbles, notes = place.empty(), place.empty()
    bubbles.html(turn.html(writing=True))
    failed: StudioError | None = None
    try:
        with closing(play_turn(session, said, host, vocabulary())) as events:
            shown = 0.0
            for event in events:
                changed = turn.take(event)
                if isinstance(event, TurnEndEvent):
                    continue  # the turn is part of the session now: nothing may break off the iterator any more
                if changed or time.monotonic() - shown > FRAME_SECONDS:
                    shown = time.monotonic()
                    bubbles.html(turn.html(writing=True))
    except StudioError as error:
        failed = error
    finally:
        if failed is None:
            save_session(workspace(), session)
    if failed:
        bubbles.empty()
        with notes.container():
            show_error(failed)
        return
    st.rerun()


def _last_figures(session: ChatSession) -> None:
    events = session.turns[-1].events if session.turns else []
    for note in turn_notes(events):
        st.info(plain(note), icon=":material/info:")
    if events and isinstance(events[-1], TurnEndEvent):
        stopped = "Stopped by you · " if events[-1].reason == "cancelled" else ""
        st.caption(stopped + statistics_sentence(events[-1].statistics))


def _location(session: ChatSession) -> str:
    return " ".join(session.system.location.split())[:280] or "No place is described in the scene."


def _restart(session: ChatSession) -> None:
    fresh = same_table(session, datetime.now(UTC), secrets.token_hex(3))
    with told_afterwards():
        save_session(workspace(), fresh)
        st.query_params["chat"] = fresh.id


def _leave() -> None:
    st.query_params.clear()
