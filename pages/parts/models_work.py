"""The jobs of the page Models: what is at work with its progress, time left and Stop, and how the last ones ended."""

from __future__ import annotations

import streamlit as st

from pages.parts.job_watch import stop_job
from pages.parts.layout import show_error, workspace
from studio.conversion.files import INSPECTION_KIND
from studio.conversion.quality.service import OPTIMIZATION_KIND, QUALITY_KIND
from studio.jobs import Job, list_jobs
from studio.ui.failures import recorded_error
from studio.ui.job_list import SeenJob, conversion_sentence, job_title, last_message, look_at
from studio.ui.runs import STATUS
from studio.ui.wording import duration, plain

REFRESH_SECONDS = 1.0
SHOWN_ENDED = 3
LATEST = 200
"""Jobs that are looked at: what is at work is among the newest."""
_TOLD_AFTERWARDS = ("convert", OPTIMIZATION_KIND, QUALITY_KIND, "imatrix")
WATCHED = (*_TOLD_AFTERWARDS, INSPECTION_KIND)


def models_work() -> None:
    """All that is at work, then the last that ended, newest first."""
    seen = [one for one in look_at(list_jobs(workspace().jobs_dir)[:LATEST]) if one.state.kind in WATCHED]
    busy = [one for one in seen if not one.state.is_finished]
    ended = [one for one in seen if one.state.is_finished and one.state.kind in _TOLD_AFTERWARDS][:SHOWN_ENDED]
    jobs = [one.job for one in (*busy, *ended)]
    if jobs:
        st.fragment(_progress, run_every=REFRESH_SECONDS if busy else None)(jobs, [one.name for one in busy])


def _progress(jobs: list[Job], busy: list[str]) -> None:
    seen = look_at(jobs)
    if any(one.state.is_finished and one.name in busy for one in seen):
        st.rerun()  # the whole page: what it made belongs in the table and the list
    for one in seen:
        with st.container(border=True, key=f"job_{one.name}", gap="small"):
            _job(one)


def _job(one: SeenJob) -> None:
    state, look = one.state, STATUS[one.state.status]
    with st.container(horizontal=True, vertical_alignment="center", key=f"job_line_{one.name}"):
        st.markdown(plain(job_title(state)), width="stretch")
        if not state.is_finished:
            st.caption(f"{duration(state.seconds_left)} left", width="content")
            st.button(
                "Stop", key=f"stop_{one.name}", type="tertiary", on_click=stop_job, args=(one.job,),
                disabled=state.status == "stopping",
            )  # fmt: skip
        st.badge(look.word, color=look.color, icon=look.icon)
    if not state.is_finished:
        st.progress(state.progress.fraction, text=plain(last_message(one.job.events().events)) or None)
    elif state.error:
        show_error(recorded_error(state.error))
    elif words := conversion_sentence(state):
        st.caption(plain(words))
