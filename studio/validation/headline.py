"""What a report says of its models in a sentence: better, worse, or no difference shown, and in what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from studio.metrics import Comparison
from studio.validation.card import ModelResult, ReportCard
from studio.validation.wording import CHECKS

Tone = Literal["better", "worse", "mixed", "same", "alone"]


@dataclass(frozen=True)
class Headline:
    """What a report says about one model: plain text without markup."""

    tone: Tone
    title: str
    sentences: tuple[str, ...] = ()


def headlines(card: ReportCard) -> list[Headline]:
    """One per model that was compared; one about the model itself when it was measured alone."""
    if card.baseline is None:
        return []
    if len(card.models) == 1:
        return [_alone(card.baseline, len(card.turns))]
    return [_compared(one, card.baseline, len(card.turns)) for one in card.models[1:]]


def verdict(card: ReportCard) -> Tone:
    """The whole report in a word: the worst that is said of any of its models."""
    tones: set[Tone] = {one.tone for one in headlines(card)}
    order: tuple[Tone, ...] = ("worse", "mixed", "same", "better", "alone")
    return next((one for one in order if one in tones), "alone")


def _alone(model: ModelResult, turns: int) -> Headline:
    right = model.summary.figures["turn_right"]
    if right.value is None:
        return Headline("alone", "There was no turn to judge.")
    reach = right.interval
    wide = f" In other tests of this kind: {reach.low:.0%} to {reach.high:.0%}." if reach else ""
    return Headline(
        "alone",
        f"{model.model.label} has {right.hits} of {_turns(turns)} right",
        (f"That is {right.value:.0%}.{wide}", "Measure it against another model to learn whether that is much."),
    )


def _compared(model: ModelResult, baseline: ModelResult, turns: int) -> Headline:
    better = [one for one in model.comparisons if one.verdict == "better"]
    worse = [one for one in model.comparisons if one.verdict == "worse"]
    name, other = model.model.label, baseline.model.label
    sentences = tuple(_listed(word, found) for word, found in (("Better", better), ("Worse", worse)) if found)
    if better and worse:
        return Headline("mixed", f"{name} is better than {other} in some things and worse in others", sentences)
    if worse:
        return Headline("worse", f"{name} is worse than {other}", sentences)
    if better:
        return Headline("better", f"{name} is better than {other}", (*sentences, "Nothing is shown to be worse."))
    honest = f"That is not the same as no difference: with {_turns(turns)} only a large one shows."
    return Headline("same", f"No difference shown between {name} and {other}", (honest,))


def _listed(word: str, found: Iterable[Comparison]) -> str:
    named = [f"{CHECKS[one.name].title} ({one.first:.0%} → {one.second:.0%})" for one in found]
    return f"{word}: {'; '.join(named)}."


def _turns(number: int) -> str:
    return "1 turn" if number == 1 else f"{number:,} turns"
