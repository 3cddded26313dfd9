import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from studio.metrics import bootstrap_interval, mcnemar, paired_difference, wilson_interval


def by_hand(hits: int, total: int) -> tuple[float, float]:
    """Wilson's formula as it is printed, z = 1.959964."""
    z, p = 1.959963984540054, hits / total
    middle = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return middle - half, middle + half


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_interval_is_the_printed_formula_and_holds_the_share(counts: tuple[int, int]) -> None:
    hits, total = counts
    found = wilson_interval(hits, total)
    assert (found.low, found.high) == pytest.approx(by_hand(hits, total), abs=1e-9)
    assert 0 <= found.low <= hits / total <= found.high <= 1


def test_wilson_interval_of_eight_in_ten() -> None:
    found = wilson_interval(8, 10)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_wilson_interval_of_nothing_is_everything() -> None:
    found = wilson_interval(0, 0)
    assert (found.low, found.high) == (0, 1)


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


def test_bootstrap_interval_repeats_with_its_seed_and_is_scipys() -> None:
    values = np.random.default_rng(3).normal(5, 2, 40)
    found = bootstrap_interval([values.tolist()], seed=11)
    again = bootstrap_interval([values.tolist()], seed=11)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(11)
    )
    assert found == again
    assert (found.low, found.high) == pytest.approx(tuple(reference.confidence_interval))
    assert found.low < values.mean() < found.high
    assert found != bootstrap_interval([values.tolist()], seed=12)


def test_bootstrap_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    intervals = [bootstrap_interval([generator.normal(1, 1, 50).tolist()], seed=n, resamples=400) for n in range(200)]
    covered = sum(one.low <= 1 <= one.high for one in intervals)
    assert 175 <= covered <= 200  # 95 % of 200 is 190; the percentile method is a little optimistic


def test_one_value_has_no_spread() -> None:
    assert bootstrap_interval([[0.5]], seed=1).low == bootstrap_interval([[0.5]], seed=1).high == 0.5


def test_paired_difference_is_second_minus_first() -> None:
    found = paired_difference([0, 0, 1, 1], [1, 1, 1, 0], seed=5)
    assert found.value == pytest.approx(0.25)
    assert found.interval.low <= 0.25 <= found.interval.high
    assert found.pairs == 4


def test_paired_difference_is_surer_than_two_separate_intervals() -> None:
    """The whole point of pairing: items differ a lot, the models little but always in the same direction."""
    items = np.random.default_rng(9).normal(0, 10, 30)
    found = paired_difference(items.tolist(), (items + 1).tolist(), seed=5)
    assert found.interval.low > 0
    apart = bootstrap_interval([items.tolist()], seed=5)
    assert apart.high > bootstrap_interval([(items + 1).tolist()], seed=5).low
