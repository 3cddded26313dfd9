"""What is said of a comparison's reach: how many scenarios stand behind it, and how many turns a difference takes."""

from dataclasses import replace

import pytest

from studio.metrics import Interval, TurnCase
from studio.scenarios import Vocabulary
from studio.validation import difference_text, report_html
from studio.validation.reach import reach_sentences
from tests.validation.conftest import card_of


def answered(cases: list[TurnCase]) -> dict[str, list[str]]:
    return {"authors": [one.authored for one in cases], "weather": ["It rains."] * len(cases)}


def test_with_few_scenarios_nothing_is_claimed_about_others(held_out: list[TurnCase], vocabulary: Vocabulary) -> None:
    card = card_of(held_out, vocabulary, **answered(held_out))
    said = reach_sentences(card)
    assert "2 scenarios only" in said[0]
    assert f"Of these {len(held_out)} turns at least 6 ({600 / len(held_out):.0f} %)" in said[1]
    assert "78" in said[2]
    assert {one.difference.interval.units for one in card.models[1].comparisons} == {"turns"}
    assert all(one in report_html(card, interactive=False) for one in said)


def test_with_enough_scenarios_the_ranges_are_those_of_others(held_out: list[TurnCase], vocabulary: Vocabulary) -> None:
    cases = [replace(case, scenario=f"{copy}-{case.scenario}") for copy in range(3) for case in held_out]
    card = card_of(cases, vocabulary, **answered(cases))
    assert "6 scenarios" in reach_sentences(card)[0]
    assert {one.difference.interval.units for one in card.models[1].comparisons} == {"scenarios"}
    assert card.models[1].comparisons[0].verdict == "worse"


def test_a_handful_of_turns_can_show_nothing(held_out: list[TurnCase], vocabulary: Vocabulary) -> None:
    card = card_of(held_out[:5], vocabulary, **answered(held_out[:5]))
    assert "nothing can be shown" in reach_sentences(card)[1]
    assert {one.verdict for one in card.models[1].comparisons} == {"no difference shown"}


def test_a_model_alone_is_not_compared(held_out: list[TurnCase], vocabulary: Vocabulary) -> None:
    assert reach_sentences(card_of(held_out, vocabulary, authors=[one.authored for one in held_out])) == ()


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.004, 0.4, "+20 points, +0.4 to +40"),
        (-0.4, -0.0001, "+20 points, -40 to -0.1"),
        (0.0, 0.31, "+20 points, +0 to +31"),
    ],
)
def test_an_end_that_is_not_zero_is_not_shown_as_zero(low: float, high: float, text: str) -> None:
    assert difference_text(0.2, Interval(low=low, high=high)) == text
