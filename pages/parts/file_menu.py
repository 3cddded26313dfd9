"""What can be done with a scenario file: duplicate, rename, look at its history, delete."""

from __future__ import annotations

import time

import streamlit as st

from pages.parts.bin_view import DELETED
from pages.parts.layout import library, say, told
from studio.scenarios import SCENARIO_TYPES
from studio.scenarios.library import unified_diff
from studio.ui.wording import moment, plain, printable, size


def file_menu(scenario_id: str) -> None:
    """The button with the menu; each entry opens a dialog or acts at once."""
    chosen = st.menu_button(
        "File",
        ["Duplicate", "Rename or move", "History", "Download", "Delete"],
        key="file_menu",
        icon=":material/more_horiz:",
        type="tertiary",
    )
    if chosen == "Duplicate":
        with told():
            _open(library().duplicate(scenario_id).id, "Duplicated. This is the copy.")
    elif chosen == "Rename or move":
        _rename(scenario_id)
    elif chosen == "History":
        _history(scenario_id)
    elif chosen == "Download":
        _download(scenario_id)
    elif chosen == "Delete":
        _delete(scenario_id)


def _open(scenario_id: str, message: str) -> None:
    say(message)
    st.query_params.from_dict({"file": scenario_id})
    st.rerun()


@st.dialog("Rename or move")
def _rename(scenario_id: str) -> None:
    kind, _, name = scenario_id.partition("/")
    new_name = st.text_input("Name", name, key="rename_name")
    new_kind = st.segmented_control(
        "Type", SCENARIO_TYPES, default=kind, format_func=str.title, key="rename_type", required=True
    )
    if st.button("Rename", type="primary", key="rename_now"):
        with told():
            moved = library().rename(scenario_id, new_name or name, scenario_type=new_kind)
            _open(moved.id, f"Now it is {plain(moved.id)}.")


@st.dialog("History", width="large")
def _history(scenario_id: str) -> None:
    with told():
        _versions(scenario_id)


def _versions(scenario_id: str) -> None:
    versions = library().versions(scenario_id)
    if not versions:
        st.caption("Nothing yet. Every save keeps the former text here.")
        return
    now = library().read(scenario_id)
    labels = {
        one.revision: f"{moment(one.saved_at.timestamp(), time.time())} · {one.reason} · {size(one.size)}"
        for one in versions
    }
    chosen = st.selectbox("Version", list(labels), format_func=labels.__getitem__, key="history_version")
    difference = unified_diff(library().read_version(scenario_id, str(chosen)), now.text, "then", "now")
    st.code(printable(difference) or "The same text as now.", language="diff", height=340, wrap_lines=True)
    if st.button("Restore this version", key="history_restore", disabled=chosen == now.revision):
        library().restore_version(scenario_id, str(chosen), now.revision)
        st.session_state["edition"] = st.session_state.get("edition", 0) + 1
        _open(scenario_id, "Restored. The text from before is in the history.")


@st.dialog("Download")
def _download(scenario_id: str) -> None:
    with told():
        content = library().path(scenario_id).read_bytes()
        if library().drafts(scenario_id):
            st.caption("This is the file as it was saved last. Unsaved text is not in it.")
        st.download_button(
            f"{plain(scenario_id)}.md", content, file_name=f"{scenario_id.partition('/')[2]}.md", mime="text/markdown",
            key="download_file", icon=":material/download:", type="primary", on_click="ignore",
        )  # fmt: skip


@st.dialog("Delete this scenario?")
def _delete(scenario_id: str) -> None:
    st.markdown(f"**{plain(scenario_id)}** goes to the bin, with its history. You can bring it back from the list.")
    if st.button("Delete", type="primary", key="delete_now", icon=":material/delete:"):
        with told():
            st.query_params.from_dict({DELETED: library().delete(scenario_id).bin_id})
            st.rerun()
