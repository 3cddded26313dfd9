"""One measurement by its address: in progress, ended early, or what it found."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from pages.parts.layout import facts, header, show_error
from pages.parts.measure_list import downloads, read_card
from pages.parts.measure_report import report_view
from pages.parts.measure_work import ended_early, find_measurement, watch
from studio.errors import StudioError
from studio.ui.job_list import SeenJob
from studio.ui.measure import measured_title, speed_rows, speed_sentences, too_large
from studio.ui.wording import count, plain
from studio.validation import load_benchmark
from studio.validation.jobs import EVALUATION_KIND


def measure_view(name: str) -> None:
    """The whole page of one measurement."""
    try:
        one = find_measurement(name)
    except StudioError as error:
        header("Measure", "This report cannot be opened.")
        show_error(error)
        _back()
        return
    header("Report card" if one.state.kind == EVALUATION_KIND else "Speed", measured_title(one.state))
    with st.container(horizontal=True, vertical_alignment="center", key="measure_bar"):
        _back()
        if one.state.status == "done":
            downloads(one)
    if not one.state.is_finished:
        watch(one)
    elif one.state.status != "done":
        ended_early(one)
    elif one.state.kind == EVALUATION_KIND:
        report_view(read_card(one.job.directory))
    else:
        _speed_view(one)


def _back() -> None:
    if st.button("All reports", key="all_reports", icon=":material/arrow_back:", type="tertiary"):
        st.query_params.clear()
        st.rerun()


def _speed_view(one: SeenJob) -> None:
    report = load_benchmark(one.job.directory)
    for sentence in speed_sentences(report):
        st.info(plain(sentence), icon=":material/speed:")
    st.dataframe(speed_rows(report), hide_index=True, key="speed_table")
    for sentence in too_large(report):
        st.warning(plain(sentence), icon=":material/memory:")
    st.caption(
        "The speed of this computer at this hour, the middle of "
        f"{count(report.settings.rounds, 'round')}. {plain(report.statement)}"
    )
    facts([("measured", f"{datetime.fromtimestamp(report.created):%d %b %Y, %H:%M}")])
