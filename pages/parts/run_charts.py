"""The curves of a training run: which measure, over what, and other runs laid over it."""

from __future__ import annotations

import streamlit as st

from pages.parts.layout import workspace
from studio.training import Run, list_runs
from studio.ui.charts import AXES, MEASURES, Axis, Course, course_chart
from studio.ui.runs import Curves, curves

_BARE = {"displayModeBar": False}
_AXIS_WORDS: dict[Axis, str] = {"step": "Steps", "epoch": "Passes", "minutes": "Time"}
MOST_OTHERS = 5


def run_charts(run: Run, found: Curves) -> None:
    """The chart with its choices. It keeps its zoom while the run goes on."""
    with st.container(horizontal=True, vertical_alignment="center", key="chart_choice"):
        measure = st.segmented_control(
            "What to draw", list(MEASURES), format_func=lambda one: MEASURES[one].title, default="loss",
            key="chart_measure", required=True, label_visibility="collapsed",
        )  # fmt: skip
        axis = st.segmented_control(
            "Over", list(AXES), format_func=_AXIS_WORDS.__getitem__, default="step", key="chart_axis", required=True,
            label_visibility="collapsed",
        )  # fmt: skip
    others = _others(run)
    courses = [Course(run.name, found.steps, found.evaluations), *map(_course, others)]
    st.plotly_chart(course_chart(courses, measure, axis), key="loss", config=_BARE)
    st.caption(MEASURES[measure].meaning)


def _others(run: Run) -> list[Run]:
    """The runs that were chosen to be laid over this one; nothing to choose where there is no other."""
    known = {one.name: one for one in list_runs(workspace()) if one.name != run.name}
    if not known:
        return []
    chosen = st.multiselect(
        "Compare with", list(known), key="chart_others", max_selections=MOST_OTHERS,
        placeholder="Lay other runs over this one", label_visibility="collapsed",
    )  # fmt: skip
    return [known[name] for name in chosen if name in known]


def _course(run: Run) -> Course:
    found = curves(run.job.events().events)
    return Course(run.name, found.steps, found.evaluations)
