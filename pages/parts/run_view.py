"""One training run, live: it only reads the run's folder, so it can be closed, reloaded and opened at any time."""

from __future__ import annotations

import streamlit as st

from pages.parts.job_watch import stop_job
from pages.parts.layout import facts, header, show_error, told, told_afterwards, workspace
from pages.parts.run_bell import run_bell
from pages.parts.run_care import delete_button, run_care
from pages.parts.run_charts import run_charts
from pages.parts.run_queue import queue_places
from pages.parts.run_samples import run_samples
from studio.errors import StudioError
from studio.jobs import JobState
from studio.training import Run, find_run, resume_run, stop_run
from studio.training.command_line import command_of
from studio.ui.failures import recorded_error
from studio.ui.runs import Curves, Place, curves, diverged, figures, look_of, never_began, resume_words, unreadable_runs
from studio.ui.wording import plain

REFRESH_SECONDS = 1.5
_NOTES = 3
_GOES_ON = "It goes on when you close this page. Come back whenever you like."
_WAITS = "It waits for its turn and starts by itself, also when this page is closed."
_NOT_BEGUN = "It has not started. Its settings are kept."
_CUT_SHORT = "It did not come to its end. What it had saved until then is kept here."
_ENDED = "What it learned is kept here. Make a model file of it to play with it."


def run_view(name: str) -> None:
    """The whole page of one run."""
    try:
        run = find_run(workspace(), name)
        state = run.state()
    except StudioError as error:
        header("Train", "This run cannot be opened.")
        show_error(error)
        st.button("All runs", key="all_runs", icon=":material/arrow_back:", on_click=_back)
        if name in unreadable_runs(workspace()):
            delete_button(name)
        return
    place = _place(name)
    header(name, _sentence(run, state, place))
    live = st.fragment(_live, run_every=None if _rests(state, place) else REFRESH_SECONDS)
    live(run, rests=_rests(state, place))
    _settings(run)
    run_care(run)


def _place(name: str) -> Place | None:
    """Where it stands in the queue. A queue that cannot be read is told on the page of all runs."""
    try:
        return queue_places().get(name)
    except StudioError:
        return None


def _rests(state: JobState, place: Place | None) -> bool:
    """Whether nothing will happen to it unless somebody asks."""
    return state.is_finished or (state.is_waiting and place is None)


def _sentence(run: Run, state: JobState, place: Place | None) -> str:
    if not _rests(state, place):
        return _WAITS if state.is_waiting else _GOES_ON
    if never_began(state):
        return _NOT_BEGUN
    return _ENDED if run.adapter else _CUT_SHORT


def _live(run: Run, *, rests: bool) -> None:
    try:
        state, place = run.state(), _place(run.name)
    except StudioError as error:  # the folder went away while it was on show
        show_error(error)
        return
    if _rests(state, place) and not rests:
        st.rerun()  # the whole page: stop refreshing, offer what comes next
    events = run.job.events().events
    found = curves(events)
    _bar(run, state, place)
    run_bell(run.name, state, rests=_rests(state, place))
    if state.error:
        show_error(recorded_error(state.error))
    if never_began(state):
        return
    _figures(state, found)
    if diverged(found):
        st.warning(
            "This run has come off the rails: its loss is no longer a number, so it learns nothing from here on. "
            "Stop it, and start another with a smaller learning rate (under Advanced settings).",
            icon=":material/trending_down:",
        )
    if found.steps:
        run_charts(run, found)
    elif not _rests(state, place) and not state.is_waiting:
        st.info("Getting ready: reading the scenarios and loading the base model.", icon=":material/hourglass_top:")
    run_samples(events)
    _notes(found)
    with st.expander("Log", key="log"):
        st.code(run.job.tail_log(60) or "Nothing yet.", language=None, height=260)


def _bar(run: Run, state: JobState, place: Place | None) -> None:
    """Status, progress and buttons. A button in a fragment redraws the fragment alone: leaving it takes `st.rerun`."""
    look = look_of(state, place)
    with st.container(horizontal=True, vertical_alignment="center", key="run_bar"):
        if st.button("All runs", key="all_runs", icon=":material/arrow_back:", type="tertiary"):
            _back()
            st.rerun()
        st.badge(look.word, color=look.color, icon=look.icon)
        with st.container(width="stretch", key="run_progress"):
            if place and place.position:
                st.caption(plain(place.words))
            elif state.progress.total and not _rests(state, place):
                st.progress(state.progress.fraction)
        if _rests(state, place):
            _what_next(run, state)
        elif state.is_waiting:
            st.button("Take out of the queue", key="leave_queue", icon=":material/close:", on_click=_leave, args=(run,))
        else:
            st.button(
                "Stop and keep", key="stop_run", icon=":material/stop:", disabled=state.status == "stopping",
                on_click=stop_job, args=(run.job,), help="Stops at the next step and keeps a checkpoint to go on from.",
            )  # fmt: skip


def _what_next(run: Run, state: JobState) -> None:
    if state.status != "done" and st.button(resume_words(run), key="resume", icon=":material/play_arrow:"):
        with told_afterwards():
            resume_run(workspace(), run.name)
        st.rerun()
    if run.adapter and st.button("Make a model file", key="to_models", type="primary", icon=":material/inventory_2:"):
        st.switch_page("pages/models.py", query_params={"run": run.name})


def _leave(run: Run) -> None:
    with told_afterwards():
        stop_run(workspace(), run.name)


def _figures(state: JobState, found: Curves) -> None:
    now = figures(state, found)
    with st.container(horizontal=True, key="figures", gap="small"):
        st.metric("Step", now.step, border=True)
        st.metric("Loss", now.loss, border=True)
        st.metric("Loss on held-out play", now.validation, border=True)
        st.metric("Speed", now.speed, border=True)
        st.metric("Time left", now.time_left, border=True)
        st.metric("Memory", now.memory, border=True)


def _notes(found: Curves) -> None:
    look = {"warning": st.warning, "error": st.error}
    for one in found.messages[-_NOTES:]:
        if one.level in look:
            look[one.level](plain(one.text))
        else:
            st.caption(plain(one.text))


def _settings(run: Run) -> None:
    try:
        config = run.config()
    except StudioError as error:
        show_error(error)
        return
    facts(
        [
            ("base model", config.base_model),
            ("LoRA rank", str(config.lora_rank)),
            ("learning rate", f"{config.learning_rate:g}"),
            ("conversations per step", str(config.effective_batch_size)),
            ("longest row", f"{config.max_seq_length:,} tokens"),
            ("seed", str(config.seed)),
        ]
    )
    with told(), st.expander("The same from the command line", key="run_command", icon=":material/terminal:"):
        st.code(command_of(workspace(), run), language="bash", wrap_lines=True)


def _back() -> None:
    st.query_params.clear()
