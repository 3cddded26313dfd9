"""Spot checks: suites of player lines, run with a model, compared; and the feedback that waits for somebody."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from pages.parts.job_watch import live_state, stop_job
from pages.parts.layout import library, say, show_error, told, told_afterwards, vocabulary, workspace
from pages.parts.play_check_editor import check_editor, new_check_dialog, open_editor
from studio.errors import StudioError
from studio.jobs import Job, list_jobs
from studio.play.spot_checks.jobs import SPOT_CHECK_KIND, start_spot_checks
from studio.play.spot_checks.results import SuiteResult, compare, latest_by_model, list_results
from studio.play.spot_checks.suite import delete_suite, load_suite, suite_names
from studio.play.teaching.feedback import count_by_model, list_feedback
from studio.ui.failures import recorded_error
from studio.ui.feedback import feedback_sentence, model_line, reply_line, waiting_scenarios
from studio.ui.job_list import SeenJob, of_kind
from studio.ui.playable import list_choices
from studio.ui.spot_checks import comparison_html, result_sentence, suite_sentence
from studio.ui.wording import count, duration, plain, size

_STYLE = Path(__file__).with_name("play_checks.css")
_ALL, _SHOWN, _LATEST_JOBS, _MOST_COLUMNS = "", 8, 60, 4


def checks_view() -> None:
    """Everything of the view; the page draws its title."""
    st.html(_STYLE)
    if check_editor():
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        _run_form()
        with told():
            _work()
        for name in suite_names(workspace()):
            with told():
                _suite(name)
        with st.container(horizontal=True, key="check_actions"):
            if st.button("New spot check", key="check_new", icon=":material/add:"):
                new_check_dialog()
    with right:
        _feedback()


def _run_form() -> None:
    """Which model plays which suites."""
    names = suite_names(workspace())
    models = {one.id: one for one in list_choices(workspace())}
    if not names:
        st.caption("There is no spot check yet. A spot check is a list of player lines, each with what should follow.")
        return
    if not models:
        st.caption("There is no model to check yet. Import a base model on the page Setup.")
        return
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", key="check_form"):
        asked = st.query_params.get("model", "")
        model = st.selectbox(
            "Model", list(models), index=list(models).index(asked) if asked in models else 0, key="check_model",
            format_func=lambda one: f"{models[one].title} · {size(models[one].bytes)}",
        )  # fmt: skip
        suite = st.selectbox(
            "Spot checks", [_ALL, *names], format_func=lambda one: one or "All", key="check_suite", width=240
        )
        if st.button("Play them", key="check_run", type="primary", icon=":material/fact_check:"):
            with told():
                chosen = models[str(model)]
                start_spot_checks(workspace(), chosen.path, [suite] if suite else names, title=chosen.title)
                st.rerun()


def _work() -> None:
    """What is being played, and a word about the last that failed."""
    seen = of_kind(list_jobs(workspace().jobs_dir)[:_LATEST_JOBS], SPOT_CHECK_KIND)
    for one in seen:
        if not one.state.is_finished:
            st.fragment(_bar, run_every=1.0)(one.job, one.name)
    if seen and seen[0].state.error and seen[0].state.status == "failed":
        _failed(seen[0])


def _bar(job: Job, name: str) -> None:
    state = live_state(job)
    if state is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"check_work_{name}"):
        left = f", {duration(state.seconds_left)} left" if state.seconds_left is not None else ""
        done = f"{state.progress.done:.0f} of {count(int(state.progress.total), 'line')}{left}"
        st.progress(state.progress.fraction, text=f"{plain(state.title)}: {done}")
        st.button(
            "Stop", key=f"stop_{name}", icon=":material/stop:", on_click=stop_job, args=(job,),
            disabled=state.status == "stopping",
        )  # fmt: skip


def _failed(one: SeenJob) -> None:
    if one.state.error:
        show_error(recorded_error(one.state.error))


def _suite(name: str) -> None:
    """A suite with its last result per model, and the table behind it."""
    with st.container(border=True, key=f"suite_{name}", gap="small"):
        results = list_results(workspace(), name)
        try:
            suite = load_suite(workspace(), name, vocabulary())
        except StudioError as error:
            show_error(error)
            st.button("Delete", key=f"check_delete_{name}", type="tertiary", on_click=_delete, args=(name,))
            return
        with st.container(horizontal=True, vertical_alignment="center", key=f"suite_line_{name}"):
            st.markdown(f"**{plain(suite.title)}**", width="stretch")
            st.button(
                "Edit", key=f"check_edit_{name}", icon=":material/edit:", type="tertiary", on_click=open_editor,
                args=(name,),
            )  # fmt: skip
            if st.button("", key=f"check_delete_{name}", icon=":material/delete:", type="tertiary", help="Delete it"):
                _delete_dialog(name, suite.title)
        st.caption(plain(suite_sentence(suite)))
        latest = latest_by_model(results)
        for one in latest[:_MOST_COLUMNS]:
            icon = ":green[:material/check_circle:]" if one.passed else ":red[:material/cancel:]"
            st.markdown(f"{icon} {plain(result_sentence(one, time.time()))}")
        if not results:
            st.caption("No model has played it yet.")
        else:
            _table(name, results, latest)


def _table(name: str, results: Sequence[SuiteResult], latest: Sequence[SuiteResult]) -> None:
    with st.expander("Results, check by check", key=f"check_table_{name}"):
        by_key = {f"{place}": one for place, one in enumerate(results)}
        first = [key for key, one in by_key.items() if one in latest][:_MOST_COLUMNS]
        chosen = st.multiselect(
            "Compare", list(by_key), default=first, key=f"check_compare_{name}_{len(results)}",
            format_func=lambda one: result_sentence(by_key[one], time.time()), max_selections=_MOST_COLUMNS,
        )  # fmt: skip
        shown = [by_key[one] for one in chosen]
        if shown:
            st.html(comparison_html(compare(shown), shown, time.time()))


@st.dialog("Delete this spot check?")
def _delete_dialog(name: str, title: str) -> None:
    st.markdown(f"**{plain(title)}** is deleted for good. Its results stay on the disk.")
    if st.button("Delete", key="check_delete_now", type="primary", icon=":material/delete:"):
        _delete(name)
        say("The spot check is deleted.")
        st.rerun()


def _delete(name: str) -> None:
    with told_afterwards():
        delete_suite(workspace(), name)


def _feedback() -> None:
    """Bad replies that nobody has put right, corrections that wait, and how each model was rated."""
    feedback = list_feedback(workspace())
    waiting = waiting_scenarios(library())
    still_open = [one for one in feedback if one.is_open]
    st.markdown("**Waits for your review**")
    if not waiting:
        st.caption("Nothing. Corrections come here before anything is learned from them.")
    for item in waiting[:_SHOWN]:
        with st.container(gap=None, key=f"waiting_{item.id}"):
            if st.button(plain(item.title), key=f"review_{item.id}", type="tertiary", icon=":material/rate_review:"):
                st.switch_page("pages/scenarios.py", query_params={"file": item.id})
            st.caption(plain(item.sentence))
    _more(len(waiting), "more waits", "more wait")
    st.markdown("**Bad replies, not yet put right**")
    if not still_open:
        st.caption("None. Thumbs stand under each reply of a session.")
    for number, one in enumerate(still_open[:_SHOWN]):
        with st.container(gap=None, key=f"open_{number}"):
            if st.button(plain(reply_line(one)), key=f"open_chat_{number}", type="tertiary"):
                st.query_params.from_dict({"chat": one.session_id})
                st.rerun()
            st.caption(plain(feedback_sentence(one)))
    _more(len(still_open), "more is", "more are")
    if feedback:
        st.markdown("**How the models were rated**")
        for counted in count_by_model(feedback)[:_SHOWN]:
            st.caption(plain(model_line(counted)))


def _more(total: int, one: str, several: str) -> None:
    if total > _SHOWN:
        left = total - _SHOWN
        st.caption(f"{left:,} {one if left == 1 else several} not shown.")
