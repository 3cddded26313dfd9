"""The model files: size, quantization, and what they were made from."""

from __future__ import annotations

import time
from pathlib import Path

import streamlit as st

from pages.parts.layout import facts, show_error, workspace
from studio.errors import StudioError
from studio.ui.model_files import ModelFacts, read_model_facts
from studio.ui.playable import Playable, list_playable
from studio.ui.wording import moment, plain, short_hash, size


def model_list() -> None:
    """A card per GGUF: your own first, base models below."""
    files = list_playable(workspace())
    for heading, own in (("Your models", True), ("Base models", False)):
        chosen = [one for one in files if one.is_base is not own]
        if chosen:
            st.subheader(heading, anchor=False)
        for one in chosen:
            with st.container(border=True, key=f"card_{one.id}", gap="small"):
                _card(one)


def _card(one: Playable) -> None:
    try:
        changed = one.path.stat().st_mtime
    except OSError:
        st.caption(f"{plain(one.title)} was deleted or moved a moment ago.")
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"model_line_{one.id}"):
        st.markdown(f"**{plain(one.title)}**", width="stretch")
        st.caption(f"{size(one.bytes)} · {moment(changed, time.time())}", width="content")
        if st.button("Play", key=f"play_{one.id}", icon=":material/casino:"):
            st.switch_page("pages/play.py", query_params={"model": one.id})
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


@st.cache_data(max_entries=200, show_spinner="Reading the model files")
def _facts(path: Path, changed: float) -> ModelFacts:
    return read_model_facts(path)
