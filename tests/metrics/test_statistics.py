import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from studio.metrics import bootstrap_interval, f1_interval, wilson_interval


def by_hand(hits: float, total: float) -> tuple[float, float]:
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


@settings(deadline=None)
@given(st.floats(0, 40), st.floats(0, 40))
def test_an_effective_sample_need_not_be_whole(hits: float, misses: float) -> None:
    total = hits + misses
    if total < 0.1:
        return
    found = wilson_interval(hits, total)
    assert (found.low, found.high) == pytest.approx(by_hand(hits, total), abs=1e-9)


@settings(deadline=None)
@given(st.integers(1, 200).flatmap(lambda counted: st.tuples(st.integers(0, counted), st.just(counted))))
def test_the_interval_of_f1_is_wilsons_of_the_jaccard_share_carried_over(counts: tuple[int, int]) -> None:
    hits, counted = counts
    found = f1_interval(hits, counted)
    share = stats.binomtest(hits, counted).proportion_ci(method="wilson")
    back = [end / (2 - end) for end in (found.low, found.high)]  # J = F1 / (2 - F1)
    assert back == pytest.approx([share.low, share.high], abs=1e-9)
    assert found.low <= 2 * hits / (hits + counted) <= found.high


def test_an_f1_of_nothing_or_everything_is_not_certain() -> None:
    """The bootstrap said 0 to 0 and 1 to 1 here: resampling zeros gives zeros."""
    none, all_of_them = f1_interval(0, 10), f1_interval(10, 10)
    assert (none.low, none.high) == pytest.approx((0, 0.4345), abs=1e-4)  # Wilson of 0 in 10: 0 to 0.2775
    assert (all_of_them.low, all_of_them.high) == pytest.approx((0.8389, 1), abs=1e-4)  # of 10 in 10: 0.7225 to 1


def test_the_interval_of_f1_covers_the_true_f1_about_as_often_as_it_says() -> None:
    """Exactly, over every possible count: 20 turns are counted, of which 30 % are hits in the long run."""
    true = 2 * 0.3 / 1.3
    covers = [f1_interval(hits, 20).low <= true <= f1_interval(hits, 20).high for hits in range(21)]
    assert stats.binom.pmf(range(21), 20, 0.3) @ np.array(covers) == pytest.approx(0.95, abs=0.03)


def test_bootstrap_interval_repeats_with_its_seed_and_is_scipys() -> None:
    values = np.random.default_rng(3).normal(5, 2, 40)
    found = bootstrap_interval(values.tolist(), seed=11)
    again = bootstrap_interval(values.tolist(), seed=11)
    reference = stats.bootstrap(
        (values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(11)
    )
    assert found == again
    assert (found.low, found.high) == pytest.approx(tuple(reference.confidence_interval))
    assert found.low < values.mean() < found.high
    assert found != bootstrap_interval(values.tolist(), seed=12)


def test_bootstrap_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    intervals = [bootstrap_interval(generator.normal(1, 1, 50).tolist(), seed=n, resamples=400) for n in range(200)]
    covered = sum(one.low <= 1 <= one.high for one in intervals)
    assert 175 <= covered <= 200  # 95 % of 200 is 190; the percentile method is a little optimistic


def test_one_value_has_no_spread() -> None:
    assert bootstrap_interval([0.5], seed=1).low == bootstrap_interval([0.5], seed=1).high == 0.5
