"""How the model does that is played, which files are loaded, and what the studio switched and why."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from pages.parts.layout import show_error, told_afterwards, workspace
from pages.parts.play_hosts import host_pool
from studio.errors import StudioError
from studio.play import ChatSession, ModelHost, save_session
from studio.play.watching.monitor import MonitorLog, Switched, figures_of
from studio.play.watching.rules import load_play_rules
from studio.play.watching.switching import Switch
from studio.ui.monitor import (
    budget_sentence,
    figures_html,
    go_back,
    loaded_html,
    note_turn,
    open_switch,
    stay,
    switch_sentence,
)
from studio.ui.wording import plain

_STYLE = Path(__file__).with_name("play_monitor.css")
SHOWN = 5
"""Models in the panel, those that spoke last."""


def monitor_panel(session: ChatSession, host: ModelHost) -> None:
    """The figures of the model and of the others, and the files that are loaded."""
    st.html(_STYLE)
    with st.expander("How the model does", key="monitor_panel"):
        try:
            window = load_play_rules(workspace()).window
        except StudioError as error:
            show_error(error)
            return
        _figures(host, window)
        _loaded()


def after_turn(session: ChatSession, host: ModelHost, failed: StudioError | None = None) -> Switch | None:
    """Note how the turn went; where the rules say so, the session goes on with another model from the next turn on."""
    switch = note_turn(workspace(), session, host, time.time(), failed)
    if switch is not None:
        save_session(workspace(), session)
        _name_in_address(session)
    return switch


def switch_notice(session: ChatSession) -> None:
    """What was switched and why, with the way back; nothing when nothing was, or somebody has answered."""
    switch = open_switch(workspace(), session)
    if switch is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="switch_notice"):
        st.markdown(f":material/swap_horiz: {plain(switch_sentence(switch))}", width="stretch")
        st.button(
            f"Go back to {plain(switch.source_title)}", key="switch_back", icon=":material/undo:",
            on_click=_answer, args=(session, switch, True),
        )  # fmt: skip
        st.button("Stay", key="switch_stay", type="tertiary", on_click=_answer, args=(session, switch, False))


def _figures(host: ModelHost, window: int) -> None:
    figures = figures_of(MonitorLog.of(workspace()).records(), window)
    info = host.last_loaded
    own = info.played_sha256 if info else ""
    figures.sort(key=lambda one: one.model != own)
    if figures:
        st.html(figures_html(figures[:SHOWN], own))
    else:
        st.caption("Its figures are here after the first turn.")


def _loaded() -> None:
    pool = host_pool()
    files = pool.loaded()
    st.caption(f"Loaded now: {plain(budget_sentence(files, pool.memory_limit_bytes))}")
    st.html(loaded_html(files))


def _answer(session: ChatSession, switch: Switched, back: bool) -> None:
    with told_afterwards():
        (go_back if back else stay)(workspace(), session, switch, time.time())
        save_session(workspace(), session)
        _name_in_address(session)


def _name_in_address(session: ChatSession) -> None:
    if "model" in st.query_params:
        st.query_params["model"] = session.playable
