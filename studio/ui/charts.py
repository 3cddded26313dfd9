"""Plotly figures of training runs: one measure over steps, passes or minutes, of a run and of others laid over it.

Colours come from the page's theme.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import plotly.graph_objects as go

from studio.jobs import EvaluationEvent, StepEvent

Axis = Literal["step", "epoch", "minutes"]
AXES: dict[Axis, str] = {"step": "step", "epoch": "pass over the scenarios", "minutes": "minutes of training"}
_BEYOND = 1.015
"""The axis goes a little beyond the last step, so that its mark is drawn whole."""
SMOOTHING = 0.8
_PAUSE = 20
"""A gap of so many usual steps is a pause (a stop, a night), not time of training."""
COLORS = ("#8f6fc9", "#c9803a", "#3f9a6d", "#4f86c6", "#c25b6a", "#93803a")
"""One per run; readable on light and dark."""
MB, PER_CENT = 1e6, 100.0


@dataclass(frozen=True)
class Course:
    """What a run said while it went on: its steps and evaluations, one of each step, in order."""

    name: str
    steps: Sequence[StepEvent]
    evaluations: Sequence[EvaluationEvent] = ()


@dataclass(frozen=True)
class Measure:
    """Something that is drawn over a run: of every step, of every evaluation, or both."""

    title: str
    unit: str
    meaning: str
    of_step: Callable[[StepEvent], float] | None = None
    of_evaluation: Callable[[EvaluationEvent], float | None] | None = None
    smoothed: bool = False
    format: str = field(default=".3f")


MEASURES: dict[str, Measure] = {
    "loss": Measure(
        "Loss", "nats per token", "Lower is better: how surprised the model is by the Dungeon Master's words.",
        lambda one: one.loss, lambda one: one.loss, smoothed=True,
    ),
    "calls": Measure(
        "Requests", "% of a few held-out turns", "Turns of held-out scenarios with exactly the author's requests for "
        "dice. It is a handful of turns: the report card measures all of them.",
        of_evaluation=lambda one: None if one.calls_right is None else PER_CENT * one.calls_right, format=".0f",
    ),
    "rate": Measure(
        "Learning rate", "", "How big a step is: it rises at first, then falls until the end.",
        lambda one: one.learning_rate, format=".2e",
    ),
    "gradient": Measure(
        "Gradient", "L2 norm before clipping", "How strongly the model is pulled. Single peaks are harmless; a curve "
        "that keeps rising asks for a smaller learning rate.",
        lambda one: one.grad_norm, smoothed=True,
    ),
    "speed": Measure(
        "Speed", "tokens/s", "Tokens read per second, padding not counted. It falls when other programs are at work.",
        lambda one: one.tokens_per_second, format=".0f",
    ),
    "memory": Measure(
        "Memory", "MB", "Memory of the training process, or of the GPU where it trains there.",
        lambda one: one.memory_bytes / MB, format=".0f",
    ),
}  # fmt: skip


def course_chart(courses: Sequence[Course], measure: str = "loss", axis: Axis = "step") -> go.Figure:
    """One measure of several runs; the first is the one looked at and is drawn strongest.

    Of every run: each step (thin), smoothed where the measure is noisy (thick), and the evaluations (dotted).
    """
    figure = go.Figure()
    kind = MEASURES[measure]
    for number, course in enumerate(courses):
        places = _places(course.steps, axis)
        style = _Style(course.name if len(courses) > 1 else "", COLORS[number % len(COLORS)], leads=number == 0)
        _add_steps(figure, course, places, kind, style)
        _add_evaluations(figure, course, places, kind, style)
    total = courses[0].steps[-1].total_steps if courses and courses[0].steps else 0
    return _dress(figure, kind, axis, total if axis == "step" else 0, measure)


def minutes(steps: Sequence[StepEvent]) -> list[float]:
    """Minutes of training at the end of every step, pauses left out; the first step ends at 0."""
    gaps = [max(0.0, after.time - before.time) for before, after in itertools.pairwise(steps)]
    usual = statistics.median(gaps) if gaps else 0.0
    passed, result = 0.0, [0.0] if steps else []
    for gap in gaps:
        passed += usual if gap > _PAUSE * usual else gap
        result.append(passed / 60)
    return result


def smooth(values: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Exponential moving average, corrected for its start (Adam's bias correction, arXiv 1412.6980, section 3).

    A value that is no number leaves a gap and is not averaged.
    """
    result: list[float] = []
    average, known = 0.0, 0
    for value in values:
        if not math.isfinite(value):
            result.append(math.nan)
            continue
        known += 1
        average = weight * average + (1 - weight) * value
        result.append(average / (1 - weight**known))
    return result


@dataclass(frozen=True)
class _Style:
    """How one run is drawn; `name` is empty where there is only one."""

    name: str
    color: str
    leads: bool

    def line(self, width: float, **more: str) -> dict[str, object]:
        return {"width": width if self.leads else width * 0.7, "color": self.color, **more}

    def called(self, what: str) -> str:
        return f"{self.name}, {what}" if self.name else what


def _places(steps: Sequence[StepEvent], axis: Axis) -> dict[int, float]:
    """Where every optimizer step stands on the axis."""
    found = {"step": [float(one.step) for one in steps], "epoch": [one.epoch for one in steps]}
    values = minutes(steps) if axis == "minutes" else found[axis]
    return {one.step: value for one, value in zip(steps, values, strict=True)}


def _add_steps(figure: go.Figure, course: Course, places: dict[int, float], kind: Measure, style: _Style) -> None:
    if kind.of_step is None or not course.steps:
        return
    x, values = [places[one.step] for one in course.steps], [kind.of_step(one) for one in course.steps]
    if kind.smoothed and style.leads:
        figure.add_scatter(
            x=x,
            y=values,
            mode="lines",
            name=style.called("each step"),
            line=style.line(1),
            opacity=0.4,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=x,
        y=smooth(values) if kind.smoothed else values,
        mode="lines",
        name=style.called("training"),
        line=style.line(2.5),
        hovertemplate=f"%{{y:{kind.format}}}",
    )


def _add_evaluations(figure: go.Figure, course: Course, places: dict[int, float], kind: Measure, style: _Style) -> None:
    if kind.of_evaluation is None:
        return
    found = [(one.step, kind.of_evaluation(one)) for one in course.evaluations if one.step in places]
    shown = [(places[step], value) for step, value in found if value is not None]
    if shown:
        figure.add_scatter(
            x=[place for place, _ in shown],
            y=[value for _, value in shown],
            mode="lines+markers",
            name=style.called("held out"),
            line=style.line(2, dash="dot"),
            marker={"size": 7},
            hovertemplate=f"%{{y:{kind.format}}}",
        )


def _dress(figure: go.Figure, kind: Measure, axis: Axis, total_steps: int, measure: str) -> go.Figure:
    lines = {"showgrid": True, "gridcolor": "rgba(128,128,128,.16)", "zeroline": False}
    reach = {"range": [0, total_steps * _BEYOND]} if total_steps else {"rangemode": "tozero"}
    height = {"range": [-4, 104]} if measure == "calls" else {}
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        showlegend=True,
        hovermode="x unified",
        xaxis={"title": AXES[axis], **lines, **reach},
        yaxis={"title": ", ".join(filter(None, (kind.title.lower(), kind.unit))), **lines, **height},
        uirevision=f"{measure} {axis}",
    )
    return figure
