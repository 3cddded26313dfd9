"""Perplexity and bits per character: hand-computed, with ranges that hold the figure."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.metrics import Figure, Likelihood, Summary, summarize
from studio.metrics.likelihood import bits_per_character, perplexity

Turns = list[tuple[str, Likelihood]]


def turn(key: str, nats: float, tokens: int, characters: int) -> tuple[str, Likelihood]:
    return key, Likelihood(nats=nats, tokens=tokens, characters=characters)


def numbers(figure: Figure) -> tuple[float, float, float]:
    assert figure.value is not None
    assert figure.interval is not None
    return figure.interval.low, figure.value, figure.interval.high


turns = st.lists(
    st.builds(turn, st.sampled_from([f"{one}.md#1" for one in "abcdefgh"]), st.floats(0, 500), st.integers(1, 200),
              st.integers(1, 900)),
    min_size=1, max_size=12,
)  # fmt: skip


def test_a_model_that_chooses_among_eight_alike_has_perplexity_eight() -> None:
    rows = [turn("a#1", 3 * math.log(8), 3, 9), turn("a#2", 5 * math.log(8), 5, 15)]
    assert numbers(perplexity(rows, 7)) == pytest.approx((8, 8, 8))
    assert numbers(bits_per_character(rows, 7)) == pytest.approx((1, 1, 1))


def test_long_turns_count_for_more_than_short_ones() -> None:
    rows = [turn("a#1", 2.0, 1, 4), turn("a#2", 18.0, 9, 36), turn("b#1", 0.0, 10, 10)]
    figure = perplexity(rows, 7)
    assert figure.value == pytest.approx(math.exp(20 / 20))
    assert bits_per_character(rows, 7).value == pytest.approx(20 / math.log(2) / 50)
    assert (figure.better, figure.is_share, figure.total) == ("lower", False, 3)
    assert figure.turns == ("a#1", "a#2", "b#1")


@given(turns)
def test_the_range_holds_the_figure(rows: Turns) -> None:
    for figure, least in ((perplexity(rows, 7), 1.0), (bits_per_character(rows, 7), 0.0)):
        low, value, high = numbers(figure)
        assert least - 1e-9 <= low <= value * (1 + 1e-9)
        assert value <= high * (1 + 1e-9)


def test_with_enough_scenarios_the_range_is_about_other_scenarios() -> None:
    rows = [turn(f"{name}.md#{index}", 10.0 + place, 8, 30) for place, name in enumerate("abcdef") for index in (1, 2)]
    few, many = perplexity(rows[:10], 7).interval, perplexity(rows, 7).interval
    assert few
    assert many
    assert (few.units, many.units) == ("turns", "scenarios")


def test_where_nothing_was_measured_there_is_nothing_to_count() -> None:
    assert perplexity([], 7).value is bits_per_character([], 7).value is None
    assert bits_per_character([turn("a#1", 1.0, 1, 0)], 7).value is None


def test_a_summary_of_before_has_nothing_to_count() -> None:
    new = summarize([], 7)
    old = new.model_dump()
    for name in ("perplexity", "bits_per_character"):
        del old["figures"][name]
    assert Summary.model_validate(old) == new
    assert list(Summary.model_validate(old).figures) == list(new.figures)
