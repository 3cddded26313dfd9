"""Fairer shares: what the scenarios are balanced by, how strongly, and what that does to every share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from pages.parts.dataset_follow import follow
from pages.parts.layout import empty_state, show_error
from studio.config import BalanceConfig, BalanceMargin, BalanceMethod
from studio.dataset.balancing import MARGINS, Balance, RowFeatures, balance_by
from studio.errors import StudioError
from studio.ui.coverage import balance_rows
from studio.ui.dataset import MARGIN_NAMES, METHOD_NAMES, balance_sentence
from studio.ui.wording import count, plain

_METHODS: dict[BalanceMethod, str] = {
    "weights": "Every row stays. Each is drawn as often as its weight says.",
    "repeats": "Every row stays, and rows of what is rare are read again in each pass.",
    "caps": "Rows of what is frequent are left out. They are named below.",
}
_PROPOSED = BalanceConfig(by=["type", "outcome"])
_BY, _METHOD, _STRENGTH, _CAP = "balance_margins", "balance_method", "balance_strength", "balance_cap"
_SHOWN = 50
UseBalance = Callable[[BalanceConfig], None]


def balance_view(
    rows: Sequence[RowFeatures],
    in_use: BalanceConfig | None = None,
    on_use: UseBalance | None = None,
    *,
    fingerprint: str = "",
) -> Balance | None:
    """Choices, tables before and after, and what is left out. Returns the balance, None while there is none.

    Args:
        in_use: what training does now, told above the choices; `on_use` is called with what it should do instead.
        fingerprint: of the dataset that the rows are of; the outcome is kept for it.
    """
    if not rows:
        empty_state("balance", "Nothing to balance yet", "Write a scenario first.")
        return None
    now = in_use or BalanceConfig()
    if on_use:
        _in_use(now, on_use)
    wanted = _choices(now)
    if not wanted.by:
        st.info("Choose what to balance by.", icon=":material/balance:")
        return None
    try:
        made = (
            _balanced(fingerprint, wanted.model_dump_json(), wanted, rows) if fingerprint else balance_by(rows, wanted)
        )
    except StudioError as error:
        show_error(error)
        return None
    if on_use:
        _use_button(wanted, now, on_use)
    _outcome(made, len(rows), wanted.cap)
    _tables(made, wanted.by)
    _left_out(made)
    return made


@st.cache_resource(max_entries=8, show_spinner="Working it out")
def _balanced(fingerprint: str, settings: str, _wanted: BalanceConfig, _rows: Sequence[RowFeatures]) -> Balance:
    return balance_by(_rows, _wanted)


def _in_use(now: BalanceConfig, on_use: UseBalance) -> None:
    """What a run would do, and the way back to nothing."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="balance_in_use"):
        with st.container(width="stretch", gap="xxsmall", key="balance_in_use_words"):
            st.caption("In use for training")
            st.markdown(plain(balance_sentence(now)))
        if now.by and st.button("Switch off", key="balance_off", icon=":material/block:"):
            on_use(now.model_copy(update={"by": []}))


def _use_button(wanted: BalanceConfig, now: BalanceConfig, on_use: UseBalance) -> None:
    same = wanted == now
    if st.button(
        "In use" if same else "Use this for training", key="balance_use", type="primary", disabled=same,
        icon=":material/check:",
    ):  # fmt: skip
        on_use(wanted)


def _choices(now: BalanceConfig) -> BalanceConfig:
    """The widgets, which begin with what is in use, or with a proposal where nothing is."""
    first = now if now.by else _PROPOSED
    values = {_BY: first.by, _METHOD: first.method, _STRENGTH: round(100 * first.strength), _CAP: first.cap}
    follow(first.model_dump_json(), values)
    chosen = st.pills("Even out", MARGINS, selection_mode="multi", key=_BY, format_func=MARGIN_NAMES.__getitem__)
    method: BalanceMethod = st.segmented_control(
        "How", list(_METHODS), required=True, key=_METHOD, format_func=METHOD_NAMES.__getitem__
    ) or "weights"  # fmt: skip
    st.caption(_METHODS[method])
    left, right = st.columns(2, gap="medium")
    strength = left.slider(
        "How strongly", 0, 100, step=5, format="%d %%", key=_STRENGTH,
        help="0 leaves the shares as they are; 100 makes all of them equal.",
    )  # fmt: skip
    cap = right.slider(
        "Most that one row may count", 1.0, max(20.0, first.cap), step=0.5, format="%.1f times", key=_CAP,
        help="And no row counts less than the same part of one. A row read too often is learned by heart.",
    )  # fmt: skip
    by: list[BalanceMargin] = [one for one in MARGINS if one in chosen]
    return BalanceConfig(by=by, method=method, strength=strength / 100, cap=cap)


def _outcome(made: Balance, rows: int, cap: float) -> None:
    read = rows if made.copies is None else sum(made.copies)
    with st.container(horizontal=True, key="balance_figures"):
        st.metric("Rows", f"{rows:,}", border=True)
        st.metric("Read in a pass", f"{read:,}", border=True)
        st.metric(
            "Count like", f"{made.effective_rows:,.1f}", border=True,
            help="So many equal rows would teach as varied a lesson (effective sample size).",
        )  # fmt: skip
    short = [f"{MARGIN_NAMES[margin]} {way:.0%}" for margin, way in made.reached.items() if way < 1]
    if short:
        st.warning(
            f"Not all of it can be reached while one row counts at most {cap:g} times. How far it goes: "
            f"{', '.join(short)}. More scenarios of what is rare help best; a higher limit helps a little.",
            icon=":material/balance:",
        )
    for sentence in made.unreachable:
        st.warning(plain(sentence), icon=":material/balance:")


def _tables(made: Balance, chosen: Sequence[BalanceMargin]) -> None:
    percent = st.column_config.NumberColumn(format="percent")
    shares = dict.fromkeys(("Share before", "Target", "Share after"), percent)
    for margin in MARGINS:
        with st.expander(MARGIN_NAMES[margin], expanded=margin in chosen, key=f"balance_of_{margin}"):
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
