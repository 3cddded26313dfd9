"""Choose a run and a device; what suits it in a sentence, and one button that makes it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.layout import told_afterwards, workspace
from pages.parts.models_state import Choice, choice_of
from studio.config import OptimizationProfile, load_profiles
from studio.conversion import TYPES
from studio.conversion.quality.service import start_optimization
from studio.conversion.service import start_conversion
from studio.errors import StudioError
from studio.training import list_runs
from studio.ui.model_types import recommendation
from studio.ui.playable import model_id
from studio.ui.wording import plain

_STYLE = Path(__file__).with_name("models.css")


def conversion_panel() -> Choice | None:
    """The form; what is chosen in it, None where there is nothing to choose or it cannot be read."""
    st.html(_STYLE)
    runs = [run.name for run in list_runs(workspace()) if run.adapter]
    profiles = load_profiles(workspace())
    if not runs:
        st.info("No finished run yet. Train one first; its model file is made here.", icon=":material/model_training:")
        if st.button("Open Train", key="to_train"):
            st.switch_page("pages/train.py")
        return None
    with st.container(border=True, key="convert_form"):
        run, profile = _chosen(runs, profiles)
        return _offer(run, profile)


def _chosen(runs: list[str], profiles: dict[str, OptimizationProfile]) -> tuple[str, OptimizationProfile]:
    asked = st.query_params.get("run", "")
    with st.container(horizontal=True, vertical_alignment="bottom", key="convert_line"):
        run = st.selectbox("Run", runs, index=runs.index(asked) if asked in runs else 0, key="convert_run")
        profile = st.selectbox(
            "Made for", list(profiles), format_func=lambda name: profiles[name].title or name, key="convert_profile"
        )
    return str(run), profiles[str(profile)]


def _offer(run: str, profile: OptimizationProfile) -> Choice | None:
    """What would be made, and the buttons. Sizes that cannot be told yet keep nobody from making the file."""
    try:
        choice = choice_of(run, profile)
    except StudioError as error:
        st.caption(f"What each type takes cannot be told yet. {plain(str(error))}")
        choice = None
    else:
        st.markdown(f":material/recommend: {plain(recommendation(choice.best, choice.lines, profile))}")
    _buttons(run, profile, choice)
    return choice


def _buttons(run: str, profile: OptimizationProfile, choice: Choice | None) -> None:
    """What comes next is the first button: making the file, or playing with it where it is made."""
    made, name = choice.best.row.path if choice and choice.best else None, _type_name(choice)
    with st.container(horizontal=True, key="convert_buttons"):
        if made and st.button("Play with it", type="primary", key="play_best", icon=":material/casino:"):
            st.switch_page("pages/play.py", query_params={"model": model_id(workspace(), made)})
        if name or not made:
            st.button(
                "Make it again" if made else "Make the model file", type="secondary" if made else "primary",
                key="convert_start", icon=":material/inventory_2:", on_click=_start, args=(run, profile.name, name),
            )  # fmt: skip
        st.button(
            "Find the best for this device", key="optimize_start", icon=":material/search_insights:", on_click=_search,
            args=(run, profile.name), help="Makes a handful of files within the device's limits, measures each on "
            "scenarios that no run was trained on, and keeps the one that lost least. Takes some minutes.",
        )  # fmt: skip


def _type_name(choice: Choice | None) -> str:
    """The recommended type by its plain name; empty leaves it to the profile. A mixed file is not made anew."""
    name = choice.best.row.type if choice and choice.best else ""
    return name if name in TYPES else ""


def _search(run: str, profile: str) -> None:
    with told_afterwards():
        start_optimization(workspace(), run, profile)


def _start(run: str, profile: str, type_name: str) -> None:
    with told_afterwards():
        start_conversion(workspace(), run, profile, type_name=type_name)
