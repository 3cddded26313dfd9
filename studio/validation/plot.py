"""The report's interactive chart, as plotly.js reads it: a dot per model and figure, and the range in which it may lie.

Plain data: nothing is drawn here and no library is loaded, so that the page and the file show the same chart. Text that
somebody wrote is escaped, because plotly takes some HTML in labels for markup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from studio.metrics import Figure
from studio.validation.card import ModelResult
from studio.validation.wording import FIGURES

COLORS = ("#8a8f99", "#8f6fc9", "#c9803a", "#4b86c9", "#3f9468", "#d0585c")
"""Of the models in their order; the baseline is grey. They can be told apart on a light and on a dark page."""
_SPREAD = 0.5
ROW_HEIGHT = 46
_GRID = {"gridcolor": "rgba(128,128,128,.22)", "zeroline": False}

Find = Callable[[ModelResult, str], Figure | None]
Mark = Callable[[int, str], str]


def share_plot(models: Sequence[ModelResult], names: Sequence[str], find: Find, mark: Mark) -> dict[str, Any]:
    """The chart of the shares `names`, as `{"data": [...], "layout": {...}}`.

    Args:
        find: the figure of that name of a model: over all turns, or over those of a scenario type.
        mark: what a click on the dot of a model (by number) and a figure (by name) leads to.
    """
    shown = [name for name in names if any(_value(find(one, name)) is not None for one in models)]
    return {
        "data": [_trace(number, models, shown, find, mark) for number in range(len(models))],
        "layout": {
            "height": 90 + ROW_HEIGHT * len(shown),
            "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
            "legend": {"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
            "xaxis": {"range": [-0.02, 1.02], "tickformat": ".0%", "automargin": True, **_GRID},
            "yaxis": {
                "tickvals": list(range(len(shown))),
                "ticktext": [_title(models, name, find) for name in shown],
                "range": [len(shown) - 0.4, -0.6],
                "automargin": True,
                **_GRID,
            },
        },
    }


def _trace(number: int, models: Sequence[ModelResult], names: list[str], find: Find, mark: Mark) -> dict[str, Any]:
    model, color = models[number], COLORS[number % len(COLORS)]
    found = [(place, name, figure) for place, name in enumerate(names) if (figure := find(model, name))]
    counted = [(place, name, figure, figure.value) for place, name, figure in found if figure.value is not None]
    label = escape(model.model.label)
    return {
        "type": "scatter",
        "mode": "markers",
        "cliponaxis": False,
        "name": label,
        "x": [value for *_, value in counted],
        "y": [place + _shift(number, len(models)) for place, *_ in counted],
        "marker": {"size": 11, "color": color},
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(figure, value)[1] for *_, figure, value in counted],
            "arrayminus": [_reach(figure, value)[0] for *_, figure, value in counted],
            "color": color,
            "thickness": 1.6,
            "width": 4,
        },
        "customdata": [[figure.hits, figure.total, mark(number, name)] for _, name, figure, _ in counted],
        "hovertemplate": "%{x:.0%} (%{customdata[0]} of %{customdata[1]})<extra>"
        + label.replace("%", "&#37;")
        + "</extra>",
    }


def _value(figure: Figure | None) -> float | None:
    return figure.value if figure else None


def _reach(figure: Figure, value: float) -> tuple[float, float]:
    """How far the interval goes below and above the value."""
    if figure.interval is None:
        return 0.0, 0.0
    return max(0.0, value - figure.interval.low), max(0.0, figure.interval.high - value)


def _shift(number: int, models: int) -> float:
    """Models of one figure stand below each other."""
    return 0.0 if models < 2 else _SPREAD * (number / (models - 1) - 0.5)


def _title(models: Sequence[ModelResult], name: str, find: Find) -> str:
    less = any(figure.better == "lower" for one in models if (figure := find(one, name)))
    return f"{FIGURES[name].title}<br><i>less is better</i>" if less else FIGURES[name].title
