"""The chart of the report: shares with their intervals, every model's below the other's, as numbers for the template.

It is drawn with boxes and no script, so that the page still needs nothing and runs nothing; hover and zoom are the
studio's page's business. Only shares of which more is better are in it: right is good, in every line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from studio.metrics import Figure, Summary
from studio.validation.wording import FIGURES, Wording, figure_text

CHARTED = (
    "turn_right",
    "call_precision",
    "call_recall",
    "tool_accuracy",
    "argument_accuracy",
    "call_exact",
    "outcome_told",
    "outcome_by_dice",
    "faithful",
)


@dataclass(frozen=True)
class Mark:
    """One model's share in one line, in per cent of the line's width; all None where there was nothing to count."""

    value: float | None
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True)
class ChartLine:
    """A figure and the marks of every model, in the order of the report."""

    wording: Wording
    marks: tuple[Mark, ...]


def chart_lines(summaries: Sequence[Summary]) -> list[ChartLine]:
    """One line for every figure of `CHARTED`; none when there is no model."""
    return [
        ChartLine(FIGURES[name], tuple(_mark(one.figures[name]) for one in summaries)) for name in CHARTED if summaries
    ]


def _mark(figure: Figure) -> Mark:
    if figure.value is None:
        return Mark(None, None, None, figure_text(figure))
    reach = figure.interval
    low, high = (reach.low, reach.high) if reach else (figure.value, figure.value)
    return Mark(_per_cent(figure.value), _per_cent(low), _per_cent(high), figure_text(figure))


def _per_cent(value: float) -> float:
    return round(100 * value, 1)
