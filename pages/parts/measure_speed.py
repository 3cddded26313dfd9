"""What a benchmark found: sentences, a chart, a table, the devices that were imitated, and what all that is worth."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import streamlit as st

from pages.parts.layout import facts
from studio.ui.speed import (
    cores_note,
    devices_html,
    file_facts,
    left_out,
    refusals,
    speed_sentences,
    speed_table,
    too_large,
)
from studio.ui.speed_chart import CHARTED, speed_chart
from studio.ui.wording import count, plain
from studio.validation import SAYS, SAYS_NOT, BenchmarkReport

_STYLE = Path(__file__).with_name("measure_speed.css")
_COLUMNS = {
    "Model": st.column_config.TextColumn(pinned=True),
    "Threads": st.column_config.NumberColumn(width="small"),
    "Behind": st.column_config.NumberColumn(
        format="%,d tokens", help="Tokens of the conversation before the reply, all of them in the KV cache."
    ),
    "Writes": st.column_config.NumberColumn(format="%.1f /s", help="Tokens of the reply per second."),
    "Reads": st.column_config.NumberColumn(format="%,.0f /s", help="Tokens of the conversation per second."),
    "First word": st.column_config.NumberColumn(format="%.2f s", help="From the question, with an empty KV cache."),
    "Memory": st.column_config.NumberColumn(format="%,.0f MB", help="The most that was in use at this length."),
}


def speed_view(report: BenchmarkReport) -> None:
    """The whole report."""
    st.html(_STYLE)
    for sentence in speed_sentences(report):
        st.info(plain(sentence), icon=":material/speed:")
    facts(file_facts(report))
    _chart(report)
    st.dataframe(speed_table(report), hide_index=True, key="speed_table", column_config=_COLUMNS)
    for sentence in left_out(report):
        st.caption(plain(sentence))
    for sentence in too_large(report):
        st.warning(plain(sentence), icon=":material/memory:")
    st.caption(
        "The speed of this computer at this hour, the middle of "
        f"{count(report.settings.rounds, 'round')}. {plain(report.statement)}"
    )
    if report.simulated:
        _devices(report)
    facts([("measured", f"{datetime.fromtimestamp(report.created):%d %b %Y, %H:%M}")])


def _chart(report: BenchmarkReport) -> None:
    if not report.rows:
        return
    which = st.segmented_control(
        "What to draw", list(CHARTED), default="Writes", key="speed_which", required=True, label_visibility="collapsed"
    )
    st.plotly_chart(speed_chart(report, which), key="speed_chart", config={"displayModeBar": False})


def _devices(report: BenchmarkReport) -> None:
    st.subheader("Imitated devices", anchor=False)
    st.html(devices_html(report))
    for sentence in refusals(report):
        st.warning(plain(sentence), icon=":material/memory:")
    with st.container(horizontal=True, key="speed_worth"):
        worth = {"What this says": SAYS, "What it does not say": f"{SAYS_NOT} {cores_note(report)}".strip()}
        for title, text in worth.items():
            st.markdown(f"**{title}**\n\n{plain(text)}")
