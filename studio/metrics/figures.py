"""A figure as reports show it: value, interval, how many turns stand behind it, and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.statistics import Interval, bootstrap_interval, wilson_interval

Direction = Literal["higher", "lower", "none"]


class Figure(BaseModel):
    """One number about a model.

    `value` is None when nothing could be counted: no turn of the set was of the kind that the figure is about.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    value: float | None
    interval: Interval | None = None
    better: Direction = Field("higher", description="Which direction is good; 'none' for a mere description.")
    is_share: bool = Field(True, description="A share between 0 and 1, shown as per cent.")
    hits: int = Field(0, description="Turns (or calls) that count; 0 for a mean.")
    total: int = Field(0, description="Turns (or calls) that the figure is about.")
    turns: tuple[str, ...] = Field((), description="Keys of the turns that the figure is about.")
    faults: tuple[str, ...] = Field((), description="Keys of the turns that speak against the model.")


def share(name: str, outcomes: Sequence[tuple[str, bool]], better: Direction = "higher") -> Figure:
    """A proportion with its Wilson interval from `(turn key, counts)`; keys may repeat, one entry per call."""
    hits = sum(counts for _, counts in outcomes)
    total = len(outcomes)
    bad = better == "lower"
    return Figure(
        name=name,
        value=hits / total if total else None,
        interval=wilson_interval(hits, total) if total else None,
        better=better,
        hits=hits,
        total=total,
        turns=_unique([key for key, _ in outcomes]),
        faults=_unique([key for key, counts in outcomes if counts == bad]) if better != "none" else (),
    )


def average(
    name: str, values: Sequence[tuple[str, float]], seed: int, better: Direction = "none", *, is_share: bool = False
) -> Figure:
    """A mean with its bootstrap interval from `(turn key, value)`."""
    numbers = [value for _, value in values]
    return Figure(
        name=name,
        value=sum(numbers) / len(numbers) if numbers else None,
        interval=bootstrap_interval([numbers], seed) if numbers else None,
        better=better,
        is_share=is_share,
        total=len(values),
        turns=_unique([key for key, _ in values]),
    )


def _unique(keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))
