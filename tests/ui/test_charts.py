"""The charts of a run hold the figures of its events; smoothing neither shifts nor invents."""

from __future__ import annotations

import math
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.jobs import EvaluationEvent, StepEvent
from studio.ui.charts import AXES, MEASURES, Axis, Course, course_chart, minutes, smooth

losses = st.lists(st.floats(0, 100), min_size=1, max_size=50)


def step(number: int, loss: float, time: float = 0.0) -> StepEvent:
    return StepEvent(
        step=number, total_steps=20, epoch=number / 10, loss=loss, learning_rate=1e-3, grad_norm=1 + number,
        tokens_per_second=90, tokens_seen=1, memory_bytes=2_000_000, time=time,
    )  # fmt: skip


def evaluation(number: int, loss: float, calls: float | None = None) -> EvaluationEvent:
    return EvaluationEvent(
        step=number, epoch=number / 10, loss=loss, perplexity=math.e, trained_tokens=1, calls_right=calls, calls_turns=4
    )


def test_the_curves_are_the_events() -> None:
    figure = course_chart([Course("tavern", [step(1, 3.0), step(2, 2.0)], [evaluation(2, 2.5)])])
    raw, smoothed, held_out = figure.data
    assert (list(raw.x), list(raw.y)) == ([1, 2], [3.0, 2.0])
    assert list(smoothed.y) == pytest.approx(smooth([3.0, 2.0]))
    assert (list(held_out.x), list(held_out.y)) == ([2], [2.5])
    first, last = figure.layout.xaxis.range
    assert first == 0
    assert 20 < last < 21


@pytest.mark.parametrize("axis", get_args(Axis))
@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_can_be_drawn_over_every_axis_for_several_runs(measure: str, axis: Axis) -> None:
    one = Course("tavern", [step(1, 3.0, 60), step(2, 2.0, 180)], [evaluation(2, 2.5, 0.25)])
    other = Course("harbor", [step(1, 4.0, 500), step(2, 3.5, 530), step(3, 3.0, 560)])
    figure = course_chart([one, other], measure, axis)
    places = {"step": [1, 2], "epoch": [0.1, 0.2], "minutes": [0, 2]}[axis]
    lines = [line for line in figure.data if "tavern" in line.name]
    assert lines
    assert all(set(line.x) <= set(places) for line in lines)
    assert figure.layout.xaxis.title.text == AXES[axis]
    values = {name: [kind.of_step(one.steps[1])] for name, kind in MEASURES.items() if kind.of_step}
    expected = 25.0 if measure == "calls" else values[measure][0]
    assert any(expected == pytest.approx(line.y[-1]) for line in lines)
    assert any("harbor" in line.name for line in figure.data) == (measure != "calls")


def test_a_run_without_probed_turns_has_no_curve_of_them() -> None:
    assert len(course_chart([Course("old", [step(1, 3.0)], [evaluation(1, 2.5)])], "calls").data) == 0


def test_without_events_there_is_an_empty_chart() -> None:
    assert len(course_chart([Course("young", [])]).data) == 0
    assert len(course_chart([]).data) == 0


def test_a_night_between_two_steps_is_no_time_of_training() -> None:
    times = [0, 60, 120, 120 + 8 * 3600, 120 + 8 * 3600 + 60]
    assert minutes([step(n, 1.0, time) for n, time in enumerate(times)]) == pytest.approx([0, 1, 2, 3, 4])
    assert minutes([]) == []


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
