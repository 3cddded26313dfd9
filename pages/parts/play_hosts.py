"""The loaded model files of this app, which all of its pages and sessions share."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import workspace
from studio.conversion import resolve_playable
from studio.machine import look
from studio.play import ChatSession, HostOptions, HostPool, ModelHost
from studio.play.watching.rules import load_play_rules
from studio.ui.playable import Playable


@st.cache_resource(show_spinner=False)
def host_pool() -> HostPool:
    """The pool, as large as config/play_rules.yaml allows. Raises `ConfigError`."""
    here = workspace()
    rules = load_play_rules(here).hosts
    return HostPool(rules.loaded_at_most, rules.memory_limit_bytes(look(here).memory_total))


def host_of(session: ChatSession, model: Playable) -> ModelHost:
    """The host that answers in a session: the model, with its adapter over it, in the session's window.

    Raises:
        StudioError: the model is not there, or config/play_rules.yaml cannot be read.
    """
    loaded = resolve_playable(workspace(), model.path)
    options = HostOptions(adapter=loaded.adapter, context_tokens=session.settings.context_tokens)
    return host_pool().get(loaded.path, options)
