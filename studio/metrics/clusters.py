"""Turns of one scenario resemble each other: how many independent turns they are worth.

A model that stumbles over a scenario stumbles over it several times, so that twenty turns of ten scenarios say less
than twenty turns of twenty. With enough scenarios the resemblance is measured and every interval and test is made as
wide as it asks for; then it says how the figure would be with other scenarios. With fewer there is nothing to measure
it by: turns are taken as independent, and nothing is claimed about other scenarios.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.metrics.statistics import CONFIDENCE, Interval, Units

FEWEST_SCENARIOS = 6
"""With five, not even a sign test that all five agree in would show anything: 2 / 2**5 > 0.05."""
ASSUMED_CORRELATION = 0.2
"""Likeness of turns of one scenario where all turns came out alike, so that it cannot be estimated."""


def units(scenarios: Sequence[str]) -> Units:
    """Over what a statement reaches: other scenarios, when there are enough of them, else turns of these alone."""
    return "scenarios" if len(set(scenarios)) >= FEWEST_SCENARIOS else "turns"


def design_effect(scenarios: Sequence[str], values: Sequence[float]) -> float:
    """By how much turns are fewer than they look: turns over independent turns that would say as much; at least 1.

    The variance of the mean with scenarios drawn at random (linearized, "ultimate cluster") over that with turns drawn
    at random, times the squared ratio of Student's t for scenarios and for turns (Korn & Graubard, 1998), which pays
    for estimating it from few scenarios. Where all values are equal: Kish's formula with `ASSUMED_CORRELATION`.

    Args:
        scenarios: of every turn.
        values: of every turn, in the same order.
    """
    if units(scenarios) == "turns":
        return 1.0
    from scipy.stats import t

    count = len(set(scenarios))
    within, between = _squares(scenarios, values)
    likeness = _ratio(count, len(values)) * between / within if within else _kish(len(values) / count)
    tail = (1 + CONFIDENCE) / 2
    few = float(t.ppf(tail, count - 1) / t.ppf(tail, len(values) - 1)) if len(values) > count else 1.0
    return max(likeness, 1.0) * few**2


def mean_of_scenarios(scenarios: Sequence[str], values: Sequence[float], confidence: float = CONFIDENCE) -> Interval:
    """Student's t interval of the mean over turns with scenarios as what was drawn (linearized cluster variance).

    Raises:
        ValueError: there are fewer than `FEWEST_SCENARIOS`.
    """
    if units(scenarios) == "turns":
        raise ValueError("too few scenarios to say how the mean differs between them")
    from scipy.stats import t

    count, size, middle = len(set(scenarios)), len(values), sum(values) / len(values)
    between = _squares(scenarios, values)[1]
    half = float(t.ppf((1 + confidence) / 2, count - 1)) * (count / (count - 1) * between) ** 0.5 / size
    return Interval(low=middle - half, high=middle + half, confidence=confidence, method="cluster t", units="scenarios")


def _squares(scenarios: Sequence[str], values: Sequence[float]) -> tuple[float, float]:
    """Squared deviations from the mean: of the values, and of the sums over each scenario."""
    middle = sum(values) / len(values)
    sums: dict[str, float] = {}
    for scenario, value in zip(scenarios, values, strict=True):
        sums[scenario] = sums.get(scenario, 0.0) + value - middle
    spread = sum((value - middle) ** 2 for value in values)
    return (spread if len(set(values)) > 1 else 0.0), sum(one**2 for one in sums.values())


def _ratio(scenarios: int, turns: int) -> float:
    """Bessel's correction for either variance; 1 when every scenario has one turn."""
    return scenarios / (scenarios - 1) * (turns - 1) / turns


def _kish(turns_per_scenario: float) -> float:
    return 1 + (turns_per_scenario - 1) * ASSUMED_CORRELATION
