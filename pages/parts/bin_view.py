"""Deleted scenarios: undo right after a deletion, and the bin."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from pages.parts.layout import library, say, show_error, told_afterwards
from studio.errors import StudioError
from studio.scenarios.library import DeletedScenario
from studio.ui.wording import count, moment, plain, size

DELETED = "deleted"
"""The address names what was just deleted, so that the way back survives a reload."""
SHOWN = 50
HEIGHT = 360


def undo_bar(deleted: list[DeletedScenario]) -> None:
    """The way back right after a deletion."""
    gone = next((one for one in deleted if one.bin_id == st.query_params.get(DELETED)), None)
    if gone is None:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="undo_bar"):
        st.markdown(f":material/delete: **{plain(gone.scenario_id)}** is in the bin.", width="stretch")
        st.button("Undo", key="undo_delete", icon=":material/undo:", on_click=_bring_back, args=(gone.bin_id,))
        st.button("", key="undo_close", icon=":material/close:", type="tertiary", on_click=_close, help="Close")


def bin_button(deleted: list[DeletedScenario]) -> None:
    """The button that opens the bin; none when it is empty."""
    if deleted and st.button(f"Bin {len(deleted):,}", icon=":material/delete:", key="bin", type="tertiary"):
        _bin()


@st.dialog("Bin", width="medium", on_dismiss="rerun")
def _bin() -> None:
    deleted = library().deleted()
    if not deleted:
        st.caption("The bin is empty.")
        return
    st.caption("Each comes back with its history. The newest 500 deletions are kept until you empty the bin.")
    with st.container(height=HEIGHT if len(deleted) > 6 else "content", border=False, key="bin_rows"):
        for one in deleted[:SHOWN]:
            _row(one)
    if len(deleted) > SHOWN:
        st.caption(f"{len(deleted) - SHOWN:,} older ones come into view as you bring newer ones back.")
    _empty(len(deleted))


def _row(one: DeletedScenario) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"bin_line_{one.bin_id}"):
        st.markdown(plain(one.scenario_id), width="stretch")
        st.caption(f"{moment(one.deleted_at.timestamp(), time.time())} · {size(one.size)}", width="content")
        if st.button("Bring back", key=f"bring_back_{one.bin_id}", icon=":material/undo:", type="tertiary"):
            _act(lambda: f"{plain(library().undelete(one.bin_id).id)} is back.")


def _empty(number: int) -> None:
    with st.popover("Empty the bin", icon=":material/delete_forever:", type="tertiary", key="bin_empty"):
        st.markdown(f"{count(number, 'scenario')} and their history will be gone for good.")
        if st.button("Empty it", key="bin_empty_now", type="primary"):
            _act(lambda: f"The bin is empty: {count(library().forget_deleted(), 'scenario')} gone for good.")


def _act(action: Callable[[], str]) -> None:
    """Do it, close the dialog and say what was done; a refusal is told in the dialog."""
    try:
        say(action())
    except StudioError as error:
        show_error(error)
        return
    st.rerun()


def _bring_back(bin_id: str) -> None:
    with told_afterwards():
        say(f"{plain(library().undelete(bin_id).id)} is back.")
        _close()


def _close() -> None:
    st.query_params.pop(DELETED, None)
