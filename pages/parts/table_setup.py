"""Before play: which model, which scene, who speaks, and how freely; and the sessions that can be taken up again."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

import streamlit as st

from pages.parts.layout import empty_state, header, library, say, show_error, told, vocabulary, workspace
from studio.errors import StudioError
from studio.play import ChatSession, SessionSummary, delete_session, list_sessions, save_session
from studio.scenarios import MarkdownParser, TrainingScenario
from studio.ui.playable import Playable, list_choices
from studio.ui.sampling import VOICES
from studio.ui.tables import new_table
from studio.ui.wording import count, moment, plain, size

SHOWN = 8


def table_setup() -> None:
    """The whole page when no session is open."""
    header(
        "Play", "Sit down with your model as the Dungeon Master. When it asks for a roll, the studio rolls real dice."
    )
    models = list_choices(workspace())
    if not models:
        empty_state(
            "casino",
            "No model to play with yet",
            "Import a base model to try it as it is, or convert a finished training run into a model file of your own.",
            page="pages/setup.py",
            label="Open Setup",
        )
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _form(models)
    with right:
        _recent()


def _form(models: list[Playable]) -> None:
    with st.container(border=True, key="table_form"):
        by_id = {one.id: one for one in models}
        asked = st.query_params.get("model", "")
        model = st.selectbox(
            "Model", list(by_id), index=list(by_id).index(asked) if asked in by_id else 0, key="play_model",
            format_func=lambda one: f"{by_id[one].title} · {size(by_id[one].bytes)}",
        )  # fmt: skip
        scenario = _scene()
        party = [one.name for one in scenario.system_context.party] if scenario else []
        speaker = st.selectbox(
            "You speak as", ["", *party], format_func=lambda one: one or "The party", key="play_speaker"
        )
        voice = st.segmented_control(
            "How freely it speaks", list(VOICES), default="steady", format_func=lambda one: VOICES[one].title,
            key="play_voice", required=True,
        )  # fmt: skip
        st.caption(VOICES[voice or "steady"].hint)
        strict = st.toggle(
            "Only valid requests",
            key="play_valid",
            help="Once it has opened a bracket, the model can only ask for a roll or a change that the studio knows. "
            "It makes no difference to its story.",
        )
        seed = st.number_input(
            "Seed",
            0,
            2**32 - 1,
            7,
            key="play_seed",
            help="The same model, scene, words and seed give the same dice and the same story.",
        )
        if st.button(
            "Sit down at the table",
            type="primary",
            icon=":material/casino:",
            key="play_start",
            disabled=scenario is None,
        ):
            session = new_table(
                scenario or TrainingScenario(),
                datetime.now(UTC),
                secrets.token_hex(3),
                speaker=str(speaker or ""),
                sampling=VOICES[voice or "steady"].sampling,
                seed=int(seed),
                valid_requests=strict,
            )
            _begin(str(model), session)


def _scene() -> TrainingScenario | None:
    files = {one.id: one for one in library().entries()}
    chosen = st.selectbox(
        "Scene",
        list(files),
        format_func=lambda one: f"{files[one].title or files[one].name} · {files[one].type}",
        key="play_scene",
        placeholder="Write a scenario first",
        help="The scene's SYSTEM block and party; its turns are not shown to the model.",
    )
    if not chosen:
        return None
    try:
        return MarkdownParser(vocabulary()).parse_scenario(library().path(chosen))
    except StudioError as error:
        show_error(error)
        return None


def _begin(model: str, session: ChatSession) -> None:
    save_session(workspace(), session)
    st.query_params.from_dict({"chat": session.id, "model": model})
    st.rerun()


def _recent() -> None:
    sessions = list_sessions(workspace())
    st.markdown("**Earlier sessions**")
    if not sessions:
        st.caption("None yet. Every session is kept, so you can go on with it tomorrow.")
    for one in sessions[:SHOWN]:
        with st.container(horizontal=True, vertical_alignment="center", key=f"recent_{one.id}"):
            with st.container(width="stretch", gap=None, key=f"recent_words_{one.id}"):
                if st.button(plain(one.title), key=f"row_chat_{one.id}", type="tertiary"):
                    st.query_params["chat"] = one.id
                    st.rerun()
                st.caption(f"{count(one.turns, 'turn')} · {moment(one.created.timestamp(), time.time())}")
            if st.button(
                "", icon=":material/delete:", key=f"forget_{one.id}", type="tertiary", help="Delete this session"
            ):
                _forget(one)
    if len(sessions) > SHOWN:
        st.caption(f"{len(sessions) - SHOWN:,} older ones are kept in the folder of chats.")


@st.dialog("Delete this session?")
def _forget(one: SessionSummary) -> None:
    st.markdown(f"**{plain(one.title)}**, {count(one.turns, 'turn')}, is deleted for good.")
    if st.button("Delete", type="primary", key="forget_now", icon=":material/delete:"):
        with told():
            delete_session(workspace(), one.id)
            say("The session is deleted.")
            st.rerun()
