"""Is one model better than another on the same turns, and is the difference real? Paired tests, never two intervals.

`turn_right` is the question that is asked; the other properties say where a difference comes from, and because there
are several of them their p values are corrected (Holm), so that together they raise a false alarm in at most 1 of 20
comparisons. The interval beside a verdict is of the level that the verdict was made at: both say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.cases import scenario_of
from studio.metrics.paired import McNemar, PairedCounts, paired_counts
from studio.metrics.statistics import Difference
from studio.metrics.turns import TurnVerdict

Verdict = Literal["better", "worse", "no difference shown"]
ALPHA = 0.05
PRIMARY = "turn_right"

CHECKS: dict[str, Callable[[TurnVerdict], bool]] = {
    PRIMARY: lambda one: one.right,
    "call_accuracy": lambda one: one.calls.decides_right,
    "calls_exact": lambda one: one.calls.exact,
    "outcome_coherent": lambda one: one.outcome.coherent and not one.outcome.invented,
    "faithful": lambda one: one.narrative.faithful,
    "in_role": lambda one: not (one.narrative.out_of_role or one.narrative.speaks_for_player),
}
"""Yes-or-no properties of a turn that two models are compared on; yes is good."""


class Comparison(BaseModel):
    """One property, second model against the first, over the turns that both have."""

    model_config = ConfigDict(frozen=True)

    name: str
    first: float
    second: float
    difference: Difference
    test: McNemar
    verdict: Verdict
    gained: tuple[str, ...] = Field((), description="Turns that only the second model has right.")
    lost: tuple[str, ...] = Field((), description="Turns that only the first model has right.")


def compare(first: Sequence[TurnVerdict], second: Sequence[TurnVerdict]) -> list[Comparison]:
    """Every property of `CHECKS`, over the turns that both models were given; empty when there are none."""
    before, after = ({one.key: one for one in verdicts} for verdicts in (first, second))
    keys = [key for key in before if key in after]
    if not keys:
        return []
    answers = {
        name: ([yes(before[key]) for key in keys], [yes(after[key]) for key in keys]) for name, yes in CHECKS.items()
    }
    counts = {name: paired_counts(*both, [scenario_of(key) for key in keys]) for name, both in answers.items()}
    others = [name for name in CHECKS if name != PRIMARY]
    factors = dict(zip(others, holm_factors([counts[name].test().p_value for name in others]), strict=True))
    return [_compared(name, keys, *answers[name], counts[name], factors.get(name, 1.0)) for name in CHECKS]


def holm_factors(p_values: Sequence[float]) -> list[float]:
    """What each p value is multiplied by in Holm's step-down correction (S. Holm, 1979), between 1 and their number.

    The adjusted value is the product, at most 1. Smaller p values have larger factors; a factor also grows where a
    smaller p value was not small enough, because the correction stops there.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    factors, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        remaining = len(order) - rank
        highest = max(highest, remaining * p_values[index])
        factors[index] = highest / p_values[index] if p_values[index] else float(remaining)
    return factors


def _compared(
    name: str, keys: list[str], first: list[bool], second: list[bool], counts: PairedCounts, factor: float
) -> Comparison:
    """The interval excludes zero just when the corrected p value is below `ALPHA`.

    That holds at the confidence of Holm's step for what is shown, and of Bonferroni's correction for what is not.
    """
    test = counts.test()
    shown = factor * test.p_value < ALPHA
    together = 1 if name == PRIMARY else len(CHECKS) - 1
    difference = counts.difference(1 - ALPHA / (factor if shown else together))
    pairs = list(zip(keys, first, second, strict=True))
    return Comparison(
        name=name,
        first=sum(first) / len(first),
        second=sum(second) / len(second),
        difference=difference,
        test=test.model_copy(update={"adjusted_p": min(1.0, factor * test.p_value)}),
        verdict=("better" if difference.value > 0 else "worse") if shown else "no difference shown",
        gained=tuple(key for key, one, other in pairs if other and not one),
        lost=tuple(key for key, one, other in pairs if one and not other),
    )
