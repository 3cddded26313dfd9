"""Choose a run and a device, make the file, and watch it being made."""

from __future__ import annotations

import streamlit as st

from pages.parts.job_watch import stop_job
from pages.parts.layout import show_error, workspace
from studio.config import load_profiles
from studio.conversion.service import start_conversion
from studio.errors import StudioError
from studio.jobs import Job, list_jobs
from studio.training import list_runs
from studio.ui.failures import recorded_error
from studio.ui.job_list import SeenJob, conversion_sentence, look_at, of_kind
from studio.ui.runs import STATUS
from studio.ui.wording import duration, plain

REFRESH_SECONDS = 1.0
SHOWN_JOBS = 3


def conversion_panel() -> None:
    """The form, then the conversions that run or ended lately."""
    try:
        runs = [run.name for run in list_runs(workspace()) if run.adapter]
        profiles = load_profiles(workspace())
    except StudioError as error:
        show_error(error)
        return
    if runs:
        with st.container(border=True, key="convert_form"):
            _form(runs, {one.name: one.title or one.name for one in profiles.values()})
    else:
        st.info("No finished run yet. Train one first; its model file is made here.", icon=":material/model_training:")
        if st.button("Open Train", key="to_train"):
            st.switch_page("pages/train.py")
    seen = of_kind(list_jobs(workspace().jobs_dir), "convert")[:SHOWN_JOBS]
    if seen:
        busy = any(not one.state.is_finished for one in seen)
        jobs = [one.job for one in seen]
        st.fragment(_progress, run_every=REFRESH_SECONDS if busy else None)(jobs, busy=busy)


def _form(runs: list[str], profiles: dict[str, str]) -> None:
    asked = st.query_params.get("run", "")
    with st.container(horizontal=True, vertical_alignment="bottom", key="convert_line"):
        run = st.selectbox("Run", runs, index=runs.index(asked) if asked in runs else 0, key="convert_run")
        profile = st.selectbox("Made for", list(profiles), format_func=profiles.__getitem__, key="convert_profile")
        if st.button("Make the model file", type="primary", key="convert_start", icon=":material/inventory_2:"):
            try:
                start_conversion(workspace(), str(run), str(profile))
            except StudioError as error:
                show_error(error)
                return
            st.rerun()


def _progress(jobs: list[Job], *, busy: bool) -> None:
    seen = look_at(jobs)
    if busy and all(one.state.is_finished for one in seen):
        st.rerun()  # the whole page: the new file belongs in the list below
    for one in seen:
        with st.container(border=True, key=f"job_{one.name}", gap="small"):
            _conversion(one)


def _conversion(one: SeenJob) -> None:
    state, look = one.state, STATUS[one.state.status]
    with st.container(horizontal=True, vertical_alignment="center", key=f"job_line_{one.name}"):
        st.markdown(plain(state.title or state.kind), width="stretch")
        if not state.is_finished:
            st.caption(f"{duration(state.seconds_left)} left", width="content")
            st.button(
                "Stop", key=f"stop_{one.name}", type="tertiary", on_click=stop_job, args=(one.job,),
                disabled=state.status == "stopping",
            )  # fmt: skip
        st.badge(look.word, color=look.color, icon=look.icon)
    if not state.is_finished:
        st.progress(state.progress.fraction)
    elif state.error:
        show_error(recorded_error(state.error))
    elif words := conversion_sentence(state):
        st.caption(plain(words))
