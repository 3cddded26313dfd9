"""The figures of a report card as one chart on the page; a click on a dot leads to the turns behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from studio.validation import ReportCard
from studio.validation.plot import share_plot

CHARTED = (
    "turn_right", "call_accuracy", "call_recall", "call_exact", "outcome_told", "invented_numbers", "faithful",
    "speaks_for_player", "out_of_role",
)  # fmt: skip
"""Shares that say most; the others are in the lists below the chart."""


def report_chart(card: ReportCard) -> go.Figure:
    """Shares of every model with their intervals; the baseline is grey. Labels are text, never markup."""
    spec = share_plot(
        card.models, CHARTED, lambda model, name: model.summary.figures.get(name), lambda number, name: name
    )
    figure = go.Figure(spec)
    figure.update_traces(selected={"marker": {"opacity": 1}}, unselected={"marker": {"opacity": 1}})
    return figure


def charted_figure(card: ReportCard, points: Sequence[Mapping[str, Any]]) -> tuple[int, str] | None:
    """Which model (by number) and figure (by name) a click in the chart was on; None for none of them."""
    for point in points:
        number, told = point.get("curve_number"), point.get("customdata")
        name = told[-1] if isinstance(told, Sequence) and told else None
        if isinstance(number, int) and 0 <= number < len(card.models) and name in CHARTED:
            return number, str(name)
    return None
