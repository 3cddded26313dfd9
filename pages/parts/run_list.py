"""The training runs, newest first."""

from __future__ import annotations

import time

import streamlit as st

from pages.parts.layout import workspace
from studio.jobs import JobState
from studio.training import list_runs
from studio.ui.job_list import look_at
from studio.ui.runs import STATUS, unreadable_runs
from studio.ui.wording import moment, plain

SHOWN = 20


def run_list() -> None:
    """A row per run; a click opens it."""
    runs, broken = list_runs(workspace()), unreadable_runs(workspace())
    if not runs and not broken:
        return
    st.subheader("Runs", anchor=False)
    for one in look_at(run.job for run in runs[:SHOWN]):
        _row(one.name, one.state)
    for name in broken[:SHOWN]:
        _broken_row(name)
    if len(runs) > SHOWN:
        st.caption(f"{len(runs) - SHOWN:,} older ones are in the folder of training runs.")


def _row(name: str, state: JobState) -> None:
    look = STATUS[state.status]
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{name}"):
        _title(name)
        done = f"{state.progress.done:.0f} of {state.progress.total:.0f} steps · " if state.progress.total else ""
        st.caption(f"{done}{moment(state.created, time.time())}", width="content")
        st.badge(look.word, color=look.color, icon=look.icon)


def _broken_row(name: str) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{name}"):
        _title(name)
        st.badge("cannot be read", color="red", icon=":material/broken_image:")


def _title(name: str) -> None:
    with st.container(width="stretch", key=f"run_title_{name}"):
        if st.button(plain(name), key=f"row_{name}", type="tertiary", icon=":material/model_training:"):
            st.query_params["run"] = name
            st.rerun()
