"""A figure as reports show it: value, interval, how many turns stand behind it, and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.cases import scenario_of
from studio.metrics.clusters import design_effect, mean_of_scenarios, units
from studio.metrics.statistics import Interval, Units, bootstrap_interval, f1_interval, wilson_interval

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
    """A proportion with its interval from `(turn key, counts)`; keys may repeat, one entry per call."""
    hits = sum(counts for _, counts in outcomes)
    total = len(outcomes)
    bad = better == "lower"
    return Figure(
        name=name,
        value=hits / total if total else None,
        interval=share_interval(outcomes) if total else None,
        better=better,
        hits=hits,
        total=total,
        turns=_unique([key for key, _ in outcomes]),
        faults=_unique([key for key, counts in outcomes if counts == bad]) if better != "none" else (),
    )


def average(
    name: str, values: Sequence[tuple[str, float]], seed: int, better: Direction = "none", *, is_share: bool = False
) -> Figure:
    """A mean with its interval from `(turn key, value)`."""
    numbers = [value for _, value in values]
    return Figure(
        name=name,
        value=sum(numbers) / len(numbers) if numbers else None,
        interval=mean_interval(values, seed, is_share=is_share) if numbers else None,
        better=better,
        is_share=is_share,
        total=len(values),
        turns=_unique([key for key, _ in values]),
    )


def f1(name: str, outcomes: Sequence[tuple[str, bool]]) -> Figure:
    """F1 from `(turn key, true positive)` of every turn that is expected or predicted; the others are not counted."""
    hits, total = sum(counts for _, counts in outcomes), len(outcomes)
    worth = _design_effect(outcomes)
    return Figure(
        name=name,
        value=2 * hits / (hits + total) if total else None,
        interval=f1_interval(hits / worth, total / worth, units=_units(outcomes)) if total else None,
        hits=hits,
        total=total,
        turns=_unique([key for key, _ in outcomes]),
        faults=_unique([key for key, counts in outcomes if not counts]),
    )


def share_interval(outcomes: Sequence[tuple[str, bool]]) -> Interval:
    """Wilson's interval on the effective number of turns: as many as are worth the same when they are independent."""
    worth = _design_effect(outcomes)
    hits = sum(counts for _, counts in outcomes)
    return wilson_interval(hits / worth, len(outcomes) / worth, units=_units(outcomes))


def mean_interval(values: Sequence[tuple[str, float]], seed: int, *, is_share: bool = False) -> Interval:
    """Student's t over scenarios when there are enough of them, else the bootstrap over turns.

    Neither says anything where all values are 0 or all are 1 and cannot be less or more. There the mean is at most (at
    least) the share of turns that differ from it, and that share has Wilson's interval.
    """
    numbers = [value for _, value in values]
    if is_share and set(numbers) in ({0.0}, {1.0}):
        border = share_interval([(key, value == 1) for key, value in values])
        return border.model_copy(update={"method": "Wilson of the turns that differ"})
    if _units(values) == "turns":
        return bootstrap_interval(numbers, seed)
    found = mean_of_scenarios([scenario_of(key) for key, _ in values], numbers)
    ends = (max(found.low, 0.0), min(found.high, 1.0)) if is_share else (found.low, found.high)
    return found.model_copy(update={"low": ends[0], "high": ends[1]})


def _units(values: Sequence[tuple[str, float]]) -> Units:
    return units([scenario_of(key) for key, _ in values])


def _design_effect(values: Sequence[tuple[str, float]]) -> float:
    return design_effect([scenario_of(key) for key, _ in values], [float(value) for _, value in values])


def _unique(keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(keys))
