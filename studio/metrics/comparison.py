"""Is one model better than another on the same turns, and is the difference real? Paired tests, never two intervals.

The p values are not corrected for the number of figures: read the first line (`turn_right`) as the test, the others as
where to look. With few turns a large difference may still be luck; the interval says how large it could be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from studio.metrics.statistics import Difference, McNemar, mcnemar, paired_difference
from studio.metrics.turns import TurnVerdict

Verdict = Literal["better", "worse", "no difference shown"]
ALPHA = 0.05

CHECKS: dict[str, Callable[[TurnVerdict], bool]] = {
    "turn_right": lambda one: one.right,
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


def compare(first: Sequence[TurnVerdict], second: Sequence[TurnVerdict], seed: int) -> list[Comparison]:
    """Every property of `CHECKS`, over the turns that both models were given; empty when there are none."""
    before, after = ({one.key: one for one in verdicts} for verdicts in (first, second))
    keys = [key for key in before if key in after]
    return [
        _compare(name, keys, [check(before[key]) for key in keys], [check(after[key]) for key in keys], seed)
        for name, check in CHECKS.items()
        if keys
    ]


def _compare(name: str, keys: list[str], first: list[bool], second: list[bool], seed: int) -> Comparison:
    test = mcnemar(first, second)
    difference = paired_difference(first, second, seed)
    shown = test.p_value < ALPHA
    pairs = list(zip(keys, first, second, strict=True))
    return Comparison(
        name=name,
        first=sum(first) / len(first),
        second=sum(second) / len(second),
        difference=difference,
        test=test,
        verdict=("better" if difference.value > 0 else "worse") if shown else "no difference shown",
        gained=tuple(key for key, one, other in pairs if other and not one),
        lost=tuple(key for key, one, other in pairs if one and not other),
    )
