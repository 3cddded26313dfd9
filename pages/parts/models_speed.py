"""Where the expected speeds come from: the measurement of this computer, its button, and its progress."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts.job_watch import measurement_bar, state_if_there
from pages.parts.layout import show_error, told_afterwards, workspace
from pages.parts.models_state import Choice
from studio.conversion.speed.expected import BEHIND, speed_folder, start_speed_measurement
from studio.jobs import Job
from studio.ui.failures import recorded_error
from studio.ui.wording import plain

REFRESH_SECONDS = 1.0


def speed_line(choice: Choice) -> None:
    """What the expected speeds are worth, or a way to get them."""
    if not choice.base:
        return
    job = Job(speed_folder(workspace(), choice.base))
    state = state_if_there(job)
    if state and not state.is_finished:
        st.fragment(_live, run_every=REFRESH_SECONDS)(job)
        return
    if state and state.error:
        show_error(recorded_error(state.error))
    with st.container(horizontal=True, vertical_alignment="center", key="speed_line"):
        st.caption(plain(_worth(choice)), width="stretch")
        st.button(
            "Measure again" if choice.pace else "Measure this computer", key="speed_measure", icon=":material/speed:",
            type="tertiary", on_click=_measure, args=(choice.base, choice.shapes),
        )  # fmt: skip


def _worth(choice: Choice) -> str:
    if choice.pace is None:
        return (
            "How fast each type would write is not known yet. Measuring this computer takes less than a minute when it "
            "is idle."
        )
    return (
        f"Expected speeds are estimates for this machine, behind {BEHIND} tokens. Other programs and longer "
        "conversations slow all types down."
    )


def _live(job: Job) -> None:
    measurement_bar(job, "Measuring how fast this computer multiplies with each type", "speed_measuring", "speed_stop")


def _measure(base: str, gguf: Path) -> None:
    with told_afterwards():
        start_speed_measurement(workspace(), base, gguf)
