"""The turn in the making: it is drawn as it comes, and however it ends (done, stopped, tab closed), it is kept."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts.layout import show_error, workspace
from pages.parts.play_monitor import after_turn
from pages.parts.play_moves import Move, begun_turn, choose, events_of
from studio.errors import StudioError
from studio.play import ChatSession, ModelHost, TurnEndEvent, save_session
from studio.play.watching.switching import Switch
from studio.ui.live_turn import LiveTurn
from studio.ui.wording import plain

FRAME_SECONDS = 0.08
_WATCH = st.components.v2.component(
    "studio_play_live", js=(Path(__file__).parent / "play_live.js").read_text(encoding="utf-8")
)


def make_move(session: ChatSession, move: Move, host: ModelHost, place: DeltaGenerator) -> None:
    """Play it, into `place`; then the page is drawn anew, unless it failed."""
    live = begun_turn(session, move)
    with place:
        bubbles, notes = st.empty(), st.empty()
    failed: StudioError | None = None
    try:
        _follow(session, move, host, live, bubbles)
    except StudioError as error:
        failed = error
    finally:
        if failed is None:
            save_session(workspace(), session)
    switch = after_turn(session, host, failed)
    if failed is None:
        st.rerun()
    bubbles.html(LiveTurn(live.vocabulary, live.player, live.player_name).html(writing=False))  # her words are not lost
    with notes.container():
        show_error(failed)
        _send_again(move, switch)


def watch_for_a_stop() -> None:
    """Notices in the browser that a reply was stopped, and draws the page anew. To be drawn before the reply begins."""
    with st.container(key="play_watch"):
        _WATCH(key="play_watch_stop", height=1, on_stopped_change=_nothing)


def _send_again(move: Move, switch: Switch | None) -> None:
    """The same move once more, with the other model if the studio goes on with one."""
    label = f"Send it again, to {plain(switch.target.title)}" if switch else "Send it again"
    st.button(
        label,
        key="send_again",
        icon=":material/replay:",
        on_click=choose,
        args=(move.kind, list(move.faces), move.said),
    )


def _follow(session: ChatSession, move: Move, host: ModelHost, live: LiveTurn, bubbles: DeltaGenerator) -> None:
    bubbles.html(live.html(writing=True))
    with closing(events_of(session, move, host)) as events:
        shown = 0.0
        for event in events:
            changed = live.take(event)
            if isinstance(event, TurnEndEvent):
                continue  # the turn is part of the session now: nothing may break off the iterator any more
            if changed or time.monotonic() - shown > FRAME_SECONDS:
                shown = time.monotonic()
                bubbles.html(live.html(writing=True))


def _nothing() -> None:
    """Streamlit wants a callback for each value that a component may set."""
