"""With what a run begins: the base model as it is, or what an earlier run learned (`?from=NAME`)."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.layout import workspace
from pages.parts.train_state import typed
from studio.errors import StudioError
from studio.training import Provenance, Run, list_runs
from studio.ui.wording import plain

_KEY, _ADDRESS = "train_parent", "parent_in_the_address"
_BASE, _AS_BEFORE = "", "as before"
Parent = str | Path | None
"""As `start_run` takes it."""


def follow_address(like: Run | None) -> None:
    """Choose what the address asks for when it is new there, and the base model that it was trained on."""
    named, began = st.query_params.get("from", ""), like.name if like and like.parent else ""
    if (named, began) == st.session_state.get(_ADDRESS, (_BASE, _BASE)):
        return
    st.session_state[_ADDRESS] = (named, began)
    st.session_state[_KEY] = named or (_AS_BEFORE if began else _BASE)
    if base := dict(_teachers()).get(named):
        typed()["base_model"] = base


def parent_choice(base: str, like: Run | None) -> Parent:
    """The field, and what is chosen in it.

    Args:
        base: the base model that was chosen: only its adapters can be trained further on it.
        like: the run whose settings the form has; it may have begun with an adapter of its own.
    """
    titles = {_BASE: "The base model as it is"}
    if like and like.parent:
        titles[_AS_BEFORE] = f"What {like.name} began with"
    titles |= {name: f"What {name} learned" for name, trained_on in _teachers() if trained_on == base}
    wanted = st.session_state.get(_KEY, _BASE)
    if wanted not in titles:
        st.session_state[_KEY] = _BASE
        st.caption(f"{plain(wanted)} has nothing that {plain(base)} could begin with.")
    if len(titles) == 1:
        return None
    chosen = str(
        st.selectbox("Begin with", list(titles), format_func=titles.__getitem__, key=_KEY, persist_state="session")
    )
    if chosen == _BASE:
        return None
    st.caption(
        "Reads what is new or changed since, repeats some of what is known, and says in the end whether it became "
        "better. Rank, alpha and layers are those of the adapter it begins with."
    )
    return like.parent if chosen == _AS_BEFORE and like else chosen


def _teachers() -> list[tuple[str, str]]:
    """Runs that have an adapter, newest first, and the base model each was trained on."""
    return [(run.name, _base_of(run.adapter)) for run in list_runs(workspace()) if run.adapter]


def _base_of(adapter: Path) -> str:
    try:
        return Provenance.read(adapter).base
    except StudioError:
        return ""
