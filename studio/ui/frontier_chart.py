"""Size and quality of a run's files as a chart: what each megabyte buys, and the point that is recommended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go

from studio.ui.model_types import TypeLine, frontier, measured_lines, perplexity_increase

_LINE, _OTHER, _STAR = "#8f6fc9", "#8a8f99", "#c9803a"
MB, PER_CENT = 1e6, 100.0


@dataclass(frozen=True)
class Loss:
    """A figure of quality that is lost: its axis, and its value of a line among all of them."""

    axis: str
    format: str
    value: Callable[[TypeLine, Sequence[TypeLine]], float | None]


def _increase(line: TypeLine, lines: Sequence[TypeLine]) -> float | None:
    increase = perplexity_increase(line, lines)
    return None if increase is None else PER_CENT * increase


LOSSES: dict[str, Loss] = {
    "KL divergence": Loss("KL divergence from the unquantized model (nats)", ".4f", lambda one, _: one.row.kl),
    "Perplexity": Loss("perplexity above the unquantized model's (%)", ".2f", _increase),
}
"""What can be drawn, by the word of the page."""


def frontier_chart(lines: Sequence[TypeLine], chosen: TypeLine | None, which: str, limit: int) -> go.Figure:
    """Loss of quality over megabytes: a line through the types that none beats, a star at the recommended one.

    Args:
        limit: bytes that the device allows a file, 0 for no limit; drawn where it is within the chart.
    """
    loss = LOSSES[which]
    best = frontier(lines)
    others = [one for one in measured_lines(lines) if one not in best]
    figure = go.Figure()
    _add(figure, best, loss, lines, "no type beats these", mode="lines+markers+text", color=_LINE)
    _add(figure, others, loss, lines, "others", mode="markers+text", color=_OTHER)
    if chosen and chosen.row.is_measured:
        _add(figure, [chosen], loss, lines, "recommended", mode="markers", color=_STAR, symbol="star", width=18)
    return _dress(figure, loss, limit, [one.row.size for one in (*best, *others)])


def _add(
    figure: go.Figure, points: Sequence[TypeLine], loss: Loss, every: Sequence[TypeLine], name: str,
    *, mode: str, color: str, symbol: str = "circle", width: int = 10,
) -> None:  # fmt: skip
    shown = [(one.row, value) for one in points if (value := loss.value(one, every)) is not None]
    if shown:
        figure.add_scatter(
            x=[row.size / MB for row, _ in shown],
            y=[value for _, value in shown],
            text=[escape(row.type) for row, _ in shown],
            textposition="top right",
            mode=mode,
            name=name,
            line={"color": color, "width": 2},
            marker={"color": color, "size": width, "symbol": symbol},
            hovertemplate=f"%{{text}}<br>%{{x:.1f}} MB<br>%{{y:{loss.format}}}<extra></extra>",
        )


def _dress(figure: go.Figure, loss: Loss, limit: int, sizes: Sequence[int]) -> go.Figure:
    grid = {"gridcolor": "rgba(128,128,128,.16)", "zeroline": False, "automargin": True}
    if sizes and 0 < limit <= 1.2 * max(sizes):
        figure.add_vline(x=limit / MB, line={"color": "#d0585c", "dash": "dash"}, annotation_text="allowed")
    figure.update_layout(
        height=340,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis={"title": "MB", **grid},
        yaxis={"title": loss.axis, **grid},
    )
    return figure
