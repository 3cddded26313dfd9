"""Fairer shares: what the scenarios are balanced by, how strongly, and what that does to every share."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.parts.layout import empty_state, show_error
from studio.dataset.balancing import MARGINS, Balance, Margin, Method, RowFeatures, balance
from studio.errors import StudioError
from studio.ui.coverage import balance_rows
from studio.ui.wording import count, plain

_NAMES: dict[Margin, str] = {
    "type": "Scenario types",
    "tool": "Requests",
    "outcome": "Outcomes",
    "call": "Asking or not",
}
_METHODS: dict[Method, tuple[str, str]] = {
    "weights": ("Read some more often", "Every row stays. Each is drawn as often as its weight says."),
    "repeats": ("Repeat rows", "Every row stays, and rows of what is rare are read again in each pass."),
    "caps": ("Leave rows out", "Rows of what is frequent are left out. They are named below."),
}
_SHOWN = 50


def balance_view(rows: Sequence[RowFeatures], *, seed: int = 7) -> Balance | None:
    """Choices, tables before and after, and what is left out. Returns the balance, None while there is none."""
    if not rows:
        empty_state("balance", "Nothing to balance yet", "Write a scenario first.")
        return None
    chosen, method, strength, cap = _choices()
    if not chosen:
        st.info("Choose what to balance by.", icon=":material/balance:")
        return None
    try:
        made = balance(rows, dict.fromkeys(chosen, "even"), method=method, cap=cap, strength=strength, seed=seed)
    except StudioError as error:
        show_error(error)
        return None
    _outcome(made, len(rows), cap)
    _tables(made, chosen)
    _left_out(made)
    return made


def _choices() -> tuple[list[Margin], Method, float, float]:
    chosen = st.pills(
        "Even out", MARGINS, default=["type", "outcome"], selection_mode="multi", key="balance_margins",
        format_func=lambda one: _NAMES[one],
    )  # fmt: skip
    method = st.segmented_control(
        "How", list(_METHODS), default="weights", required=True, key="balance_method",
        format_func=lambda one: _METHODS[one][0],
    ) or "weights"  # fmt: skip
    st.caption(_METHODS[method][1])
    left, right = st.columns(2, gap="medium")
    strength = left.slider(
        "How strongly", 0, 100, 100, 10, format="%d %%", key="balance_strength",
        help="0 leaves the shares as they are; 100 makes all of them equal.",
    )  # fmt: skip
    cap = right.slider(
        "Most that one row may count", 1.0, 20.0, 4.0, 0.5, format="%.1f times", key="balance_cap",
        help="And no row counts less than the same part of one. A row read too often is learned by heart.",
    )  # fmt: skip
    return [one for one in MARGINS if one in chosen], method, strength / 100, cap


def _outcome(made: Balance, rows: int, cap: float) -> None:
    read = rows if made.copies is None else sum(made.copies)
    with st.container(horizontal=True, key="balance_figures"):
        st.metric("Rows", f"{rows:,}", border=True)
        st.metric("Read in a pass", f"{read:,}", border=True)
        st.metric(
            "Count like", f"{made.effective_rows:,.1f}", border=True,
            help="So many equal rows would teach as varied a lesson (effective sample size).",
        )  # fmt: skip
    short = [f"{_NAMES[margin]} {way:.0%}" for margin, way in made.reached.items() if way < 1]
    if short:
        st.warning(
            f"Not all of it can be reached while one row counts at most {cap:g} times. How far it goes: "
            f"{', '.join(short)}. More scenarios of what is rare help best; a higher limit helps a little.",
            icon=":material/balance:",
        )
    for sentence in made.unreachable:
        st.warning(plain(sentence), icon=":material/balance:")


def _tables(made: Balance, chosen: Sequence[Margin]) -> None:
    percent = st.column_config.NumberColumn(format="percent")
    shares = dict.fromkeys(("Share before", "Target", "Share after"), percent)
    for margin in MARGINS:
        with st.expander(_NAMES[margin], expanded=margin in chosen, key=f"balance_of_{margin}"):
            if table := balance_rows(made, margin):
                st.dataframe(table, hide_index=True, key=f"balance_table_{margin}", column_config=shares)
            else:
                st.caption("No row has any.")


def _left_out(made: Balance) -> None:
    if made.left_out:
        with st.expander(f"{count(len(made.left_out), 'row')} left out", expanded=True, key="balance_left_out"):
            for name in made.left_out[:_SHOWN]:
                st.markdown(f"- {plain(name)}")
            if len(made.left_out) > _SHOWN:
                st.caption(f"And {len(made.left_out) - _SHOWN:,} more.")
