"""The turns behind a number, in a dialog: what the player said, the author's turn, each model's, and what is wrong."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.layout import vocabulary
from studio.ui.measure import answers, stress_block, turn_block
from studio.ui.wording import plain
from studio.validation import ModelResult, ReportCard
from studio.validation.behind import Behind

PAGE_SIZE = 10
_STYLE = Path(__file__).with_name("measure.css")


@st.dialog("The turns behind it", width="large")
def show_turns(card: ReportCard, behind: Behind) -> None:
    """The turns of a figure or comparison, a page at a time."""
    st.html(_STYLE)
    st.markdown(f"**{plain(behind.title)}** · {plain(behind.label)}")
    st.caption(plain(behind.meaning))
    keys = behind.lists[_list(behind)]
    start = 0
    if len(keys) > PAGE_SIZE:
        pages = -(-len(keys) // PAGE_SIZE)
        start = (min(st.pagination(pages, key="turns_page"), pages) - 1) * PAGE_SIZE
    turns = {one.key: one for one in card.turns}
    words = vocabulary()
    for key in keys[start : start + PAGE_SIZE]:
        if key not in turns:
            continue
        with st.container(border=True, key=f"card_turn_{key}"):
            st.caption(f"{plain(turns[key].scenario)}, line {turns[key].line}")
            st.html(turn_block(turns[key], answers(card, key, behind.label), words))


@st.dialog("Turns that try to break it", width="large")
def show_stress(model: ModelResult) -> None:
    """Every stress turn of a model with its reply."""
    st.html(_STYLE)
    words = vocabulary()
    for one in model.stress:
        with st.container(border=True, key=f"card_stress_{one.key}"):
            faults = "; ".join(one.faults) or (
                "too large to be asked" if one.reason == "does_not_fit" else "no visible fault"
            )
            st.caption(f"{one.kind}: {plain(faults)}")
            st.html(stress_block(one.player, model.model.label, one.text, words))


def _list(behind: Behind) -> str:
    """The list that was chosen; the first until then."""
    names = list(behind.lists)
    if len(names) < 2:
        return names[0]
    chosen = st.segmented_control(
        "Show", names, default=names[0], key=f"turns_list_{'_'.join(names)}", required=True,
        label_visibility="collapsed", format_func=lambda one: f"{one} {len(behind.lists[one]):,}",
    )  # fmt: skip
    return chosen or names[0]
