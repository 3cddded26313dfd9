"""What was typed into the training form. It belongs to no preset: switching presets loses nothing of it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

import streamlit as st

from studio.config import TrainingConfig, TrainingPreset, parse_settings
from studio.errors import ConfigError
from studio.training import Run

LIKE, FILE = "like_", "the file"
"""Keys of choices that are no presets: a run's settings, and those of a file."""
PRESET = "train_preset"
_TYPED, _MODEL, _LOADED = "typed_into_the_training_form", "run_that_the_form_began_with", "settings_loaded_from_a_file"


def typed() -> MutableMapping[str, Any]:
    """Setting -> what was typed, valid or not."""
    return st.session_state.setdefault(_TYPED, {})


def keep(name: str, key: str) -> None:
    """Callback of a field: remember what is in it now."""
    typed()[name] = st.session_state[key]


def forget() -> None:
    """Back to the preset as it is."""
    typed().clear()


def load(name: str, config: TrainingConfig) -> None:
    """Begin with the settings of a file; what was typed before was meant for others."""
    st.session_state[_LOADED] = (name, config.model_dump(mode="json"))
    st.session_state[PRESET] = FILE
    forget()


def loaded() -> dict[str, TrainingPreset]:
    """The settings of the file that was loaded last, as a preset; nothing when there was none."""
    if _LOADED not in st.session_state:
        return {}
    name, values = st.session_state[_LOADED]
    try:
        config = parse_settings(TrainingConfig, values, name)
    except ConfigError:  # of another version of the studio, in a session that outlived an update
        return {}
    return {FILE: TrainingPreset(title="From the file", summary=f"The settings of {name}.", training=config)}


def begin_with(model: Run | None, presets: dict[str, TrainingPreset]) -> str:
    """The chosen preset: that of the run in the address when it is new there, else the one that was chosen last."""
    named = model.name if model else ""
    if named != st.session_state.get(_MODEL, ""):
        st.session_state[_MODEL] = named
        forget()  # it was meant for another beginning
        if named:
            st.session_state[PRESET] = f"{LIKE}{named}"
    if st.session_state.get(PRESET) not in presets:
        st.session_state[PRESET] = next(iter(presets))
    return str(st.session_state[PRESET])
