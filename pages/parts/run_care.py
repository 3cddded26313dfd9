"""What can be done with a run besides watching it: a note, a new run that goes on from it or is like it, deletion."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import say, show_error, told, told_afterwards, workspace
from studio.errors import StudioError
from studio.training import Run, delete_run, dependants, find_run, read_note, write_note
from studio.training.upkeep import MOST_CHARACTERS
from studio.ui.wording import count, plain, size


def run_care(run: Run) -> None:
    """A field for the note, and the buttons."""
    key = f"note_{run.name}"
    st.text_area(
        "Notes", read_note(run), key=key, max_chars=MOST_CHARACTERS, height=100, on_change=_keep_note,
        args=(run.name, key), placeholder="What did you try, and how did it play?",
    )  # fmt: skip
    with st.container(horizontal=True, key="run_care"):
        if run.adapter and st.button(
            "Teach it more", key="teach_more", icon=":material/school:",
            help="A new run that begins with what this one learned, and reads what is new or changed since.",
        ):  # fmt: skip
            st.query_params.from_dict({"from": run.name})
            st.rerun()
        if st.button(
            "Duplicate with changes", key="duplicate_run", icon=":material/content_copy:",
            help="Fills the form with this run's settings; you change what you like and start a new run.",
        ):  # fmt: skip
            st.query_params.from_dict({"like": run.name})
            st.rerun()
        if st.button("Delete", key="delete_run", icon=":material/delete:"):
            _delete(run.name)


def delete_button(name: str) -> None:
    """The way to be rid of a run that cannot be opened."""
    if st.button("Delete", key="delete_run", icon=":material/delete:"):
        _delete(name)


def _keep_note(name: str, key: str) -> None:
    with told_afterwards():
        write_note(find_run(workspace(), name), st.session_state[key] or "")
        say("The note is saved.")


@st.dialog("Delete this run?")
def _delete(name: str) -> None:
    try:
        run = find_run(workspace(), name)
    except StudioError as error:
        show_error(error)
        return
    taken = sum(path.stat().st_size for path in run.directory.rglob("*") if path.is_file())
    st.markdown(
        f"**{plain(name)}** takes {size(taken)}. Its settings, checkpoints, curves and what it learned will be gone; "
        "this cannot be undone."
    )
    if kept := _kept(run):
        st.caption(f"Kept: {kept}.")
    if st.button("Delete it", type="primary", key="delete_run_now", icon=":material/delete:"):
        with told():
            delete_run(workspace(), name)
            say(f"{plain(name)} was deleted.")
            st.query_params.clear()
            st.rerun()


def _kept(run: Run) -> str:
    found = dependants(workspace(), run)
    models = f"{count(len(found.models), 'model file')} made from it" if found.models else ""
    heirs = ", ".join(plain(name) for name in found.runs)
    runs = f"{'the runs' if len(found.runs) > 1 else 'the run'} {heirs}, which began with what it learned"
    return " and ".join(part for part in (models, runs if found.runs else "") if part)
