"""What lists say of a scenario file, remembered until the file changes."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import library, vocabulary, workspace
from studio.scenarios.library import ScenarioEntry, ScenarioLibraryError
from studio.ui.file_tree import GLANCE_BYTES, Glance, glance


def glance_at(entry: ScenarioEntry) -> Glance | None:
    """Turns, rolls, errors and warnings of a file; None when it is too large for a list or cannot be read."""
    if entry.size > GLANCE_BYTES:
        return None
    words = workspace().config_file("tools.yaml")
    return _glance(str(workspace().root), entry.id, entry.modified_ns, entry.size, words.stat().st_mtime_ns)


@st.cache_data(max_entries=20_000, show_spinner=False)
def _glance(root: str, scenario_id: str, changed: int, size: int, vocabulary_changed: int) -> Glance | None:
    """The arguments say what the answer depends on: which file, as of when, read with which vocabulary."""
    try:
        text = library().read(scenario_id).text
    except ScenarioLibraryError:  # deleted since the list was made, or not to be read
        return None
    return glance(text, scenario_id.partition("/")[0], vocabulary())
