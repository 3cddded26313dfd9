"""Every training setting as a field, group by group, checked while somebody types. Folded away at first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import streamlit as st

from pages.parts.train_state import forget, keep, typed
from studio.config import TrainingConfig
from studio.ui.settings import Checked, Setting, changed, groups, shown, training_settings
from studio.ui.wording import plain

_PAUSE = "400ms"
_REMAKES_ROWS = frozenset({"max_seq_length"})
"""Checked when they are written to the end: each number on the way there would make a dataset of its own."""


def advanced_settings(preset: TrainingConfig, now: Checked, *, unfolded: bool) -> None:
    """All fields. What differs from the preset is said below them, so that no field moves when the first one does."""
    with st.expander("Advanced settings", expanded=unfolded, key="train_advanced", icon=":material/tune:"):
        found = groups()
        for tab, settings in zip(st.tabs(list(found), key="train_groups"), found.values(), strict=True):
            with tab:
                for pair in _pairs(settings):  # rows, so that a narrow window keeps their order
                    for column, setting in zip(st.columns(2, gap="medium"), pair, strict=False):
                        with column:
                            _field(setting, now)
    _changes(preset, now)


def faults_told(now: Checked) -> None:
    """What is wrong, above the button that it stops."""
    if not now.faults:
        return
    places = {one.name: f" ({one.group})" for one in training_settings()}
    lines = [
        f"- **{plain(one.label or 'Together')}**{places.get(one.name, '')}: {plain(one.text)}" for one in now.faults
    ]
    st.error("Not yet: some settings cannot be used.\n\n" + "\n".join(lines), icon=":material/rule:")


def _changes(preset: TrainingConfig, now: Checked) -> None:
    different = changed(preset, now.config)
    if not different and not now.faults:
        return
    words = ", ".join(f"{plain(one.label)} {plain(before)} → **{plain(after)}**" for one, before, after in different)
    with st.container(horizontal=True, vertical_alignment="center", key="train_changes"):
        st.caption(f"Changed: {words or 'nothing that can be used yet'}.", width="stretch")
        st.button(
            "Undo all", key="train_undo", type="tertiary", icon=":material/undo:", on_click=forget,
            help="Takes every setting back to what the choice above says.",
        )  # fmt: skip


def _pairs(settings: Sequence[Setting]) -> Iterator[Sequence[Setting]]:
    for first in range(0, len(settings), 2):
        yield settings[first : first + 2]


def _field(setting: Setting, now: Checked) -> None:
    key = f"set_{setting.name}"
    value = typed().get(setting.name, shown(setting, getattr(now.config, setting.name)))
    if st.session_state.get(key) != value:  # never while somebody types: what comes meanwhile would be lost
        st.session_state[key] = value
    _widget(setting, key)
    if fault := now.of(setting.name):
        st.markdown(f":small[:red[:material/error: {plain(fault)}]]")


def _widget(setting: Setting, key: str) -> None:
    said, label, hint = (setting.name, key), plain(setting.label), plain(setting.hint)
    match setting.kind:
        case "switch":
            st.toggle(label, key=key, help=hint, on_change=keep, args=said)
        case "choice":
            st.selectbox(label, setting.options, key=key, help=hint, on_change=keep, args=said, format_func=_word)
        case "choices":
            st.multiselect(label, setting.options, key=key, help=hint, on_change=keep, args=said, placeholder="None")
        case _:
            live = False if setting.name in _REMAKES_ROWS else _PAUSE
            st.text_input(label, key=key, help=hint, on_change=keep, args=said, live=live)


def _word(option: object) -> str:
    return "none" if option is None else str(option)
