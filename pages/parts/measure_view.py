"""One measurement by its address: in progress, ended early, or what it found."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import header, show_error
from pages.parts.measure_list import downloads, read_card
from pages.parts.measure_report import report_view
from pages.parts.measure_speed import speed_view
from pages.parts.measure_work import ended_early, find_measurement, watch
from studio.errors import StudioError
from studio.ui.measure import measured_title
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
        speed_view(load_benchmark(one.job.directory))


def _back() -> None:
    if st.button("All reports", key="all_reports", icon=":material/arrow_back:", type="tertiary"):
        st.query_params.clear()
        st.rerun()
