"""Training settings as a file: saved, and loaded from a file or from text that is pasted."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import say, show_error
from pages.parts.train_state import load
from studio.config import TrainingConfig
from studio.errors import ConfigError, StudioError
from studio.ui.failures import recorded_error
from studio.ui.settings_file import MOST_BYTES, as_file, from_file
from studio.ui.wording import plain

FILE_NAME = "training-settings.yaml"
_FAILED, _UPLOAD, _PASTED = "settings_that_could_not_be_loaded", "train_upload", "train_pasted"


def settings_files(config: TrainingConfig, *, usable: bool) -> None:
    """Two buttons: save, load."""
    with st.container(horizontal=True, key="train_files"):
        st.download_button(
            "Save settings as a file", as_file(config) if usable else "", FILE_NAME, "application/yaml",
            key="train_save", icon=":material/download:", type="tertiary", on_click="ignore", disabled=not usable,
            help="A YAML file with a comment above every setting, for another day or another campaign.",
        )  # fmt: skip
        with st.popover("Load settings", icon=":material/upload_file:", type="tertiary", key="train_load_box"):
            _load_box()


def _load_box() -> None:
    if failed := st.session_state.get(_FAILED):
        show_error(recorded_error(failed))
    st.file_uploader("A file of settings", type=["yaml", "yml"], key=_UPLOAD, max_upload_size=1)
    st.text_area(
        "Or paste them", key=_PASTED, height=140, max_chars=MOST_BYTES, placeholder="epochs: 8\nlearning_rate: 0.0005"
    )
    st.button("Use these settings", key="train_load", icon=":material/check:", type="primary", on_click=_load)


def _load() -> None:
    """What cannot be used is told in the box, and everything stays as it was."""
    st.session_state.pop(_FAILED, None)
    try:
        name, text = _given()
        config = from_file(text, name)
    except StudioError as error:
        st.session_state[_FAILED] = error.as_dict()
        return
    load(name, config)
    say(f"The settings of {plain(name)} are in the form.")


def _given() -> tuple[str, str]:
    """Name and text of what is to be loaded: pasted text, else the file. Raises `ConfigError`."""
    if pasted := str(st.session_state.get(_PASTED) or "").strip():
        return "the pasted text", pasted
    file = st.session_state.get(_UPLOAD)
    if file is None:
        raise ConfigError("There is nothing to load yet.", next_step="Choose a file, or paste its text.")
    try:
        return str(file.name), file.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            "These settings cannot be used.", why="The file is not text in UTF-8.",
            next_step="Choose a file that was saved from this page.", where=str(file.name),
        ) from error  # fmt: skip
