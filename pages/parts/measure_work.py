"""Measurements of the workspace: found by name, watched while they go on, stopped, and gone on with."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from pydantic import ValidationError

from pages.parts.job_watch import live_state, stop_job
from pages.parts.layout import show_error, told_afterwards, workspace
from studio.errors import EvaluationError, JobError
from studio.jobs import Job, JobState
from studio.jobs.state import STATE_FILE, load_state
from studio.ui.failures import recorded_error
from studio.ui.job_list import SeenJob
from studio.ui.measure import measured_title, work_sentence
from studio.ui.runs import STATUS
from studio.ui.wording import plain
from studio.validation import start_benchmark, start_evaluation
from studio.validation.benchmark import BenchmarkRequest
from studio.validation.jobs import BENCHMARK_KIND, EVALUATION_KIND
from studio.validation.request import EvaluationRequest

REFRESH_SECONDS = 1.0
KINDS = (EVALUATION_KIND, BENCHMARK_KIND)


def measurements() -> list[SeenJob]:
    """Every measurement, newest first."""
    folder = workspace().jobs_dir
    known = _known(folder)
    found = [one for path in folder.glob(f"*/{STATE_FILE}") if (one := _seen(path, known))]
    return sorted((one for one in found if one.state.kind in KINDS), key=lambda one: one.state.created, reverse=True)


def find_measurement(name: str) -> SeenJob:
    """The measurement of that name. Raises `EvaluationError` when there is none (any more)."""
    for one in measurements():
        if one.name == name:
            return one
    raise EvaluationError("This report is not there.", next_step="Choose another one below Measure.", where=name)


def watch(one: SeenJob, *, opens: bool = False) -> None:
    """A measurement that goes on, with time left and Stop; draws the page anew when it ends.

    Args:
        opens: its title leads to its own page.
    """
    st.fragment(_live, run_every=REFRESH_SECONDS)(one.job, opens)


def ended_early(one: SeenJob) -> None:
    """A measurement that did not come to its end: why, and the way on."""
    if one.state.error:
        show_error(recorded_error(one.state.error))
    else:
        st.info("Stopped before the end. What was measured is kept.", icon=":material/stop_circle:")
    st.button(
        "Go on", key=f"go_on_{one.name}", type="primary", icon=":material/play_arrow:",
        on_click=_go_on, args=(one.state,),
    )  # fmt: skip


def title_button(name: str, state: JobState, icon: str) -> None:
    """The title of a measurement, which opens it."""
    with st.container(width="stretch", key=f"measure_title_{name}"):
        if st.button(plain(measured_title(state)), key=f"row_{name}", type="tertiary", icon=icon):
            st.query_params["report"] = name
            st.rerun()


def _seen(path: Path, known: dict[Path, tuple[int, SeenJob]]) -> SeenJob | None:
    """A job and its state; what has ended is read once, however often the page is drawn."""
    try:
        changed = path.stat().st_mtime_ns
        if path not in known or known[path][0] != changed:
            known[path] = changed, SeenJob(Job(path.parent), load_state(path.parent))
        seen = known[path][1]
        return seen if seen.state.is_finished else SeenJob(seen.job, seen.job.state())
    except (JobError, OSError):
        return None


@st.cache_resource(max_entries=2, show_spinner=False)
def _known(folder: Path) -> dict[Path, tuple[int, SeenJob]]:
    """What was read of the jobs of a folder, with the time of their states."""
    return {}


def _live(job: Job, opens: bool) -> None:
    state = live_state(job)
    if state is None:
        return
    name, look = job.directory.name, STATUS[state.status]
    with st.container(border=True, key=f"work_{name}", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"work_line_{name}"):
            if opens:
                title_button(name, state, ":material/monitoring:")
            else:
                st.markdown(f"**{plain(measured_title(state))}**", width="stretch")
            st.badge(look.word, color=look.color, icon=look.icon)
            st.button(
                "Stop", key=f"stop_{name}", icon=":material/stop:", on_click=stop_job, args=(job,),
                disabled=state.status == "stopping",
            )  # fmt: skip
        st.progress(state.progress.fraction, text=work_sentence(state))
        st.caption("You may leave this page; the work goes on.")


def _go_on(state: JobState) -> None:
    """The same question again: what is kept is not measured twice."""
    with told_afterwards():
        st.query_params["report"] = _again(state).directory.name


def _again(state: JobState) -> Job:
    try:
        if state.kind == EVALUATION_KIND:
            asked = EvaluationRequest.model_validate(state.arguments)
            return start_evaluation(workspace(), [one.path for one in asked.models], asked.scenarios, asked.settings)
        wanted = BenchmarkRequest.model_validate(state.arguments)
        return start_benchmark(workspace(), [one.path for one in wanted.models], wanted.settings)
    except ValidationError as error:
        raise EvaluationError(
            "This measurement cannot be gone on with.",
            why="What was asked for cannot be read any more.",
            next_step="Start another one: what the models wrote is kept.",
        ) from error
