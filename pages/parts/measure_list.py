"""The measurements so far: what goes on now, then a row per report with its date, its verdict and its files."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import streamlit as st

from pages.parts.layout import say, show_error, workspace
from pages.parts.measure_history import digests
from pages.parts.measure_work import measurements, title_button, watch
from studio.errors import StudioError
from studio.ui.job_list import SeenJob
from studio.ui.measure import measured_title
from studio.ui.measure_history import TONES
from studio.ui.playable import list_playable
from studio.ui.runs import STATUS, Color
from studio.ui.wording import moment, plain
from studio.validation import HTML_FILE, ReportCard, load_report
from studio.validation.benchmark import BENCHMARK_FILE
from studio.validation.card import REPORT_FILE
from studio.validation.digest import ReportDigest, report_state
from studio.validation.jobs import EVALUATION_KIND
from studio.validation.reports import delete_measurement

SHOWN = 20
_MORE = "reports_shown"
_CARDS_KEPT = 8


def measure_list() -> None:
    """Running ones with their progress, then the others, newest first."""
    found = measurements()
    for one in found:
        if not one.state.is_finished:
            watch(one, opens=True)
    ended = [one for one in found if one.state.is_finished]
    if not ended:
        if not found and list_playable(workspace()):
            st.caption("No report yet. The first one appears here, and stays.")
        return
    st.subheader("Reports", anchor=False)
    known, shown = digests(), st.session_state.get(_MORE, SHOWN)
    for one in ended[:shown]:
        _row(one, known.get(one.name))
    if len(ended) > shown:
        st.button(
            f"Show older ({len(ended) - shown:,})", key="reports_older", type="tertiary",
            icon=":material/expand_more:", on_click=_show_more,
        )  # fmt: skip


def read_card(folder: Path) -> ReportCard:
    """The report of a job's folder, kept until it is written anew. Raises `EvaluationError`."""
    return _kept(folder, report_state(folder))


def downloads(one: SeenJob) -> None:
    """The files of a finished measurement: a page for people, figures for programs."""
    card = one.state.kind == EVALUATION_KIND
    named = {"page": HTML_FILE, "figures": REPORT_FILE} if card else {"figures": BENCHMARK_FILE}
    for what, file in named.items():
        path = one.job.directory / file
        if path.is_file():
            st.download_button(
                path.suffix[1:].upper(), partial(path.read_bytes), file_name=f"{one.name}{path.suffix}",
                key=f"download_{what}_{one.name}", icon=":material/download:", on_click="ignore", type="tertiary",
                help="The report as one page that opens anywhere." if what == "page" else "All figures, for programs.",
            )  # fmt: skip


@st.cache_resource(max_entries=_CARDS_KEPT, show_spinner="Reading the report")
def _kept(folder: Path, state: str) -> ReportCard:
    return load_report(folder)


def _show_more() -> None:
    st.session_state[_MORE] = st.session_state.get(_MORE, SHOWN) + SHOWN


def _row(one: SeenJob, digest: ReportDigest | None) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{one.name}"):
        card = one.state.kind == EVALUATION_KIND
        title_button(one.name, one.state, ":material/monitoring:" if card else ":material/speed:")
        st.caption(moment(one.state.finished or one.state.created, time.time()), width="content")
        word, color, sign = _said(one, digest)
        st.badge(word, color=color, icon=sign)
        if one.state.status == "done":
            downloads(one)
        if st.button("", key=f"delete_{one.name}", icon=":material/delete:", type="tertiary", help="Delete"):
            _confirm(one)


def _said(one: SeenJob, digest: ReportDigest | None) -> tuple[str, Color, str]:
    """The verdict of a finished report; how it ended for the others."""
    if one.state.status != "done":
        look = STATUS[one.state.status]
        return look.word, look.color, look.icon
    if one.state.kind != EVALUATION_KIND:
        return TONES["alone"]
    return TONES[digest.tone] if digest else ("cannot be read", "red", ":material/broken_image:")


@st.dialog("Delete this measurement")
def _confirm(one: SeenJob) -> None:
    card = one.state.kind == EVALUATION_KIND
    st.markdown(f"**{plain(measured_title(one.state))}** will be gone for good, from the history too.")
    st.caption(
        "What the models wrote is kept: the same measurement is made again in a moment."
        if card
        else "The model files stay. To have these figures again, measure again."
    )
    with st.container(horizontal=True):
        if st.button("Delete", key="delete_now", type="primary", icon=":material/delete:"):
            _delete(one)
        if st.button("Keep it", key="delete_not"):
            st.rerun()


def _delete(one: SeenJob) -> None:
    """Do it and draw the page anew; a refusal is told in the dialog."""
    try:
        delete_measurement(workspace(), one.name)
    except StudioError as error:
        show_error(error)
        return
    say(f"{plain(measured_title(one.state))} is deleted.")
    st.rerun()
