"""A job that a page watches: its state for as long as it goes on, and the Stop button's work."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import show_error, told_afterwards
from studio.errors import StudioError
from studio.jobs import Job, JobState


def live_state(job: Job) -> JobState | None:
    """The state of a job that goes on; None, and a word why, when its folder went away.

    One that has ended draws the whole page anew: what comes next is not the fragment's to say.
    """
    try:
        state = job.state()
    except StudioError as error:
        show_error(error)
        return None
    if state.is_finished:
        st.rerun()
    return state


def state_if_there(job: Job) -> JobState | None:
    """The state of a job; None when there is none, or it cannot be read."""
    try:
        return job.state()
    except StudioError:
        return None


def measurement_bar(job: Job, words: str, key: str, stop_key: str) -> None:
    """How far a short measurement is, and its Stop button, on one line; for a fragment that is drawn each second."""
    state = live_state(job)
    if state is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        st.progress(state.progress.fraction, text=words)
        st.button(
            "Stop", key=stop_key, icon=":material/stop:", on_click=stop_job, args=(job,),
            disabled=state.status == "stopping",
        )  # fmt: skip


def stop_job(job: Job) -> None:
    """Ask a job to stop; an error is told when the page is drawn."""
    with told_afterwards():
        job.stop()
