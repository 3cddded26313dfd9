"""The turns behind a number of a report: which they are, in the lists that a reader may want to see apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.metrics import CHECKS as HOLDS
from studio.metrics import Comparison, Figure
from studio.validation.card import ModelResult
from studio.validation.wording import CHECKS


@dataclass(frozen=True)
class Behind:
    """The turns behind a number: `lists` maps what a filter says to the keys of turns, in the order of the report."""

    title: str
    meaning: str
    label: str
    lists: dict[str, tuple[str, ...]]


def behind_figure(figure: Figure, title: str, meaning: str, label: str) -> Behind:
    """The turns of a figure, first those that speak against the model, where there is such a thing."""
    return Behind(title, meaning, label, figure_lists(figure))


def figure_lists(figure: Figure) -> dict[str, tuple[str, ...]]:
    """The lists of a figure; empty where it is about no turn."""
    return lists_of({"Against it": figure.faults, "All": figure.turns})


def behind_comparison(one: Comparison, model: ModelResult, kind: str | None = None) -> Behind:
    """The turns in which a model differs from the baseline, then those in which both are wrong, or right.

    Args:
        kind: the scenario type that the comparison is about; None for one over all turns.
    """
    words, holds = CHECKS[one.name], HOLDS[one.name]
    changed = {*one.lost, *one.gained}
    same = [found for found in model.verdicts if found.key not in changed and kind in (None, found.scenario_type)]
    lists = {
        "Lost": one.lost,
        "Won": one.gained,
        "Wrong in both": [found.key for found in same if not holds(found)],
        "Right in both": [found.key for found in same if holds(found)],
    }
    title = f"{words.title}: {kind or 'no type'}" if kind is not None else words.title
    return Behind(title, words.meaning, model.model.label, lists_of(lists))


def lists_of(found: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Lists without those that are empty; a turn stands once in each."""
    return {name: tuple(dict.fromkeys(keys)) for name, keys in found.items() if keys}
