"""The loss chart holds the figures of the events; smoothing neither shifts nor invents."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.jobs import EvaluationEvent, StepEvent
from studio.ui.charts import loss_chart, smooth

losses = st.lists(st.floats(0, 100), min_size=1, max_size=50)


def step(number: int, loss: float) -> StepEvent:
    return StepEvent(
        step=number, total_steps=20, epoch=0.1, loss=loss, learning_rate=1e-3, grad_norm=1, tokens_per_second=9,
        tokens_seen=1, memory_bytes=1,
    )  # fmt: skip


def evaluation(number: int, loss: float) -> EvaluationEvent:
    return EvaluationEvent(step=number, epoch=0.1, loss=loss, perplexity=math.e, trained_tokens=1)


def test_the_curves_are_the_events() -> None:
    figure = loss_chart([step(1, 3.0), step(2, 2.0)], [evaluation(2, 2.5)], 20)
    raw, smoothed, validation = figure.data
    assert (list(raw.x), list(raw.y)) == ([1, 2], [3.0, 2.0])
    assert list(smoothed.y) == pytest.approx(smooth([3.0, 2.0]))
    assert (list(validation.x), list(validation.y)) == ([2], [2.5])
    first, last = figure.layout.xaxis.range
    assert first == 0
    assert 20 < last < 21


def test_without_events_there_is_an_empty_chart() -> None:
    assert len(loss_chart([], []).data) == 0


@given(losses)
def test_smoothing_stays_within_what_was_measured(values: list[float]) -> None:
    smoothed = smooth(values)
    assert len(smoothed) == len(values)
    assert all(min(values) - 1e-9 <= one <= max(values) + 1e-9 for one in smoothed)
    assert smoothed[0] == pytest.approx(values[0])


@given(st.floats(0, 100), st.integers(1, 50))
def test_a_constant_stays_itself(value: float, length: int) -> None:
    assert smooth([value] * length) == pytest.approx([value] * length)


def test_a_loss_that_is_no_number_leaves_a_gap_and_not_the_end_of_the_curve() -> None:
    smoothed = smooth([2.0, math.nan, 2.0, math.inf, 2.0])
    assert [math.isfinite(one) for one in smoothed] == [True, False, True, False, True]
    assert smoothed[-1] == pytest.approx(2.0)
