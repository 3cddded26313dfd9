"""The wish to be told when a run ends: a notification and a sound, made by the browser while its page stays open."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from studio.jobs import JobState
from studio.ui.runs import ending

_HERE = Path(__file__).parent
_BELL = st.components.v2.component(
    "studio_run_bell",
    js=(_HERE / "run_bell.js").read_text(encoding="utf-8"),
    css=(_HERE / "run_bell.css").read_text(encoding="utf-8"),
)


def run_bell(name: str, state: JobState, *, rests: bool) -> None:
    """A box to tick while it goes on. Drawn when it has ended too: that is how the browser hears of it."""
    title, text = ending(name, state)
    _BELL(data={"run": name, "going": not rests, "title": title, "text": text}, key="run_bell")
