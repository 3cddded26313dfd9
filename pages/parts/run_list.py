"""The training runs, newest first; those at work and waiting are above when there is a queue."""

from __future__ import annotations

import time

import streamlit as st

from pages.parts.layout import workspace
from pages.parts.run_queue import queue_places
from studio.errors import StudioError
from studio.jobs import JobState
from studio.training import Run, list_runs, read_note
from studio.ui.job_list import SeenJob, look_at
from studio.ui.runs import Place, look_of, unreadable_runs
from studio.ui.wording import moment, plain

SHOWN = 20
_SHOWN = "runs_that_are_listed"
_NOTE_CHARACTERS = 90


def run_list() -> None:
    """A row per run; a click opens it."""
    runs, broken = list_runs(workspace()), unreadable_runs(workspace())
    found = _places()
    queued = set(found) if any(one.position for one in found.values()) else set()
    rest = [run for run in runs if run.name not in queued]
    if not rest and not broken:
        return
    st.subheader("Runs", anchor=False)
    shown = st.session_state.get(_SHOWN, SHOWN)
    for one in look_at(run.job for run in rest[:shown]):
        _row(one, found.get(one.name))
    for name in broken[:SHOWN]:
        _broken_row(name)
    if len(rest) > shown:
        st.button(
            f"Show older ones ({len(rest) - shown:,})", key="older_runs", type="tertiary",
            icon=":material/expand_more:", on_click=_show_older, args=(shown,),
        )  # fmt: skip


def _show_older(shown: int) -> None:
    st.session_state[_SHOWN] = shown + 2 * SHOWN


def _places() -> dict[str, Place]:
    try:
        return queue_places()
    except StudioError:  # told above, where the queue would be
        return {}


def _row(one: SeenJob, place: Place | None) -> None:
    look = look_of(one.state, place)
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{one.name}"):
        _title(one.name, _first_line(read_note(Run(one.job.directory))))
        st.caption(_facts(one.state), width="content")
        st.badge(look.word, color=look.color, icon=look.icon)


def _facts(state: JobState) -> str:
    done = f"{state.progress.done:.0f} of {state.progress.total:.0f} steps · " if state.progress.total else ""
    return f"{done}{moment(state.created, time.time())}"


def _first_line(note: str) -> str:
    line = next(iter(note.splitlines()), "")
    return line if len(line) <= _NOTE_CHARACTERS else line[:_NOTE_CHARACTERS].rstrip() + " …"


def _broken_row(name: str) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{name}"):
        _title(name)
        st.badge("cannot be read", color="red", icon=":material/broken_image:")


def _title(name: str, note: str = "") -> None:
    with st.container(width="stretch", key=f"run_title_{name}", gap="xxsmall"):
        if st.button(plain(name), key=f"row_{name}", type="tertiary", icon=":material/model_training:"):
            st.query_params.from_dict({"run": name})
            st.rerun()
        if note:
            st.caption(plain(note))
