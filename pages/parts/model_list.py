"""The model files: size, quantization, what they were made from; play, validate or delete one."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pages.parts.layout import facts, say, show_error, told_afterwards, workspace
from pages.parts.models_report import report_badge
from studio.conversion.files import delete_model, start_inspection
from studio.errors import StudioError
from studio.ui.model_files import ModelFacts, read_model_facts
from studio.ui.playable import Playable, list_playable
from studio.ui.wording import moment, plain, short_hash, size

SHOWN = 10
"""Cards at first: each is hashed once, which takes a second per GB."""
_MORE = "models_shown"


def model_list() -> None:
    """A card per GGUF: your own first, newest first, base models below."""
    files = list_playable(workspace())
    own, bases = [one for one in files if not one.is_base], [one for one in files if one.is_base]
    shown = st.session_state.get(_MORE, SHOWN)
    _cards("Your models", own[:shown])
    if len(own) > shown:
        st.button(
            f"Show older ({len(own) - shown:,})", key="models_older", type="tertiary", icon=":material/expand_more:",
            on_click=_show_more,
        )  # fmt: skip
    _cards("Base models", bases)


def _cards(heading: str, files: Sequence[Playable]) -> None:
    if files:
        st.subheader(heading, anchor=False)
    for one in files:
        with st.container(border=True, key=f"card_{one.id}", gap="small"):
            _card(one)


def _show_more() -> None:
    st.session_state[_MORE] = st.session_state.get(_MORE, SHOWN) + 2 * SHOWN


def _card(one: Playable) -> None:
    try:
        changed = one.path.stat().st_mtime
    except OSError:
        st.caption(f"{plain(one.title)} was deleted or moved a moment ago.")
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"model_line_{one.id}"):
        st.markdown(f"**{plain(one.title)}**", width="stretch")
        st.caption(f"{size(one.bytes)} · {moment(changed, time.time())}", width="content")
        report_badge(one.path, one.id)
        _buttons(one)
    try:
        read = _facts(one.path, changed)
    except StudioError as error:
        show_error(error)
        return
    except OSError as error:
        show_error(StudioError("The file cannot be read.", why=str(error), next_step="Check it, then reload the page."))
        return
    parents = [(name, short_hash(digest)) for name, digest in read.parents.items()]
    facts([("quantization", read.quantization), ("SHA-256", short_hash(read.sha256, 16)), *parents])


def _buttons(one: Playable) -> None:
    if st.button("Play", key=f"play_{one.id}", icon=":material/casino:"):
        st.switch_page("pages/play.py", query_params={"model": one.id})
    st.button(
        "Validate", key=f"validate_{one.id}", icon=":material/fact_check:", type="tertiary", on_click=_validate,
        args=(one.path,), help="Checks its structure, metadata and chat template, and lets llama.cpp write with it.",
    )  # fmt: skip
    if not one.is_base and st.button(
        "", key=f"delete_{one.id}", icon=":material/delete:", type="tertiary", help="Delete this file"
    ):
        _delete(one)


def _validate(path: Path) -> None:
    with told_afterwards():
        start_inspection(workspace(), path)


@st.dialog("Delete this model file?")
def _delete(one: Playable) -> None:
    st.markdown(f"**{plain(one.title)}** takes {size(one.bytes)}. The file will be gone; this cannot be undone.")
    st.caption("Its run stays, so that it can be made again. What is deployed is a copy and stays too.")
    with st.container(horizontal=True):
        if st.button("Delete it", type="primary", key="delete_model_now", icon=":material/delete:"):
            _delete_now(one)
        if st.button("Keep it", key="delete_model_not"):
            st.rerun()


def _delete_now(one: Playable) -> None:
    try:
        delete_model(workspace(), one.path)
    except StudioError as error:
        show_error(error)
        return
    say(f"{plain(one.title)} is deleted.")
    st.rerun()


@st.cache_data(max_entries=200, show_spinner="Reading the model files")
def _facts(path: Path, changed: float) -> ModelFacts:
    return read_model_facts(path)
