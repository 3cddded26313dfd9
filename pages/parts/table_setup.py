"""Before play: which model, which scene, who speaks, and how freely; and the sessions that can be taken up again."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import streamlit as st

from pages.parts.layout import empty_state, workspace
from pages.parts.play_scene import party_names, scene_choice
from pages.parts.play_sessions import session_list
from pages.parts.play_settings import more_settings, voice_choice
from studio.play import ChatSession, save_session
from studio.ui.playable import Playable, list_choices
from studio.ui.tables import new_table
from studio.ui.wording import size


def table_setup() -> None:
    """The first view of the page when no session is open."""
    models = list_choices(workspace())
    if not models:
        no_model()
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _form(models)
    with right:
        session_list()


def no_model() -> None:
    """What to do when there is nothing to play with."""
    empty_state(
        "casino",
        "No model to play with yet",
        "Import a base model to try it as it is, or convert a finished training run into a model file of your own.",
        page="pages/setup.py",
        label="Open Setup",
    )


def model_label(one: Playable) -> str:
    """A model in a list of models."""
    return f"{one.title} · {size(one.bytes)}"


def seed_choice(prefix: str) -> int:
    """The seed of dice and replies; the key begins with `prefix`."""
    return int(
        st.number_input(
            "Seed", 0, 2**32 - 1, 7, key=f"{prefix}_seed",
            help="The same model, scene, words and seed give the same dice and the same story.",
        )
    )  # fmt: skip


def _form(models: list[Playable]) -> None:
    with st.container(border=True, key="table_form"):
        by_id = {one.id: one for one in models}
        asked = st.query_params.get("model", "")
        model = st.selectbox(
            "Model", list(by_id), index=list(by_id).index(asked) if asked in by_id else 0, key="play_model",
            format_func=lambda one: model_label(by_id[one]),
        )  # fmt: skip
        scene, turns = scene_choice("play")
        speaker = st.selectbox(
            "You speak as", ["", *party_names(scene)], format_func=lambda one: one or "The party", key="play_speaker"
        )
        sampling = voice_choice("play")
        settings = more_settings("play", by_id.get(str(model)), sampling, str(speaker or ""))
        seed = seed_choice("play")
        ready = scene is not None
        if st.button(
            "Sit down at the table", type="primary", icon=":material/casino:", key="play_start", disabled=not ready
        ):
            token, now = secrets.token_hex(3), datetime.now(UTC)
            table = new_table(scene or "", now, token, settings=settings, seed=seed, turns=turns, playable=str(model))
            _begin(str(model), table)


def _begin(model: str, session: ChatSession) -> None:
    save_session(workspace(), session)
    st.query_params.from_dict({"chat": session.id, "model": model})
    st.rerun()
