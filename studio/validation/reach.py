"""What a comparison can show at all: how far its ranges reach, and how many turns a difference takes."""

from __future__ import annotations

from studio.metrics import ALPHA, FEWEST_SCENARIOS, least_discordant, turns_needed
from studio.validation.card import ReportCard

_GAIN = 0.1
"""A difference that a Dungeon Master would notice: one turn in ten."""


def reach_sentences(card: ReportCard) -> tuple[str, ...]:
    """Plain sentences below a comparison; none when there is nothing to compare."""
    if len(card.models) < 2 or not card.turns:
        return ()
    scenarios = len({one.scenario for one in card.turns})
    return (_scenarios(scenarios), _fewest(len(card.turns), scenarios), _needed())


def _scenarios(number: int) -> str:
    if number >= FEWEST_SCENARIOS:
        return f"The turns are from {number:,} scenarios, and the ranges are those of other scenarios of this kind."
    known = "1 scenario" if number == 1 else f"{number:,} scenarios"
    return (
        f"The turns are from {known} only, too few to say how it would be with others: the ranges are those of more "
        f"turns like these. With {FEWEST_SCENARIOS} scenarios or more they say more."
    )


def _fewest(turns: int, scenarios: int) -> str:
    least = least_discordant(ALPHA)
    if turns < least:
        return f"With {turns:,} of them nothing can be shown: at least {least} must change, all in one direction."
    alike = ", and more when those of a scenario change together" if scenarios >= FEWEST_SCENARIOS else ""
    return (
        f"Of these {turns:,} turns at least {least} ({100 * least / turns:.0f} %) must change, all in one direction, "
        f"before a difference can be shown{alike}."
    )


def _needed() -> str:
    needed = turns_needed(_GAIN, 0.0, ALPHA)
    return (
        f"To find out a model that gets one turn in ten more right, and none fewer, takes about {needed} turns: then 8 "
        "of 10 tests show it."
    )
