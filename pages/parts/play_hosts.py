"""The loaded model files of this app, which all of its pages and sessions share."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import workspace
from studio.machine import look
from studio.play import HostPool
from studio.play.watching.rules import load_play_rules


@st.cache_resource(show_spinner=False)
def host_pool() -> HostPool:
    """The pool, as large as config/play_rules.yaml allows. Raises `ConfigError`."""
    here = workspace()
    rules = load_play_rules(here).hosts
    return HostPool(rules.loaded_at_most, rules.memory_limit_bytes(look(here).memory_total))
