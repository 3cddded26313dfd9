"""The tree of scenario files in the sidebar: search, marks, a way into each file, and a new one of each type."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.glances import glance_at
from pages.parts.layout import library
from pages.parts.new_scenario import new_scenario_dialog
from studio.errors import StudioError
from studio.scenarios import SCENARIO_TYPES
from studio.scenarios.library import ScenarioEntry
from studio.ui.file_tree import rows_to_mark, tree_groups

_HERE = Path(__file__).parent
_TREE = st.components.v2.component(
    "studio_file_tree",
    js=(_HERE / "file_tree.js").read_text(encoding="utf-8"),
    css=(_HERE / "file_tree.css").read_text(encoding="utf-8"),
)
_STYLE = _HERE / "library.css"
_NEW, SEARCH = "tree_asks_for_a_new_file", "tree_asks_for_a_search"
_LONGEST_SEARCH = 200


def file_tree(current: str | None) -> None:
    """Draw the tree into the sidebar. `current` is the id of the open file.

    The rows are a message of their own: as long as they are the same, Streamlit sends them once.
    """
    entries = library().entries()
    st.html(_STYLE)
    with st.sidebar:
        _TREE(data={"groups": tree_groups(entries)}, key="tree_rows", height=1)
        _marked_tree(current, {one.id: one for one in entries})
    if kind := st.session_state.pop(_NEW, None):
        new_scenario_dialog(kind)


@st.fragment
def _marked_tree(current: str | None, known: dict[str, ScenarioEntry]) -> None:
    """The tree itself; scrolling to rows that were never looked at redraws it alone."""
    said = st.session_state.get("tree") or {}
    marks = _marks(rows_to_mark(said.get("shown"), known, current))
    unsaved = sorted({one.scenario_id for one in library().waiting_drafts()})
    said = _TREE(
        data={"current": current or "", "marks": marks, "unsaved": unsaved}, key="tree",
        on_shown_change=_nothing, on_open_change=_nothing, on_new_change=_nothing, on_search_change=_nothing,
    )  # fmt: skip
    if (chosen := said.get("open")) in known:
        open_file(str(chosen))
    if (kind := said.get("new")) in SCENARIO_TYPES:
        st.session_state[_NEW] = kind
        st.rerun()
    if isinstance(words := said.get("search"), str) and words.strip():
        st.session_state[SEARCH] = words[:_LONGEST_SEARCH]
        st.query_params.clear()
        st.rerun()


def _marks(entries: list[ScenarioEntry]) -> dict[str, str]:
    """The worst in each file. A vocabulary that cannot be read is told by the page itself, not by the tree too."""
    try:
        return {one.id: found.mark for one in entries if (found := glance_at(one))}
    except StudioError:
        return {}


def open_file(scenario_id: str) -> None:
    """Open a scenario: the address names it, and nothing else."""
    st.query_params.from_dict({"file": scenario_id})
    st.rerun()


def _nothing() -> None:
    """Streamlit wants a callback for each value that a component may set."""
