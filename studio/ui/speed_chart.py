"""A benchmark as a chart: how fast models read or write over how much of the conversation stands before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from studio.validation import BenchmarkReport, SpeedRow

_COLORS = ("#8a8f99", "#8f6fc9", "#c9803a", "#4b86c9", "#3f9468", "#d0585c")
_DASHES = ("solid", "dash", "dot", "dashdot")


@dataclass(frozen=True)
class Charted:
    """A figure that can be drawn: its axis title, the number format of the hover text, and where it stands."""

    axis: str
    format: str
    value: Callable[[SpeedRow], float | None]


CHARTED: dict[str, Charted] = {
    "Writes": Charted("tokens written per second", ".1f", lambda one: one.decode_per_second),
    "Reads": Charted("tokens read per second", ",.0f", lambda one: one.prefill_per_second),
    "First word": Charted("seconds until the first word", ".2f", lambda one: one.ttft_seconds),
    "Memory": Charted("memory in MB", ",.0f", lambda one: one.peak_memory_bytes / 10**6),
}
"""What can be charted, by the word of the page."""


def speed_chart(report: BenchmarkReport, which: str) -> go.Figure:
    """A line per model (colour, the baseline grey) and number of threads (dash) over the tokens before the reply."""
    shown, threads = CHARTED[which], sorted({one.threads for one in report.rows}, reverse=True)
    figure = go.Figure()
    for color, model in enumerate(report.file_bytes):
        for dash, number in enumerate(threads):
            rows = sorted(
                (one for one in report.rows if (one.model, one.threads) == (model, number)),
                key=lambda one: one.prompt_tokens,
            )
            if rows:
                line = {"color": _COLORS[color % len(_COLORS)], "dash": _DASHES[dash % len(_DASHES)], "width": 2.5}
                _add(figure, rows, shown, line, several=len(threads) > 1)
    return _dress(figure, shown, sorted({one.prompt_tokens for one in report.rows}))


def _add(figure: go.Figure, rows: list[SpeedRow], shown: Charted, line: dict[str, object], *, several: bool) -> None:
    threads = f", {rows[0].threads} thread{'s' if rows[0].threads > 1 else ''}" if several else ""
    label = escape(rows[0].model) + threads
    figure.add_scatter(
        x=[one.prompt_tokens for one in rows],
        y=[shown.value(one) for one in rows],
        mode="lines+markers",
        name=label,
        line=line,
        marker={"size": 9},
        hovertemplate=f"%{{y:{shown.format}}}<extra>{label.replace('%', '&#37;')}</extra>",
    )


def _dress(figure: go.Figure, shown: Charted, lengths: list[int]) -> go.Figure:
    grid = {"gridcolor": "rgba(128,128,128,.16)", "zeroline": False}
    figure.update_layout(
        height=340,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        hovermode="x unified",
        xaxis={
            "title": "tokens of the conversation before the reply", "rangemode": "tozero", "tickformat": ",",
            "tickvals": lengths, **grid,
        },
        yaxis={"title": shown.axis, "rangemode": "tozero", "automargin": True, **grid},
    )  # fmt: skip
    return figure
