"""The chat: which file is loaded, what was said and the turn in the making, and beside it how everything stands."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.layout import facts, header, show_error, told_afterwards, workspace
from pages.parts.play_branches import branch_links
from pages.parts.play_context import context_panel
from pages.parts.play_copy import copy_button
from pages.parts.play_corrections import keep_session_button
from pages.parts.play_dice import dice_form, dice_switch
from pages.parts.play_hosts import host_of
from pages.parts.play_live import make_move, watch_for_a_stop
from pages.parts.play_monitor import monitor_panel, switch_notice
from pages.parts.play_moves import Move, chosen, told_until
from pages.parts.play_party import party_panel
from pages.parts.play_story import story_end, tell_story
from studio.conversion.metadata import PARENT_KEYS
from studio.errors import StudioError
from studio.play import ChatSession, HostInfo, ModelHost, load_session, save_session, scenario_text
from studio.ui.live_turn import said_text
from studio.ui.playable import Playable, find_among, find_playable, list_choices, played_with
from studio.ui.tables import same_table, table_sentence
from studio.ui.wording import plain, short_hash


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
    switch_notice(session)
    host = _host(session)
    _actions(session)
    branch_links(session)
    move = chosen()
    move = move if host else None
    story, side = st.columns([3, 1], gap="medium")
    with side:
        _panels(session, host)
    place = _story(story, session, move, answers=host is not None)
    if host is None:  # what was said can be read and taken along; there is nobody to answer
        return
    watch_for_a_stop()
    said = st.chat_input(
        "What do you do?" if not session.pending else "Your dice first", key="player_line", submit_mode="stop",
        max_chars=4000, disabled=bool(session.pending),
    )  # fmt: skip
    if said:
        move = Move("say", said)
    if move:
        make_move(session, move, host, place)


def _story(place: DeltaGenerator, session: ChatSession, move: Move | None, *, answers: bool) -> DeltaGenerator:
    """What was said, and the place for what is about to be."""
    with place:
        tell_story(session, told_until(session, move), playing=move is not None, answers=answers)
        live = st.container(key="live_turn")
        if move is None and answers:
            dice_form(session)
        if move is None:
            story_end(session, answers=answers)
    return live


def _panels(session: ChatSession, host: ModelHost | None) -> None:
    if session.system.party:
        party_panel(session)
    if host is not None:
        context_panel(session, host)
        monitor_panel(session, host)


def _model(session: ChatSession) -> Playable:
    """The file that the address names, else the one that the session was played with, else the first."""
    if asked := st.query_params.get("model"):
        return find_playable(workspace(), asked)
    files = list_choices(workspace())
    if chosen := find_among(files, session.playable) or played_with(files, session.model):
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
        host = host_of(session, model)
        with st.spinner(f"Loading {plain(model.title)}"):
            info = host.info()
    except StudioError as error:
        show_error(error)
        return None
    with st.container(border=True, key="loaded_file"):
        facts(_loaded(model, info))
    return host


def _loaded(model: Playable, info: HostInfo) -> list[tuple[str, str]]:
    """What is played, by content, and what it was made from."""
    adapter = [("adapter SHA-256", info.adapter.sha256[:16])] if info.adapter else []
    parents = [
        (f"from {name}", short_hash(info.parents[key])) for key, name in PARENT_KEYS.items() if key in info.parents
    ]
    window, threads = f"{info.context_tokens:,} tokens", str(info.threads)
    file = ("file SHA-256", info.sha256[:16])
    return [("model", model.title), file, *adapter, *parents, ("window", window), ("threads", threads)]


def _actions(session: ChatSession) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="chat_actions"):
        st.button("Another table", key="leave", icon=":material/arrow_back:", type="tertiary", on_click=_leave)
        st.caption(table_sentence(session), width="stretch")
        dice_switch(session)
        copy_button(
            said_text(session.messages, session.settings.speaking_as), "Copy the whole conversation", key="copy_all",
            label="Copy",
        )  # fmt: skip
        st.button(
            "Start again",
            key="restart",
            icon=":material/restart_alt:",
            type="tertiary",
            on_click=_restart,
            args=(session,),
            help="The same scene and dice from the beginning, as a new session; this one is kept.",
        )
        keep_session_button(session)
        st.download_button(
            "Transcript", scenario_text(session), file_name=f"{session.id}.md", mime="text/markdown", key="transcript",
            icon=":material/download:", type="tertiary", on_click="ignore",
            help="The session as a scenario file, ready to correct and to train on.",
        )  # fmt: skip


def _location(session: ChatSession) -> str:
    return " ".join(session.system.location.split())[:280] or "No place is described in the scene."


def _restart(session: ChatSession) -> None:
    fresh = same_table(session, datetime.now(UTC), secrets.token_hex(3))
    with told_afterwards():
        save_session(workspace(), fresh)
        st.query_params["chat"] = fresh.id


def _leave() -> None:
    st.query_params.clear()
