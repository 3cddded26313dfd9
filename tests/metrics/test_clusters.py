"""Turns of one scenario resemble each other: what that costs, and what is claimed with few scenarios."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from studio.metrics import FEWEST_SCENARIOS, average, design_effect, paired_counts, share, wilson_interval
from studio.metrics.clusters import mean_of_scenarios
from studio.validation import figure_text

SCENARIOS = [f"{number}.md" for number in range(10)]
SCENES = [name for name in SCENARIOS for _ in range(12)]
KEYS = [f"{name}#{turn}" for name in SCENARIOS for turn in range(12)]


def test_turns_of_few_scenarios_count_as_they_are() -> None:
    few = SCENES[: 12 * (FEWEST_SCENARIOS - 1)]
    assert design_effect(few, [float(one == "0.md") for one in few]) == 1
    figure = share("any", [(key, key.startswith("0")) for key in KEYS[: len(few)]])
    assert figure.interval == wilson_interval(12, len(few))


def test_when_every_scenario_is_one_turn_nothing_is_lost() -> None:
    values = [float(number % 3 == 0) for number in range(10)]
    assert design_effect(SCENARIOS, values) == pytest.approx(1)


def test_twelve_turns_that_are_all_alike_are_worth_one() -> None:
    """Ten scenarios, half of them right throughout: ten observations, and Student's t for nine degrees of freedom."""
    values = [float(int(name[0]) % 2) for name in SCENES]
    few = (stats.t.ppf(0.975, 9) / stats.t.ppf(0.975, 119)) ** 2
    assert design_effect(SCENES, values) == pytest.approx(12 * (10 / 9) * (119 / 120) * few)


def test_turns_that_all_came_out_alike_do_not_show_how_alike_they_are() -> None:
    """Kish: 1 + 11 * 0.2, times what few scenarios cost."""
    few = (stats.t.ppf(0.975, 9) / stats.t.ppf(0.975, 119)) ** 2
    assert design_effect(SCENES, [1.0] * 120) == pytest.approx(3.2 * few)
    figure = share("any", [(key, False) for key in KEYS])
    assert figure.interval is not None
    assert figure.interval.high > wilson_interval(0, 120).high


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-9, 9), min_size=FEWEST_SCENARIOS * 3, max_size=FEWEST_SCENARIOS * 3))
def test_the_mean_over_equal_scenarios_has_scipys_t_interval_of_their_means(values: list[float]) -> None:
    scenes = [name for name in SCENARIOS[:FEWEST_SCENARIOS] for _ in range(3)]
    found = mean_of_scenarios(scenes, values)
    means = np.array(values).reshape(-1, 3).mean(axis=1)
    half = stats.t.ppf(0.975, FEWEST_SCENARIOS - 1) * stats.sem(means)
    assert (found.low, found.high) == pytest.approx((means.mean() - half, means.mean() + half), abs=1e-9)
    assert found.units == "scenarios"


def test_a_mean_of_few_scenarios_says_nothing_about_others() -> None:
    with pytest.raises(ValueError, match="too few scenarios"):
        mean_of_scenarios(["one.md"] * 9, [1.0] * 9)


@pytest.mark.parametrize(("value", "ends"), [(0.0, (0.0, 0.1611)), (1.0, (0.8389, 1.0))])
def test_a_share_of_words_at_its_border_is_not_certain(value: float, ends: tuple[float, float]) -> None:
    """Wilson of 0 in 20: so many turns may have some, and then at most all of their words."""
    figure = average("any", [(f"#{number}", value) for number in range(20)], seed=1, is_share=True)
    assert figure.interval is not None
    assert (figure.interval.low, figure.interval.high) == pytest.approx(ends, abs=1e-4)
    assert "of 20" not in figure_text(figure)  # a mean counts no turns


def test_a_mean_that_is_a_share_stays_between_none_and_all() -> None:
    values = [(key, 1.0 if key.startswith("0") else 0.02) for key in KEYS]
    figure = average("any", values, seed=1, is_share=True)
    assert figure.interval is not None
    assert (figure.interval.low, figure.interval.units) == (0, "scenarios")


def test_the_interval_of_a_share_covers_the_truth_of_other_scenarios() -> None:
    """Three in ten turns are right in the long run, but a whole scenario is easy or hard (correlation 0.2)."""
    generator = np.random.default_rng(5)
    covered = alone = 0
    for _ in range(300):
        right = generator.random(120) < np.repeat(generator.beta(1.2, 2.8, 10), 12)
        figure = share("any", list(zip(KEYS, right.tolist(), strict=True)))
        assert figure.interval is not None
        covered += figure.interval.low <= 0.3 <= figure.interval.high
        alone += wilson_interval(figure.hits, 120).low <= 0.3 <= wilson_interval(figure.hits, 120).high
    assert covered >= 0.92 * 300
    assert alone < 0.85 * 300  # as if turns were independent: false in more than one of six tests


def test_models_that_are_equal_over_all_scenarios_are_rarely_told_apart() -> None:
    """In each scenario one of two equal models is luckier; at most 1 of 20 such tests may call it a difference."""
    generator = np.random.default_rng(6)
    shown = alone = 0
    for _ in range(300):
        differ = generator.random(120) < 0.4
        second = generator.random(120) < np.repeat(generator.beta(1, 1, 10), 12)
        answers = ((differ & ~second).tolist(), (differ & second).tolist())
        shown += paired_counts(*answers, SCENES).test().p_value < 0.05
        alone += paired_counts(*answers).test().p_value < 0.05
    assert shown <= 0.05 * 300
    assert alone > 0.10 * 300


def test_test_and_interval_agree_over_scenarios_too() -> None:
    generator = np.random.default_rng(8)
    verdicts = set()
    for strength in np.linspace(0.5, 0.95, 40):
        differ, second = generator.random(120) < 0.3, generator.random(120) < strength
        counts = paired_counts((differ & ~second).tolist(), (differ & second).tolist(), SCENES)
        interval = counts.difference().interval
        assert (counts.test().p_value < 0.05) == (interval.low > 0)
        assert interval.units == "scenarios"
        verdicts.add(interval.low > 0)
    assert verdicts == {True, False}
