"""Two tabs saved one scenario: both texts side by side, merged where they fit together."""

from __future__ import annotations

import streamlit as st

from pages.parts.desk_state import start_afresh
from pages.parts.layout import library, say, told_afterwards
from studio.scenarios.library import ScenarioConflictError, unified_diff


def conflict_panel(conflict: ScenarioConflictError, tab: str) -> None:
    """What happened, the difference, and the choices. Nothing has been written yet."""
    st.warning(f"{conflict.what} {conflict.why}", icon=":material/call_split:")
    if conflict.stored is None:
        st.button("Save it again", key="conflict_create", type="primary", on_click=_recreate, args=(conflict, tab))
        return
    st.code(
        unified_diff(conflict.stored, conflict.mine, "theirs", "yours"), language="diff", height=260, wrap_lines=True
    )
    merge = conflict.merged()
    with st.container(horizontal=True, key="conflict_choices"):
        if merge and merge.text is not None:
            st.button(
                "Keep both changes",
                key="conflict_merge",
                type="primary",
                on_click=_settle,
                args=(conflict, merge.text, tab),
            )
        st.button("Keep mine", key="conflict_mine", on_click=_settle, args=(conflict, conflict.mine, tab))
        st.button("Take theirs", key="conflict_theirs", on_click=_settle, args=(conflict, conflict.stored, tab))


def _settle(conflict: ScenarioConflictError, text: str, tab: str) -> None:
    with told_afterwards():
        library().save(conflict.scenario_id, text, conflict.stored_revision, session=tab)
        start_afresh()
        say("Saved. The other version is in the history.")


def _recreate(conflict: ScenarioConflictError, tab: str) -> None:
    kind, _, name = conflict.scenario_id.partition("/")
    with told_afterwards():
        library().create(kind, name, conflict.mine, session=tab)
        say("Saved again under its old name.")
