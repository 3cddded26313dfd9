"""A small button that puts a text on the clipboard, made by the browser."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HERE = Path(__file__).parent
_COPY = st.components.v2.component(
    "studio_play_copy",
    js=(_HERE / "play_copy.js").read_text(encoding="utf-8"),
    css=(_HERE / "play_copy.css").read_text(encoding="utf-8"),
)


def copy_button(text: str, name: str, *, key: str, label: str = "") -> None:
    """`name` says what is copied, to whoever cannot see the icon; `label` stands beside it."""
    _COPY(data={"text": text, "name": name, "label": label}, key=key, width="content", height="content")
