"""The measurements so far: what goes on now, then a row per report with its date, its verdict and its files."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import streamlit as st

from pages.parts.layout import workspace
from pages.parts.measure_work import measurements, watch
from studio.errors import EvaluationError
from studio.ui.job_list import SeenJob
from studio.ui.measure import Tone, measured_title, verdict
from studio.ui.playable import list_playable
from studio.ui.runs import STATUS, Color
from studio.ui.wording import moment, plain
from studio.validation import HTML_FILE, ReportCard, load_report
from studio.validation.benchmark import BENCHMARK_FILE
from studio.validation.card import REPORT_FILE
from studio.validation.jobs import EVALUATION_KIND

SHOWN = 20
_TONES: dict[Tone, tuple[str, Color, str]] = {
    "better": ("better", "green", ":material/trending_up:"),
    "worse": ("worse", "red", ":material/trending_down:"),
    "mixed": ("better and worse", "orange", ":material/swap_vert:"),
    "same": ("no difference shown", "gray", ":material/trending_flat:"),
    "alone": ("measured", "violet", ":material/check:"),
}


def measure_list() -> None:
    """Running ones with their progress, then the others, newest first."""
    found = measurements()
    for one in found:
        if not one.state.is_finished:
            watch(one)
    ended = [one for one in found if one.state.is_finished]
    if not ended:
        if not found and list_playable(workspace()):
            st.caption("No report yet. The first one appears here, and stays.")
        return
    st.subheader("Reports", anchor=False)
    for one in ended[:SHOWN]:
        _row(one)
    if len(ended) > SHOWN:
        st.caption(f"{len(ended) - SHOWN:,} older ones are in the folder of jobs.")


def read_card(folder: Path) -> ReportCard:
    """The report of a job's folder, kept until it is written anew. Raises `EvaluationError`."""
    try:
        changed = (folder / REPORT_FILE).stat().st_mtime_ns
    except OSError:
        return load_report(folder)
    return _kept(folder, changed)


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


@st.cache_resource(max_entries=SHOWN + 4, show_spinner="Reading the reports")
def _kept(folder: Path, changed: int) -> ReportCard:
    return load_report(folder)


def _row(one: SeenJob) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_{one.name}"):
        with st.container(width="stretch", key=f"measure_title_{one.name}"):
            card = one.state.kind == EVALUATION_KIND
            icon = ":material/monitoring:" if card else ":material/speed:"
            if st.button(plain(measured_title(one.state)), key=f"row_{one.name}", type="tertiary", icon=icon):
                st.query_params["report"] = one.name
                st.rerun()
        st.caption(moment(one.state.finished or one.state.created, time.time()), width="content")
        word, color, sign = _said(one)
        st.badge(word, color=color, icon=sign)
        if one.state.status == "done":
            downloads(one)


def _said(one: SeenJob) -> tuple[str, Color, str]:
    """The verdict of a finished report; how it ended for the others."""
    if one.state.status != "done":
        look = STATUS[one.state.status]
        return look.word, look.color, look.icon
    if one.state.kind != EVALUATION_KIND:
        return _TONES["alone"]
    try:
        return _TONES[verdict(read_card(one.job.directory))]
    except EvaluationError:
        return "cannot be read", "red", ":material/broken_image:"
