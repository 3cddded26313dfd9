"""Better or worse: the exact test, the interval that agrees with it, the correction for several lines, and power."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from studio.metrics import (
    ALPHA,
    PRIMARY,
    PairedCounts,
    compare,
    holm_factors,
    least_discordant,
    mcnemar,
    paired_counts,
    turns_needed,
    wilson_interval,
)
from studio.metrics.power import power
from tests.metrics.test_against_libraries import WANTED_AND_ASKED, judged

TABLES = [
    PairedCounts(only_first=lost, only_second=gained, pairs=pairs)
    for pairs in range(1, 13)
    for lost, gained in itertools.product(range(pairs + 1), repeat=2)
    if lost + gained <= pairs
]


def test_mcnemar_counts_only_the_turns_where_the_models_differ() -> None:
    first = [True] * 5 + [False] * 6 + [True] * 1 + [False] * 8
    second = [True] * 5 + [True] * 6 + [False] * 1 + [False] * 8
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (1, 6)
    assert found.p_value == pytest.approx(2 * (math.comb(7, 0) + math.comb(7, 1)) / 2**7)  # 0.125


def test_mcnemar_of_equal_models_is_one() -> None:
    assert mcnemar([True, False], [True, False]).p_value == 1


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_mcnemar_does_not_care_which_model_comes_first(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    one, other = mcnemar(first, second), mcnemar(second, first)
    assert one.p_value == pytest.approx(other.p_value)
    assert 0 < one.p_value <= 1


def test_mcnemar_refuses_different_lengths() -> None:
    with pytest.raises(ValueError, match=r"shorter|longer"):
        mcnemar([True], [True, False])


def test_of_twenty_one_children_eight_changed() -> None:
    """The table of Bentur et al. (2009) that Fagerland, Lydersen & Laake (2013) work through: exact p = 0.0703."""
    found = PairedCounts(only_first=1, only_second=7, pairs=21)
    assert found.test().p_value == pytest.approx(0.0703, abs=5e-5)
    difference = found.difference()
    assert difference.value == pytest.approx(6 / 21)
    assert difference.interval.low < 0 < difference.interval.high


@pytest.mark.parametrize(("gained", "lost", "pairs"), [(7, 1, 21), (6, 0, 23), (3, 3, 12), (0, 5, 12), (12, 0, 12)])
def test_the_limits_are_those_of_the_published_definition_by_random_draws(gained: int, lost: int, pairs: int) -> None:
    """Fay & Lumbard's Monte Carlo form: the outermost quantiles of how often they differ times (2 part - 1)."""
    generator, draws, differ = np.random.default_rng(7), 200_000, gained + lost
    rarely = generator.beta(differ, pairs - differ + 1, draws)
    often = generator.beta(differ + 1, pairs - differ, draws) if differ < pairs else np.ones(draws)
    low = generator.beta(gained, lost + 1, draws) if gained else np.zeros(draws)
    high = generator.beta(gained + 1, lost, draws) if lost else np.ones(draws)
    expected = (
        min(np.quantile(times * (2 * low - 1), 0.025) for times in (rarely, often)),
        max(np.quantile(times * (2 * high - 1), 0.975) for times in (rarely, often)),
    )
    found = PairedCounts(only_first=lost, only_second=gained, pairs=pairs).difference().interval
    assert (found.low, found.high) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_the_interval_excludes_zero_just_when_the_test_shows_a_difference(confidence: float) -> None:
    """Every table of up to twelve turns."""
    assert len(TABLES) == 454
    for table in TABLES:
        interval, value = table.difference(confidence).interval, table.difference(confidence).value
        shown = table.test().p_value < 1 - confidence
        assert shown == (interval.low > 0 or interval.high < 0), table
        assert -1 <= interval.low <= value <= interval.high <= 1, table


def test_the_interval_misses_the_true_difference_at_most_as_often_as_it_says() -> None:
    """Exactly, over every table of ten turns: below and above by at most 2.5 % each, whatever the models are like."""
    tables = [one for one in TABLES if one.pairs == 10]
    limits = np.array([(one.difference().interval.low, one.difference().interval.high) for one in tables])
    differ = np.array([one.only_first + one.only_second for one in tables])
    gained = np.array([one.only_second for one in tables])
    for often, part in itertools.product(np.linspace(0, 1, 11), repeat=2):
        true = often * (2 * part - 1)
        chances = stats.binom.pmf(differ, 10, often) * stats.binom.pmf(gained, differ, part)
        assert chances[limits[:, 0] > true + 1e-9].sum() <= 0.025
        assert chances[limits[:, 1] < true - 1e-9].sum() <= 0.025


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 30))
def test_the_other_way_round_the_interval_is_turned_round(lost: int, gained: int, same: int) -> None:
    pairs = lost + gained + same
    one = PairedCounts(only_first=lost, only_second=gained, pairs=pairs).difference().interval
    other = PairedCounts(only_first=gained, only_second=lost, pairs=pairs).difference().interval
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_against_a_model_that_has_nothing_right_the_difference_is_the_share_itself(answers: list[bool]) -> None:
    """No pair is lost then, and the upper end is Clopper and Pearson's."""
    found = paired_counts([False] * len(answers), answers).difference()
    reference = stats.binomtest(sum(answers), len(answers)).proportion_ci(method="exact")
    assert found.value == pytest.approx(np.mean(answers))
    assert found.interval.high == pytest.approx(reference.high, abs=1e-6)


def test_models_that_never_differ_may_still_differ_elsewhere() -> None:
    found = paired_counts([True] * 20, [True] * 20).difference()
    assert (found.value, found.interval.low) == (0, pytest.approx(-(1 - 0.025 ** (1 / 20))))
    assert found.interval.high == -found.interval.low


def test_pairing_shows_what_two_separate_intervals_cannot() -> None:
    first = [True] * 20 + [False] * 20
    second = [True] * 27 + [False] * 13
    assert paired_counts(first, second).difference().interval.low > 0
    assert wilson_interval(sum(first), 40).high > wilson_interval(sum(second), 40).low


@settings(max_examples=25, deadline=None)
@given(WANTED_AND_ASKED, WANTED_AND_ASKED)
def test_a_verdict_never_contradicts_its_interval_or_its_p_value(
    first: list[tuple[str, str]], second: list[tuple[str, str]]
) -> None:
    turns = list(zip(first, second, strict=False))
    models = ([(wanted, asked) for (wanted, asked), _ in turns], [(wanted, asked) for (wanted, _), (_, asked) in turns])
    for one in compare(judged(models[0]), judged(models[1])):
        interval = one.difference.interval
        says = "better" if interval.low > 0 else ("worse" if interval.high < 0 else "no difference shown")
        assert one.verdict == says
        assert one.test.adjusted_p is not None
        assert (one.test.adjusted_p < ALPHA) == (says != "no difference shown")
        assert one.test.adjusted_p >= one.test.p_value
        assert interval.confidence >= 1 - ALPHA


def test_the_first_property_is_the_question_and_the_others_are_corrected() -> None:
    """Six turns won of six: enough for the question that was asked, too few for one of five others."""
    wanted = [("stealth", "perception")] * 6
    found = {one.name: one for one in compare(judged(wanted), judged([("stealth", "stealth")] * 6))}
    assert (found[PRIMARY].test.p_value, found[PRIMARY].test.adjusted_p) == (0.03125, 0.03125)
    assert (found["calls_exact"].test.p_value, found["calls_exact"].test.adjusted_p) == (0.03125, 5 * 0.03125)
    assert (found[PRIMARY].verdict, found["calls_exact"].verdict) == ("better", "no difference shown")
    assert found[PRIMARY].difference.interval.confidence == pytest.approx(0.95)
    assert found["calls_exact"].difference.interval.confidence == pytest.approx(0.99)


def test_holms_correction_by_hand() -> None:
    """Smallest times four, next times three; the one times two is raised to the one before it."""
    p_values = [0.01, 0.04, 0.03, 0.005]
    adjusted = [factor * p for factor, p in zip(holm_factors(p_values), p_values, strict=True)]
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])


@settings(deadline=None)
@given(st.lists(st.integers(1, 10_000).map(lambda one: one / 9973), min_size=1, max_size=6))
def test_holms_correction_rejects_what_the_step_down_procedure_rejects(p_values: list[float]) -> None:
    factors = holm_factors(p_values)
    rejected = [factor * p < ALPHA for factor, p in zip(factors, p_values, strict=True)]
    expected = set()
    for step, index in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        if p_values[index] * (len(p_values) - step) >= ALPHA:
            break
        expected.add(index)
    assert {index for index, one in enumerate(rejected) if one} == expected
    assert all(1 <= round(factor, 9) <= len(p_values) for factor in factors)


@pytest.mark.parametrize(("alpha", "turns"), [(0.05, 6), (0.01, 8), (0.001, 11)])
def test_so_many_turns_must_change_before_anything_shows(alpha: float, turns: int) -> None:
    assert least_discordant(alpha) == turns
    assert 2 / 2**turns < alpha <= 2 / 2 ** (turns - 1)


@pytest.mark.parametrize(("gained", "lost", "turns"), [(0.3, 0.1, 12), (0.5, 0.0, 9)])
def test_power_is_the_sum_over_every_table(gained: float, lost: float, turns: int) -> None:
    expected = sum(
        stats.multinomial.pmf([won, gone, turns - won - gone], turns, [gained, lost, 1 - gained - lost])
        for won, gone in itertools.product(range(turns + 1), repeat=2)
        if won + gone <= turns and won > gone and stats.binomtest(won, won + gone).pvalue < ALPHA
    )
    assert power(turns, gained, lost, ALPHA) == pytest.approx(expected)


def test_turns_needed_are_enough_and_one_fewer_is_not() -> None:
    needed = turns_needed(0.1, 0.0, ALPHA)
    assert needed == 78  # six of 78 turns at one in ten: 1 - binom.cdf(5, 78, 0.1) = 0.803
    assert 1 - stats.binom.cdf(5, 78, 0.1) >= 0.8 > 1 - stats.binom.cdf(5, 77, 0.1)
    assert turns_needed(0.001, 0.0, ALPHA) is None
    with pytest.raises(ValueError, match="more is won than lost"):
        turns_needed(0.1, 0.1, ALPHA)
