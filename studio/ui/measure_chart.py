"""The figures of a report card as one chart: a dot per model and figure, and the range in which it may lie."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go

from studio.metrics import Figure
from studio.validation import FIGURES, ModelResult, ReportCard

CHARTED = (
    "turn_right", "call_accuracy", "call_recall", "call_exact", "outcome_told", "invented_numbers", "faithful",
    "speaks_for_player", "out_of_role",
)  # fmt: skip
"""Shares that say most; the others are in the lists below the chart."""
_COLORS = ("#8a8f99", "#8f6fc9", "#c9803a", "#4b86c9", "#3f9468", "#d0585c")
_SPREAD = 0.5
_ROW_HEIGHT = 46


def report_chart(card: ReportCard) -> go.Figure:
    """Shares of every model with their intervals; the baseline is grey. Labels are text, never markup."""
    names = [name for name in CHARTED if any(one.summary.figures[name].value is not None for one in card.models)]
    figure = go.Figure()
    for number, model in enumerate(card.models):
        _add(figure, model, names, _shift(number, len(card.models)), _COLORS[number % len(_COLORS)])
    grid = {"gridcolor": "rgba(128,128,128,.16)", "zeroline": False}
    figure.update_layout(
        height=90 + _ROW_HEIGHT * len(names),
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        xaxis={"range": [-0.02, 1.02], "tickformat": ".0%", **grid},
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": [_title(card, name) for name in names],
            "range": [len(names) - 0.4, -0.6],
            "automargin": True,
            **grid,
        },
    )
    return figure


def _add(figure: go.Figure, model: ModelResult, names: list[str], shift: float, color: str) -> None:
    shown = [
        (place, found) for place, name in enumerate(names) if (found := model.summary.figures[name]).value is not None
    ]
    values = [found.value or 0.0 for _, found in shown]
    label = escape(model.model.label)
    figure.add_scatter(
        x=values,
        y=[place + shift for place, _ in shown],
        mode="markers",
        name=label,
        marker={"size": 11, "color": color},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [_reach(found, value)[1] for (_, found), value in zip(shown, values, strict=True)],
            "arrayminus": [_reach(found, value)[0] for (_, found), value in zip(shown, values, strict=True)],
            "color": color,
            "thickness": 1.6,
            "width": 4,
        },
        customdata=[[found.hits, found.total] for _, found in shown],
        hovertemplate="%{x:.0%} (%{customdata[0]} of %{customdata[1]})<extra>"
        + label.replace("%", "&#37;")
        + "</extra>",
    )


def _reach(figure: Figure, value: float) -> tuple[float, float]:
    """How far the interval goes below and above the value."""
    if figure.interval is None:
        return 0.0, 0.0
    return max(0.0, value - figure.interval.low), max(0.0, figure.interval.high - value)


def _shift(number: int, models: int) -> float:
    """Models of one figure stand below each other."""
    return 0.0 if models < 2 else _SPREAD * (number / (models - 1) - 0.5)


def _title(card: ReportCard, name: str) -> str:
    less = any(one.summary.figures[name].better == "lower" for one in card.models)
    return f"{FIGURES[name].title}<br><i>less is better</i>" if less else FIGURES[name].title
