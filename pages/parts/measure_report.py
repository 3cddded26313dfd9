"""A report card: the verdict in a sentence, what is better or worse, every figure, and a click to the turns behind."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import streamlit as st

from pages.parts.layout import facts
from pages.parts.measure_turns import show_stress, show_turns
from studio.metrics import Comparison
from studio.ui.measure import (
    GROUPS,
    VERDICTS,
    Headline,
    behind_comparison,
    behind_figure,
    changed_words,
    headlines,
    part_rows,
)
from studio.ui.measure_chart import report_chart
from studio.ui.wording import plain, short_hash, size
from studio.validation import CHECKS, FIGURES, ModelResult, ReportCard, difference_text, figure_text
from studio.validation.breakdown import argument_rows, tool_rows, type_rows
from studio.validation.wording import NOT_MEASURED

_STYLE = Path(__file__).with_name("measure.css")
_CELL, _CHANGE, _VERDICT, _TURNS = 215, 180, 165, 170
"""Widths of the columns in pixels; on a narrow screen they stand below each other."""
_BARE = {"displayModeBar": False}


def report_view(card: ReportCard) -> None:
    """The whole card."""
    st.html(_STYLE)
    for one in headlines(card):
        _headline(one)
    for number, model in enumerate(card.models[1:], start=1):
        _comparison(card, model, number)
    st.subheader("Side by side", anchor=False)
    st.plotly_chart(report_chart(card), key="report_chart", config=_BARE)
    st.caption(
        "A dot is what was counted; the line is where it would lie in 19 of 20 such tests. With few turns it is long."
    )
    _figures(card)
    _stress(card)
    _details(card)


def _headline(one: Headline) -> None:
    box = {"better": st.success, "worse": st.error, "mixed": st.warning}.get(one.tone, st.info)
    icon = {"better": "trending_up", "worse": "trending_down", "mixed": "swap_vert", "same": "trending_flat"}
    text = "\n\n".join([f"**{plain(one.title)}**", *map(plain, one.sentences)])
    box(text, icon=f":material/{icon.get(one.tone, 'monitoring')}:")


def _comparison(card: ReportCard, model: ModelResult, number: int) -> None:
    if card.baseline is None or not model.comparisons:
        return
    st.subheader(plain(f"{model.model.label} against {card.baseline.model.label}"), anchor=False)
    worst_first = sorted(model.comparisons, key=lambda one: one.verdict != "worse")
    for one in worst_first:
        _compared(card, model, one, f"{number}_{one.name}")
    st.caption(
        "Both answered the same turns. Better or worse is said where luck alone would show such a difference in fewer "
        "than 1 of 20 tests, for each line by itself. With few turns the range beside a difference is a rougher guide."
    )


def _compared(card: ReportCard, model: ModelResult, one: Comparison, key: str) -> None:
    words, mark = CHECKS[one.name], one.verdict if one.verdict == "worse" else "other"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_check_{mark}_{key}"):
        with st.container(width="stretch", gap=None, key=f"check_{key}"):
            st.markdown(f"**{words.title}**")
            st.caption(words.meaning)
        with st.container(width=_CHANGE, gap=None, key=f"check_change_{key}"):
            st.markdown(f"{one.first:.0%} → **{one.second:.0%}**")
            st.caption(difference_text(one.difference.value, one.difference.interval))
        st.badge(one.verdict, color=VERDICTS[one.verdict], width=_VERDICT)
        changed = bool(one.lost or one.gained)
        if st.button(
            changed_words(one),
            key=f"changed_{key}",
            type="tertiary",
            icon=":material/forum:",
            disabled=not changed,
            width=_TURNS,
        ):
            show_turns(card, behind_comparison(one, model.model.label))


def _figures(card: ReportCard) -> None:
    st.caption("Click a figure to read the turns behind it.")
    for tab, names in zip(st.tabs(list(GROUPS), key="figure_tabs"), GROUPS.values(), strict=True):
        with tab:
            _labels(card, names[0])
            for name in names:
                _figure(card, name)


def _labels(card: ReportCard, key: str) -> None:
    with st.container(horizontal=True, key=f"measure_labels_{key}"):
        st.markdown("", width="stretch")
        for model in card.models:
            st.markdown(f"**{plain(model.model.label)}**", width=_CELL)


def _figure(card: ReportCard, name: str) -> None:
    words = FIGURES[name]
    with st.container(horizontal=True, vertical_alignment="center", key=f"measure_figure_{name}"):
        with st.container(width="stretch", gap=None, key=f"figure_words_{name}"):
            st.markdown(words.title)
            st.caption(words.meaning)
        for number, model in enumerate(card.models):
            with st.container(width=_CELL, gap=None, key=f"measure_cell_{name}_{number}"):
                st.caption(plain(model.model.label))  # a wide screen shows it once above the column
                _cell(card, model, name, number)


def _cell(card: ReportCard, model: ModelResult, name: str, number: int) -> None:
    figure, words = model.summary.figures[name], FIGURES[name]
    if st.button(figure_text(figure), key=f"figure_{name}_{number}", type="tertiary", disabled=not figure.turns):
        show_turns(card, behind_figure(figure, words.title, words.meaning, model.model.label))


def _stress(card: ReportCard) -> None:
    if not any(model.stress for model in card.models):
        return
    st.subheader("Turns that try to break it", anchor=False)
    st.caption("Empty, enormous, bullying, in another language, contradictory. Only faults that rules can see count.")
    for number, model in enumerate(card.models):
        passed = sum(one.passes for one in model.stress)
        with st.container(horizontal=True, vertical_alignment="center", key=f"stress_{number}"):
            st.markdown(
                f"**{plain(model.model.label)}**: {passed} of {len(model.stress)} without a visible fault",
                width="stretch",
            )
            if st.button("Read them", key=f"stress_open_{number}", type="tertiary", icon=":material/forum:"):
                show_stress(model)


def _details(card: ReportCard) -> None:
    summaries = [one.summary for one in card.models]
    with st.expander("Roll by roll, and by kind of scene", key="report_tables"):
        for key, title, head, rows in (
            ("tools", "Of the rolls that the authors asked for: those that came.", "Roll", tool_rows(summaries)),
            ("details", "Of the right rolls: the details as written.", "Detail", argument_rows(summaries)),
            ("types", "By kind of scene. A part has few turns, so its range is wide.", "Figure", type_rows(summaries)),
        ):
            if rows:
                st.caption(title)
                st.dataframe(part_rows(card, rows, head), hide_index=True, key=f"report_{key}")
    with st.expander("What was measured, and what was not", key="report_facts"):
        for model in card.models:
            stamp = model.model
            facts(
                [
                    ("model", stamp.label), ("file", stamp.file), ("size", size(stamp.size_bytes)),
                    ("SHA-256", short_hash(stamp.sha256, 16)), ("threads", f"{stamp.threads}"),
                ]
            )  # fmt: skip
        facts(
            [
                ("turns", f"{len(card.turns):,}"),
                ("longest reply", f"{card.settings.max_tokens:,} tokens"),
                ("measured", f"{datetime.fromtimestamp(card.created):%d %b %Y, %H:%M}"),
            ]
        )
        st.markdown("Not measured:\n" + "\n".join(f"- {one}" for one in NOT_MEASURED))
