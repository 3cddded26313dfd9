"""Plotly figures of a training run. Colours come from the page's theme."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from studio.jobs import EvaluationEvent, StepEvent

_BEYOND = 1.015
"""The axis goes a little beyond the last step, so that its mark is drawn whole."""
SMOOTHING = 0.8


def loss_chart(steps: Sequence[StepEvent], evaluations: Sequence[EvaluationEvent], total_steps: int = 0) -> go.Figure:
    """Training loss (thin: each step; thick: smoothed) and validation loss over optimizer steps."""
    figure = go.Figure()
    places = [one.step for one in steps]
    losses = [one.loss for one in steps]
    if steps:
        figure.add_scatter(
            x=places,
            y=losses,
            mode="lines",
            name="each step",
            line={"width": 1, "color": "rgba(140,120,180,.45)"},
            hoverinfo="skip",
        )
        figure.add_scatter(
            x=places,
            y=smooth(losses),
            mode="lines",
            name="training",
            line={"width": 2.5, "color": "#8f6fc9"},
            hovertemplate="step %{x}: %{y:.3f}<extra>training</extra>",
        )
    if evaluations:
        figure.add_scatter(
            x=[one.step for one in evaluations],
            y=[one.loss for one in evaluations],
            mode="lines+markers",
            name="validation",
            line={"width": 2, "color": "#c9803a", "dash": "dot"},
            marker={"size": 7},
            hovertemplate="step %{x}: %{y:.3f}<extra>validation</extra>",
        )
    return _dress(figure, total_steps)


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


def _dress(figure: go.Figure, total_steps: int) -> go.Figure:
    axis = {"showgrid": True, "gridcolor": "rgba(128,128,128,.16)", "zeroline": False}
    reach = {"range": [0, total_steps * _BEYOND]} if total_steps else {"rangemode": "tozero"}
    figure.update_layout(
        height=320,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="x unified",
        xaxis={"title": "step", **axis, **reach},
        yaxis={"title": "loss", **axis},
        uirevision="loss",
    )
    return figure
