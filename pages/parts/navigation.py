"""Which pages there are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

_SHOWN = "navigation_shown"
_ICON = Path(__file__).parent / "icon.svg"


def navigation() -> Page:
    """Draw the navigation; gives the page that the address names.

    The icon of the browser tab is set first: without one the browser would fetch the page's own from the network.
    """
    st.set_page_config(page_title="D&D Model Studio", page_icon=_ICON, layout="wide", initial_sidebar_state=236)
    st.session_state[_SHOWN] = True
    return st.navigation(
        {
            "": [st.Page("pages/home.py", title="Overview", icon=":material/auto_stories:", default=True)],
            "The loop": [
                st.Page("pages/scenarios.py", title="Scenarios", icon=":material/edit_note:"),
                st.Page("pages/dataset.py", title="Dataset", icon=":material/dataset:"),
                st.Page("pages/train.py", title="Train", icon=":material/model_training:"),
                st.Page("pages/models.py", title="Models", icon=":material/inventory_2:"),
                st.Page("pages/measure.py", title="Measure", icon=":material/monitoring:"),
                st.Page("pages/play.py", title="Play", icon=":material/casino:"),
            ],
            "Studio": [st.Page("pages/setup.py", title="Setup", icon=":material/tune:")],
        }
    )


def require_navigation() -> None:
    """Start over when the page runs without app.py.

    The very first visit to a fresh server does when it names a page: Streamlit finds a folder called pages/ and takes
    it for its older kind of app, until `st.navigation` is called once.
    """
    if _SHOWN not in st.session_state:
        navigation()
        st.rerun()
