"""Models side by side: choose two or three, say one line to all of them, and go on with the one that you like."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import streamlit as st

from pages.parts.layout import facts, header, show_error, vocabulary, workspace
from pages.parts.play_hosts import host_of
from pages.parts.play_scene import party_names, scene_choice
from pages.parts.play_sessions import comparison_list
from pages.parts.play_settings import more_settings, voice_choice
from pages.parts.table_setup import model_label, no_model, seed_choice
from studio.errors import PlayError, StudioError
from studio.play import ChatSession, ModelHost, TurnEndEvent, load_session, save_session
from studio.play.comparison import MOST_MODELS, Seat, SeatBegins, SeatFailed, side_by_side
from studio.play.sessions.session import ModelStamp
from studio.ui.comparison import LiveColumn, compared_html, live_html, told_turns, totals
from studio.ui.monitor import record_turn
from studio.ui.playable import Playable, find_playable, first_pair, list_choices
from studio.ui.tables import compared_tables, table_sentence
from studio.ui.wording import plain

FRAME_SECONDS = 0.1
_STYLE = Path(__file__).with_name("play_compare.css")


def compare_setup() -> None:
    """Choosing the models and what they play."""
    models = list_choices(workspace())
    if not models:
        no_model()
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _form(models)
    with right:
        st.markdown("**What it is for**")
        st.caption(
            "Is your model better than the base it was trained from? Does the small file still ask for rolls? All get "
            "the same line, scene and seed, one after the other, and the same dice where they ask for the same roll. "
            "Then go on with the one that you like."
        )
        comparison_list()


def _form(models: list[Playable]) -> None:
    with st.container(border=True, key="compare_form"):
        by_id = {one.id: one for one in models}
        chosen = st.multiselect(
            "Models", list(by_id), default=first_pair(models), max_selections=MOST_MODELS, key="compare_models",
            format_func=lambda one: model_label(by_id[one]), placeholder="Choose two or three",
        )  # fmt: skip
        scene, turns = scene_choice("compare")
        speaker = st.selectbox(
            "You speak as", ["", *party_names(scene)], format_func=lambda one: one or "The party", key="compare_speaker"
        )
        sampling = voice_choice("compare")
        settings = more_settings("compare", by_id[chosen[0]] if chosen else None, sampling, str(speaker or ""))
        seed = seed_choice("compare")
        ready = len(chosen) > 1 and scene is not None
        if not ready:
            st.caption("Choose at least two models and a scene.")
        if settings.dice == "own":
            st.caption("Side by side, the studio throws the dice: all models shall get the same.")
            settings.dice = "studio"
        if st.button(
            "Play side by side", type="primary", icon=":material/view_column:", key="compare_start", disabled=not ready
        ):
            token, now = secrets.token_hex(3), datetime.now(UTC)
            tables = compared_tables(
                scene or "", now, token, settings=settings, seed=seed, turns=turns, playables=chosen
            )
            for one in tables:
                save_session(workspace(), one)
            st.query_params.from_dict({"compare": ",".join(one.id for one in tables)})
            st.rerun()


def compare_view(ids: Sequence[str]) -> None:
    """The page of sessions that are compared."""
    sessions = _sessions(ids[:MOST_MODELS])
    if not sessions:
        header("Side by side", "None of these sessions can be opened.")
    else:
        header(
            sessions[0].title or "Side by side", "The same line, scene and dice for each model, one after the other."
        )
    _actions(sessions)
    if not sessions:
        return
    st.html(_STYLE)
    names = [_name(one) for one in sessions]
    for column, session, name in zip(st.columns(len(sessions), gap="medium"), sessions, names, strict=True):
        with column:
            _head(session, name)
    for turns in told_turns(sessions):
        st.html(compared_html(turns, names, vocabulary()))
    if not sessions[0].turns:
        st.caption("You speak first. Every model is given the same line.")
    place = st.container(key="live_comparison")
    behind = len({len(one.turns) for one in sessions}) > 1
    if behind and st.button("Let the others answer", key="compare_catch_up", icon=":material/playlist_play:"):
        _play(sessions, names, "", place)
    said = st.chat_input("What do you do?", key="compare_line", submit_mode="stop", max_chars=4000)
    if said:
        _play(sessions, names, said, place)


def _sessions(ids: Sequence[str]) -> list[ChatSession]:
    found = []
    for one in dict.fromkeys(ids):
        try:
            found.append(load_session(workspace(), one))
        except StudioError as error:
            show_error(error)
    return found


def _actions(sessions: list[ChatSession]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="compare_actions"):
        st.button("Another table", key="leave", icon=":material/arrow_back:", type="tertiary", on_click=_leave)
        if sessions:
            st.caption(table_sentence(sessions[0]), width="stretch")


def _head(session: ChatSession, name: str) -> None:
    """Which file it is, by its hash, how it did so far, and the way on with it alone."""
    with st.container(border=True, key=f"seat_{session.id}"):
        st.markdown(f"**{plain(name)}**")
        stamp = session.model
        if stamp is None:
            try:
                with st.spinner("Loading"):
                    stamp = ModelStamp.of(_host(session).info())
            except StudioError as error:
                show_error(error)
        if stamp:
            facts(
                [
                    ("file SHA-256", stamp.sha256[:16]),
                    ("adapter SHA-256", stamp.adapter_sha256[:16]),
                    ("window", f"{stamp.context_tokens:,} tokens"),
                    *totals(session),
                ]
            )
        st.button(
            "Keep this one", key=f"keep_{session.id}", icon=":material/check:", on_click=_keep, args=(session,),
            disabled=stamp is None, help="Go on with this model alone, as an ordinary session. The others stay saved.",
        )  # fmt: skip


def _play(sessions: list[ChatSession], names: list[str], line: str, place: st.delta_generator.DeltaGenerator) -> None:
    """One line for all. However it ends (done, stopped, tab closed), what was said is kept."""
    seats = [Seat(one, partial(_host, one)) for one in sessions]
    columns = [LiveColumn() for _ in sessions]
    shown, failed, frame = line, list[tuple[str, StudioError]](), place.empty()
    try:
        with closing(side_by_side(seats, line, vocabulary())) as events:
            drawn = 0.0
            for number, event in events:
                changed = columns[number].take(event)
                if isinstance(event, SeatBegins):
                    shown = event.line
                elif isinstance(event, SeatFailed):
                    failed.append((names[number], event.error))
                    _record(sessions[number], event.error)
                elif isinstance(event, TurnEndEvent):
                    save_session(workspace(), sessions[number])
                    _record(sessions[number])
                    continue  # part of the session now: nothing may break off the iterator any more
                if changed or time.monotonic() - drawn > FRAME_SECONDS:
                    drawn = time.monotonic()
                    frame.html(live_html(shown, columns, names, vocabulary()))
    finally:
        for one in sessions:
            save_session(workspace(), one)
    if not failed:
        st.rerun()
    for name, error in failed:
        with place:
            st.markdown(f"**{plain(name)}** could not answer:")
            show_error(error)


def _record(session: ChatSession, failed: StudioError | None = None) -> None:
    """Write down how the model did; nothing is switched here, for these models are what is compared."""
    with suppress(StudioError):
        record_turn(workspace(), session, _host(session), time.time(), failed)


def _host(session: ChatSession) -> ModelHost:
    """The host of a session's model. Raises `StudioError` when there is none."""
    model = _playable(session)
    if model is None:
        raise PlayError("The model of this column is not there any more.", next_step="Choose another comparison.")
    return host_of(session, model)


def _playable(session: ChatSession) -> Playable | None:
    try:
        return find_playable(workspace(), session.playable)
    except StudioError:
        return None


def _name(session: ChatSession) -> str:
    """How the column is called: the model's title, or what its file was called when it is gone."""
    if model := _playable(session):
        return model.title
    return (session.model.adapter or session.model.path) if session.model else session.playable or session.id


def _keep(session: ChatSession) -> None:
    st.query_params.from_dict({"chat": session.id, **({"model": session.playable} if session.playable else {})})


def _leave() -> None:
    st.query_params.clear()
