"""The scenario editor: Ace with gutter marks and coloured turns, and jumping to a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit_ace import st_ace

from studio.scenarios import Diagnostic, Vocabulary
from studio.ui.editor import gutter_marks, markers

HEIGHT = 620
_BRIDGE = st.components.v2.component(
    "studio_editor_bridge", js=(Path(__file__).parent / "editor_bridge.js").read_text(encoding="utf-8")
)


def scenario_editor(
    shown: str, text: str, diagnostics: Sequence[Diagnostic], vocabulary: Vocabulary, *, key: str
) -> str | None:
    """The editor; returns what it holds.

    Args:
        shown: the text as an editor holds it, with LF line ends.
        text: the same in the form of the file, which diagnostics are about.
        key: a new one starts the editor afresh with `shown`.
    """
    typed: str | None = st_ace(
        value=shown,
        language="markdown",
        theme="tomorrow_night" if theme() == "dark" else "chrome",
        height=HEIGHT,
        wrap=True,
        tab_size=2,
        annotations=list(gutter_marks(diagnostics)),
        markers=list(markers(text, vocabulary, diagnostics)),
        auto_update=True,
        key=key,
    )
    line, column, turn = st.session_state.get("jump", (0, 0, 0))
    _BRIDGE(data={"theme": theme(), "line": line, "column": column, "turn": turn}, key=f"bridge_{key}", height=1)
    return typed


def jump_to(line: int, column: int = 1) -> None:
    """Put the cursor there with the next rerun."""
    turn = st.session_state.get("jump", (0, 0, 0))[2] + 1
    st.session_state["jump"] = (line, column, turn)


def theme() -> str:
    """`light` or `dark`, as the browser shows the page."""
    return str(st.context.theme.type or "light")
