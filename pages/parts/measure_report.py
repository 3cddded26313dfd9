"""A report card: the verdict in a sentence, what is better or worse, every figure, and a click to the turns behind."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import streamlit as st

from pages.parts.layout import facts
from pages.parts.measure_tables import report_tables
from pages.parts.measure_turns import show_stress, show_turns
from studio.metrics import Comparison
from studio.ui.measure import GROUPS, VERDICTS, Headline, changed_words, headlines
from studio.ui.measure_chart import charted_figure, report_chart
from studio.ui.wording import plain, short_hash, size
from studio.validation import CHECKS, FIGURES, ModelResult, ReportCard, difference_text, report_html
from studio.validation.behind import behind_comparison
from studio.validation.breakdown import behind_cell, figure_row, type_differences
from studio.validation.reach import reach_sentences
from studio.validation.wording import NOT_MEASURED

_STYLE = Path(__file__).with_name("measure.css")
_CHANGE, _VERDICT, _TURNS = 180, 165, 170
"""Widths of the columns in pixels; on a narrow screen they stand below each other."""
_BARE = {"displayModeBar": False}


def report_view(card: ReportCard) -> None:
    """The whole card."""
    st.html(_STYLE)
    for one in headlines(card):
        _headline(one)
    _comparisons(card)
    st.subheader("Side by side", anchor=False)
    _chart(card)
    _figures(card)
    report_tables(card)
    _stress(card)
    _details(card)


def _chart(card: ReportCard) -> None:
    event = st.plotly_chart(
        report_chart(card), key="report_chart", config=_BARE, on_select="rerun", selection_mode="points"
    )
    st.caption(
        "A dot is what was counted; the line is where it would lie in 19 of 20 such tests. With few turns it is long. "
        "Click a dot to read the turns behind it."
    )
    chosen = charted_figure(card, event.selection.points)
    if chosen != st.session_state.get("report_chart_shown"):
        st.session_state["report_chart_shown"] = chosen
        if chosen:
            _open(card, *chosen)


def _open(card: ReportCard, number: int, name: str) -> None:
    """The turns behind a figure of the model with that number."""
    label = card.models[number].model.label
    show_turns(card, behind_cell(figure_row(card.models, name), number, label))


def _headline(one: Headline) -> None:
    box = {"better": st.success, "worse": st.error, "mixed": st.warning}.get(one.tone, st.info)
    icon = {"better": "trending_up", "worse": "trending_down", "mixed": "swap_vert", "same": "trending_flat"}
    text = "\n\n".join([f"**{plain(one.title)}**", *map(plain, one.sentences)])
    box(text, icon=f":material/{icon.get(one.tone, 'monitoring')}:")


def _comparisons(card: ReportCard) -> None:
    """Every model against the baseline; of several, one at a time."""
    found = [(number, model) for number, model in enumerate(card.models) if model.comparisons]
    if not found or card.baseline is None:
        return
    names = [plain(model.model.label) for _, model in found]
    against = f"against {plain(card.baseline.model.label)}"
    st.subheader(f"{names[0]} {against}" if len(found) == 1 else f"Each {against}", anchor=False)
    places = st.tabs(names, key="compared_tabs") if len(found) > 1 else [st.container(key="compared")]
    for place, (number, model) in zip(places, found, strict=True):
        with place:
            _comparison(card, model, number)
    st.caption(
        "All answered the same turns. Better or worse is said where luck alone would show such a difference in fewer "
        f"than 1 of 20 tests. “{CHECKS['turn_right'].title}” stands for itself; the other lines are corrected for "
        "their number. " + " ".join(reach_sentences(card))
    )


def _comparison(card: ReportCard, model: ModelResult, number: int) -> None:
    worst_first = sorted(model.comparisons, key=lambda one: one.verdict != "worse")
    for one in worst_first:
        _compared(card, model, one, f"{number}_{one.name}")
    kinds = type_differences(model)
    if kinds:
        st.caption(
            "By kind of scene, where a difference is shown. Each kind is judged by itself and has few turns: of many "
            "such lines one may be luck."
        )
    for kind, one in kinds:
        _compared(card, model, one, f"kind_{number}_{one.name}_{kind}", kind)


def _compared(card: ReportCard, model: ModelResult, one: Comparison, key: str, kind: str | None = None) -> None:
    words, mark = CHECKS[one.name], one.verdict if one.verdict == "worse" else "other"
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"card_check_{mark}_{key}"):
        with st.container(width="stretch", gap=None, key=f"check_{key}"):
            st.markdown(f"**{words.title}**" + (f": {plain(kind or 'no type')}" if kind is not None else ""))
            st.caption(words.meaning)
        with st.container(width=_CHANGE, gap=None, key=f"check_change_{key}"):
            st.markdown(f"{one.first:.0%} → **{one.second:.0%}**")
            st.caption(difference_text(one.difference.value, one.difference.interval))
        st.badge(one.verdict, color=VERDICTS[one.verdict], width=_VERDICT)
        words_of_change, icon = changed_words(one), ":material/forum:"
        if st.button(words_of_change, key=f"changed_{key}", type="tertiary", icon=icon, width=_TURNS):
            show_turns(card, behind_comparison(one, model, kind))


def _figures(card: ReportCard) -> None:
    st.caption("Click a figure to read the turns behind it.")
    for tab, names in zip(st.tabs(list(GROUPS), key="figure_tabs"), GROUPS.values(), strict=True):
        with tab:
            _labels(card, names[0])
            for name in names:
                _figure(card, name)


def _labels(card: ReportCard, key: str) -> None:
    with st.container(horizontal=True, key=f"measure_labels_{key}"):
        with st.container(width="stretch", key=f"figure_words_labels_{key}"):
            st.markdown("&nbsp;")
        for model in card.models:
            st.markdown(f"**{plain(model.model.label)}**", width="stretch")


def _figure(card: ReportCard, name: str) -> None:
    words = FIGURES[name]
    with st.container(horizontal=True, vertical_alignment="center", key=f"measure_figure_{name}"):
        with st.container(width="stretch", gap=None, key=f"figure_words_{name}"):
            st.markdown(words.title)
            st.caption(words.meaning)
        for number, model in enumerate(card.models):
            with st.container(width="stretch", gap=None, key=f"measure_cell_{name}_{number}"):
                st.caption(plain(model.model.label))  # a wide screen shows it once above the column
                _cell(card, name, number)


def _cell(card: ReportCard, name: str, number: int) -> None:
    cell = figure_row(card.models, name).cells[number]
    mark = f" :{VERDICTS[cell.verdict]}[{cell.verdict}]" if cell.verdict else ""
    if st.button(f"{cell.text}{mark}", key=f"figure_{name}_{number}", type="tertiary", disabled=not cell.lists):
        _open(card, number, name)


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
        st.download_button(
            "Small page", lambda: report_html(card, interactive=False), file_name="report-small.html", type="tertiary",
            icon=":material/download:", key="download_small", on_click="ignore", mime="text/html",
            help="The report without its interactive chart: no script in it, and small enough to mail.",
        )  # fmt: skip
