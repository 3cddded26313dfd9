"""All types of a run's model for a device as a table and as a chart; make one, measure those that are made."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.parts.layout import told_afterwards, workspace
from pages.parts.models_speed import speed_line
from pages.parts.models_state import Choice
from studio.conversion.quality.service import start_quality
from studio.conversion.search.fitting import GIGABYTE
from studio.conversion.service import start_conversion
from studio.ui.frontier_chart import LOSSES, frontier_chart
from studio.ui.model_types import TypeLine, limits_words, measured_lines, short_list
from studio.ui.type_table import COLUMNS, option, type_table
from studio.ui.wording import count

_TYPE, _ALL = "make_type", "types_all"
_FEWEST_POINTS = 2


def models_table(choice: Choice) -> None:
    """The table with its actions, then the chart."""
    st.subheader("Types", anchor=False)
    st.caption(
        "A type says how coarsely the weights are rounded: a smaller file forgets a little more. All sizes are "
        "computed before anything is made."
    )
    every = st.toggle(f"All {count(len(choice.lines), 'type')}", key=_ALL)
    lines = list(choice.lines) if every else short_list(choice.lines, choice.best)
    _table(lines, choice)
    speed_line(choice)
    _actions(lines, choice)
    _chart(choice)


def _table(lines: Sequence[TypeLine], choice: Choice) -> None:
    columns = {
        one.title: st.column_config.NumberColumn(format=one.format, help=one.meaning, width="small") for one in COLUMNS
    }
    st.dataframe(
        type_table(lines, choice.best), hide_index=True, key="types_table", placeholder="–",
        column_config={
            "Type": st.column_config.TextColumn(pinned=True), "State": st.column_config.TextColumn(width=150),
            "Device": st.column_config.TextColumn(width=80, help=limits_words(choice.profile)), **columns
        },
    )  # fmt: skip


def _actions(lines: Sequence[TypeLine], choice: Choice) -> None:
    """Make one of the types on show, measure those that are there."""
    open_ones = {one.row.type: one for one in lines if not one.is_made}
    if st.session_state.get(_TYPE) not in open_ones:
        st.session_state.pop(_TYPE, None)
    with st.container(horizontal=True, vertical_alignment="bottom", key="types_actions"):
        if open_ones:
            chosen = st.selectbox(
                "Another type", list(open_ones), format_func=lambda one: option(open_ones[one]), key=_TYPE
            )
            st.button(
                "Make this type", key="make_type_start", icon=":material/add:", on_click=_make,
                args=(choice.run, choice.profile.name, str(chosen)),
            )  # fmt: skip
        if number := sum(one.is_made for one in choice.lines):
            st.button(
                f"Measure the quality of {count(number, 'file')}", key="quality_start", icon=":material/straighten:",
                on_click=_measure, args=(choice.run,), help="Lets every file that is made read scenarios that no run "
                "was trained on, and compares what it thinks with the unquantized model.",
            )  # fmt: skip
            if st.button("Dice and speed", key="to_measure", icon=":material/monitoring:", help="Opens Measure"):
                st.switch_page("pages/measure.py")


def _chart(choice: Choice) -> None:
    measured = measured_lines(choice.lines)
    if len(measured) < _FEWEST_POINTS:
        return
    st.subheader("What a megabyte buys", anchor=False)
    which = st.segmented_control(
        "What is lost", list(LOSSES), default="KL divergence", key="frontier_which", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    limit = round(choice.profile.quantization_settings.size_limit_gb * GIGABYTE)
    st.plotly_chart(
        frontier_chart(choice.lines, choice.best, which, limit), key="frontier", config={"displayModeBar": False}
    )


def _make(run: str, profile: str, type_name: str) -> None:
    with told_afterwards():
        start_conversion(workspace(), run, profile, type_name=type_name)


def _measure(run: str) -> None:
    with told_afterwards():
        start_quality(workspace(), run)
