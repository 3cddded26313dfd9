"""Widgets that show a settings file: they keep what somebody turned, until the file says something else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


def follow(settings: str, values: Mapping[str, Any]) -> None:
    """Give widgets (by key) the values of the file, when it changed or when they are drawn anew.

    Call it before the widgets are made, and make them without a value of their own.

    Args:
        settings: what the file says, in any form that changes when it does.
    """
    marker = f"file_behind_{next(iter(values))}"
    changed = st.session_state.get(marker) != settings
    for key, value in values.items():
        if changed or key not in st.session_state:
            st.session_state[key] = value
    st.session_state[marker] = settings
